"""What crosses the network, drawn: expression as bars, head as a turning globe on moving shoulders, size of a frame."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.figures import NONE
from app.window.geometry import letterbox
from codec.face_state import FaceState

EXPRESSION_REACH = 3.0
"""An embedded coefficient of this size fills its bar: they have about unit variance."""
GLOBE_RINGS = 5

TORSO_SCALE = 300.0
"""Of the card's 480 units, for the side of the frame in which the torso moves."""

_SHOULDER = np.array(
    [[0.07, -0.19], [0.07, -0.12], [0.09, -0.105], [0.19, -0.085], [0.26, -0.07], [0.3, -0.02], [0.315, 0.06]]
)
"""(7, 2) neck, shoulder and arm on the right of the picture as two cubic curves, from the torso's centre."""


def globe_lines(rotation: NDArray[np.float32]) -> list[tuple[NDArray[np.float64], bool]]:
    """Return the rings of a unit globe turned by ``rotation`` (3, 3), as seen by the camera.

    Each entry is a polyline (N, 2) in picture coordinates, x right and y down within [-1, 1], and whether it lies on
    the side towards the camera.
    """
    angles = np.linspace(0.0, 2 * math.pi, 73)
    rings = []
    for index in range(1, GLOBE_RINGS + 1):
        latitude = math.pi * (index / (GLOBE_RINGS + 1) - 0.5)
        circle = math.cos(latitude)
        rings.append(
            np.stack([circle * np.sin(angles), np.full_like(angles, math.sin(latitude)), circle * np.cos(angles)], 1)
        )
    for index in range(6):
        longitude = math.pi * index / 6
        rings.append(
            np.stack([np.sin(angles) * math.sin(longitude), np.cos(angles), np.sin(angles) * math.cos(longitude)], 1)
        )
    lines: list[tuple[NDArray[np.float64], bool]] = []
    for ring in rings:
        turned = ring @ rotation.astype(np.float64).T
        towards = turned[:, 2] >= 0.0
        cuts = np.flatnonzero(np.diff(towards)) + 1
        # Pieces overlap by one point, so that no gap shows where a ring passes the rim.
        edges = [0, *cuts.tolist(), len(turned)]
        for start, stop in itertools.pairwise(edges):
            piece = turned[max(start - 1, 0) : stop]
            lines.append((np.stack([piece[:, 0], -piece[:, 1]], 1), bool(towards[start])))
    return lines


