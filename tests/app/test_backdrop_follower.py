"""The thread that follows what is behind the person."""

import threading
import time
from contextlib import contextmanager

import numpy as np

from app.backdrop_follower import BackdropFollower
from app.errors import UserError

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Watcher:
    """Looks at every third second, and tells each time what it was."""

    def __init__(self):
        self.looked = []
        self.closed = threading.Event()

    def due(self, timestamp):
        return timestamp % 3 == 0

    def look(self, image, timestamp):
        self.looked.append(timestamp)
        return bytes([int(timestamp)]) if timestamp < 9 else None

    @contextmanager
    def opened(self):
        yield self
        self.closed.set()


def until(condition):
    waited = time.monotonic()
    while not condition():
        assert time.monotonic() - waited < 10
        time.sleep(0.005)


def test_what_is_due_is_looked_at_and_told():
    watcher, told = Watcher(), []
    follower = BackdropFollower(watcher.opened)
    follower.offer(IMAGE, 0.0)
    follower.start(told.append)
    for second in range(12):
        before = len(watcher.looked)
        follower.offer(IMAGE, float(second))
        if second % 3 == 0:
            until(lambda before=before: len(watcher.looked) > before)
    follower.close()
    # What was offered before the start is forgotten.
    assert watcher.looked == [0.0, 3.0, 6.0, 9.0]
    assert told == [b"\0", b"\3", b"\6"]
    assert watcher.closed.wait(5)


def test_without_a_model_it_says_so_and_the_call_goes_on(capsys):
    @contextmanager
    def missing():
        raise UserError("no model")
        yield

    follower = BackdropFollower(missing)
    follower.start(lambda data: None)
    until(lambda: not follower._thread.is_alive())
    follower.offer(IMAGE, 0.0)
    follower.close()
    assert "shown as it was at enrolment: no model" in capsys.readouterr().err


def test_one_that_was_never_started_may_be_closed():
    BackdropFollower(Watcher().opened).close()
