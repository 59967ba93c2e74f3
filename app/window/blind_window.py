"""The window of a blind look: welcome, pair after pair, thanks with what all viewers said."""

import time
from collections.abc import Callable
from concurrent.futures import Future

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QKeyEvent
from PyQt6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.bench.blind.study import Session
from app.bench.blind.summary import Summary
from app.bench.blind.videos import PairLoader, PairVideos
from app.window import theme
from app.window.choice import ActionButton
from app.window.chrome import Card, KeyHints, label
from app.window.figures import Status, Tone
from app.window.opinion_chart import OpinionChart
from app.window.pair_player import PairPlayer
from app.window.pair_view import PairView, Track

PAIR_HINTS = (("Space", "pause"), ("R", "from the beginning"), ("F", "full screen"), ("Q", "leave, go on later"))
LOADING = Status("Loading", "Loading", "", Tone.PATIENT)
POLL_MILLISECONDS = 15
SECONDS_PER_PAIR = 18
"""A guess for the welcome: one look of ten seconds, and the answer."""
_MARGIN = theme.GAP + 8
_TEXT_WIDTH = 632


class BlindWindow(QWidget):
    """Leads one viewer through a session. Every answer is kept when it is given."""

    def __init__(
        self,
        session: Session,
        loader: PairLoader,
        keep: Callable[[Session], object],
        summary: Callable[[], Summary],
        anew: Callable[[], Session],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the window.

        Args:
            session: the viewer's pairs; with answers when it goes on.
            loader: reads the videos.
            keep: is called with the session after every answer.
            summary: returns what all sessions say, once this one is finished.
            anew: returns a session for another viewer.
            now: the clock, in seconds.
        """
        super().__init__()
        self.session = session
        self.error: Exception | None = None
        """What went wrong; the window has closed then."""
        self._loader, self._keep, self._summary, self._anew, self._now = loader, keep, summary, anew, now
        self._future: Future[PairVideos] | None = None
        self._shown_at = 0.0
        self.setWindowTitle("nerfcall: blind comparison")
        self.setAutoFillBackground(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

        self.pair_view = PairView()
        self.pair_view.changed.connect(self._refresh)
        self.player = PairPlayer(now, self)
        self.player.moved.connect(self.pair_view.show_frame)
        self.player.watched_once.connect(self._refresh)
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MILLISECONDS)
        self._poll.timeout.connect(self._look)

        self._place = label("", 13, theme.TEXT_SOFT)
        self._progress = Track()
        self._progress.setFixedWidth(180)
        self.next = ActionButton("Next", "Enter")
        self.next.clicked.connect(self.go_on)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._pair_page())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, theme.GAP, _MARGIN, theme.GAP)
        layout.setSpacing(theme.GAP)
        layout.addLayout(self._header())
        layout.addWidget(self._pages, 1)
        self.resize(1240, 690)
        self._show_page(self._welcome_page())
        self._refresh_place()
        self._loader.read_ahead(self.session.pairs[len(self.session.answers)])

    @property
    def welcoming(self) -> bool:
        """Whether the viewer has not begun."""
        return self._pages.count() > 1 and not self.session.finished

    def begin(self) -> None:
        """Show the first pair that has no answer."""
        self._leave_page()
        self._load()

    def begin_anew(self) -> None:
        """Begin a session for another viewer; the one so far stays kept as it is."""
        self.session = self._anew()
        self.begin()

    def go_on(self) -> None:
        """Keep the answer and show the next pair; nothing happens while the answer is not whole."""
        answer = self.pair_view.answer(min(self._now() - self._shown_at, 1e6))
        if answer is None or not self.player.watched or self._future is not None or self.session.finished:
            return
        session = self.session.answered(answer)
        try:
            self._keep(session)
            self.session = session
            if session.finished:
                self.player.stop()
                self._refresh_place()
                self._show_page(self._thanks_page(self._summary()))
            else:
                self._load()
        except Exception as error:
            self._fail(error)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Enter goes on, Space stands still, R replays, N begins anew, F fills the screen, Q leaves; others answer."""
        if event is None:
            return
        key = event.key()
        waiting = self._pages.count() > 1
        if key == Qt.Key.Key_Q:
            self.close()
        elif key in (Qt.Key.Key_F, Qt.Key.Key_F11) or (key == Qt.Key.Key_Escape and self.isFullScreen()):
            self.showNormal() if self.isFullScreen() else self.showFullScreen()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            (self.begin if self.welcoming else self.close if waiting else self.go_on)()
        elif waiting and key == Qt.Key.Key_N and (self.session.finished or self.session.answers):
            self.begin_anew()
        elif waiting:
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Space:
            self.player.toggle()
        elif key == Qt.Key.Key_R:
            self.player.replay()
        elif not self.pair_view.press(key, event.text()):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Stop everything that moves."""
        self.player.stop()
        self._poll.stop()
        super().closeEvent(event)

    def _load(self) -> None:
        self.player.stop()
        self._refresh_place()
        self.pair_view.show_status(LOADING)
        self._future = self._loader.load(self.session.pairs[len(self.session.answers)])
        self._refresh()
        self._poll.start()
        self._look()

    def _look(self) -> None:
        """Show the pair as soon as it is read."""
        if self._future is None or not self._future.done():
            return
        self._poll.stop()
        future, self._future = self._future, None
        try:
            videos = future.result()
        except Exception as error:
            self._fail(error)
            return
        self._shown_at = self._now()
        self.pair_view.show_videos(videos)
        self.player.play(videos)
        self._refresh()
        following = self.session.pairs[len(self.session.answers) + 1 :]
        if following:
            self._loader.read_ahead(following[0])

    def _fail(self, error: Exception) -> None:
        # Qt would end the process at an exception in a slot: whoever opened the window raises it.
        self.error = error
        self.close()

    def _refresh(self) -> None:
        whole = self.pair_view.answer(0.0) is not None
        ready = self._future is None and self.player.watched
        self.next.setEnabled(whole and ready)
        last = len(self.session.answers) + 1 == len(self.session.pairs)
        self.next.set_words(("Finish" if last else "Next") if ready or not whole else "Watch to the end")

    def _refresh_place(self) -> None:
        count, total = len(self.session.answers), len(self.session.pairs)
        self._place.setText(f"Pair {min(count + 1, total)} of {total}" if not self.session.finished else "Finished")
        self._progress.show_share(count / total)

    def _show_page(self, page: QWidget) -> None:
        self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)
        self.setFocus()

    def _leave_page(self) -> None:
        page = self._pages.widget(1)
        if page is not None:
            self._pages.removeWidget(page)
            page.deleteLater()
        self._pages.setCurrentIndex(0)
        self.setFocus()

    def _header(self) -> QHBoxLayout:
        header = QHBoxLayout()
        header.setSpacing(10)
        header.addWidget(label("nerfcall", 15, theme.TEXT, strong=True))
        header.addWidget(label("Blind comparison", 15, theme.TEXT_FAINT))
        header.addStretch(1)
        header.addWidget(self._place)
        header.addSpacing(4)
        header.addWidget(self._progress, 0, Qt.AlignmentFlag.AlignVCenter)
        return header

    def _pair_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.pair_view, 1)
        foot = QHBoxLayout()
        foot.addWidget(KeyHints(PAIR_HINTS))
        foot.addStretch(1)
        foot.addWidget(self.next)
        layout.addLayout(foot)
        return page

    def _welcome_page(self) -> QWidget:
        open_pairs = len(self.session.pairs) - len(self.session.answers)
        going_on = bool(self.session.answers)
        minutes = max(1, round(open_pairs * SECONDS_PER_PAIR / 60))
        unit = "minute" if minutes == 1 else "minutes"
        paragraphs = (
            "The middle shows the original. Left and right are two ways of sending it at about the same data rate; "
            "which is which is not said, and it changes from pair to pair.",
            "Watch each pair to the end, at your usual distance from the screen. Then say which one looks better and "
            "grade both, from bad to excellent. The clips repeat until you go on.",
            f"{open_pairs} pairs, about {minutes} {unit}. Every answer is kept at once, without a name; you can leave "
            "whenever you like and go on later.",
        )
        button = ActionButton(f"Go on with pair {len(self.session.answers) + 1}" if going_on else "Begin", "Enter")
        button.clicked.connect(self.begin)
        buttons = [button]
        if going_on:
            other = ActionButton("Begin anew", "N", quiet=True)
            other.clicked.connect(self.begin_anew)
            buttons.append(other)
        return _card_page("Which one looks better?", paragraphs, None, buttons)

    def _thanks_page(self, summary: Summary) -> QWidget:
        counted = self.session.name in summary.sessions
        viewers = f"{len(summary.sessions)} session" + ("" if len(summary.sessions) == 1 else "s")
        words = (
            f"Mean opinion score of {viewers}, with its 95 % interval."
            if counted
            else "Your answers are kept but do not count: a pair whose answer is known was answered otherwise."
        )
        overall = [opinion for opinion in summary.opinions if opinion.clip is None]
        leave = ActionButton("Close", "Enter")
        leave.clicked.connect(self.close)
        other = ActionButton("Another viewer", "N", quiet=True)
        other.clicked.connect(self.begin_anew)
        return _card_page("Thank you", (words,), OpinionChart(overall) if overall else None, [leave, other])


def _card_page(title: str, paragraphs: tuple[str, ...], chart: QWidget | None, buttons: list[ActionButton]) -> QWidget:
    """Return a page with a card in its middle."""
    card = Card()
    card.setFixedWidth(_TEXT_WIDTH + 88)
    inside = QVBoxLayout(card)
    inside.setContentsMargins(44, 38, 44, 36)
    inside.setSpacing(14)
    inside.addWidget(label(title, 26, theme.TEXT, strong=True))
    for paragraph in paragraphs:
        words = label(paragraph, 14, theme.TEXT_SOFT)
        words.setWordWrap(True)
        # A layout that centres asks for no height to a width, and would cut the second line.
        words.setFixedSize(_TEXT_WIDTH, words.heightForWidth(_TEXT_WIDTH) + 4)
        inside.addWidget(words)
    if chart is not None:
        inside.addSpacing(8)
        inside.addWidget(chart)
    row = QHBoxLayout()
    row.setSpacing(10)
    for button in buttons:
        row.addWidget(button)
    row.addStretch(1)
    inside.addSpacing(12)
    inside.addLayout(row)
    page = QWidget()
    middle = QVBoxLayout(page)
    middle.addStretch(1)
    middle.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
    middle.addStretch(1)
    return page
