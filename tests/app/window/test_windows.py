"""The windows without a screen: keys, sizes, painting, states."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest

from app.window import figures, theme
from app.window.call_window import CallWindow, PreviewWindow
from app.window.picture_view import PictureView
from tests.app.window.test_figures import EMPTY, Snapshot


@dataclass(eq=False)
class Frame:
    image: np.ndarray


def plain(colour, side=64):
    return Frame(np.full((side, side, 3), colour, np.uint8))


@pytest.fixture
def painted():
    return []


@pytest.fixture
def call(application, painted):
    window = CallWindow("nerfcall", painted.append)
    window.resize(600, 400)
    window.show()
    QTest.qWait(1)
    yield window
    window.close()


@pytest.fixture
def preview(application, painted):
    window = PreviewWindow("nerfcall", "Jo", PictureView(), "Camera", painted.append)
    window.show()
    QTest.qWait(1)
    yield window
    window.close()


def test_the_face_is_a_centred_square_on_the_dark_ground(call):
    call.face.show_frame(plain((200, 30, 40)))
    image = call.grab().toImage()
    ratio = call.devicePixelRatioF()
    assert QColor(image.pixel(int(300 * ratio), int(200 * ratio))) == QColor(200, 30, 40)
    assert QColor(image.pixel(int(104 * ratio), int(200 * ratio))) == QColor(200, 30, 40)
    assert QColor(image.pixel(int(94 * ratio), int(200 * ratio))) == theme.BACKGROUND
    assert QColor(image.pixel(int(506 * ratio), int(200 * ratio))) == theme.BACKGROUND


def test_a_wide_picture_shows_its_middle(application):
    picture = np.zeros((60, 120, 3), np.uint8)
    picture[:, 30:90] = (10, 200, 10)
    view = PictureView(bleed=True)
    view.resize(200, 200)
    view.show_picture(picture)
    image = view.grab().toImage()
    assert {QColor(image.pixel(x, 100)).green() for x in (10, 100, 190)} == {200}
    view.close()


def test_a_picture_is_cut_as_the_avatar_was(application):
    """The framing of the enrolment, in numbers of its own: a square of side 60 at (48, 0) of a picture 120 by 60."""
    picture = np.zeros((60, 120, 3), np.uint8)
    picture[:, 48:108] = (10, 200, 10)
    view = PictureView(bleed=True, principal=((120 / 2 - 48) / 60, 0.5))
    view.resize(200, 200)
    view.show_picture(picture)
    image = view.grab().toImage()
    assert {QColor(image.pixel(x, 100)).green() for x in (3, 100, 196)} == {200}
    view.close()


def test_a_frame_is_reported_once_when_it_was_painted_and_a_skipped_one_never(call, painted):
    skipped, shown = plain(10), plain(20)
    call.face.show_frame(skipped)
    call.face.show_frame(shown)
    assert painted == []
    QTest.qWait(20)
    call.face.repaint()
    assert painted == [shown]


def test_dragging_an_edge_asks_for_one_size_when_it_rests(call):
    asked = []
    call.face.side_wanted.connect(asked.append)
    for side in range(400, 500, 10):
        call.resize(side + 100, side)
        QTest.qWait(5)
    assert asked == []
    QTest.qWait(300)
    assert asked == [int(488 * call.devicePixelRatioF())]


def test_the_first_size_is_asked_for_at_once(application):
    window = CallWindow("nerfcall", lambda frame: None)
    asked = []
    window.face.side_wanted.connect(asked.append)
    window.resize(320, 320)
    window.show()
    assert asked == [int(320 * window.devicePixelRatioF())]
    window.close()


def test_i_lays_the_figures_over_the_face_and_takes_them_away(call):
    call.show_state(figures.live(), Snapshot(), 0.0)
    assert not call.face.rows
    QTest.keyClick(call, Qt.Key.Key_I)
    assert [row.label for row in call.face.rows] == [row.label for row in figures.overlay_rows(Snapshot())]
    QTest.qWait(1)
    call.show_state(figures.live(), replace(Snapshot(), payload_kbps=7.0), 0.25)
    assert call.face.rows[0].value == "7.0 kbit/s"
    QTest.keyClick(call, Qt.Key.Key_I)
    assert not call.face.rows


def test_f_fills_the_screen_and_escape_leaves_it(call):
    QTest.keyClick(call, Qt.Key.Key_F)
    assert call.isFullScreen()
    QTest.keyClick(call, Qt.Key.Key_Escape)
    assert not call.isFullScreen()


def test_q_closes(call):
    closed = []
    call.closed.connect(lambda: closed.append(True))
    QTest.keyClick(call, Qt.Key.Key_Q)
    assert closed == [True]
    assert not call.isVisible()


@pytest.mark.parametrize(
    "status", [figures.waiting("fox"), figures.away(), figures.reconnecting(), figures.peer_left()]
)
def test_a_state_dims_the_picture_and_a_live_one_clears_it(call, status):
    call.face.show_frame(plain(200))
    call.show_state(status, EMPTY, 0.0)
    ratio = call.devicePixelRatioF()
    corner = int(140 * ratio), int(40 * ratio)
    assert QColor(call.grab().toImage().pixel(*corner)).red() < 80
    call.show_state(figures.live(), Snapshot(), 0.25)
    assert QColor(call.grab().toImage().pixel(*corner)).red() == 200


def test_the_hints_go_away_and_come_back_with_the_pointer(call):
    call._hide_chrome()
    call.show_state(figures.live(), Snapshot(), 0.0)
    assert not call._hints.isVisible()
    QTest.mouseMove(call.face)
    QTest.qWait(20)
    assert call._hints.isVisible()


def test_the_preview_shows_figures_meter_and_what_a_frame_costs(preview):
    for quarter in range(8):
        preview.show_state(figures.live(), Snapshot(), quarter / 4)
    assert preview._payload.value == "5.0"
    assert preview._wire.value == "46.3"
    assert preview._loss.value == "1.2"
    assert preview._latency.value == "142"
    assert len(preview._history) == 8
    preview.show_state(figures.connecting(), EMPTY, 2.0)
    assert preview._wire.value == figures.NONE
    assert len(preview._history) == 8


def test_the_preview_shows_both_pictures_beside_each_other(preview):
    left = next(view for view in preview.findChildren(PictureView) if view is not preview.face)
    left.show_picture(np.full((48, 64, 3), (10, 20, 220), np.uint8))
    preview.face.show_frame(plain((220, 20, 10)))
    image = preview.grab().toImage()
    ratio = preview.devicePixelRatioF()
    for view, colour in ((left, QColor(10, 20, 220)), (preview.face, QColor(220, 20, 10))):
        middle = view.mapTo(preview, view.rect().center())
        assert QColor(image.pixel(int(middle.x() * ratio), int(middle.y() * ratio))) == colour
    assert left.geometry().right() < preview.face.geometry().left()


@pytest.mark.parametrize("size", [(1000, 824), (560, 800), (1500, 600)])
def test_the_pictures_of_the_preview_stay_square_and_equal(preview, size):
    left = next(view for view in preview.findChildren(PictureView) if view is not preview.face)
    preview.resize(*size)
    QTest.qWait(1)
    assert left.size() == preview.face.size()
    assert left.width() == left.height() >= 160
    assert preview.face.x() - left.geometry().right() - 1 == theme.GAP
    edges = left.mapTo(preview, left.rect().topLeft()), preview.face.mapTo(preview, preview.face.rect().topRight())
    assert edges[0].x() == pytest.approx(preview.width() - 1 - edges[1].x(), abs=1)