def shoulder_curves(torso: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return both shoulders (2, 7, 2) of a torso that has moved by ``torso`` (T,), displaced by its first two numbers.

    What the others do is known to its avatar alone. Each is two cubic curves that share their middle point, from the
    neck outwards, in sides of the frame from where the torso's centre is when it has not moved: x right, y down.
    """
    curves: NDArray[np.float64] = torso[:2].astype(np.float64) + np.stack([_SHOULDER * [-1, 1], _SHOULDER])
    return curves


class SignalView(QWidget):
    """A square card with what one frame consists of."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: FaceState | None = None
        self._frame_bytes: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 160)

    def show_state(self, state: FaceState) -> None:
        """Show another state, as it was decoded."""
        self._state = state
        self.update()

    def show_frame_bytes(self, frame_bytes: float | None) -> None:
        """Show how many bytes a frame takes, on average over the last second."""
        self._frame_bytes = frame_bytes
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the card."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = letterbox(1.0, 1.0, self.width(), self.height())
        card = QRectF(box.x, box.y, box.width, box.height)
        painter.setBrush(theme.SURFACE)
        painter.setPen(QPen(theme.OUTLINE, 1))
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), theme.RADIUS, theme.RADIUS)
        # Everything is laid out on a card of 480, whatever its size on the screen.
        painter.translate(card.topLeft())
        painter.scale(card.width() / 480, card.width() / 480)
        if self._state is not None:
            self._paint_size(painter)
            self._paint_shoulders(painter, QPointF(356, 258), self._state.torso)
            self._paint_globe(painter, QPointF(356, 128), 76.0, self._state)
            self._paint_expression(painter, QRectF(30, 318, 420, 120), self._state.expression)
        painter.end()

    def _paint_size(self, painter: QPainter) -> None:
        painter.setFont(theme.text_font(13))
        painter.setPen(theme.TEXT_SOFT)
        painter.drawText(QPointF(30, 50), "One frame")
        value = NONE if self._frame_bytes is None else f"{self._frame_bytes:.0f}"
        font = theme.figure_font(64, strong=True)
        painter.setFont(font)
        painter.setPen(theme.TEXT)
        painter.drawText(QPointF(27, 122), value)
        painter.setFont(theme.text_font(18))
        painter.setPen(theme.TEXT_SOFT)
        painter.drawText(QPointF(27 + QFontMetricsF(font).horizontalAdvance(value) + 10, 122), "bytes")
        painter.setFont(theme.text_font(13))
        painter.setPen(theme.TEXT_FAINT)
        painter.drawText(QPointF(30, 158), "how the head is turned,")
        painter.drawText(QPointF(30, 178), "where it is,")
        painter.drawText(QPointF(30, 198), "how the torso has moved,")
        painter.drawText(QPointF(30, 218), "and what the face does")

    @staticmethod
    def _paint_shoulders(painter: QPainter, centre: QPointF, torso: NDArray[np.float32]) -> None:
        colour = QColor(theme.WIRE)
        colour.setAlpha(200)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.3))
        painter.save()
        # However far it has gone, it stays on its part of the card.
        painter.setClipRect(QRectF(236, 20, 228, 262))
        for curve in (TORSO_SCALE * shoulder_curves(torso) + [centre.x(), centre.y()]).tolist():
            neck, *points = (QPointF(*point) for point in curve)
            path = QPainterPath(neck)
            path.cubicTo(*points[:3])
            path.cubicTo(*points[3:])
            painter.drawPath(path)
        painter.restore()
        painter.setPen(theme.TEXT_SOFT)
        painter.setFont(theme.text_font(13))
        painter.drawText(QRectF(centre.x() - 100, 284, 200, 20), Qt.AlignmentFlag.AlignCenter, "Head and torso")

    def _paint_globe(self, painter: QPainter, centre: QPointF, radius: float, state: FaceState) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(127, 156, 245, 90), 1.0))
        painter.drawEllipse(centre, radius, radius)
        for line, towards in globe_lines(state.pose.rotation):
            colour = QColor(theme.WIRE)
            colour.setAlpha(200 if towards else 45)
            painter.setPen(QPen(colour, 1.3 if towards else 1.0))
            points = [QPointF(centre.x() + radius * x, centre.y() + radius * y) for x, y in line.tolist()]
            painter.drawPolyline(QPolygonF(points))
        nose = state.pose.rotation.astype(np.float64) @ np.array([0.0, 0.0, 1.0])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.TEXT)
        painter.drawEllipse(QPointF(centre.x() + radius * nose[0], centre.y() - radius * nose[1]), 4.5, 4.5)

    @staticmethod
    def _paint_expression(painter: QPainter, area: QRectF, expression: NDArray[np.float32]) -> None:
        pitch = area.width() / len(expression)
        width = min(pitch * 0.62, 9.0)
        middle = area.center().y()
        painter.setPen(Qt.PenStyle.NoPen)
        for index, coefficient in enumerate(np.clip(expression / EXPRESSION_REACH, -1.0, 1.0).tolist()):
            x = area.left() + (index + 0.5) * pitch
            painter.setBrush(QColor(255, 255, 255, 10))
            painter.drawRoundedRect(QRectF(x - width / 2, area.top(), width, area.height()), width / 2, width / 2)
            length = max(abs(coefficient) * area.height() / 2, 1.5)
            top = middle - length if coefficient > 0 else middle
            painter.setBrush(theme.PAYLOAD)
            painter.drawRoundedRect(QRectF(x - width / 2, top, width, length), min(width, length) / 2, width / 2)
        painter.setPen(theme.TEXT_SOFT)
        painter.setFont(theme.text_font(13))
        painter.drawText(QPointF(area.left(), area.top() - 14), f"Expression, {len(expression)} numbers")
