"""A viewer clicks and types through a session; the window is looked at, not asked."""

import time

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest

from app.bench.blind.plan import plan_session
from app.bench.blind.stimuli import find_material
from app.bench.blind.study import Answer, Preference, StudyError, load_sessions, save
from app.bench.blind.summary import summarise
from app.bench.blind.videos import PairLoader
from app.window import theme
from app.window.blind_window import BlindWindow
from app.window.opinion_chart import OpinionChart
from tests.app.bench.blind.studies import write_material
from tests.app.window.test_pair_player import Clock

QUALITY = {"original": 5, "ours": 4, "hevc": 3, "av1": 2}
SHADES = {"original": 200, "ours": 160, "hevc": 120, "av1": 80}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_material(folder)
    return folder


class Viewer:
    """A window with all that it needs, on a clock of its own."""

    def __init__(self, folder, sessions, session=None):
        self.material = find_material(folder)
        self.sessions = sessions
        self.clock = Clock()
        self.session = session or plan_session(self.material, 3, pairs=5)
        self.loader = PairLoader(self.material)
        self.window = BlindWindow(
            self.session,
            self.loader,
            lambda kept: save(sessions, kept),
            lambda: summarise(load_sessions(sessions), self.material),
            lambda: plan_session(self.material, 8, pairs=4),
            self.clock,
        )
        self.window.show()

    def press(self, *keys):
        for key in keys:
            QTest.keyClick(self.window, key)

    def watch(self):
        """Wait for the pair and let its six frames pass."""
        end = time.monotonic() + 10
        while self.window.player.frame < 0 or not self.window.player.playing:
            QTest.qWait(5)
            assert time.monotonic() < end
        self.clock.now += 0.25
        self.window.player.tick()

    def shade(self, view):
        picture = view.grab().toImage()
        return QColor(picture.pixel(picture.width() // 2, picture.height() // 2)).green()

    def close(self):
        self.window.close()
        self.loader.close()


@pytest.fixture
def viewer(application, folder, tmp_path):
    viewer = Viewer(folder, tmp_path)
    yield viewer
    viewer.close()


def test_a_session_by_keys_alone(viewer):
    window = viewer.window
    assert window.welcoming
    viewer.press(Qt.Key.Key_Return)
    for place, pair in enumerate(viewer.session.pairs):
        viewer.watch()
        # What is shown is what the plan says, with the original between.
        for view, codec in zip(
            (window.pair_view.left, window.pair_view.original, window.pair_view.right),
            (pair.left, "original", pair.right),
            strict=True,
        ):
            assert abs(viewer.shade(view) - SHADES[codec]) <= 1
        left, right = QUALITY[pair.left], QUALITY[pair.right]
        viewer.press(Qt.Key.Key_Left if left > right else Qt.Key.Key_Right if right > left else Qt.Key.Key_Down)
        viewer.press(str(left), str((right + 5) % 10))
        viewer.press(Qt.Key.Key_Return)
        [kept] = load_sessions(viewer.sessions)
        assert len(kept.answers) == place + 1
        assert (kept.answers[-1].left, kept.answers[-1].right) == (left, right)
        assert kept.answers[-1].seconds == pytest.approx(0.25)
    assert window.session.finished
    assert kept.looked() is True
    chart = window.findChild(OpinionChart)
    assert chart is not None
    assert chart.isVisible()
    viewer.press(Qt.Key.Key_Return)
    assert not window.isVisible()


def test_nothing_is_kept_until_the_answer_is_whole_and_the_pair_was_watched(viewer):
    window = viewer.window
    viewer.press(Qt.Key.Key_Return)
    while window.player.frame < 0:
        QTest.qWait(5)
    viewer.press(Qt.Key.Key_Left, Qt.Key.Key_4, Qt.Key.Key_7)
    assert not window.next.isEnabled()
    assert window.next.text() == "Watch to the end"
    viewer.press(Qt.Key.Key_Return)
    QTest.mouseClick(window.next, Qt.MouseButton.LeftButton)
    assert window.session.answers == ()
    viewer.watch()
    assert window.next.isEnabled()
    window.pair_view.left_grade.clear()
    window.pair_view.changed.emit()
    viewer.press(Qt.Key.Key_Return)
    assert window.session.answers == ()
    assert load_sessions(viewer.sessions) == []


def test_a_session_by_pointer_with_a_change_of_mind(viewer):
    window = viewer.window
    view = window.pair_view
    viewer.press(Qt.Key.Key_Return)
    viewer.watch()

    def click(button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    click(view.preference.button(0))
    click(view.preference.button(2))
    click(view.left_grade.button(4))
    click(view.left_grade.button(1))
    click(view.right_grade.button(3))
    # A click leaves the keys with the window.
    viewer.press(Qt.Key.Key_5)
    viewer.press(Qt.Key.Key_2)
    assert sum(view.left_grade.button(place).isChecked() for place in range(5)) == 1
    click(window.next)
    assert window.session.answers == (Answer(Preference.RIGHT, 2, 4, 0.25),)
    # The next pair comes unanswered.
    viewer.watch()
    assert view.answer(0.0) is None


def test_a_viewer_leaves_and_goes_on_later(viewer, folder):
    viewer.press(Qt.Key.Key_Return)
    for _ in range(2):
        viewer.watch()
        viewer.press(Qt.Key.Key_Down, Qt.Key.Key_3, Qt.Key.Key_8, Qt.Key.Key_Return)
    viewer.press(Qt.Key.Key_Q)
    assert not viewer.window.isVisible()
    [kept] = load_sessions(viewer.sessions)
    later = Viewer(folder, viewer.sessions, kept)
    try:
        assert later.window.welcoming
        later.press(Qt.Key.Key_Return)
        later.watch()
        third = kept.pairs[2]
        assert abs(later.shade(later.window.pair_view.left) - SHADES[third.left]) <= 1
        later.press(Qt.Key.Key_Down, Qt.Key.Key_3, Qt.Key.Key_8, Qt.Key.Key_Return)
        [grown] = load_sessions(viewer.sessions)
        assert grown.answers[:2] == kept.answers
        assert len(grown.answers) == 3
    finally:
        later.close()


def test_another_viewer_gets_a_session_of_their_own(viewer, folder):
    viewer.press(Qt.Key.Key_Return)
    viewer.watch()
    viewer.press(Qt.Key.Key_Down, Qt.Key.Key_3, Qt.Key.Key_8, Qt.Key.Key_Return, Qt.Key.Key_Q)
    [kept] = load_sessions(viewer.sessions)
    other = Viewer(folder, viewer.sessions, kept)
    try:
        other.press(Qt.Key.Key_N)
        assert len(other.window.session.pairs) == 4
        other.watch()
        other.press(Qt.Key.Key_Down, Qt.Key.Key_3, Qt.Key.Key_8, Qt.Key.Key_Return)
        assert {len(session.answers) for session in load_sessions(viewer.sessions)} == {1}
        assert len(load_sessions(viewer.sessions)) == 2
    finally:
        other.close()


def test_pause_and_replay(viewer):
    viewer.press(Qt.Key.Key_Return)
    viewer.watch()
    viewer.press(Qt.Key.Key_Space)
    assert not viewer.window.player.playing
    viewer.press(Qt.Key.Key_R)
    assert viewer.window.player.playing
    assert viewer.window.player.frame == 0
    assert viewer.window.pair_view.track.share == pytest.approx(1 / 6)


def test_a_video_that_cannot_be_read_ends_the_window_with_its_error(application, tmp_path):
    write_material(tmp_path / "results")
    for path in (tmp_path / "results" / "quality").glob("*/*.mkv"):
        path.write_bytes(b"nothing")
    viewer = Viewer(tmp_path / "results", tmp_path)
    viewer.press(Qt.Key.Key_Return)
    end = time.monotonic() + 10
    while viewer.window.error is None and time.monotonic() < end:
        QTest.qWait(5)
    assert "damaged" in str(viewer.window.error)
    assert not viewer.window.isVisible()
    viewer.close()


def test_an_answer_that_cannot_be_kept_ends_the_window_with_its_error(viewer):
    viewer.press(Qt.Key.Key_Return)
    viewer.watch()
    (viewer.sessions / "blind").write_text("a file where the folder should be")
    viewer.press(Qt.Key.Key_Down, Qt.Key.Key_3, Qt.Key.Key_8, Qt.Key.Key_Return)
    assert isinstance(viewer.window.error, StudyError)
    assert viewer.window.session.answers == ()
    assert not viewer.window.isVisible()


@pytest.mark.parametrize("size", [(1000, 600), (1240, 690), (1920, 1080), (1000, 1400)])
def test_the_three_pictures_are_squares_of_one_size_that_do_not_meet(viewer, size):
    viewer.window.resize(*size)
    viewer.press(Qt.Key.Key_Return)
    QTest.qWait(10)
    view = viewer.window.pair_view
    boxes = [part.geometry() for part in (view.left, view.original, view.right)]
    assert len({(box.width(), box.height(), box.top()) for box in boxes}) == 1
    assert boxes[0].width() == boxes[0].height() >= 256
    assert boxes[0].right() < boxes[1].left()
    assert boxes[1].right() < boxes[2].left()
    assert view.rect().contains(boxes[0])
    assert view.rect().contains(boxes[2])


def test_the_chosen_answer_is_seen(viewer):
    viewer.press(Qt.Key.Key_Return)
    viewer.watch()
    viewer.press(Qt.Key.Key_2)
    row = viewer.window.pair_view.left_grade

    def surface(place):
        image = row.button(place).grab().toImage()
        return QColor(image.pixel(image.width() // 2, 4))

    assert surface(1) == theme.GOOD
    assert surface(2) == theme.RAISED
    assert row.button(1).accessibleName() == "Left: Poor"


def test_the_chart_sets_grades_at_their_place(application):
    from app.bench.blind.summary import Opinion

    chart = OpinionChart([Opinion("ours", "nerfcall", None, 9, 3.5, (3.0, 4.0), 4.0)])
    chart.resize(680, chart.height())
    image = chart.grab().toImage()
    row = image.height() - 19
    colours = [QColor(image.pixel(x, row)) for x in range(image.width())]
    bright = [x for x, colour in enumerate(colours) if colour == theme.PAYLOAD]
    assert (bright[0] + bright[-1]) / 2 == pytest.approx(chart.place(3.5), abs=1)
    line = [x for x, colour in enumerate(colours) if colour.green() > 100 and x < chart.place(4.6)]
    assert line[0] == pytest.approx(chart.place(3.0), abs=4)
    assert line[-1] == pytest.approx(chart.place(4.0), abs=4)
    assert chart.place(5) - chart.place(1) == pytest.approx(4 * (chart.place(2) - chart.place(1)))
