"""The Qt application: made once, with a screen or without."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.diagnosis import libraries_remedy
from app.errors import UserError

try:
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    from app.window.theme import apply_theme
except ImportError as missing:
    raise UserError(
        f"the window cannot be drawn, as Qt does not load ({missing}): {libraries_remedy(str(missing))}"
    ) from missing

_kept: list[QApplication] = []
"""Qt's application goes when the last reference goes, and fonts and pictures with it."""

INTERRUPT_MILLISECONDS = 100
"""Qt's loop does not return to Python by itself: this often it does, so that Ctrl-C is heard."""


def make_application(*, offscreen: bool = False) -> QApplication:
    """Return the application of this process, themed; without a screen it draws into memory alone.

    Raises:
        FontError: a shipped font is broken.
    """
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    if offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    # The offscreen platform would complain of every size hint.
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.*=false;*.debug=false;default.warning=false" if offscreen else "")
    application = QApplication(["nerfcall"])
    application.setApplicationName("nerfcall")
    application.setDesktopFileName("nerfcall")
    apply_theme(application)
    _kept.append(application)
    return application


@contextmanager
def interruptible(application: QApplication) -> Iterator[None]:
    """End the application's loop on Ctrl-C and on SIGTERM while the context lasts."""

    def leave(number: int, frame: FrameType | None) -> None:
        application.quit()

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(INTERRUPT_MILLISECONDS)
    try:
        yield
    finally:
        timer.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
