"""A made-up morphable face: 478 points on a half ellipsoid with smooth deformations, and its ground-truth pictures."""

import numpy as np

from app.tracking.calibration_record import Calibration
from app.tracking.landmark_tables import FACE_OVAL, LandmarkTables
from app.tracking.landmarker import LANDMARK_COUNT, LEFT_EYE_CORNER, RIGHT_EYE_CORNER
from app.tracking.person import Parameters, PersonModel
from codec.face_state import EXPRESSION_SIZE
from codec.rotation import rotation_vector_to_matrix

IDENTITY_SIZE = 12
NAMED = 51


def make_tables(seed: int = 3) -> LandmarkTables:
    rng = np.random.default_rng(seed)
    # A sunflower pattern over the disc, lifted onto an ellipsoid of a face's size in front of the ears.
    index = np.arange(LANDMARK_COUNT) + 0.5
    radius, angle = np.sqrt(index / LANDMARK_COUNT), np.pi * (1 + 5**0.5) * index
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    mean = np.stack([7.0 * x, 9.0 * y, 3.0 + 7.0 * np.sqrt(1.0 - 0.98 * radius**2)], axis=1)
    mean[RIGHT_EYE_CORNER], mean[LEFT_EYE_CORNER] = (-4.5, 2.5, 7.0), (4.5, 2.5, 7.0)

    def smooth_directions(count: int, scale: float, width: float) -> np.ndarray:
        """Bumps of a random direction about a random point of the face: local, like muscles."""
        centres = mean[rng.integers(0, LANDMARK_COUNT, count)]
        distances = np.linalg.norm(mean[None] - centres[:, None], axis=2)
        directions = rng.normal(size=(count, 1, 3)) * (1.0, 1.0, 0.5)
        return scale * np.exp(-0.5 * (distances / width) ** 2)[:, :, None] * directions

    weights = np.ones(LANDMARK_COUNT)
    weights[list(FACE_OVAL)] = 0.15
    slide = np.zeros((LANDMARK_COUNT, 2, 5))
    slide[list(FACE_OVAL)] = rng.normal(0.0, 0.2, (len(FACE_OVAL), 2, 5))
    return LandmarkTables(
        mean=mean,
        identity=smooth_directions(IDENTITY_SIZE, 0.4, 6.0),
        expression=np.ascontiguousarray(smooth_directions(EXPRESSION_SIZE, 0.8, 1.5).transpose(2, 1, 0)),
        expression_names=tuple(f"unit{index}" for index in range(EXPRESSION_SIZE)),
        named_count=NAMED,
        expression_sigma=np.full(EXPRESSION_SIZE, 0.5),
        slide=slide,
        slide_range=np.array([0.8, 0.5]),
        weights=weights,
        digest=b"SYNTHETI",
    )


def make_person(tables: LandmarkTables, seed: int = 5, focal: float = 1.6) -> PersonModel:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0.0, 0.03, (LANDMARK_COUNT, 3))
    return PersonModel(tables, Calibration(rng.normal(0, 0.3, IDENTITY_SIZE), focal, offsets, tables.digest))


def make_parameters(
    rng: np.random.Generator, degrees: float = 15.0, active: int = 12, distance: float = 55.0
) -> Parameters:
    vector = np.deg2rad(rng.uniform(-degrees, degrees, 3)) * (0.7, 1.0, 0.5)
    expression = np.zeros(EXPRESSION_SIZE)
    chosen = rng.choice(EXPRESSION_SIZE, active, replace=False)
    expression[chosen] = np.where(chosen < NAMED, rng.uniform(0.1, 0.9, active), rng.normal(0.0, 0.4, active))
    centre = np.array([*rng.uniform(-5, 5, 2), -distance + rng.uniform(-5, 5)])
    return Parameters(rotation_vector_to_matrix(vector), centre, expression)
