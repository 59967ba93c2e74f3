"""A contact sheet: moments of a call on one picture, with its figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QFontMetricsF, QImage, QPainter, QPainterPath

from app.window import theme
from app.window.chrome import flowed
from app.window.picture_view import as_image

CELL = 256
"""Pixels of a moment's side."""
COLUMNS = 4
MOMENTS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One picture of the sheet."""

    picture: NDArray[np.uint8]
    """(H, W, 3), RGB."""
    seconds: float
    """Since the call began."""


class MomentKeeper:
    """Keeps moments spread evenly over a call whose length is not known beforehand.

    It never holds more than four times as many as the sheet shows: when it is full, every second one goes and the
    distance between them doubles.
    """

    def __init__(self, moments: int = MOMENTS) -> None:
        self._capacity = 4 * moments
        self._moments: list[Moment] = []
        self._distance = 0.25
        self._next = 0.0

    def offer(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Keep the picture (H, W, 3), taken ``seconds`` after the beginning, if it is time for another."""
        if seconds < self._next:
            return
        self._moments.append(Moment(picture, seconds))
        if len(self._moments) >= self._capacity:
            self._moments = self._moments[::2]
            self._distance *= 2
        self._next = self._moments[-1].seconds + self._distance

    def choose(self, count: int = MOMENTS) -> list[Moment]:
        """Return ``count`` of them, evenly spread; fewer if there are no more."""
        if len(self._moments) <= count:
            return list(self._moments)
        last = len(self._moments) - 1
        return [self._moments[round(index * last / (count - 1))] for index in range(count)]


def paint_contact_sheet(title: str, notes: Sequence[str], moments: Sequence[Moment]) -> QImage:
    """Return the sheet: title and notes above, the moments below in rows of :data:`COLUMNS`.

    Needs a Qt application with the theme applied.
    """
    gap = theme.GAP
    columns = max(1, min(COLUMNS, len(moments)))
    rows = math.ceil(len(moments) / columns)
    width = COLUMNS * CELL + (COLUMNS + 1) * gap
    note_font = theme.figure_font(14)
    lines = flowed(notes, width - 2 * gap, QFontMetricsF(note_font))
    head = 62 + 22 * len(lines) + 12
    sheet = QImage(width, head + rows * (CELL + gap), QImage.Format.Format_RGB888)
    sheet.fill(theme.BACKGROUND)
    painter = QPainter(sheet)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(theme.text_font(22, strong=True))
    painter.setPen(theme.TEXT)
    painter.drawText(QPointF(gap, 42), title)
    painter.setFont(note_font)
    painter.setPen(theme.TEXT_SOFT)
    for index, line in enumerate(lines):
        painter.drawText(QPointF(gap, 70 + 22 * index), line)
    for index, moment in enumerate(moments):
        x = gap + (index % columns) * (CELL + gap)
        _paint_moment(painter, QRectF(x, head + (index // columns) * (CELL + gap), CELL, CELL), moment)
    painter.end()
    return sheet


def _paint_moment(painter: QPainter, cell: QRectF, moment: Moment) -> None:
    painter.save()
    clip = QPainterPath()
    clip.addRoundedRect(cell, 8, 8)
    painter.setClipPath(clip)
    image = as_image(moment.picture)
    # Qt's smooth transform samples four pixels: what is more than halved has to be averaged first.
    if image.width() > CELL:
        image = image.scaledToWidth(CELL, Qt.TransformationMode.SmoothTransformation)
    painter.drawImage(cell, image)
    painter.restore()
    label = f"{moment.seconds:.1f} s"
    font = theme.figure_font(11, strong=True)
    width = QFontMetricsF(font).horizontalAdvance(label) + 14
    tag = QRectF(cell.left() + 8, cell.bottom() - 28, width, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.VEIL)
    painter.drawRoundedRect(tag, 10, 10)
    painter.setFont(font)
    painter.setPen(theme.TEXT)
    painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, label)
