"""The meter: what the call costs, over the last minute."""

import math
from collections import deque
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from app.window import theme
from app.window.figures import kilobits

SPAN_SECONDS = 60.0
"""How far back the meter shows."""
SAMPLE_SECONDS = 0.25
"""Samples that come faster than this are not kept: they would be less than two pixels apart."""


@dataclass(frozen=True, slots=True)
class RateSample:
    """The rates at one instant, in kbit/s."""

    now: float
    """Seconds of the monotonic clock."""
    payload: float
    """The coded faces alone."""
    wire: float
    """All bytes that cross the socket, both ways."""


class RateHistory:
    """The rates of the last :data:`SPAN_SECONDS`."""

    def __init__(self) -> None:
        self._samples: deque[RateSample] = deque()

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, now: float, payload: float, wire: float) -> bool:
        """Keep the rates at ``now`` and forget what is too old; False if it comes too soon after the last."""
        if self._samples and now - self._samples[-1].now < SAMPLE_SECONDS:
            return False
        self._samples.append(RateSample(now, payload, wire))
        # One sample beyond the edge stays, so that the line reaches the edge.
        while len(self._samples) > 2 and now - self._samples[1].now > SPAN_SECONDS:
            self._samples.popleft()
        return True

    @property
    def samples(self) -> list[RateSample]:
        """Oldest first."""
        return list(self._samples)

    @property
    def highest(self) -> float:
        """The highest rate that is kept, 0 when there is none."""
        return max((max(sample.payload, sample.wire) for sample in self._samples), default=0.0)


def axis(highest: float) -> tuple[float, int]:
    """Return the distance of grid lines and how many there are above zero, so that they cover ``highest`` closely.

    The distance is 1, 2, 2.5 or 5 times a power of ten; there are 3 to 5 lines.

    >>> axis(54.0), axis(95.0)
    ((20.0, 3), (25.0, 4))
    """
    needed = max(highest, 3.0)
    magnitude = 10.0 ** math.floor(math.log10(needed / 5))
    steps = [factor * magnitude for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0)]
    fitting = [(step, max(3, math.ceil(needed / step - 1e-9))) for step in steps]
    return min((fit for fit in fitting if fit[1] <= 5), key=lambda fit: (fit[0] * fit[1], fit[1]))


class Meter(QWidget):
    """Draws a :class:`RateHistory`: payload as a filled area, wire as a line above it."""

    _LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 10.0, 22.0

    def __init__(self, history: RateHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._now = 0.0
        self.setMinimumHeight(96)

    def advance(self, now: float) -> None:
        """Move the right edge to ``now`` (monotonic seconds) and paint again."""
        self._now = now
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint grid, area, line and the time axis."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = QRectF(
            self._LEFT, self._TOP, self.width() - self._LEFT - self._RIGHT, self.height() - self._TOP - self._BOTTOM
        )
        step, lines = axis(self._history.highest)
        top = step * lines
        self._paint_grid(painter, plot, step, lines)
        samples = self._history.samples
        if len(samples) >= 2:
            painter.save()
            painter.setClipRect(plot.adjusted(0, -2, 2, 1))
            self._paint_area(painter, plot, self._points(plot, top, [(s.now, s.payload) for s in samples]))
            self._paint_line(painter, plot, self._points(plot, top, [(s.now, s.wire) for s in samples]), theme.WIRE)
            painter.restore()
        painter.end()

    def _points(self, plot: QRectF, top: float, series: list[tuple[float, float]]) -> list[QPointF]:
        """Place (monotonic seconds, kbit/s) in the plot."""
        return [
            QPointF(
                plot.right() - (self._now - now) / SPAN_SECONDS * plot.width(),
                plot.bottom() - min(rate / top, 1.0) * plot.height(),
            )
            for now, rate in series
        ]

    def _paint_grid(self, painter: QPainter, plot: QRectF, step: float, lines: int) -> None:
        painter.setFont(theme.text_font(11))
        for line in range(lines + 1):
            y = round(plot.bottom() - line / lines * plot.height()) + 0.5
            painter.setPen(QPen(QColor(255, 255, 255, 34 if line == 0 else 14), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(theme.TEXT_FAINT)
            label = QRectF(0, y - 8, self._LEFT - 10, 16)
            painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, kilobits(line * step))
        below = QRectF(plot.left(), plot.bottom() + 5, plot.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "a minute ago")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "now")

    @staticmethod
    def _paint_line(painter: QPainter, plot: QRectF, points: list[QPointF], colour: QColor) -> None:
        path = QPainterPath(points[0])
        for point in points[1:]:
            path.lineTo(point)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(points[-1], 3.0, 3.0)

    def _paint_area(self, painter: QPainter, plot: QRectF, points: list[QPointF]) -> None:
        area = QPainterPath(QPointF(points[0].x(), plot.bottom()))
        for point in points:
            area.lineTo(point)
        area.lineTo(QPointF(points[-1].x(), plot.bottom()))
        area.closeSubpath()
        fill = QLinearGradient(plot.topLeft(), plot.bottomLeft())
        fill.setColorAt(0.0, QColor(95, 211, 180, 120))
        fill.setColorAt(1.0, QColor(95, 211, 180, 40))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPath(area)
        self._paint_line(painter, plot, points, theme.PAYLOAD)
