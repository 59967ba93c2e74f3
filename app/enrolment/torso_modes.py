"""The modes in which one person's torso deforms, learned from the enrolment's pictures.

Each picture is registered to the template by a free smooth displacement field; the principal components of these
fields are the modes. What counts as large is not how far something moves but how much that changes the picture: a plain
sleeve may slide as it likes.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.tracking.torso_alignment import PIXELS_EACH, TorsoAligner
from app.tracking.torso_template import SIDE, Tones, TorsoTemplate
from renderer.torso_modes import KNOTS, MODES, SPREAD, spline

ITERATIONS = 4
"""Of a registration that begins where the template's own modes have brought it."""
PIXELS = 2500
"""Of the template that take part in one, evenly."""
ROUGHNESS = 0.006
"""Standard deviation, in sides of the frame, of second differences between neighbouring control points."""
LOOSE = 0.1
"""Of the control points themselves: a picture of a plain shirt says nothing of them."""
EXPECTED = 0.002
"""Standard deviation of each number of a linear part that any torso is taken to have: one that hardly moved at
enrolment is to bend as a whole later on, and not where noise has."""

Array = NDArray[np.float64]


def learn_modes(template: TorsoTemplate, tones: Sequence[Tones]) -> NDArray[np.float32]:
    """Return the modes (M, 2, KNOTS, KNOTS), M <= MODES, in which the pictures deform, the strongest first.

    Args:
        template: with modes to begin with.
        tones: (SIDE, SIDE) each, of pictures in the order of time.

    Returns:
        The template's own modes where there is too little to learn from.
    """
    aligner = TorsoAligner(template)
    if not aligner.usable:
        return template.modes
    free = _FreeRegistration(template, aligner)
    fields, start = [], aligner.rest
    for picture in tones:
        found = aligner.align(picture, (0, SIDE, 0, SIDE), start)
        if found is not None:
            start = found.motion
            fields.append(free.register(picture, start))
    return free.components(np.stack(fields)) if len(fields) > 2 * MODES else template.modes


class _FreeRegistration:
    """Registers pictures to a template by displacements of all control points, (2 KNOTS²,)."""

    def __init__(self, template: TorsoTemplate, aligner: TorsoAligner) -> None:
        self._aligner = aligner.thinned(PIXELS)
        columns, rows = self._aligner.points
        basis = [spline(torch.from_numpy((places + 0.5) / SIDE)).numpy() for places in (rows, columns)]
        self._basis = np.einsum("nj,nk->njk", *basis).reshape(len(rows), KNOTS * KNOTS)
        across, down = self._aligner.gradients * SIDE
        self._steepest = np.concatenate((across[:, None] * self._basis, down[:, None] * self._basis), 1)
        self._modes = np.asarray(template.modes, np.float64).reshape(len(template.modes), -1)
        linear = TorsoTemplate.moving_linearly(template.camera, template.mix, template.tones, template.mask)
        self._linear = np.asarray(linear.modes, np.float64).reshape(len(linear.modes), -1)
        self._translations = np.kron(np.eye(2), np.ones(KNOTS * KNOTS))
        differences = np.diff(np.eye(KNOTS), 2, axis=0)
        along = differences.T @ differences
        rough = np.kron(along, np.eye(KNOTS)) + np.kron(np.eye(KNOTS), along)
        self._prior = np.kron(np.eye(2), rough / ROUGHNESS**2 + np.eye(KNOTS * KNOTS) / LOOSE**2)

    def register(self, tones: Tones, motion: Array) -> Array:
        """Return the displacements of the control points, in sides of the frame, from a motion of the template on."""
        start = motion[:2] @ self._translations + motion[2:] @ self._modes
        field = start
        for _ in range(ITERATIONS):
            moved = np.stack((self._basis @ field[: KNOTS * KNOTS], self._basis @ field[KNOTS * KNOTS :]))
            columns, rows = (self._aligner.points + SIDE * moved).astype(np.float32)[:, None]
            read = cv2.remap(tones, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
            seen = (columns[0] >= 0) & (columns[0] <= SIDE - 1) & (rows[0] >= 0) & (rows[0] <= SIDE - 1)
            weights, residuals, spread, _ = self._aligner.compare(read.astype(np.float64), seen)
            weighted = self._steepest * weights[:, None]
            stiffness = PIXELS_EACH * spread**2 * self._prior
            normal = self._steepest.T @ weighted + stiffness
            field = field - np.linalg.solve(normal, weighted.T @ residuals + stiffness @ (field - start))
        return np.asarray(field)

    def components(self, fields: Array) -> NDArray[np.float32]:
        """Return the principal components of fields (F, 2 KNOTS²) that no displacement of the whole explains."""
        # How much a field changes the picture, and a little of its size so that there is a measure everywhere.
        visible = self._steepest.T @ self._steepest
        metric = visible + 1e-3 * np.trace(visible) / len(visible) * np.eye(len(visible))
        whole = self._translations.T
        explained = np.linalg.solve(whole.T @ metric @ whole, whole.T @ metric)
        expected = EXPECTED * np.sqrt(len(fields)) * self._linear
        rest = np.concatenate((fields - fields.mean(0), expected))
        rest = rest - rest @ explained.T @ whole.T
        factor = np.linalg.cholesky(metric)
        _, sizes, directions = np.linalg.svd(rest @ factor, full_matrices=False)
        # What changes the picture less than any linear part is expected to is noise.
        least = np.linalg.svd(rest[len(fields) :] @ factor, compute_uv=False).min()
        kept = directions[:MODES][sizes[:MODES] >= least]
        modes: Array = np.linalg.solve(factor.T, kept.T).T.reshape(len(kept), 2, KNOTS * KNOTS)
        moved = np.einsum("mdk,nk->mdn", modes, self._basis)
        size = np.sqrt((moved**2).sum(1).mean(1))
        scaled: NDArray[np.float32] = (modes * (SPREAD / size)[:, None, None]).astype(np.float32)
        return scaled.reshape(len(kept), 2, KNOTS, KNOTS)
