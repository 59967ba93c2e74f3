"""The neck: where two fields, or a pasted head and its torso, would show a seam."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.bench.codec import Frames
from renderer.training.dataset import BODY, HEAD

REACH = 1 / 32
"""How far from the seam a pixel still counts, in sides of the picture."""


def neck_masks(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels (N, S, S) lie near both head and body, by the classes (N, S, S) of a segmentation."""
    reach = max(1, round(REACH * classes.shape[1]))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)

    def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), np.bool_)

    return np.stack([grown(frame == HEAD) & grown(frame == BODY) for frame in classes])


def neck_psnr(reference: Frames, decoded: Frames, masks: NDArray[np.bool_]) -> float:
    """Return the mean PSNR (dB) of the pixels in ``masks`` over the frames that have any; NaN if none has."""
    values = []
    for real, shown, mask in zip(reference, decoded, masks, strict=True):
        if mask.any():
            error = (real[mask].astype(np.float64) - shown[mask]) / 255.0
            values.append(-10.0 * np.log10(max(float((error**2).mean()), 1e-10)))
    return float(np.mean(values)) if values else float("nan")
