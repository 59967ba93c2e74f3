"""Two videos with the original between them, and below them what is asked."""

from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.bench.blind.study import GRADES, Answer, Preference
from app.bench.blind.videos import PairVideos
from app.window import theme
from app.window.choice import HEIGHT, ChoiceRow
from app.window.chrome import label
from app.window.figures import Status
from app.window.picture_view import PictureView

LEFT_KEYS, RIGHT_KEYS = "12345", "67890"
PREFERENCES = (Preference.LEFT, Preference.SAME, Preference.RIGHT)
_CAPTION = 38
_QUESTION = 84
_NARROWEST = 312
"""A column's width: five grades fit side by side."""


class Track(QWidget):
    """A thin line: how far something is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self.setFixedHeight(4)

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self._share

    def show_share(self, share: float) -> None:
        """Show how far it is, from 0 to 1."""
        if share != self._share:
            self._share = share
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.RAISED)
        painter.drawRoundedRect(QRectF(self.rect()), 2, 2)
        painter.setBrush(theme.TEXT_SOFT)
        painter.drawRoundedRect(QRectF(0, 0, self._share * self.width(), self.height()), 2, 2)
        painter.end()


class PairView(QWidget):
    """A pair and its questions: which looks better, and a grade for each side."""

    changed = pyqtSignal()
    """Something was chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.left, self.original, self.right = PictureView(), PictureView(), PictureView()
        self.track = Track(self)
        self.left_grade = ChoiceRow("Left", tuple(zip(GRADES, LEFT_KEYS, strict=True)))
        self.right_grade = ChoiceRow("Right", tuple(zip(GRADES, RIGHT_KEYS, strict=True)))
        self.preference = ChoiceRow("Looks better", (("Left", "←"), ("No difference", "↓"), ("Right", "→")))
        self._columns = (
            (self.left, label("Left", 13, theme.TEXT, strong=True), _question("Grade the left", self.left_grade)),
            (
                self.original,
                label("Original", 13, theme.TEXT_FAINT, strong=True),
                _question("Which looks better?", self.preference),
            ),
            (self.right, label("Right", 13, theme.TEXT, strong=True), _question("Grade the right", self.right_grade)),
        )
        for view, caption, question in self._columns:
            caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
            view.setMinimumSize(0, 0)
            for part in (view, caption, question):
                part.setParent(self)
        # The order in which Tab walks through the answers is the order in which they are given.
        self.setTabOrder(self.preference, self.left_grade)
        self.setTabOrder(self.left_grade, self.right_grade)
        for row in (self.preference, self.left_grade, self.right_grade):
            row.chosen.connect(lambda place: self.changed.emit())
        self._videos: PairVideos | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(3 * _NARROWEST + 2 * theme.GAP, _NARROWEST + _CAPTION + _QUESTION)

    def show_status(self, status: Status | None) -> None:
        """Write over the middle picture; while something is written no answer can be given."""
        self.original.show_status(status)
        for row in (self.preference, self.left_grade, self.right_grade):
            row.setEnabled(status is None)

    def show_videos(self, videos: PairVideos) -> None:
        """Show another pair, unanswered."""
        self._videos = videos
        for row in (self.preference, self.left_grade, self.right_grade):
            row.clear()
        self.show_status(None)

    def show_frame(self, frame: int) -> None:
        """Show a frame of all three videos."""
        if self._videos is not None:
            self.left.show_picture(self._videos.left[frame])
            self.original.show_picture(self._videos.original[frame])
            self.right.show_picture(self._videos.right[frame])
            self.track.show_share((frame + 1) / len(self._videos))

    def answer(self, seconds: float) -> Answer | None:
        """Return what is chosen; None while something is not."""
        preference, left, right = self.preference.choice, self.left_grade.choice, self.right_grade.choice
        if preference is None or left is None or right is None:
            return None
        return Answer(PREFERENCES[preference], left + 1, right + 1, seconds)

    def press(self, key: int, text: str) -> bool:
        """Choose by key; False where the key chooses nothing."""
        arrows = {Qt.Key.Key_Left: 0, Qt.Key.Key_Down: 1, Qt.Key.Key_Right: 2}
        if key in arrows:
            self.preference.choose(arrows[Qt.Key(key)])
        elif text and text in LEFT_KEYS:
            self.left_grade.choose(LEFT_KEYS.index(text))
        elif text and text in RIGHT_KEYS:
            self.right_grade.choose(RIGHT_KEYS.index(text))
        else:
            return False
        return True

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Place the three columns as large as there is room, in the middle."""
        super().resizeEvent(event)
        side = max(0, min((self.width() - 2 * theme.GAP) // 3, self.height() - _CAPTION - _QUESTION))
        column = max(side, _NARROWEST)
        left = (self.width() - 3 * column - 2 * theme.GAP) // 2
        top = max(0, (self.height() - side - _CAPTION - _QUESTION) // 2)
        for place, (view, caption, question) in enumerate(self._columns):
            x = left + place * (column + theme.GAP)
            view.setGeometry(x + (column - side) // 2, top, side, side)
            caption.setGeometry(x, top + side + 6, column, _CAPTION - 6)
            question.setGeometry(x, top + side + _CAPTION, column, _QUESTION)
        self.track.setGeometry(left, top + side + 6, 3 * column + 2 * theme.GAP, 4)


def _question(words: str, row: ChoiceRow) -> QWidget:
    question = QWidget()
    layout = QVBoxLayout(question)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    asked = label(words, 12, theme.TEXT_SOFT)
    asked.setAlignment(Qt.AlignmentFlag.AlignCenter)
    layout.addWidget(asked)
    layout.addWidget(row)
    row.setFixedHeight(HEIGHT)
    return question
