"""The small parts around the pictures: cards, state pill, figures, key hints."""

from collections.abc import Sequence

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.window import theme
from app.window.figures import NONE, Status, Tone
from app.window.picture_view import TONES


def label(text: str, pixels: int, colour: QColor, *, strong: bool = False) -> QLabel:
    """Return a line of text."""
    widget = QLabel(text)
    widget.setFont(theme.text_font(pixels, strong=strong))
    palette = widget.palette()
    palette.setColor(widget.foregroundRole(), colour)
    widget.setPalette(palette)
    return widget


def flowed(parts: Sequence[str], width: float, metrics: QFontMetricsF) -> list[str]:
    """Return lines no wider than ``width`` (logical pixels) with the parts side by side, none of them broken."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}   ·   {part}" if lines else part
        if lines and metrics.horizontalAdvance(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


class Card(QWidget):
    """A raised surface with round corners; its children lie in a layout as usual."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the surface."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(theme.SURFACE)
        painter.setPen(QPen(theme.OUTLINE, 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme.RADIUS, theme.RADIUS)
        painter.end()


class Pill(QWidget):
    """The state in a word or two, with a dot in its colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = ""
        self._tone = Tone.PATIENT
        self._font = theme.text_font(12, strong=True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_status(self, status: Status) -> None:
        """Say the state."""
        if (status.label, status.tone) != (self._label, self._tone):
            self._label, self._tone = status.label, status.tone
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Wide enough for the words."""
        return QSize(int(QFontMetricsF(self._font).horizontalAdvance(self._label)) + 38, 26)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint dot and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(29, 33, 39, 225))
        painter.drawRoundedRect(QRectF(self.rect()), self.height() / 2, self.height() / 2)
        painter.setBrush(TONES[self._tone])
        painter.drawEllipse(QPointF(14.5, self.height() / 2), 3.5, 3.5)
        painter.setFont(self._font)
        painter.setPen(theme.TEXT)
        words = QRectF(25, 0, self.width() - 25, self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._label)
        painter.end()


class Figure(QWidget):
    """One figure: what it is, how much, in which unit."""

    def __init__(self, name: str, unit: str, swatch: QColor | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._unit, self._swatch = name, unit, swatch
        self._value = NONE
        self.setFixedHeight(44)
        self.setMinimumWidth(104)

    @property
    def value(self) -> str:
        """What it says, without the unit."""
        return self._value

    def show_value(self, value: str) -> None:
        """Show another value."""
        if value != self._value:
            self._value = value
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint name above value and unit."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = 0.0
        if self._swatch is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._swatch)
            painter.drawRoundedRect(QRectF(0, 4.5, 8, 8), 2.5, 2.5)
            left = 14.0
        painter.setFont(theme.text_font(12))
        painter.setPen(theme.TEXT_SOFT)
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, 0, self.width() - left, 17), middle, self._name)
        value_font = theme.figure_font(19, strong=True)
        painter.setFont(value_font)
        painter.setPen(theme.TEXT)
        painter.drawText(QRectF(0, 18, self.width(), 26), middle, self._value)
        painter.setFont(theme.text_font(12))
        painter.setPen(theme.TEXT_FAINT)
        right = QFontMetricsF(value_font).horizontalAdvance(self._value) + 5
        painter.drawText(QRectF(right, 20, self.width() - right, 25), middle, self._unit)
        painter.end()


class KeyHints(QWidget):
    """Discreet hints: which key does what."""

    def __init__(
        self, hints: Sequence[tuple[str, str]], *, backed: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._hints = hints
        self._backed = backed
        self._font = theme.text_font(11)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Wide enough for all hints."""
        width = sum(key + 6 + words + 16 for key, words in map(self._widths, self._hints)) - 16
        return QSize(int(width) + 1 + (24 if self._backed else 0), 30 if self._backed else 22)

    def _widths(self, hint: tuple[str, str]) -> tuple[float, float]:
        metrics = QFontMetricsF(self._font)
        return max(18.0, metrics.horizontalAdvance(hint[0]) + 12), metrics.horizontalAdvance(hint[1])

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint key caps and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._backed:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(13, 15, 18, 170))
            painter.drawRoundedRect(QRectF(self.rect()), self.height() / 2, self.height() / 2)
        painter.setFont(self._font)
        x = 12.0 if self._backed else 0.0
        for key, words in self._hints:
            key_width, words_width = self._widths((key, words))
            cap = QRectF(x, (self.height() - 18) / 2, key_width, 18)
            painter.setPen(QPen(theme.OUTLINE, 1))
            painter.setBrush(theme.RAISED)
            painter.drawRoundedRect(cap.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            painter.setPen(theme.TEXT_SOFT)
            painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, key)
            painter.setPen(theme.TEXT_SOFT if self._backed else theme.TEXT_FAINT)
            box = QRectF(cap.right() + 6, 0, words_width + 2, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
            x = box.right() + 14
        painter.end()
