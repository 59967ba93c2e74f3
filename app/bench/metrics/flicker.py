"""Temporal flicker: the warping error of Lai et al. 2018, "Learning Blind Video Temporal Consistency" (ECCV).

A decoded frame is compared with the next one, warped back along the optical flow of the *reference* video, wherever
nothing is covered or uncovered: what remains is change that the scene's motion does not explain. The difference of
differences, the other usual measure, would count whatever deviates from the reference and then moves along, such as a
blurred outline, as flicker. The reference footage has a warping error of its own (noise, light, imperfect flow); it is
the value to come near to. Much lower means that texture is missing rather than that the picture is steady: a grey
picture has none.

Where this differs from the paper: the flow is OpenCV's dense inverse search (Kroeger et al. 2016), not FlowNet 2.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]

CONSISTENCY = (0.01, 0.5)
BOUNDARY = (0.01, 0.002)
"""Factor and offset (pixels²) of the two tests of Ruder, Dosovitskiy and Brox 2016, "Artistic Style Transfer for
Videos", which Lai et al. take as well."""


class WarpingError:
    """The motion of a reference video, found once."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        """Find the flow between neighbours of the RGB frames (N, H, W, 3) of at least 32 pixels a side."""
        estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        # Half precision: a sixty-fourth of a pixel at 16 pixels of motion, finer than the warp's own steps.
        self._flows: list[NDArray[np.float16]] = []
        for first, second in pairwise(greys):
            forward, backward = (
                np.asarray(estimator.calc(*pair, np.zeros((*first.shape, 2), np.float32)), np.float32)
                for pair in ((first, second), (second, first))
            )
            forward[occluded(forward, backward)] = np.nan
            self._flows.append(forward.astype(np.float16))

    def measure(self, frames: NDArray[np.uint8]) -> float:
        """Return the mean squared difference of channels in [0, 1], over pixels and pairs, of frames (N, H, W, 3).

        NaN where there is no pair of frames.
        """
        errors = []
        for flow, first, second in zip(self._flows, frames[:-1], frames[1:], strict=True):
            visible = ~np.isnan(flow[..., 0])
            if not visible.any():
                continue
            warped = warp(second, np.nan_to_num(flow.astype(np.float32)))
            warped -= first
            squares = np.einsum("hwc,hwc->hw", warped, warped)
            errors.append(squares[visible].mean(dtype=np.float64) / frames.shape[3])
        return float(np.mean(errors) / 255.0**2) if errors else float("nan")


def warp(picture: NDArray[np.generic], flow: Flow) -> NDArray[np.float32]:
    """Return what ``picture`` (H, W, C) shows where ``flow`` (H, W, 2; x, y in pixels) leads from each pixel."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    warped = cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def occluded(forward: Flow, backward: Flow) -> NDArray[np.bool_]:
    """Tell (H, W) where the first frame shows what the second does not, or where the motion has an edge.

    Args:
        forward: (H, W, 2) from the first frame to the second.
        backward: (H, W, 2) from the second to the first.
    """
    height, width = forward.shape[:2]
    rows, columns = np.indices((height, width), dtype=np.float32)
    # Single components: numpy is several times faster on planes than on pairs.
    x, y = cv2.split(forward)
    back_x, back_y = cv2.split(warp(backward, forward))
    to_x, to_y = columns + x, rows + y
    outside = (to_x < 0) | (to_y < 0) | (to_x > width - 1) | (to_y > height - 1)
    power = x * x + y * y
    both = power + back_x * back_x + back_y * back_y
    inconsistent = (x + back_x) ** 2 + (y + back_y) ** 2 > CONSISTENCY[0] * both + CONSISTENCY[1]
    slope = sum(gradient * gradient for component in (x, y) for gradient in np.gradient(component))
    edge = slope > BOUNDARY[0] * power + BOUNDARY[1]
    hidden: NDArray[np.bool_] = outside | inconsistent | edge
    return hidden
