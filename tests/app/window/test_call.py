"""A call carried on a window: however it ends, both threads end, and what happened is told."""

import asyncio
import threading
import time
from dataclasses import dataclass

import av
import numpy as np
import pytest
from PyQt6.QtCore import QTimer
from PyQt6.QtTest import QTest

from app.mailbox import Mailbox
from app.paced_recorder import PacedRecorder
from app.window import call, figures
from app.window.call_window import CallWindow
from signaling.errors import SignalingError
from signaling.peer import Ending
from tests.app.window.test_figures import Snapshot

LEFT = Ending("the peer has left", farewell=False)
HERE = Ending("the call was ended here", farewell=True)


@dataclass(eq=False)
class Frame:
    image: np.ndarray


class Call:
    """A call as the window sees it: 50 plain frames a second, so many of them."""

    def __init__(self, frames, ending=LEFT, failure=None):
        self.mailbox = Mailbox()
        self.sizes, self.seen = [], []
        self.status = figures.connecting()
        self._frames, self._ending, self._failure = frames, ending, failure
        self._stopped = threading.Event()
        self.finished_at = None

    def set_size(self, width, height):
        self.sizes.append((width, height))

    def painted(self, frame):
        self.seen.append((frame, threading.current_thread()))

    def state(self):
        return self.status, Snapshot()

    def stop(self):
        self._stopped.set()

    async def run(self):
        try:
            for shade in range(self._frames):
                self.mailbox.put(Frame(np.full((64, 64, 3), 100 + shade % 100, np.uint8)))
                self.status = figures.live()
                await asyncio.sleep(0.02)
                if self._stopped.is_set():
                    return HERE
            if self._failure is not None:
                raise self._failure
            self.status = figures.peer_left(self._ending.reason)
            return self._ending
        finally:
            self.mailbox.close()
            self.finished_at = time.monotonic()


@pytest.fixture(autouse=True)
def brief(application, monkeypatch):
    monkeypatch.setattr(call, "LINGER_SECONDS", 0.3)


def windows_made(made):
    def make(painted):
        made.append(CallWindow("nerfcall", painted))
        return made[-1]

    return make


def test_the_window_says_that_the_peer_has_left_and_closes_by_itself():
    one, made = Call(50), []
    assert call.carry_call(windows_made(made), one, one.run) == LEFT
    # Qt lets its timers end five per cent early.
    assert time.monotonic() - one.finished_at >= 0.95 * 0.3 - 0.01
    assert made[0].face.status == figures.peer_left("the peer has left")
    assert one.seen
    assert {thread for _, thread in one.seen} == {threading.main_thread()}
    assert one.sizes
    assert not made[0].isVisible()


def test_closing_the_window_ends_the_call():
    one, made = Call(10_000), []
    QTimer.singleShot(200, lambda: made[0].close())
    assert call.carry_call(windows_made(made), one, one.run) == HERE
    assert one.finished_at is not None


def test_a_call_that_ended_here_closes_the_window_at_once(monkeypatch):
    monkeypatch.setattr(call, "LINGER_SECONDS", 60)
    one, made = Call(10, HERE), []
    assert call.carry_call(windows_made(made), one, one.run) == HERE
    assert time.monotonic() - one.finished_at < 5


def test_what_keeps_the_call_from_coming_about_is_raised_at_once():
    one, made = Call(0, failure=SignalingError("there is no room fox")), []
    before = time.monotonic()
    with pytest.raises(SignalingError, match="no room fox"):
        call.carry_call(windows_made(made), one, one.run)
    assert time.monotonic() - before < 2


def test_without_a_screen_the_window_is_recorded_and_the_call_keeps_its_size(tmp_path):
    one, taken = Call(50), []
    recorder = PacedRecorder(tmp_path / "out.mp4", 25)
    ending = call.carry_call(windows_made([]), one, one.run, show=False, recorder=recorder, frame_taken=taken.append)
    assert ending == LEFT
    assert one.sizes == []
    # Every frame was painted for the recording, in the window's thread, before the next was taken.
    assert [frame for frame, _ in one.seen] == taken
    assert len(taken) > 25
    with av.open(str(tmp_path / "out.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert 20 <= len(pictures) <= 45
    assert pictures[0].shape == (720, 720, 3)
    shades = [int(picture[100:200, 300:400].mean()) for picture in pictures]
    assert max(shades) >= 125


def test_a_grabbed_window_has_its_true_pixels(application):
    window = CallWindow("nerfcall", lambda frame: None)
    window.resize(301, 201)
    window.face.show_frame(Frame(np.full((8, 8, 3), (200, 100, 50), np.uint8)))
    QTest.qWait(1)
    picture = call.pixels(window.grab())
    assert picture.shape == (200, 300, 3)
    assert (picture[100, 150] == (200, 100, 50)).all()
    assert picture[100, 2, 0] < 30
    window.close()
