"""Mean opinion scores as dots with their intervals."""

from collections.abc import Sequence

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.bench.blind.study import GRADES
from app.bench.blind.summary import Opinion
from app.window import theme

_ROW = 38
_LABEL = 210
_RIGHT = 96
_HEAD = 30


class OpinionChart(QWidget):
    """One row for each codec, best first: the mean of its grades and Student's 95 % interval."""

    def __init__(self, opinions: Sequence[Opinion], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opinions = opinions
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.sizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """High enough for all rows."""
        return QSize(680, _HEAD + _ROW * len(self._opinions))

    def place(self, grade: float) -> float:
        """Return where a grade stands, in logical pixels from the left."""
        return _LABEL + (grade - 1) / (len(GRADES) - 1) * (self.width() - _LABEL - _RIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint scale and rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.text_font(11))
        for grade, word in enumerate(GRADES, 1):
            x = self.place(grade)
            painter.setPen(theme.TEXT_FAINT)
            painter.drawText(QRectF(x - 50, 0, 100, 18), Qt.AlignmentFlag.AlignCenter, word)
            painter.setPen(QPen(QColor(255, 255, 255, 14), 1))
            painter.drawLine(QPointF(x, _HEAD - 6), QPointF(x, self.height()))
        for row, opinion in enumerate(self._opinions):
            self._paint_row(painter, _HEAD + _ROW * row, opinion)
        painter.end()

    def _paint_row(self, painter: QPainter, top: float, opinion: Opinion) -> None:
        middle = top + _ROW / 2
        colour = theme.TEXT_SOFT if opinion.kbps is None else theme.PAYLOAD
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.text_font(13, strong=True))
        painter.setPen(theme.TEXT)
        painter.drawText(QRectF(0, top, _LABEL - 20, _ROW / 2 + 1), int(left), opinion.label)
        painter.setFont(theme.figure_font(11))
        painter.setPen(theme.TEXT_FAINT)
        rate = "shown unnamed" if opinion.kbps is None else f"{opinion.kbps:.1f} kbit/s"
        count = f"{opinion.grades} grade" + ("" if opinion.grades == 1 else "s")
        painter.drawText(QRectF(0, middle, _LABEL - 20, _ROW / 2 - 2), int(left), f"{rate}, {count}")
        if opinion.interval is not None:
            ends = [QPointF(self.place(end), middle) for end in opinion.interval]
            painter.setPen(QPen(colour.darker(170), 5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(*ends)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(self.place(opinion.mean), middle), 5.5, 5.5)
        painter.setFont(theme.figure_font(15, strong=True))
        painter.setPen(theme.TEXT)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(self.width() - 60, top, 60, _ROW), int(right), f"{opinion.mean:.2f}")
