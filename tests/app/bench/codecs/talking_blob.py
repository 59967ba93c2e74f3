"""A small video to code: a textured oval that moves before a shaded wall."""

import numpy as np
from numpy.typing import NDArray

SIZE = 128
FRAMES = 20
FPS = 25.0


def talking_blob(frames: int = FRAMES, size: int = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    """Return (frames, size, size, 3) uint8 RGB in colours of all kinds."""
    texture = np.random.default_rng(seed).uniform(-12, 12, (size, size, 1))
    y, x = np.mgrid[0:size, 0:size] / size
    wall = np.stack([40 + 160 * x, 70 + 120 * y, 200 - 150 * x * y], -1)
    video = []
    for time in np.arange(frames) / FPS:
        centre = 0.5 + 0.12 * np.sin(6 * time), 0.5 + 0.06 * np.cos(9 * time)
        inside = ((x - centre[0]) / 0.22) ** 2 + ((y - centre[1]) / 0.3) ** 2
        mouth = np.abs(y - centre[1] - 0.12) + np.abs(x - centre[0]) / 3 < 0.02 + 0.02 * np.sin(20 * time)
        face = np.array([215.0, 160.0, 130.0]) + np.roll(texture, round(20 * time), 1)
        face[mouth] = (120, 20, 35)
        weight = 1 / (1 + np.exp(12 * (inside - 1)))[..., None]
        video.append(wall * (1 - weight) + face * weight)
    return np.clip(np.round(video), 0, 255).astype(np.uint8)


def psnr(reference: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Over all frames together, dB."""
    error = np.mean((reference.astype(np.float64) - decoded) ** 2)
    return float(10 * np.log10(255**2 / error))
