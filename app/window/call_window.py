"""The windows: a call, and the preview with the camera picture beside the rendering."""

from collections.abc import Callable, Sequence
from typing import Any

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.window import theme
from app.window.chrome import Card, Figure, KeyHints, Pill, label
from app.window.face_view import FaceView
from app.window.figures import CallFigures, Row, Status, Tone, byte_count, number, overlay_rows, total
from app.window.meter import Meter, RateHistory

HINTS = (("I", "figures"), ("F", "full screen"), ("Q", "leave"))
HINT_SECONDS = 4.0
"""The hints of a call go away when the pointer has rested this long."""


_MARGIN = theme.GAP + 4
_CAPTION_HEIGHT = 36
_SMALLEST_PICTURE = 160


class FaceWindow(QWidget):
    """What every window with a face has: the keys, the overlay, the state."""

    closed = pyqtSignal()

    def __init__(self, title: str, painted: Callable[[Any], None], *, bleed: bool) -> None:
        super().__init__()
        self.setWindowTitle(title)
        self.setAutoFillBackground(True)
        self.face: FaceView[Any] = FaceView(painted, bleed=bleed)
        self.pill = Pill()
        self.rows: Callable[[CallFigures], Sequence[Row]] = overlay_rows
        """What the overlay says of the figures."""
        self._overlay = False
        self._figures: CallFigures | None = None

    @property
    def overlay(self) -> bool:
        """Whether the figures lie over the face."""
        return self._overlay

    def set_overlay(self, shown: bool) -> None:
        """Lay the figures over the face, or take them away."""
        self._overlay = shown
        self._refresh_overlay()

    def show_state(self, status: Status, figures: CallFigures, now: float) -> None:
        """Show the state in words and, where they are wanted, the figures; ``now`` in monotonic seconds."""
        self._figures = figures
        self.face.show_status(status)
        self.pill.show_status(status)
        self._refresh_overlay()

    def show_frame(self, frame: Any) -> None:
        """Show a rendered frame."""
        self.face.show_frame(frame)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt's name)
        """I toggles the figures, F or F11 the full screen, Escape leaves it, Q closes."""
        if event is None:
            return
        key = event.key()
        if key == Qt.Key.Key_I:
            self.set_overlay(not self._overlay)
        elif key in (Qt.Key.Key_F, Qt.Key.Key_F11):
            self._set_full_screen(not self.isFullScreen())
        elif key == Qt.Key.Key_Escape and self.isFullScreen():
            self._set_full_screen(False)
        elif key == Qt.Key.Key_Q:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Tell that the window has gone."""
        super().closeEvent(event)
        self.closed.emit()

    def _set_full_screen(self, full: bool) -> None:
        if full:
            self.showFullScreen()
        else:
            self.showNormal()

    def _refresh_overlay(self) -> None:
        self.face.show_rows(self.rows(self._figures) if self._overlay and self._figures is not None else ())


class CallWindow(FaceWindow):
    """A call: the face and nothing else. State and key hints show while the pointer moves."""

    def __init__(self, title: str, painted: Callable[[Any], None]) -> None:
        super().__init__(title, painted, bleed=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.face)
        self._hints = KeyHints(HINTS, backed=True, parent=self)
        self.pill.setParent(self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(int(1000 * HINT_SECONDS))
        self._rest.timeout.connect(self._hide_chrome)
        self.setMouseTracking(True)
        self.face.setMouseTracking(True)
        self.face.installEventFilter(self)
        self.resize(720, 720)
        self._rest.start()

    def show_state(self, status: Status, figures: CallFigures, now: float) -> None:
        """Show the state; the pill stays while something is wrong."""
        super().show_state(status, figures, now)
        self.pill.setVisible(status.tone is not Tone.LIVE or self._rest.isActive())
        self._place_chrome()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Bring the hints back when the pointer moves over the face."""
        if event is not None and event.type() == QEvent.Type.MouseMove:
            self._show_chrome()
        return super().eventFilter(watched, event)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Toggle the full screen, as video players do."""
        self._set_full_screen(not self.isFullScreen())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Keep state and hints at the lower edge."""
        super().resizeEvent(event)
        self._place_chrome()

    def _place_chrome(self) -> None:
        self._hints.resize(self._hints.sizeHint())
        self.pill.resize(self.pill.sizeHint())
        self._hints.move(self.width() - self._hints.width() - 14, self.height() - self._hints.height() - 14)
        self.pill.move(14, self.height() - self.pill.height() - 16)

    def _show_chrome(self) -> None:
        self._hints.show()
        self.pill.show()
        self.unsetCursor()
        self._rest.start()

    def _hide_chrome(self) -> None:
        self._hints.hide()
        status = self.face.status
        self.pill.setVisible(status is not None and status.tone is not Tone.LIVE)
        if self.isFullScreen():
            self.setCursor(Qt.CursorShape.BlankCursor)


