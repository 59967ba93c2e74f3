"""Left and right: mirror images of vertices, of landmarks and of sightings.

The landmarker errs to one side or the other on any picture, and a finite number of random heads is never quite even.
Every sighting is used together with its mirror image, so that what is baked favours no side.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from app.tracking.bake.correspondence import FIRST_IRIS, LANDMARKS, SIZE, Sighting

Floats = NDArray[np.float64]
_MIRROR = np.diag([-1.0, 1.0, 1.0])


def vertex_twins(mean: Floats, tolerance: float = 0.05) -> NDArray[np.int64]:
    """Return for each vertex (V,) of the symmetric head ``mean`` (V, 3) the one at its mirror image.

    Raises:
        ValueError: a vertex has no twin within ``tolerance`` centimetres.
    """
    twins = np.empty(len(mean), np.int64)
    for index, point in enumerate(mean @ _MIRROR):
        distance = ((mean - point) ** 2).sum(1)
        twins[index] = distance.argmin()
        if distance[twins[index]] > tolerance**2:
            raise ValueError(f"vertex {index} has no mirror image")
    return twins


def mirror_pairs(points: Floats) -> NDArray[np.int64]:
    """Return for each landmark (478,) its mirror image, from where ``points`` (478, 3) lie on the symmetric head."""
    pairs = np.arange(LANDMARKS)
    for part in (slice(0, FIRST_IRIS), slice(FIRST_IRIS, LANDMARKS)):
        here = points[part]
        cost = np.linalg.norm(here[:, None] - (here * [-1, 1, 1])[None], axis=2) ** 2
        cost = cost + cost.T  # the same pairing seen from either side
        pairs[part] = linear_sum_assignment(cost)[1] + part.start
    return pairs


def mirrored(sighting: Sighting, twins: NDArray[np.int64], pairs: NDArray[np.int64]) -> Sighting:
    """Return what would have been seen had the picture been flipped."""
    return Sighting(
        vertices=sighting.vertices[twins] @ _MIRROR,
        rotation=_MIRROR @ sighting.rotation @ _MIRROR,
        translation=sighting.translation @ _MIRROR,
        focal=sighting.focal,
        landmarks=(sighting.landmarks * [-1, 1] + [SIZE, 0])[pairs],
    )
