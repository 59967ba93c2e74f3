"""How landmarks slide over the skin as the head turns, and how well each is known: measured on renders.

The landmarker does not hold on to skin. It draws contour points towards the silhouette and shifts others a little when
the head turns away. With the true pose of a render known, the difference between a detection and its surface point is
regressed on yaw and pitch; `app.tracking.morphable_model.MorphableModel.landmark_slide` says in which terms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.correspondence import LANDMARKS, SIZE, Sighting
from app.tracking.bake.rasteriser import project

Floats = NDArray[np.float64]
ROUNDS = 8
RIDGE = 2.0
"""Pulls the slide towards none, in units of sightings: matters only for what the sightings hardly tell."""


@dataclass(frozen=True)
class Slide:
    """Displacement per term (478, 2, 5) in cm, scatter about it (478,) in cm, and the pose range (2,) in radians."""

    coefficients: Floats
    scatter: Floats
    pose_range: Floats


def pose_angles(rotation: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch (as `MorphableModel.landmark_slide` defines them) and roll of the head's up, in radians."""
    forward = rotation[:, 2]
    yaw = np.arctan2(forward[0], forward[2])
    pitch = -np.arctan2(forward[1], np.hypot(forward[0], forward[2]))
    return float(yaw), float(pitch), float(np.arctan2(-rotation[0, 1], rotation[1, 1]))


def pose_terms(yaw: Floats, pitch: Floats) -> Floats:
    """Return the terms (N, 5) of yaw (N,) and pitch (N,)."""
    return np.stack([yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch], axis=1)


def fit_slide(
    seen: list[Sighting],
    triangles: NDArray[np.int32],
    landmark_triangles: NDArray[np.int32],
    landmark_barycentrics: Floats,
    scale: float = 0.15,
) -> Slide:
    """Regress the detections' displacement on the pose, robustly (Geman-McClure with ``scale`` in cm)."""
    residuals, angles = [], []
    for s in seen:
        points = np.einsum("nkc,nk->nc", s.camera[triangles[landmark_triangles]], landmark_barycentrics)
        per_pixel = -points[:, 2] / (s.focal * SIZE)
        difference = (s.landmarks - project(points, s.focal, SIZE)) * [1, -1] * per_pixel[:, None]
        yaw, pitch, roll = pose_angles(s.rotation)
        c, si = np.cos(roll), np.sin(roll)
        residuals.append(difference @ np.array([[c, -si], [si, c]]))
        angles.append((yaw, pitch))
    r, (yaw, pitch) = np.stack(residuals), np.array(angles).T  # r: (N, 478, 2)
    design = np.concatenate([pose_terms(yaw, pitch), np.ones((len(r), 1))], axis=1)

    solved = np.zeros((LANDMARKS, design.shape[1], 2))
    weights = np.ones(r.shape[:2])
    ridge = np.diag([RIDGE] * (design.shape[1] - 1) + [1e-6]) * np.diag((design**2).mean(0))
    for _ in range(ROUNDS):
        normal = np.einsum("nl,np,nq->lpq", weights, design, design, optimize=True) + ridge
        right = np.einsum("nl,np,nlc->lpc", weights, design, r, optimize=True)
        solved = np.linalg.solve(normal, right)
        left = r - np.einsum("np,lpc->nlc", design, solved)
        weights = (scale**2 / (scale**2 + (left**2).sum(2))) ** 2
    scatter = np.sqrt(np.median((left**2).sum(2), axis=0) / (2 * np.log(2)))  # of a circular normal distribution
    pose_range = np.percentile(np.abs(np.stack([yaw, pitch])), 95, axis=1)
    # The constant stays out: where a landmark lies in a frontal view is the surface point's matter.
    return Slide(solved[:, :-1].transpose(0, 2, 1), scatter, pose_range)
