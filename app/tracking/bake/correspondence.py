"""Which point of the head each of the landmarker's 478 points is: found by rendering heads and detecting on them.

Random people with random faces are rendered, the landmarker is run on the pictures as it would run on a clip, and each
landmark gets the surface point whose projections lie nearest to its detections over all the pictures. Where the
landmarker puts a point is a matter of its training rather than of geometry, so asking it beats any closest-point rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.tracking.bake.rasteriser import project
from app.tracking.bake.render import Look, Paint, shade
from app.tracking.bake.source import HeadSource

Floats = NDArray[np.float64]
LANDMARKS = 478
FIRST_IRIS = 468
SIZE = 512


@dataclass(frozen=True)
class Sighting:
    """One rendered head and what the landmarker saw in it."""

    vertices: Floats
    """(V, 3) the deformed head, head space."""
    rotation: Floats
    translation: Floats
    focal: float
    landmarks: Floats
    """(478, 2) pixels."""

    @property
    def camera(self) -> Floats:
        """The head in camera space (V, 3)."""
        points: Floats = self.vertices @ self.rotation.T + self.translation
        return points

    @property
    def pixels_per_cm(self) -> float:
        """Pixels in which a centimetre at the head's origin shows."""
        return float(self.focal * SIZE / -self.translation[2])


def save_sightings(path: Path, seen: list[Sighting]) -> None:
    """Write ``seen`` to an npz file."""
    with path.open("wb") as file:
        np.savez(
            file,
            vertices=np.stack([s.vertices for s in seen]).astype(np.float32),
            rotation=np.stack([s.rotation for s in seen]),
            translation=np.stack([s.translation for s in seen]),
            focal=np.array([s.focal for s in seen]),
            landmarks=np.stack([s.landmarks for s in seen]),
        )


def load_sightings(path: Path) -> list[Sighting]:
    """Read what `save_sightings` wrote."""
    with np.load(path, allow_pickle=False) as data:
        columns = [data[name] for name in ("vertices", "rotation", "translation", "focal", "landmarks")]
    return [Sighting(v.astype(np.float64), r, t, float(f), points) for v, r, t, f, points in zip(*columns, strict=True)]


