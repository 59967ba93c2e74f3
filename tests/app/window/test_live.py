"""A call whose renderer is faster than the window: nothing queues, the newest frame is painted, its paint is told."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from PyQt6.QtTest import QTest

from app.mailbox import Mailbox
from app.window import figures
from app.window.call_window import CallWindow
from app.window.live import Live
from tests.app.window.test_figures import Snapshot


@dataclass(eq=False)
class Frame:
    image: np.ndarray
    number: int


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        QTest.qWait(5)
    return condition()


def test_frames_from_another_thread_reach_the_paint_and_never_queue(application):
    painted = []
    window = CallWindow("nerfcall", painted.append)
    mailbox = Mailbox()
    sizes = []
    live = Live(window, mailbox, lambda: (figures.live(), Snapshot()), lambda w, h: sizes.append((w, h)))
    window.resize(320, 320)
    window.show()

    def render():
        for number in range(500):
            mailbox.put(Frame(np.full((32, 32, 3), number % 256, np.uint8), number))

    thread = threading.Thread(target=render)
    thread.start()
    thread.join()
    assert wait_until(lambda: painted and painted[-1].number == 499)
    numbers = [frame.number for frame in painted]
    assert numbers == sorted(set(numbers))
    assert mailbox.replaced + len(painted) <= 500
    assert len(painted) < 100
    assert sizes == [(int(320 * window.devicePixelRatioF()),) * 2]
    live.close()
    window.close()


def test_state_and_figures_follow_the_call(application):
    window = CallWindow("nerfcall", lambda frame: None)
    now = [figures.waiting("fox")]
    live = Live(window, Mailbox(), lambda: (now[0], Snapshot()), None)
    window.show()
    assert window.face.status == figures.waiting("fox")
    now[0] = figures.peer_left("the peer has left")
    assert wait_until(lambda: window.face.status == now[0])
    live.close()
    window.close()


def test_a_closed_view_leaves_the_mailbox_alone(application):
    window = CallWindow("nerfcall", lambda frame: None)
    mailbox = Mailbox()
    live = Live(window, mailbox, lambda: (figures.live(), Snapshot()), None)
    live.close()
    window.close()
    mailbox.put(Frame(np.zeros((8, 8, 3), np.uint8), 1))
    QTest.qWait(20)
    assert mailbox.take() is not None
