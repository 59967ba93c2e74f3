"""A source of pictures: a clip or a camera."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError

CAMERA_PREFIX = "camera:"
MAX_SIDE = 8192
"""Pictures wider or higher than this are refused before they are allocated."""


class SourceError(UserError):
    """The clip or camera cannot be opened or stops delivering pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture."""

    image: NDArray[np.uint8]
    """(H, W, 3), sRGB, full range, upright, square pixels, contiguous."""
    timestamp: float
    """Seconds, strictly increasing. A clip's first frame has 0; a camera's frames carry ``time.monotonic()``."""
    index: int
    """Counts the source's frames from 0, those included that a live consumer never saw."""


class Source(ABC):
    """A clip or a camera, opened. Use it as a context manager, or call :meth:`close`."""

    name: str
    """As the person gave it."""
    width: int
    """Pixels of the upright picture."""
    height: int
    """Pixels of the upright picture."""
    fps: float
    """Nominal frames a second; the timestamps of the frames are what counts."""
    duration: float | None
    """Seconds; None where it is not known or has no end."""
    frame_count: int | None
    """As the file says; None where it does not say or has no end."""
    is_live: bool
    """True where the pictures come at their own pace whether they are read or not."""

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order; each call of a clip starts at its beginning. Raises SourceError."""

    @abstractmethod
    def close(self) -> None:
        """Give the file or device back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(spec: str, loop: bool = False) -> Source:
    """Open the clip at the path ``spec``, or the camera ``camera:N``. Raises SourceError.

    With ``loop`` a clip begins again when it ends, while its timestamps and indices go on. A camera has no end anyway.
    """
    if spec.startswith(CAMERA_PREFIX):
        if not (match := re.fullmatch(r"camera:(\d{1,3})", spec)):
            raise SourceError(f"{spec} is no camera: the first one is camera:0")
        from app.capture.camera import CameraSource

        return CameraSource.open(int(match[1]))
    from app.capture.clip import ClipSource

    return ClipSource(spec, loop=loop)