def rotation_of(yaw: float, pitch: float, roll: float) -> Floats:
    """Return Rz(roll) Rx(-pitch) Ry(yaw): yaw turns the face to picture right, pitch up, roll counter-clockwise."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotation: Floats = rz @ ry @ rx
    return rotation


def random_expression(names: list[str], rng: np.random.Generator) -> Floats:
    """Draw action coefficients: a third of the faces talk or gape, a third blink or squint, all look somewhere."""
    c = dict.fromkeys(names, 0.0)

    def both(name: str, value: float, uneven: float = 0.1) -> None:
        for side in ("Left", "Right"):
            c[name + side] = float(np.clip(value + rng.normal(0, uneven), 0, 1))

    if rng.uniform() < 0.4:
        c["jawOpen"] = rng.uniform(0.05, 0.7) ** 1.3
        c["mouthFunnel"] = rng.uniform(0, 0.5) * (rng.uniform() < 0.3)
    if rng.uniform() < 0.3:
        both("eyeBlink", rng.choice([rng.uniform(0.2, 0.8), 1.0]), 0.05)
    elif rng.uniform() < 0.3:
        both(str(rng.choice(["eyeWide", "eyeSquint"])), rng.uniform(0.2, 1.0))
    if rng.uniform() < 0.35:
        both(
            str(rng.choice(["mouthSmile", "mouthStretch", "mouthFrown", "mouthDimple", "mouthPress"])),
            rng.uniform(0.2, 0.9),
        )
    if rng.uniform() < 0.25:
        c[str(rng.choice(["mouthPucker", "mouthLeft", "mouthRight", "jawLeft", "jawRight", "cheekPuff"]))] = (
            rng.uniform(0.2, 0.8)
        )
    if rng.uniform() < 0.3:
        both(str(rng.choice(["mouthUpperUp", "mouthLowerDown", "noseSneer"])), rng.uniform(0.2, 0.9))
    if rng.uniform() < 0.5:
        both(str(rng.choice(["browDown", "browOuterUp"])), rng.uniform(0.1, 1.0))
        c["browInnerUp"] = rng.uniform(0, 0.8) * (rng.uniform() < 0.5)
    sideways, up = rng.normal(0, 0.45), rng.normal(0, 0.3)
    c["eyeLookOutLeft"], c["eyeLookInLeft"] = max(sideways, 0), max(-sideways, 0)
    c["eyeLookInRight"], c["eyeLookOutRight"] = max(sideways, 0), max(-sideways, 0)
    for side in ("Left", "Right"):
        c["eyeLookUp" + side], c["eyeLookDown" + side] = max(up, 0), max(-up, 0)
    return np.array([min(c[name], 1.0) for name in names])


def sightings(
    source: HeadSource,
    mean: Floats,
    identity: Floats,
    action_names: list[str],
    actions: Floats,
    paint: Paint,
    landmarker_model: Path,
    count: int,
    seed: int,
    yaw: float = 0.75,
    pitch: float = 0.42,
    pictures: list[NDArray[np.uint8]] | None = None,
) -> Iterator[Sighting]:
    """Render ``count`` random heads and detect on each; yields those on which a face was found.

    ``yaw`` and ``pitch`` bound the pose in radians. ``pictures`` collects the renders, for the eye.
    """
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    rng = np.random.default_rng(seed)
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(landmarker_model)), running_mode=vision.RunningMode.VIDEO
    )
    clock = 0
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for _ in range(count):
            head = mean + np.tensordot(rng.normal(0, 0.85, len(identity)), identity, axes=1)
            head = head + np.tensordot(random_expression(action_names, rng), actions, axes=1)
            rotation = rotation_of(rng.uniform(-yaw, yaw), rng.uniform(-pitch, pitch), rng.normal(0, 0.08))
            focal = rng.uniform(1.2, 2.6)
            distance = focal * 20.0 / rng.uniform(0.5, 0.8)
            translation = np.array([*(rng.uniform(-0.06, 0.06, 2) * distance / focal), -distance])
            camera = head @ rotation.T + translation
            picture, _fragments = shade(source, paint, Look.random(rng), camera, focal, SIZE)
            noise = rng.normal(0, 3, picture.shape)
            picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
            if pictures is not None:
                pictures.append(picture)
            # The same picture thrice: from the second time on the crop follows the landmarks, as it does in a clip.
            for _repeat in range(3):
                clock += 40
                found = landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, picture), clock)
            if found.face_landmarks:
                points = np.array([(p.x, p.y) for p in found.face_landmarks[0]]) * SIZE
                yield Sighting(head, rotation, translation, focal, points)


def _subdivision(steps: int) -> Floats:
    """Return barycentric weights (N, 3) of a regular grid over a triangle."""
    grid = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    return np.array(grid, dtype=np.float64) / steps


def correspond(
    seen: list[Sighting], source: HeadSource, mean: Floats, openness: Floats, scale: float = 0.12
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Return triangle (478,), barycentric weights (478, 3) and median error in cm (478,) of each landmark's point.

    The error of a point is its mean Geman-McClure distance over the sightings, in centimetres at the head's depth;
    ``scale`` is the distance beyond which a sighting counts as an outlier. Hidden surfaces (mouth, nostrils, sockets)
    are excluded; irises go to eyeballs, all else to skin.
    """
    triangles = source.triangles
    eye = source.regions["eye_left"] | source.regions["eye_right"]
    hidden = source.regions["cavity"] | (openness < 0.08)
    is_eye = eye[triangles].all(1)
    skin = np.flatnonzero(~is_eye & ~hidden[triangles].any(1) & (mean[triangles][..., 2].mean(1) > 0))
    balls = np.flatnonzero(is_eye & (mean[triangles][..., 2].mean(1) > mean[eye, 2].mean() + 0.3))
    units = np.array([s.pixels_per_cm for s in seen])
    detected = np.stack([s.landmarks for s in seen]) / units[:, None, None]
    projected = np.stack([project(s.camera, s.focal, SIZE) for s in seen]) / units[:, None, None]

    def cost(landmark: int, owners: NDArray[np.int64], weights: Floats) -> Floats:
        points = np.einsum("rnkc,nk->rnc", projected[:, triangles[owners]], weights)
        square = ((points - detected[:, landmark, None]) ** 2).sum(2)
        loss: Floats = (square / (square + scale**2)).mean(0)
        return loss

    chosen, weights_out, errors = np.zeros(LANDMARKS, np.int32), np.zeros((LANDMARKS, 3)), np.zeros(LANDMARKS)
    coarse, fine = _subdivision(1).mean(0, keepdims=True), _subdivision(12)
    for landmark in range(LANDMARKS):
        pool = balls if landmark >= FIRST_IRIS else skin
        centres = projected[:, triangles[pool]].mean(2)
        distance = np.median(np.linalg.norm(centres - detected[:, landmark, None], axis=2), axis=0)
        pool = pool[np.argsort(distance)[:60]]
        best = pool[np.argsort(cost(landmark, pool, np.repeat(coarse, len(pool), 0)))[:14]]
        owners = np.repeat(best, len(fine))
        weights = np.tile(fine, (len(best), 1))
        losses = cost(landmark, owners, weights)
        winner = int(losses.argmin())
        chosen[landmark], weights_out[landmark] = owners[winner], weights[winner]
        point = np.einsum("rkc,k->rc", projected[:, triangles[chosen[landmark]]], weights[winner])
        errors[landmark] = np.median(np.linalg.norm(point - detected[:, landmark], axis=1))
    return chosen, weights_out, errors
