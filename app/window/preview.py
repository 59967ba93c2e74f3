"""The preview's two windows: with the camera picture, and with what crosses the network."""

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QTimer

from app.picture_share import PictureShare
from app.window.call_window import PreviewWindow
from app.window.figures import CallFigures, Status
from app.window.picture_view import PictureView
from app.window.signal_view import SignalView

PICTURE_MILLISECONDS = 20
"""The camera picture is looked for this often."""
FPS_SPAN = 2.0
"""Seconds over which the camera's rate is taken."""


class CameraPreview(PreviewWindow):
    """The camera picture beside the rendering.

    ``share`` brings the pictures from the sender's process; ``principal`` tells which square of them the avatar shows.
    """

    def __init__(
        self, name: str, share: PictureShare, principal: tuple[float, float], painted: Callable[[Any], None]
    ) -> None:
        self._picture = PictureView(principal=principal)
        super().__init__(f"nerfcall: {name}", name, self._picture, "Camera", painted)
        self._share = share
        self._timestamps: list[float] = []
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(PICTURE_MILLISECONDS)

    def _look(self) -> None:
        newest = self._share.read()
        if newest is None:
            return
        picture, timestamp = newest
        self._picture.show_picture(picture)
        self._timestamps = [at for at in self._timestamps if 0 <= timestamp - at <= FPS_SPAN] + [timestamp]
        height, width, _ = picture.shape
        self.left_note.setText(f"{width} × {height}, {rate(self._timestamps):.0f} frames/s")


def rate(timestamps: list[float]) -> float:
    """Return how many a second there were, 0 for fewer than two."""
    if len(timestamps) < 2 or timestamps[-1] <= timestamps[0]:
        return 0.0
    return (len(timestamps) - 1) / (timestamps[-1] - timestamps[0])


class SignalPreview(PreviewWindow):
    """What crosses the network beside the rendering, for a recording that has no picture."""

    def __init__(self, name: str, painted: Callable[[Any], None]) -> None:
        self._signal = SignalView()
        super().__init__(f"nerfcall: {name}", name, self._signal, "What crosses the network", painted)

    def show_state(self, status: Status, figures: CallFigures, now: float) -> None:
        """Show state and figures, among them how many bytes a frame takes."""
        super().show_state(status, figures, now)
        if figures.payload_kbps is not None and figures.fps_received:
            self._signal.show_frame_bytes(figures.payload_kbps * 125 / figures.fps_received)

    def show_frame(self, frame: Any) -> None:
        """Show a rendered frame, and the state that it was rendered from."""
        super().show_frame(frame)
        self._signal.show_state(frame.state)
