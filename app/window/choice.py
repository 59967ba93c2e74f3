"""Buttons to answer with: one of a row is chosen, by pointer or by key."""

from collections.abc import Sequence

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QEnterEvent, QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from app.window import theme

HEIGHT = 50
_RADIUS = 9
_PRESSED = QColor("#24292f")
_HOVER = QColor("#252a31")


class ChoiceButton(QAbstractButton):
    """A word and, below it, the key that chooses it."""

    def __init__(self, words: str, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(words)
        self._key = key
        self.setCheckable(True)
        # A click must not take the keys away from the window; with Tab every button can be reached all the same.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Wide enough for the words."""
        width = QFontMetricsF(theme.text_font(13, strong=True)).horizontalAdvance(self.text())
        return QSize(int(width) + 16, HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Never so narrow that words are cut."""
        return self.sizeHint()

    def enterEvent(self, event: QEnterEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Light up below the pointer."""
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint surface, word and key."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen, enabled = self.isChecked(), self.isEnabled()
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.hasFocus():
            painter.setPen(QPen(theme.WIRE, 2))
        else:
            painter.setPen(QPen(theme.OUTLINE, 1))
        hovered = self.underMouse() and enabled
        painter.setBrush(
            theme.GOOD if chosen else _PRESSED if self.isDown() and enabled else _HOVER if hovered else theme.RAISED
        )
        painter.drawRoundedRect(box, _RADIUS, _RADIUS)
        painter.setFont(theme.text_font(13, strong=True))
        painter.setPen(theme.BACKGROUND if chosen else theme.TEXT if enabled else theme.TEXT_FAINT)
        painter.drawText(QRectF(0, 8, self.width(), 19), Qt.AlignmentFlag.AlignCenter, self.text())
        painter.setFont(theme.figure_font(11))
        painter.setPen(QColor(13, 15, 18, 170) if chosen else theme.TEXT_FAINT)
        painter.drawText(QRectF(0, 27, self.width(), 15), Qt.AlignmentFlag.AlignCenter, self._key)
        painter.end()


class ChoiceRow(QWidget):
    """Buttons beside each other of which at most one is chosen."""

    chosen = pyqtSignal(int)
    """The place of the choice in the row, from 0."""

    def __init__(self, name: str, choices: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        """Make a row.

        Args:
            name: what is chosen, for those who hear the window.
            choices: word and key of each button.
            parent: of the widget.
        """
        super().__init__(parent)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for place, (words, key) in enumerate(choices):
            button = ChoiceButton(words, key)
            button.setAccessibleName(f"{name}: {words}")
            button.setAccessibleDescription(f"key {key}")
            self._group.addButton(button, place)
            row.addWidget(button)
        self._group.idToggled.connect(self._toggled)

    @property
    def choice(self) -> int | None:
        """The place of the choice, None while there is none."""
        place = self._group.checkedId()
        return None if place < 0 else place

    def button(self, place: int) -> QAbstractButton:
        """Return the button at a place."""
        button = self._group.button(place)
        assert button is not None
        return button

    def choose(self, place: int) -> None:
        """Choose, unless the row is disabled."""
        if self.isEnabled():
            self.button(place).setChecked(True)

    def clear(self) -> None:
        """Take the choice away."""
        checked = self._group.checkedButton()
        if checked is not None:
            self._group.setExclusive(False)
            checked.setChecked(False)
            self._group.setExclusive(True)

    def _toggled(self, place: int, checked: bool) -> None:
        if checked:
            self.chosen.emit(place)


class ActionButton(QAbstractButton):
    """The one thing to do next; ``quiet`` for what may be done instead."""

    def __init__(self, words: str, key: str, *, quiet: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key, self._quiet = key, quiet
        self.setText(words)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedHeight(42)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Wide enough for the words and the key."""
        words = QFontMetricsF(theme.text_font(14, strong=True)).horizontalAdvance(self.text())
        return QSize(int(words + QFontMetricsF(theme.text_font(12)).horizontalAdvance(self._key)) + 50, 42)

    def set_words(self, words: str) -> None:
        """Say something else."""
        if words != self.text():
            self.setText(words)
            self.updateGeometry()

    def enterEvent(self, event: QEnterEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Light up below the pointer."""
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint surface, words and key."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bright = self.isEnabled() and not self._quiet
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(theme.WIRE, 2) if self.hasFocus() else QPen(theme.OUTLINE, 1))
        surface = theme.TEXT if bright else _HOVER if self.underMouse() and self.isEnabled() else theme.RAISED
        painter.setBrush(QColor("#ffffff") if bright and self.underMouse() else surface)
        painter.drawRoundedRect(box, 10, 10)
        painter.setFont(theme.text_font(14, strong=True))
        painter.setPen(theme.BACKGROUND if bright else theme.TEXT if self.isEnabled() else theme.TEXT_FAINT)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(18, 0, self.width(), self.height()), left, self.text())
        painter.setFont(theme.text_font(12))
        painter.setPen(QColor(13, 15, 18, 150) if bright else theme.TEXT_FAINT)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, 0, self.width() - 16, self.height()), right, self._key)
        painter.end()
