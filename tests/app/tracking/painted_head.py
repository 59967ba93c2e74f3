"""Pictures of the morphable model itself, painted like a face, in known poses and expressions."""

import itertools

import numpy as np

from app.tracking.bake.rasteriser import rasterise
from app.tracking.morphable_model import MorphableModel
from codec.face_state import HeadPose

SKIN, LIPS, WHITE, IRIS, DARK = (
    np.array(colour) / 255.0 for colour in ((214, 165, 140), (170, 90, 90), (235, 232, 228), (70, 45, 30), (45, 30, 25))
)


def paint(model: MorphableModel) -> np.ndarray:
    """Colours (V, 3) in [0, 1]: skin, lips, eyes with irises, brows, a dark mouth."""
    rest = model.vertices_mean.astype(float)
    colours = np.tile(SKIN, (len(rest), 1))
    colours[model.region("lips")] = LIPS
    if "cavity" in model.region_names:
        colours[model.region("cavity")] = DARK
    landmarks = model.landmarks().astype(float)
    for brow in ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336)):
        for first, second in itertools.pairwise(brow):
            for part in np.linspace(0, 1, 6):
                spot = (1 - part) * landmarks[first] + part * landmarks[second]
                colours[np.linalg.norm(rest - spot, axis=1) < 0.45] = DARK
    for name, iris in (("eye_right", 468), ("eye_left", 473)):
        eye = model.region(name)
        distance = np.linalg.norm(rest - landmarks[iris], axis=1)
        colours[eye] = WHITE
        colours[eye & (distance < 0.62)] = IRIS
    return colours


def picture(
    model: MorphableModel, pose: HeadPose, expression: np.ndarray, focal: float = 1.5, size: int = 320
) -> np.ndarray:
    """Return (size, size, 3) RGB uint8 of the average head."""
    vertices = model.vertices(None, expression).astype(float)
    camera = vertices @ pose.rotation.T.astype(float) + pose.translation
    fragments = rasterise(camera, model.triangles, focal, size)
    corners = camera[model.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(camera)
    for corner in range(3):
        np.add.at(normals, model.triangles[:, corner], faces)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    light = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])
    shade = 0.45 + 0.6 * np.clip(normals @ light, 0, 1)
    colours = paint(model) * shade[:, None]
    seen = fragments.interpolate(colours, model.triangles)
    backdrop = np.array([0.35, 0.45, 0.55])
    image = np.where(fragments.triangle[..., None] >= 0, seen, backdrop)
    return (255 * np.clip(image, 0, 1)).astype(np.uint8)
