"""A running call on a window: the newest frame, the state, the figures; painted frames are told back."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.window.call_window import FaceWindow
from app.window.figures import CallFigures, Status

STATE_MILLISECONDS = 250
"""State and figures are refreshed this often: oftener nobody can read them."""


class FrameBox(Protocol):
    """A latest-wins mailbox."""

    on_put: Callable[[], None] | None
    """Called by the thread that puts something in."""

    def take(self, timeout: float | None = 0) -> Any | None:
        """Return the newest frame and leave the box empty; None when there is none."""


class Live(QObject):
    """Carries a call to a window until :meth:`close`.

    ``state`` is asked a few times a second for the state in words and a snapshot of the figures; ``set_size(w, h)`` is
    told the size in device pixels; ``frame_taken(frame)`` is called for every frame that goes to the window.
    """

    changed = pyqtSignal()
    """The window shows something new: a frame, or other figures."""

    _arrived = pyqtSignal()

    def __init__(
        self,
        window: FaceWindow,
        mailbox: FrameBox,
        state: Callable[[], tuple[Status, CallFigures]],
        set_size: Callable[[int, int], None] | None,
        frame_taken: Callable[[Any], None] = lambda frame: None,
    ) -> None:
        super().__init__()
        self._window, self._mailbox, self._state, self._frame_taken = window, mailbox, state, frame_taken
        # The renderer's thread only posts an event; the frame is taken in the window's thread, so that frames that
        # come faster than they are painted fall away in the mailbox.
        self._arrived.connect(self._take)
        mailbox.on_put = self._arrived.emit
        if set_size is not None:
            window.face.side_wanted.connect(lambda side: set_size(side, side))
        self._timer = QTimer(self)
        self._timer.setInterval(STATE_MILLISECONDS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def close(self) -> None:
        """Let go of call and window."""
        self._timer.stop()
        self._mailbox.on_put = None

    def refresh(self) -> None:
        """Show state and figures as they are now."""
        status, figures = self._state()
        self._window.show_state(status, figures, time.monotonic())
        self.changed.emit()

    def _take(self) -> None:
        frame = self._mailbox.take()
        if frame is not None:
            self._window.show_frame(frame)
            self._frame_taken(frame)
            self.changed.emit()
