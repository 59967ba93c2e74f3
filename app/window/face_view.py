"""The view of the rendered face: asks for the size it needs, tells when a frame was painted, carries the overlay."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import QWidget

from app.window import theme
from app.window.figures import Row
from app.window.geometry import render_side
from app.window.picture_view import PictureView

RESIZE_QUIET_MILLISECONDS = 150
"""A new render size is asked for once the size has stood still this long: each one costs the renderer new buffers."""


class Picture(Protocol):
    """A frame that carries its pixels."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3), RGB."""


FrameT = TypeVar("FrameT", bound=Picture)


class FaceView(PictureView, Generic[FrameT]):
    """Shows rendered frames.

    ``painted`` is called once per frame, right after it was painted first: that is where latency ends.
    """

    side_wanted = pyqtSignal(int)
    """The side of the square frame in device pixels, once it has settled."""

    def __init__(
        self, painted: Callable[[FrameT], None], *, bleed: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(bleed=bleed, parent=parent)
        self._painted = painted
        self._unpainted: FrameT | None = None
        self._rows: Sequence[Row] = ()
        self._side = 0
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(RESIZE_QUIET_MILLISECONDS)
        self._settle.timeout.connect(self._ask_for_side)

    def show_frame(self, frame: FrameT) -> None:
        """Show a rendered frame; one that was not painted yet is replaced, not queued."""
        self._unpainted = frame
        self.show_picture(frame.image)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Write the overlay; no rows take it away."""
        if rows != self._rows:
            self._rows = rows
            self.update()

    @property
    def rows(self) -> Sequence[Row]:
        """What the overlay says."""
        return self._rows

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Wait for the size to settle."""
        super().resizeEvent(event)
        self._settle.start()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Ask for the first size at once, and again when the window moves to a screen with another pixel ratio."""
        super().showEvent(event)
        self._ask_for_side()
        window = self.window()
        handle = None if window is None else window.windowHandle()
        if handle is not None:
            handle.screenChanged.connect(self._settle.start)

    def paint_over(self, painter: QPainter, box: QRectF) -> None:
        """Paint the overlay and report the frame."""
        if self._rows:
            paint_overlay(painter, box, self._rows)
        frame, self._unpainted = self._unpainted, None
        if frame is not None:
            self._painted(frame)

    def _ask_for_side(self) -> None:
        side = render_side(self.width(), self.height(), self.devicePixelRatioF())
        if side != self._side:
            self._side = side
            self.side_wanted.emit(side)


def paint_overlay(painter: QPainter, box: QRectF, rows: Sequence[Row]) -> None:
    """Paint the figures as a translucent card in the upper left corner of ``box``."""
    label_font, value_font, note_font = theme.text_font(12), theme.figure_font(12, strong=True), theme.figure_font(11)
    label_width = max(QFontMetricsF(label_font).horizontalAdvance(row.label) for row in rows)
    value_width = max(QFontMetricsF(value_font).horizontalAdvance(row.value) for row in rows if row.note)
    line = 20.0
    card = QRectF(box.left() + 12, box.top() + 12, min(316.0, box.width() - 24), line * len(rows) + 22)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(13, 15, 18, 190))
    painter.drawRoundedRect(card, 10, 10)
    values = card.left() + 14 + label_width + 16
    middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    for index, row in enumerate(rows):
        y = card.top() + 11 + index * line
        painter.setFont(label_font)
        painter.setPen(theme.TEXT_SOFT)
        painter.drawText(QRectF(card.left() + 14, y, label_width, line), middle, row.label)
        painter.setFont(value_font)
        painter.setPen(theme.TEXT)
        room = card.right() - 12 - values
        value = QFontMetricsF(value_font).elidedText(row.value, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(values, y, room, line), middle, value)
        if row.note and value_width + 10 < room:
            painter.setFont(note_font)
            painter.setPen(theme.CAUTION if row.note.startswith("lowered") else theme.TEXT_FAINT)
            left = values + value_width + 10
            painter.drawText(QRectF(left, y, card.right() - 12 - left, line), middle, row.note)
