"""A picture handed from one process to another on the same machine: the preview shows what the sender captures.

The newest picture lies in a memory-mapped file. One process writes, one reads; nobody waits: a reader that meets a
picture half written takes the one before again.
"""

import mmap
import os
import struct
import tempfile
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

from app.errors import UserError

LARGEST_SIDE = 640
"""Pixels: larger pictures are scaled down before they are handed over."""

_MAGIC = b"NCPS"
_HEADER = struct.Struct("<4sQHHd")
"""Magic, sequence (odd while a picture is being written), width, height, timestamp."""
_SEQUENCE = struct.Struct("<Q")
_SEQUENCE_OFFSET = 4
_CAPACITY = _HEADER.size + 3 * LARGEST_SIDE * LARGEST_SIDE
_ATTEMPTS = 3


class PictureShareError(UserError):
    """The file is not one that pictures are handed over in."""


class PictureShare:
    """One end of the way a picture takes between two processes."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self._memory = memory
        self._read = 0

    @classmethod
    def create(cls) -> "PictureShare":
        """Make the file, in memory where the system has a place for that. Whoever creates it closes it last."""
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        handle, name = tempfile.mkstemp(prefix="nerfcall-", suffix=".picture", dir=folder)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(_CAPACITY)
            file.write(_HEADER.pack(_MAGIC, 0, 0, 0, 0.0))
            file.flush()
            return cls(Path(name), mmap.mmap(file.fileno(), _CAPACITY))

    @classmethod
    def attach(cls, path: str | Path) -> "PictureShare":
        """Open the file that another process made.

        Raises:
            PictureShareError: there is none, or it is something else.
        """
        try:
            with open(path, "r+b") as file:
                if os.fstat(file.fileno()).st_size == _CAPACITY and file.read(len(_MAGIC)) == _MAGIC:
                    return cls(Path(path), mmap.mmap(file.fileno(), _CAPACITY))
        except OSError as error:
            raise PictureShareError(f"the shared picture {path} cannot be opened: {error.strerror}") from error
        raise PictureShareError(f"{path} is no shared picture; leave --share-picture to the preview")

    def write(self, picture: NDArray[np.uint8], timestamp: float) -> None:
        """Hand over a picture (H, W, 3), RGB, captured at ``timestamp`` (seconds of the capture clock)."""
        picture = _scaled_down(picture)
        height, width, _ = picture.shape
        sequence = _SEQUENCE.unpack_from(self._memory, _SEQUENCE_OFFSET)[0] | 1
        _HEADER.pack_into(self._memory, 0, _MAGIC, sequence, width, height, timestamp)
        self._memory[_HEADER.size : _HEADER.size + picture.nbytes] = picture.tobytes()
        _SEQUENCE.pack_into(self._memory, _SEQUENCE_OFFSET, (sequence + 1) & (2**64 - 1))

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        """Return the newest picture (H, W, 3) and its timestamp; None if it was read before."""
        for _ in range(_ATTEMPTS):
            _, sequence, width, height, timestamp = _HEADER.unpack_from(self._memory, 0)
            if sequence == self._read or sequence == 0:
                return None
            if sequence & 1 or max(width, height) > LARGEST_SIDE:
                continue
            pixels = self._memory[_HEADER.size : _HEADER.size + 3 * width * height]
            if _SEQUENCE.unpack_from(self._memory, _SEQUENCE_OFFSET)[0] == sequence:
                self._read = sequence
                return np.frombuffer(pixels, np.uint8).reshape(height, width, 3), timestamp
        return None

    def close(self) -> None:
        """Let go of the file and remove it. Both ends do, so that it goes even when one of them was killed."""
        if not self._memory.closed:
            self._memory.close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "PictureShare":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _scaled_down(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, _ = picture.shape
    scale = LARGEST_SIDE / max(height, width)
    if scale >= 1.0:
        return picture
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    smaller = frame.reformat(max(1, round(width * scale)), max(1, round(height * scale)), interpolation="AREA")
    return smaller.to_ndarray().astype(np.uint8, copy=False)
