"""Pictures of random heads, lifelike enough for the landmarker: skins, brows, lips, lashes, irises, hair, light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.rasteriser import Fragments, rasterise
from app.tracking.bake.source import HeadSource

Floats = NDArray[np.float64]
IRIS_RADIUS = 0.60
"""Centimetres: half of the 11.7 mm that nearly all irises measure."""


def vertex_normals(vertices: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Return area-weighted unit normals (V, 3)."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], face)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: Floats = normals / np.maximum(length, 1e-12)
    return unit


def openness(vertices: Floats, triangles: NDArray[np.int32], directions: int = 80) -> Floats:
    """Return for each vertex (V,) the share of outside directions from which it is seen: 1 open, 0 hidden."""
    k = np.arange(directions) + 0.5
    elevation, azimuth = np.arccos(1 - 2 * k / directions), np.pi * (1 + 5**0.5) * k
    normals = vertex_normals(vertices, triangles)
    seen, possible = np.zeros(len(vertices)), np.zeros(len(vertices))
    size = 384
    for e, a in zip(elevation, azimuth, strict=True):
        z = np.array([np.sin(e) * np.cos(a), np.sin(e) * np.sin(a), np.cos(e)])
        x = np.cross([0.0, 1.0, 0.0], z)
        x /= np.linalg.norm(x)
        rotation = np.stack([x, np.cross(z, x), z])
        camera = vertices @ rotation.T + [0, 0, -400.0]  # nearly parallel
        focal = 400 / 40
        fragments = rasterise(camera, triangles, focal, size)
        scale = focal * size / -camera[:, 2]
        column = np.clip((size / 2 + scale * camera[:, 0]).astype(int), 1, size - 2)
        row = np.clip((size / 2 - scale * camera[:, 1]).astype(int), 1, size - 2)
        near = np.max([fragments.depth[row + i, column + j] for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
        facing = normals @ z > 0.1
        possible += facing
        seen += facing & (-camera[:, 2] < near + 0.15)
    share: Floats = seen / np.maximum(possible, 1)
    return share


def _from_pupil(eyeball: Floats) -> Floats:
    """Return the vertices (N, 3) of an eyeball that looks along +z relative to its pupil."""
    centre = (eyeball.min(0) + eyeball.max(0)) / 2
    radius = float(np.linalg.norm(eyeball - centre, axis=1).mean())
    relative: Floats = eyeball - centre - [0, 0, radius]
    return relative


def _brow(place: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much of a pixel is brow, from where on the mean head it lies (centimetres from between the eyes)."""
    across, up, out = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    along = np.clip((across - 1.2) / 4.0, 0, 1)
    middle = 1.40 + 0.50 * np.sin(np.pi * 0.8 * along)
    half = 0.42 * (1 - 0.6 * along)
    inside = np.clip((half - np.abs(up - middle)) / 0.12 + 0.5, 0, 1)
    ends = np.clip((across - 1.1) / 0.3, 0, 1) * np.clip((5.3 - across) / 0.4, 0, 1)
    brow: NDArray[np.float32] = (inside * ends * (out > -2)).astype(np.float32)
    return brow


@dataclass(frozen=True)
class Paint:
    """Where on the head which colour goes: per-vertex fields (V,) in [0, 1]."""

    lips: Floats
    lashes: Floats
    cavity: Floats
    hair: Floats
    openness: Floats
    place: Floats
    """(V, 3) where each vertex is in the mean head, relative to the middle between the eyeballs: the brows go by it."""
    pupils: dict[str, Floats]
    """For each eye its vertices relative to the pupil in the mean head, (V_eye, 3)."""

    @classmethod
    def of(cls, source: HeadSource, mean: Floats) -> "Paint":
        """Work the fields out from MakeHuman's own masks and controls; ``mean`` is the head at rest (V, 3)."""
        regions = source.regions
        y, z = mean[:, 1], mean[:, 2]
        eyes = regions["eye_left"] | regions["eye_right"]
        hairline = np.maximum(y - (mean[eyes, 1].mean() + 6.8), np.minimum(3.0 - z, y + 2.0))
        hair = np.clip(hairline / 1.0 + 0.5, 0, 1) * ~(regions["ears"] | eyes | regions["cavity"])
        return cls(
            lips=regions["lips"].astype(float),
            lashes=regions["eyelids"].astype(float),
            cavity=regions["cavity"].astype(float),
            hair=hair,
            openness=openness(mean, source.triangles),
            place=mean - mean[eyes].mean(0),
            pupils={name: _from_pupil(mean[regions[name]]) for name in ("eye_left", "eye_right")},
        )


