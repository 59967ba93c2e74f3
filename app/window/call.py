"""A call carried on a window, from its first moment to its end: the network beside, Qt in the main thread."""

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtGui import QImage, QPixmap

from app.background import STOP_SECONDS, BackgroundCall
from app.paced_recorder import PacedRecorder
from app.window.application import interruptible, make_application
from app.window.call_window import CallWindow, FaceWindow
from app.window.figures import CallFigures, Status
from app.window.live import FrameBox, Live
from signaling.peer import PEER_HAS_LEFT, Ending

LINGER_SECONDS = 4.0
"""The window says so long how the call ended; then it closes by itself."""


class ShownCall(Protocol):
    """What a window needs of a call (app.receiver.Receiver)."""

    @property
    def mailbox(self) -> FrameBox:
        """Where the newest rendered frame lies."""

    def set_size(self, width: int, height: int) -> None:
        """Render at this size from now on."""

    def painted(self, frame: Any) -> None:
        """Take note that a frame was painted."""

    def state(self) -> tuple[Status, CallFigures]:
        """Return the state in words, and the figures."""

    def stop(self) -> None:
        """End the call from this side."""


MakeWindow = Callable[[Callable[[Any], None]], FaceWindow]
"""Makes the window, given what to call for each frame that was painted."""


class _Bridge(QObject):
    """Carries the end of the call from its thread to the window's."""

    ended = pyqtSignal()


def show_call(
    call: ShownCall, title: str, run: Callable[[], Coroutine[Any, Any, Ending]], record: str | None = None
) -> Ending:
    """Carry a call on a window of its own; as :func:`carry_call`."""
    recorder = PacedRecorder(record) if record else None
    return carry_call(lambda painted: CallWindow(title, painted), call, run, recorder=recorder)


def carry_call(
    make_window: MakeWindow,
    call: ShownCall,
    run: Callable[[], Coroutine[Any, Any, Ending]],
    *,
    show: bool = True,
    recorder: PacedRecorder | None = None,
    frame_taken: Callable[[Any], None] = lambda frame: None,
) -> Ending:
    """Carry a call until the window is closed or the call ends, and return how it ended.

    ``run`` makes the coroutine of the call, which runs in a thread of its own. Without ``show`` the window is painted
    in memory alone, for ``recorder``, and the call keeps the size it began with. ``frame_taken`` is called for every
    frame that goes to the window.

    Raises whatever ``run`` raises, and VideoWriterError when the recording could not be written.
    """
    application = make_application(offscreen=not show)
    window = make_window(call.painted)
    bridge = _Bridge()
    background = BackgroundCall(run, bridge.ended.emit)
    # A recording begins with the first frame: nobody wants to see a video of somebody waiting.
    taken = False

    def take(frame: Any) -> None:
        nonlocal taken
        taken = True
        frame_taken(frame)

    live = Live(window, call.mailbox, call.state, call.set_size if show else None, take)

    lingering = QTimer()
    lingering.setSingleShot(True)
    lingering.timeout.connect(application.quit)

    def call_ended() -> None:
        live.refresh()
        # What kept the call from coming about is said on the terminal; that the other side ended it, in the window.
        ending = background.result
        linger = show and ending is not None and (ending.reason == PEER_HAS_LEFT or not ending.farewell)
        lingering.start(int(1000 * LINGER_SECONDS) if linger else 0)

    bridge.ended.connect(call_ended)
    window.closed.connect(application.quit)
    if recorder is not None:
        live.changed.connect(lambda: recorder.show(pixels(window.grab())) if taken else None)
    if show:
        window.show()
    try:
        with interruptible(application), contextlib.ExitStack() as cleanup:
            if recorder is not None:
                cleanup.callback(recorder.close)
            cleanup.callback(live.close)
            background.start()
            application.exec()
    finally:
        bridge.ended.disconnect()
        lingering.stop()
        call.stop()
        if not background.wait(STOP_SECONDS):
            background.stop()
        window.hide()
    if background.error is not None:
        raise background.error
    return background.result or Ending("the call was ended here", farewell=True)


def pixels(grabbed: QPixmap) -> NDArray[np.uint8]:
    """Return what was grabbed from a widget as a picture (H, W, 3), RGB, of even sides."""
    image = grabbed.toImage().convertToFormat(QImage.Format.Format_RGB888)
    width, height, stride = image.width(), image.height(), image.bytesPerLine()
    data = image.constBits()
    assert data is not None
    rows = np.frombuffer(data.asstring(stride * height), np.uint8).reshape(height, stride)
    return rows[: height - height % 2, : 3 * (width - width % 2)].reshape(height - height % 2, -1, 3)
