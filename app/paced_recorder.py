"""A picture that changes now and then, to a video of a fixed frame rate."""

import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.video_writer import VideoWriter, check_video_path


class PacedRecorder:
    """Writes whatever picture is the newest, so many times a second, in a thread of its own.

    The video runs as the call did: a picture that stood still for a second stands still for a second in the video.
    """

    def __init__(self, path: str | Path, fps: float = 25.0) -> None:
        """Prepare a video at ``path``; it begins with the first picture.

        Raises:
            UsageError: no video can be written there.
        """
        self.path = check_video_path(path)
        self._fps = fps
        self._picture: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._error: BaseException | None = None

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Make this picture (H, W, 3), RGB, the newest. Whoever calls does not write to it any more.

        The first one decides the size of the video; later ones are centred in it, cut or framed in black.
        """
        with self._lock:
            first = self._picture is None
            self._picture = picture
        if first:
            self._thread.start()

    def close(self) -> None:
        """Finish the video.

        Raises:
            VideoWriterError: it could not be written.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:
            self._error = error

    def _write(self) -> None:
        with self._lock:
            picture = self._picture
        assert picture is not None
        height, width, _ = picture.shape
        started = time.monotonic()
        with VideoWriter(self.path, width, height, self._fps) as writer:
            while not self._stop.wait(max(0.0, started + writer.frames / self._fps - time.monotonic())):
                with self._lock:
                    picture = self._picture
                assert picture is not None
                writer.write(centred(picture, width, height))


def centred(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) in the middle of one that is ``height`` by ``width``, cut or framed in black."""
    if picture.shape == (height, width, 3):
        return picture
    result = np.zeros((height, width, 3), np.uint8)
    rows, columns = min(height, picture.shape[0]), min(width, picture.shape[1])
    top, left = (height - rows) // 2, (width - columns) // 2
    from_top, from_left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    result[top : top + rows, left : left + columns] = picture[
        from_top : from_top + rows, from_left : from_left + columns
    ]
    return result