@dataclass(frozen=True)
class Look:
    """The colours and the light of one random person and room."""

    skin: Floats
    hair: Floats
    iris: Floats
    lips: Floats
    bald: bool
    brow: float
    light: Floats
    ambient: float
    backdrop: Floats

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Look":
        """Draw one."""
        dark = rng.uniform()
        skin = (1 - dark) * np.array([0.95, 0.76, 0.66]) + dark * np.array([0.36, 0.23, 0.17])
        skin = np.clip(skin * rng.uniform(0.92, 1.08, 3), 0, 1)
        fair = rng.uniform() * (1 - dark) ** 1.5
        hair = fair * np.array([0.62, 0.48, 0.30]) + (1 - fair) * np.array([0.08, 0.06, 0.05])
        iris = rng.choice(np.array([[0.25, 0.15, 0.08], [0.16, 0.09, 0.05], [0.30, 0.42, 0.52], [0.30, 0.36, 0.22]]))
        lips = skin * np.array([0.88, 0.62, 0.62]) * rng.uniform(0.85, 1.05)
        light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.1, 0.8), 1.0])
        return cls(
            skin,
            hair,
            iris,
            lips,
            bool(rng.uniform() < 0.2),
            rng.uniform(0.4, 0.9),
            light / np.linalg.norm(light),
            rng.uniform(0.35, 0.65),
            rng.uniform(0.05, 0.95, 3),
        )


def _mix(base: NDArray[np.float32], colour: Floats, amount: NDArray[np.float32]) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = (base + (colour - base) * amount[..., None]).astype(np.float32)
    return mixed


def shade(
    source: HeadSource,
    paint: Paint,
    look: Look,
    camera: Floats,
    focal: float,
    size: int,
) -> tuple[NDArray[np.uint8], Fragments]:
    """Render one picture (size, size, 3) RGB.

    Args:
        source: topology and regions.
        paint: colour fields.
        look: colours and light.
        camera: (V, 3) the deformed head in camera space.
        focal: in picture heights.
        size: pixels.
    """
    fragments = rasterise(camera, source.triangles, focal, size)
    normals = vertex_normals(camera, source.triangles)
    eye = (source.regions["eye_left"] | source.regions["eye_right"]).astype(float)
    from_pupil = np.full((len(camera), 3), 9.0)
    for name, offsets in paint.pupils.items():
        from_pupil[source.regions[name]] = offsets
    scalars = np.stack([paint.lips, paint.lashes, paint.cavity, paint.hair, paint.openness, eye], axis=1)
    fields = np.concatenate([normals, paint.place, from_pupil, scalars], axis=1)
    spread = fragments.interpolate(fields, source.triangles)
    n = spread[..., :3] / np.maximum(np.linalg.norm(spread[..., :3], axis=2, keepdims=True), 1e-6)
    lips, lashes, cavity, hair, opened, eye_map = np.moveaxis(spread[..., 9:], 2, 0)
    # The vector is spread, not its length: eyeballs are coarse, and a length has a cusp at the pupil.
    radius = np.linalg.norm(spread[..., 6:9], axis=2)
    brows = _brow(spread[..., 3:6])

    colour = np.broadcast_to(look.skin, (size, size, 3)).astype(np.float32)
    colour = _mix(colour, look.lips, np.clip((lips - 0.3) / 0.4, 0, 1))
    colour = _mix(colour, look.hair, look.brow * brows)
    if not look.bald:
        colour = _mix(colour, look.hair, hair)
    colour = _mix(colour, look.skin * 0.4, 0.8 * np.clip((lashes - 0.75) / 0.25, 0, 1))
    colour = _mix(colour, np.array([0.16, 0.05, 0.05]), np.clip(cavity * 2, 0, 1))
    pixel = 0.7 / (focal * size / -camera[:, 2].mean())  # about a pixel of softness at edges, in centimetres
    is_eye = eye_map > 0.5
    sclera = np.broadcast_to(np.array([0.86, 0.84, 0.82], np.float32), colour.shape)
    ring = np.clip((IRIS_RADIUS - radius) / pixel + 0.5, 0, 1)
    ball = _mix(sclera, look.iris, ring)
    ball = _mix(ball, look.iris * 0.4, ring * np.clip((radius - 0.85 * IRIS_RADIUS) / 0.06, 0, 1))
    ball = _mix(ball, np.array([0.02, 0.02, 0.02]), np.clip((0.22 - radius) / pixel + 0.5, 0, 1))
    colour = np.where(is_eye[..., None], ball, colour)

    diffuse = np.clip(n @ look.light, 0, 1)
    shading = look.ambient + (1.05 - look.ambient) * diffuse
    occlusion = np.where(is_eye, 0.9, 0.35 + 0.65 * np.clip(opened * 1.3, 0, 1))
    half = look.light + np.array([0, 0, 1.0])
    gloss = np.clip(n @ (half / np.linalg.norm(half)), 0, 1) ** 30 * np.where(is_eye, 0.35, 0.10)
    picture = colour * (shading * occlusion)[..., None] + gloss[..., None]
    seen = fragments.triangle >= 0
    fade = np.linspace(0.8, 1.1, size)[:, None, None]
    picture = np.where(seen[..., None], picture, look.backdrop * fade)
    return (np.clip(picture, 0, 1) ** (1 / 1.15) * 255).astype(np.uint8), fragments
