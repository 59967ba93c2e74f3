"""A view that shows one picture, and words where there is no picture to show."""

import math
import time

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.figures import Status, Tone
from app.window.geometry import letterbox, square_of

PULSE_FRAMES_A_SECOND = 15
"""The waiting sign moves calmly: more would cost the renderer its time."""

TONES = {
    Tone.LIVE: theme.GOOD,
    Tone.PATIENT: theme.TEXT_SOFT,
    Tone.TROUBLED: theme.CAUTION,
    Tone.OVER: theme.TEXT_FAINT,
}


def as_image(picture: NDArray[np.uint8]) -> QImage:
    """Return a picture (H, W, 3), RGB, as an image that owns its pixels."""
    height, width, _ = picture.shape
    # The image borrows the bytes it is made from: the copy owns its pixels.
    return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class PictureView(QWidget):
    """Shows the newest picture, letterboxed as a square, with round corners; dims it and writes words over it.

    ``bleed`` lets the picture fill the whole height with square corners, as in a window of its own. ``principal`` is
    where the middle of a picture that is not square lies in the square that is shown, in its sides from the upper left
    corner (``renderer.camera.Camera.cx, cy``).
    """

    def __init__(
        self,
        *,
        bleed: bool = False,
        principal: tuple[float, float] = (0.5, 0.5),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._principal = principal
        self._bleed = bleed
        self._image: QImage | None = None
        self._status: Status | None = None
        self._pulse = QTimer(self)
        self._pulse.setInterval(1000 // PULSE_FRAMES_A_SECOND)
        self._pulse.timeout.connect(self.update)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(160, 160))

    @property
    def status(self) -> Status | None:
        """What is written over the picture."""
        return self._status

    def show_picture(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture (H, W, 3), RGB, or of one that is not square the square that ``principal`` tells."""
        self._image = as_image(picture)
        self.update()

    def show_status(self, status: Status | None) -> None:
        """Write the state over the picture; None or a live one takes the words away."""
        if status == self._status:
            return
        self._status = status
        if status is not None and status.title and status.tone in (Tone.PATIENT, Tone.TROUBLED):
            self._pulse.start()
        else:
            self._pulse.stop()
        self.update()

    def frame_box(self) -> QRectF:
        """Return where the square frame lies, in logical pixels."""
        box = letterbox(1.0, 1.0, self.width(), self.height())
        return QRectF(box.x, box.y, box.width, box.height)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint picture, words and what a subclass lays over them."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = self.frame_box()
        self._paint_picture(painter, box)
        if self._status is not None and self._status.title:
            self._paint_status(painter, box, self._status)
        self.paint_over(painter, box)
        painter.end()

    def paint_over(self, painter: QPainter, box: QRectF) -> None:
        """Paint over the picture; for subclasses."""

    def _paint_picture(self, painter: QPainter, box: QRectF) -> None:
        painter.save()
        radius = 0.0 if self._bleed else theme.RADIUS
        clip = QPainterPath()
        clip.addRoundedRect(box, radius, radius)
        painter.setClipPath(clip)
        if self._image is None:
            painter.fillRect(box, theme.SURFACE)
        else:
            square = square_of(self._image.width(), self._image.height(), *self._principal)
            painter.drawImage(box, self._image, QRectF(square.x, square.y, square.width, square.height))
        painter.restore()
        if not self._bleed:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.OUTLINE, 1))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)

    def _paint_status(self, painter: QPainter, box: QRectF, status: Status) -> None:
        radius = 0.0 if self._bleed else theme.RADIUS
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.VEIL)
        painter.drawRoundedRect(box, radius, radius)
        centre = box.center()
        if status.tone in (Tone.PATIENT, Tone.TROUBLED):
            self._paint_pulse(painter, QPointF(centre.x(), centre.y() - 46), TONES[status.tone])
        title_font = theme.text_font(20, strong=True)
        painter.setFont(title_font)
        painter.setPen(theme.TEXT)
        around = QRectF(box.left() + theme.GAP, centre.y() - 18, box.width() - 2 * theme.GAP, 28)
        title = QFontMetricsF(title_font).elidedText(status.title, Qt.TextElideMode.ElideRight, around.width())
        painter.drawText(around, Qt.AlignmentFlag.AlignCenter, title)
        if status.detail:
            painter.setFont(theme.text_font(13))
            painter.setPen(theme.TEXT_SOFT)
            below = QRectF(around.left(), around.bottom() + 6, around.width(), 60)
            wrapped = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
            painter.drawText(below, int(wrapped) | int(Qt.TextFlag.TextWordWrap), status.detail)

    @staticmethod
    def _paint_pulse(painter: QPainter, centre: QPointF, colour: QColor) -> None:
        """Three dots that swell one after the other."""
        painter.setPen(Qt.PenStyle.NoPen)
        for dot in range(3):
            swell = max(0.0, math.sin(2 * math.pi * (time.monotonic() / 1.6 - dot / 6)))
            shade = QColor(colour)
            shade.setAlphaF(0.3 + 0.7 * swell)
            painter.setBrush(shade)
            painter.drawEllipse(QPointF(centre.x() + (dot - 1) * 16, centre.y()), 3.2 + swell, 3.2 + swell)