class PicturePair(QWidget):
    """Two square views beside each other, each with its caption below, as large as there is room and centred."""

    def __init__(self, left: tuple[QWidget, QWidget], right: tuple[QWidget, QWidget]) -> None:
        super().__init__()
        self._pairs = (left, right)
        for view, caption in self._pairs:
            view.setParent(self)
            caption.setParent(self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(2 * _SMALLEST_PICTURE + theme.GAP, _SMALLEST_PICTURE + _CAPTION_HEIGHT)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Place views and captions."""
        super().resizeEvent(event)
        side = min((self.width() - theme.GAP) // 2, self.height() - _CAPTION_HEIGHT)
        left, top = (self.width() - 2 * side - theme.GAP) // 2, (self.height() - side - _CAPTION_HEIGHT) // 2
        for column, (view, caption) in enumerate(self._pairs):
            x = left + column * (side + theme.GAP)
            view.setGeometry(x, top, side, side)
            caption.setGeometry(x, top + side, side, _CAPTION_HEIGHT)


class PreviewWindow(FaceWindow):
    """What is captured beside what is rendered, and the meter below.

    ``left`` is the view of what goes in: the camera picture, or what crosses the network.
    """

    def __init__(self, title: str, name: str, left: QWidget, left_caption: str, painted: Callable[[Any], None]) -> None:
        super().__init__(title, painted, bleed=False)
        self.left_note = label("", 12, theme.TEXT_FAINT)
        self._face_note = label("", 12, theme.TEXT_FAINT)
        self._history = RateHistory()
        self.meter = Meter(self._history)
        self._payload = Figure("Payload", "kbit/s", theme.PAYLOAD)
        self._wire = Figure("Wire", "kbit/s", theme.WIRE)
        self._rendered = Figure("Rendered", "frames/s")
        self._latency = Figure("Latency", "ms")
        self._loss = Figure("Loss", "%")

        pictures = PicturePair(
            (left, _caption(label(left_caption, 13, theme.TEXT, strong=True), self.left_note)),
            (self.face, _caption(label("Rendered", 13, theme.TEXT, strong=True), self._face_note)),
        )

        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, theme.GAP - 2, _MARGIN, theme.GAP - 4)
        layout.setSpacing(theme.GAP - 2)
        layout.addLayout(self._header(name))
        layout.addWidget(pictures, 1)
        layout.addWidget(self._meter_card())
        layout.addWidget(KeyHints(HINTS), 0, Qt.AlignmentFlag.AlignHCenter)
        self.resize(QSize(1000, 824))

    def show_state(self, status: Status, figures: CallFigures, now: float) -> None:
        """Show state and figures, and move the meter on."""
        super().show_state(status, figures, now)
        wire = total(figures.wire_kbps_in, figures.wire_kbps_out)
        self._payload.show_value(number(figures.payload_kbps, 1))
        self._wire.show_value(number(wire, 1))
        self._rendered.show_value(number(figures.fps_rendered, 0))
        self._latency.show_value(number(figures.latency_ms_median, 0))
        self._loss.show_value(number(None if figures.loss is None else 100 * figures.loss, 1))
        self._face_note.setText(face_note(figures))
        if figures.payload_kbps is not None and wire is not None and figures.fps_received:
            self._history.add(now, figures.payload_kbps, wire)
        self.meter.advance(now)

    def _header(self, name: str) -> QHBoxLayout:
        header = QHBoxLayout()
        header.setSpacing(10)
        header.addWidget(label("nerfcall", 15, theme.TEXT, strong=True))
        header.addWidget(label(name, 15, theme.TEXT_FAINT))
        header.addStretch(1)
        header.addWidget(self.pill)
        return header

    def _meter_card(self) -> Card:
        card = Card()
        row = QHBoxLayout(card)
        row.setContentsMargins(18, 14, 10, 10)
        row.setSpacing(20)
        figures = QGridLayout()
        figures.setHorizontalSpacing(14)
        figures.setVerticalSpacing(10)
        for index, figure in enumerate((self._payload, self._wire, self._rendered, self._latency, self._loss)):
            figures.addWidget(figure, index // 2, index % 2)
        row.addLayout(figures)
        row.addWidget(self.meter, 1)
        card.setFixedHeight(186)
        return card


def _caption(words: QLabel, note: QLabel) -> QWidget:
    caption = QWidget()
    row = QHBoxLayout(caption)
    row.setContentsMargins(2, 0, 2, 0)
    row.addWidget(words)
    row.addStretch(1)
    row.addWidget(note)
    return caption


def face_note(figures: CallFigures) -> str:
    """Return what is said below the rendering: what a frame costs, and at which size it is rendered."""
    parts = []
    if figures.payload_kbps is not None and figures.fps_received:
        parts.append(f"from {byte_count(round(figures.payload_kbps * 125 / figures.fps_received))} a frame")
    if figures.width and figures.height:
        parts.append(f"at {figures.width} × {figures.height}")
    return " ".join(parts)
