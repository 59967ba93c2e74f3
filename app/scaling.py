"""Pictures to another size."""

import av
import numpy as np
from numpy.typing import NDArray


def scaled(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3), RGB, as (height, width, 3); the same array when it has that size already."""
    if picture.shape == (height, width, 3):
        return picture
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(width, height, interpolation="BICUBIC").to_ndarray().astype(np.uint8, copy=False)
