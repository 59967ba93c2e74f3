"""Per frame: 79 expression coefficients and the head pose that put the model's landmarks where they are seen.

Damped Gauss-Newton on a maximum a posteriori problem. With r the landmarks' residual in centimetres at the face::

    sum_i w_i |r_i|^2 / sigma^2 + sum_k e_k^2 / s_k^2 + one-sided bounds on the named units
        + sum_k (e_k - before_k)^2 / t_k^2

One warm-started step follows a face; a face that appears needs a few more, the first ones on the pose alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.landmarker import LEFT_EYE_CORNER, RIGHT_EYE_CORNER
from app.tracking.person import POSE_SIZE, Parameters, PersonModel
from codec.face_state import EXPRESSION_SIZE

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """Standard deviations of the priors and the noise."""

    landmark_sigma: float = 0.15
    """Centimetres. Larger than a landmark's own scatter (0.03), because neighbours err together."""
    expression_scale: float = 1.0
    """Of the model's own standard deviations of the coefficients about rest."""
    bound_sigma: float = 0.03
    """By how much a named unit may fall below 0 or exceed 1."""
    change_scale: float = 0.4
    """Of the model's own standard deviations, for a coefficient's change from frame to frame; 0: no temporal prior.

    Coefficients that the landmarks determine follow at once; those that they hardly show do not follow the noise.
    """
    bound_rounds: int = 3
    """Rounds in which the bounds that act are found."""


class LandmarkSolver:
    """Solves frame after frame for one person; holds no state of its own between calls."""

    def __init__(self, person: PersonModel, settings: SolverSettings | None = None) -> None:
        self.person = person
        self.settings = settings or SolverSettings()
        self._named = np.arange(EXPRESSION_SIZE) < person.tables.named_count
        self._ridge = (self.settings.expression_scale * person.tables.expression_sigma) ** -2.0
        self._root_weights = np.sqrt(person.weights) / self.settings.landmark_sigma

    def start(self, seen: Array, iterations: int = 8) -> Parameters:
        """Solve without a previous frame: landmarks ``seen`` (478, 2) in picture heights, see `normalise`."""
        parameters = self.rough_pose(seen)
        for index in range(iterations):
            parameters = self.step(parameters, seen, pose_only=index < 3)
        return parameters

    def follow(self, before: Parameters, seen: Array) -> Parameters:
        """Return the parameters of the frame that follows ``before``: one step, with the temporal prior."""
        rows, residual = self.weighted_rows(before, seen)
        prior = np.zeros_like(self._ridge)
        if self.settings.change_scale:
            prior = (self.settings.change_scale * self.person.tables.expression_sigma) ** -2.0
        return before.stepped(self._bounded_step(before.expression, rows.T @ rows, rows.T @ residual, prior))

    def step(self, parameters: Parameters, seen: Array, pose_only: bool = False) -> Parameters:
        """Return ``parameters`` after one Gauss-Newton step towards the landmarks ``seen`` (478, 2)."""
        rows, residual = self.weighted_rows(parameters, seen)
        if pose_only:
            rows = rows[:, :POSE_SIZE]
        normal, gradient = rows.T @ rows, rows.T @ residual
        if pose_only:
            step = np.zeros(POSE_SIZE + EXPRESSION_SIZE)
            step[:POSE_SIZE] = np.linalg.solve(normal, gradient)
            return parameters.stepped(step)
        return parameters.stepped(
            self._bounded_step(parameters.expression, normal, gradient, np.zeros_like(self._ridge))
        )

    def weighted_rows(self, parameters: Parameters, seen: Array) -> tuple[Array, Array]:
        """Return the whitened Jacobian (956, 85) and residual (956,) of the landmarks ``seen`` (478, 2)."""
        predicted, jacobian = self.person.linearise(parameters)
        residual = (seen / self.person.face_scale(parameters) - predicted) * self._root_weights[:, None]
        return self.weight_rows(jacobian), residual.T.reshape(-1)

    def weight_rows(self, jacobian: Array) -> Array:
        """Whiten a Jacobian (2, 478, N) of positions in cm at the face, in place; returns it as (956, N)."""
        jacobian *= self._root_weights[:, None]
        return jacobian.reshape(-1, jacobian.shape[-1])

    def regularise(self, expression: Array, normal: Array, gradient: Array) -> tuple[Array, Array]:
        """Return one frame's normal equations with the priors added, the bounds as they act at ``expression``."""
        below, above = self._named & (expression < 0.0), self._named & (expression > 1.0)
        return self._with_priors(expression, normal, gradient, below, above, np.zeros_like(self._ridge))

    def _with_priors(
        self, expression: Array, normal: Array, gradient: Array, below: Mask, above: Mask, inertia: Array
    ) -> tuple[Array, Array]:
        settings = self.settings
        bound = settings.bound_sigma**-2
        precision = self._ridge + inertia + bound * (below | above)
        diagonal = np.arange(POSE_SIZE, POSE_SIZE + EXPRESSION_SIZE)
        system, right = normal.copy(), gradient.copy()
        system[diagonal, diagonal] += precision
        right[POSE_SIZE:] += bound * (above * (1.0 - expression) - below * expression) - self._ridge * expression
        return system, right

    def _bounded_step(self, expression: Array, normal: Array, gradient: Array, inertia: Array) -> Array:
        """Solve the regularised normal equations; which bounds act is found by repetition."""
        below = above = np.zeros(EXPRESSION_SIZE, np.bool_)
        for _ in range(self.settings.bound_rounds + 1):
            system, right = self._with_priors(expression, normal, gradient, below, above, inertia)
            step = np.asarray(np.linalg.solve(system, right), np.float64)
            target = expression + step[POSE_SIZE:]
            before = below, above
            below, above = self._named & (target < 0.0), self._named & (target > 1.0)
            if np.array_equal(below, before[0]) and np.array_equal(above, before[1]):
                break
        return step

    def rough_pose(self, seen: Array) -> Parameters:
        """Return the pose of the face at rest that fits best under scaled orthographic projection."""
        person = self.person
        weights = person.weights / person.weights.sum()
        model = person.neutral - person.pivot
        centre = weights @ seen
        affine = np.linalg.lstsq(
            model * np.sqrt(weights)[:, None], (seen - centre) * np.sqrt(weights)[:, None], rcond=None
        )
        first, second = affine[0].T
        scale = (np.linalg.norm(first) + np.linalg.norm(second)) / 2
        # The nearest pair of orthonormal rows.
        left, _, right = np.linalg.svd(np.stack([first, second]), full_matrices=False)
        rows = left @ right
        rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
        depth = person.focal / scale
        position = np.append(centre * depth / person.focal, -depth)
        return Parameters(rotation, position, np.zeros(EXPRESSION_SIZE))

    def errors(self, parameters: Parameters, seen: Array) -> Array:
        """Return the reprojection errors (478,) in parts of the seen distance between the eyes' outer corners."""
        distance = np.linalg.norm(seen - self.person.project(parameters), axis=1)
        relative: Array = distance / np.linalg.norm(seen[RIGHT_EYE_CORNER] - seen[LEFT_EYE_CORNER])
        return relative
