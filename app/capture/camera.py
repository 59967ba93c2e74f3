"""Frames of a camera, by OpenCV: always the newest one."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.source import CAMERA_PREFIX, MAX_SIDE, Frame, Source, SourceError

WANTED_WIDTH, WANTED_HEIGHT, WANTED_FPS = 1280, 720, 30
"""What the camera is asked for; it gives the nearest that it can."""
FALLBACK_FPS = 30.0
STALL_SECONDS = 5.0
"""A camera that delivers nothing for so long has been unplugged or taken away."""


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used here."""

    def read(self) -> tuple[bool, Any]:
        """Wait for the next picture, (H, W, 3) BGR uint8."""

    def get(self, prop: int, /) -> float:
        """Return a property."""

    def release(self) -> None:
        """Give the device back."""


class CameraSource(Source):
    """A camera. A thread empties the driver's queue, so that a slow reader gets fewer frames, not older ones."""

    is_live = True
    duration = None
    frame_count = None

    def __init__(self, name: str, capture: Capture) -> None:
        """Take over ``capture``, which is open. Raises SourceError when no first picture comes."""
        self.name = name
        self._capture = capture
        image = self._read()
        if image is None:
            capture.release()
            raise SourceError(f"{name} opens but gives no picture: close the other programs that use it")
        self.height, self.width = image.shape[:2]
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1.0 <= fps <= 1000.0 else FALLBACK_FPS
        self._changed = threading.Condition()
        self._newest: Frame | None = Frame(image, time.monotonic(), 0)
        self._ended = False
        self._thread = threading.Thread(target=self._empty_queue, name=name, daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, number: int) -> Self:
        """Open the camera ``number``, counted from 0. Raises SourceError."""
        name = f"{CAMERA_PREFIX}{number}"
        device = Path(f"/dev/video{number}")
        backend = cv2.CAP_ANY
        if sys.platform == "linux":
            # Asked for a device that is not there, OpenCV tries every backend and fills the terminal with warnings.
            if not device.exists():
                raise SourceError(f"there is no {name}: plug a camera in, or give a clip instead")
            if not os.access(device, os.R_OK | os.W_OK):
                raise SourceError(f"{name} may not be used: run `sudo usermod -aG video $USER` and log in again")
            backend = cv2.CAP_V4L2
        capture = cv2.VideoCapture(number, backend)
        if not capture.isOpened():
            capture.release()
            raise SourceError(f"{name} cannot be opened: close the other programs that use it, or give a clip")
        # Compressed pictures: raw ones at this size do not fit through USB 2 at 30 frames a second.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, WANTED_WIDTH)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, WANTED_HEIGHT)
        capture.set(cv2.CAP_PROP_FPS, WANTED_FPS)
        return cls(name, capture)

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame each time, waiting where it has been seen. Raises SourceError when the camera goes."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._newest is not None or self._ended, STALL_SECONDS):
                    raise SourceError(f"{self.name} gave no picture for {STALL_SECONDS:.0f} s: plug it in again")
                frame, self._newest = self._newest, None
                ended = self._ended
            if frame is not None:
                yield frame
            elif ended:
                raise SourceError(f"{self.name} has stopped giving pictures: plug it in again")

    def close(self) -> None:
        """Stop reading and give the device back."""
        with self._changed:
            self._ended = True
        self._thread.join(STALL_SECONDS)
        self._capture.release()

    def _read(self) -> NDArray[np.uint8] | None:
        ok, picture = self._capture.read()
        if not ok or picture is None or picture.ndim != 3 or max(picture.shape) > MAX_SIDE:
            return None
        image: NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        return image

    def _empty_queue(self) -> None:
        index = 1
        while not self._ended:
            image = self._read()
            with self._changed:
                if image is None:
                    self._ended = True
                else:
                    self._newest = Frame(image, time.monotonic(), index)
                self._changed.notify_all()
            index += 1
