"""The head model of a calibrated person as the field's first guess."""

import numpy as np
import torch

from app.tracking.calibration_record import Calibration
from app.tracking.morphable_model import MorphableModel
from renderer.training.dataset import HeadSurface

FACE_REACH = 1.0
"""Centimetres by which a face may stand out from the fitted model: a nose, a beard, glasses."""
HAIR_REACH = 4.5
"""Centimetres by which hair may stand out from the scalp."""

RIGHT_EYE = (33, 133, 145, 153, 157, 158, 159, 160, 163, 246)
LEFT_EYE = (263, 362, 374, 380, 384, 385, 386, 387, 390, 466)
OUTER_LIPS = (0, 17, 37, 39, 61, 84, 91, 181, 267, 269, 291, 314, 321, 405)
INNER_LIPS = (13, 14, 78, 81, 82, 87, 178, 308, 311, 312, 317, 402)
"""Indices of the landmarker's points."""


def head_surface(calibration: Calibration, model: MorphableModel | None = None) -> HeadSurface:
    """Return the person's head at rest without the neck, which belongs to the torso."""
    model = model or MorphableModel.load()
    vertices = np.asarray(model.vertices(calibration.identity), np.float32)
    corners = vertices[model.triangles]
    facets = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, model.triangles[:, corner], facets)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-9)
    outer = ~(model.region("neck") | model.region("cavity"))
    outer[np.setdiff1d(np.arange(len(vertices)), model.triangles)] = False
    reach = np.where(model.region("face"), FACE_REACH, HAIR_REACH).astype(np.float32)
    landmarks = model.landmarks(calibration.identity)[:468]
    return HeadSurface(
        torch.from_numpy(vertices[outer]),
        torch.from_numpy(normals[outer]),
        torch.from_numpy(reach[outer]),
        torch.from_numpy(landmarks.mean(0)),
        torch.from_numpy(landmarks[[*RIGHT_EYE, *LEFT_EYE, *OUTER_LIPS, *INNER_LIPS]]),
    )
