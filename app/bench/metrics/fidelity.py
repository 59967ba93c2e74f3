"""How far pixels are off: L1 and PSNR, of whole pictures and of a part of them."""

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0
MAX_PSNR = 100.0
"""dB. A picture without any error has an infinite PSNR; it counts as this much, so that a mean over frames exists."""


def mean_absolute_error(
    reference: NDArray[np.uint8], decoded: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None
) -> float:
    """Return the mean absolute difference of channels, 0 to 1: the L1 of talking-head papers.

    Args:
        reference: (H, W, 3).
        decoded: (H, W, 3).
        mask: (H, W) pixels to look at; None for all.

    Returns:
        NaN where the mask is empty.
    """
    difference = np.abs(_difference(reference, decoded))
    selected = difference if mask is None else difference[mask]
    return float(selected.mean() / PEAK) if selected.size else float("nan")


def psnr(reference: NDArray[np.uint8], decoded: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB over the three channels of 8 bits, at most `MAX_PSNR`.

    Arguments and NaN as for `mean_absolute_error`.
    """
    difference = _difference(reference, decoded)
    selected = difference if mask is None else difference[mask]
    if not selected.size:
        return float("nan")
    squares = int(np.square(selected, dtype=np.int32).sum(dtype=np.int64))
    if squares == 0:
        return MAX_PSNR
    return min(float(10.0 * np.log10(PEAK**2 * selected.size / squares)), MAX_PSNR)


def _difference(reference: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.int16]:
    return reference.astype(np.int16) - decoded.astype(np.int16)
