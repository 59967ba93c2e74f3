"""Follows what is behind the person in a thread of its own, so that the face never waits for it."""

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.mailbox import Mailbox

CLOSE_SECONDS: Final = 5.0
"""How long a look that has begun may take to end."""


class Watcher(Protocol):
    """Decides what is told (app.tracking.backdrop_watcher.BackdropWatcher)."""

    def due(self, timestamp: float) -> bool:
        """Return whether a picture of this time is worth looking at."""

    def look(self, image: NDArray[np.uint8], timestamp: float) -> bytes | None:
        """Look at an RGB picture (H, W, 3), and return a coded backdrop if there is something to tell."""


class BackdropFollower:
    """Shows the newest picture to a watcher whenever it is due, and tells what it has to tell."""

    def __init__(self, watching: Callable[[], AbstractContextManager[Watcher]]) -> None:
        """Prepare; ``watching`` opens the watcher, in the thread, as that takes a while."""
        self._watching = watching
        self._tell: Callable[[bytes], None] = lambda data: None
        self._pictures: Mailbox[tuple[NDArray[np.uint8], float]] = Mailbox()
        self._thread = threading.Thread(target=self._work, name="backdrop", daemon=True)

    def start(self, tell: Callable[[bytes], None]) -> None:
        """Begin; ``tell`` is called in the thread with each coded backdrop."""
        self._tell = tell
        self._thread.start()

    def offer(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Take an RGB picture (H, W, 3), which must not change any more; without a start, it is forgotten."""
        if self._thread.is_alive():
            self._pictures.put((image, timestamp))

    def close(self) -> None:
        """End the thread."""
        self._pictures.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        with ExitStack() as stack:
            try:
                watcher = stack.enter_context(self._watching())
            except UserError as error:
                print(f"what is behind you is shown as it was at enrolment: {error}", file=sys.stderr, flush=True)
                return
            while not self._pictures.closed:
                picture = self._pictures.take(None)
                if picture is None or not watcher.due(picture[1]):
                    continue
                if (data := watcher.look(*picture)) is not None:
                    self._tell(data)
