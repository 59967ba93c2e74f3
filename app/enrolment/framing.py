"""The square part of the camera's picture that an avatar shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Framing:
    """A square cut out of a picture, in pixels of that picture."""

    width: int
    """Of the picture."""
    height: int
    """Of the picture."""
    left: int
    top: int
    side: int

    @classmethod
    def around(cls, face_centres: NDArray[np.float32], width: int, height: int) -> "Framing":
        """Return the largest square, placed so that the face's median position (N, 2) lies as central as can be."""
        side = min(width, height)
        middle = np.median(face_centres, axis=0)
        left = int(np.clip(round(middle[0] - side / 2), 0, width - side))
        # A portrait-format picture has the shoulders below: the face belongs above the middle.
        top = int(np.clip(round(middle[1] - side * 0.45), 0, height - side))
        return cls(width, height, left, top, side)

    @classmethod
    def of(cls, numbers: list[int]) -> "Framing":
        """Return the framing that an avatar's description holds as ``numbers``; ValueError if it is none."""
        width, height, left, top, side = (int(number) for number in numbers)
        if not (0 < side <= min(width, height) and 0 <= left <= width - side and 0 <= top <= height - side):
            raise ValueError(f"{numbers} is no square of a picture")
        return cls(width, height, left, top, side)

    def numbers(self) -> list[int]:
        """Return width, height, left, top, side."""
        return [self.width, self.height, self.left, self.top, self.side]

    def cut(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Return the square of an RGB picture (height, width, 3), scaled to (size, size, 3)."""
        square = image[self.top : self.top + self.side, self.left : self.left + self.side]
        if self.side == size:
            return np.ascontiguousarray(square)
        method = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)

    def camera(self, focal: float) -> tuple[float, float, float]:
        """Return (focal, cx, cy) in sides of the square, for a focal length in heights of the whole picture."""
        return (
            focal * self.height / self.side,
            (self.width / 2 - self.left) / self.side,
            (self.height / 2 - self.top) / self.side,
        )
