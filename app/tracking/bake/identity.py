"""The identity basis: principal components of random adults, aligned on the face."""

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.source import HeadSource

OFF_FACE_WEIGHT = 0.15
"""Weight of a vertex off the face in the principal components: skull and ears vary more than landmarks can tell."""


def face_mask(source: HeadSource) -> NDArray[np.bool_]:
    """Return the vertices (V,) of the visible front of the face: what alignment and fit go by."""
    regions = source.regions
    v = source.vertices
    eyes = v[regions["eye_left"] | regions["eye_right"]].mean(0)
    front = (v[:, 2] > eyes[2] - 3.5) & (v[:, 1] > eyes[1] - 13.5) & (v[:, 1] < eyes[1] + 6.5)
    face: NDArray[np.bool_] = front & ~(regions["neck"] | regions["ears"] | regions["cavity"])
    return face


def ear_centre(source: HeadSource, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point (3,) midway between the ears of ``vertices`` (V, 3)."""
    ears = vertices[source.regions["ears"]]
    left, right = ears[ears[:, 0] > 0], ears[ears[:, 0] < 0]
    centre: NDArray[np.float64] = (left.mean(0) + right.mean(0)) / 2
    return centre


def similarity(
    moving: NDArray[np.float64], fixed: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return scale, rotation (3, 3), translation (3,) that best carry ``moving`` (N, 3) onto ``fixed`` (Umeyama)."""
    mm, mf = moving.mean(0), fixed.mean(0)
    u, s, vt = np.linalg.svd((fixed - mf).T @ (moving - mm))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / ((moving - mm) ** 2).sum())
    return scale, rotation, mf - scale * rotation @ mm


def identity_basis(source: HeadSource, components: int = 40) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Align the random adults by similarity on the face and take principal components.

    Size is removed along with the pose, because a picture cannot tell a large head far away from a small one near by;
    the mean keeps the size of the average adult.

    Returns:
        mean (V, 3) relative to the point between the ears, basis (K, V, 3) per standard deviation, and the share of
        (weighted) variance that the K components hold.
    """
    face = face_mask(source)
    reference = source.identities.mean(0)
    for _ in range(2):
        aligned = []
        for person in source.identities:
            scale, rotation, translation = similarity(person[face], reference[face])
            aligned.append(scale * person @ rotation.T + translation)
        reference = np.mean(aligned, axis=0)
    deviations = np.stack(aligned).reshape(len(aligned), -1) - reference.ravel()
    weighted = deviations * np.sqrt(np.repeat(np.where(face, 1.0, OFF_FACE_WEIGHT), 3))
    gram = weighted @ weighted.T / (len(aligned) - 1)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    # Unit vectors over the people: their inner product with the deviations is displacement per standard deviation.
    basis = (vectors[:, :components].T @ deviations) / np.sqrt(len(aligned) - 1)
    origin = ear_centre(source, reference)
    share = float(values[:components].sum() / values.sum())
    return reference - origin, basis.reshape(components, *reference.shape), share
