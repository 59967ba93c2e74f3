"""SSIM (Wang, Bovik, Sheikh and Simoncelli 2004) and MS-SSIM (Wang, Simoncelli and Bovik 2003) of RGB pictures.

Settings, those of the papers: Gaussian window of 11 x 11 with a standard deviation of 1.5 pixels, K1 = 0.01, K2 = 0.03,
dynamic range 255, population variances, windows that lie within the picture alone; each colour channel on its own, and
their mean. This is scikit-image's ``structural_similarity(..., gaussian_weights=True, sigma=1.5,
use_sample_covariance=False, data_range=255, channel_axis=-1)``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WINDOW = 11
"""Pixels."""
SIGMA = 1.5
BORDER = WINDOW // 2
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, the finest first, as the MS-SSIM paper found them with observers."""
MS_SSIM_MIN_SIDE = WINDOW << (len(SCALE_WEIGHTS) - 1)
"""The coarsest scale must hold a window."""
_KERNEL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
_MIDDLE = 128.0
"""Taken off before squaring: variances then lose no digits in single precision."""


@dataclass(frozen=True, slots=True, eq=False)
class StructuralSimilarity:
    """What one picture pair gives."""

    ssim: float
    """Mean over windows and channels, at most 1."""
    ms_ssim: float
    """Over five scales, 0 to 1; NaN where a side is shorter than `MS_SSIM_MIN_SIDE`."""
    map: Array
    """(H - 10, W - 10): SSIM of the window around each pixel, mean of the channels."""

    def within(self, mask: NDArray[np.bool_]) -> float:
        """Return the mean over the windows whose middle lies in ``mask`` (H, W); NaN where there is none."""
        inner = self.map[mask[BORDER:-BORDER, BORDER:-BORDER]]
        return float(inner.mean(dtype=np.float64)) if inner.size else float("nan")


def structural_similarity(reference: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> StructuralSimilarity:
    """Compare two pictures (H, W, 3) of at least 11 pixels a side."""
    first, second = (picture.astype(np.float32) - np.float32(_MIDDLE) for picture in (reference, decoded))
    levels = len(SCALE_WEIGHTS) if min(first.shape[:2]) >= MS_SSIM_MIN_SIDE else 1
    contrasts = []
    finest: Array | None = None
    for level in range(levels):
        if level:
            first, second = _halved(first), _halved(second)
        similarity, contrast = _maps(first, second)
        finest = similarity if finest is None else finest
        contrasts.append(_channel_means(contrast))
    assert finest is not None
    ms_ssim = float("nan")
    if levels > 1:
        # Luminance counts at the coarsest scale alone. A negative mean, as of inverted pictures, has no real power.
        factors = np.maximum([*contrasts[:-1], _channel_means(similarity)], 0.0)
        ms_ssim = float((factors ** np.array(SCALE_WEIGHTS)[:, None]).prod(axis=0).mean())
    return StructuralSimilarity(float(_channel_means(finest).mean()), ms_ssim, finest.mean(axis=2))


def _maps(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the SSIM of each window and channel, and its contrast-structure part."""
    mean_first, mean_second = _blurred(first), _blurred(second)
    # Only the sum of both variances is needed: one blur fewer.
    power = _blurred(first * first + second * second)
    product = _blurred(first * second)
    both = mean_first * mean_second
    squares = mean_first * mean_first + mean_second * mean_second
    contrast = (2.0 * (product - both) + C2) / (power - squares + C2)
    mean_first += np.float32(_MIDDLE)
    mean_second += np.float32(_MIDDLE)
    luminance = (2.0 * mean_first * mean_second + C1) / (mean_first**2 + mean_second**2 + C1)
    similarity: Array = luminance * contrast
    return similarity, contrast


def _blurred(picture: Array) -> Array:
    full = np.asarray(cv2.sepFilter2D(picture, -1, _KERNEL, _KERNEL), np.float32)
    return full[BORDER:-BORDER, BORDER:-BORDER]


def _halved(picture: Array) -> Array:
    """Average blocks of 2 x 2 pixels; an odd last row or column is left out."""
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    halved = cv2.resize(picture[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(halved, np.float32)


def _channel_means(picture: Array) -> NDArray[np.float64]:
    means: NDArray[np.float64] = picture.mean(axis=(0, 1), dtype=np.float64)
    return means
