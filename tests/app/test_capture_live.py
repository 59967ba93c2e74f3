"""Real time: pacing of clips and the camera's newest frame, on a clock of our own where there is one."""

import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from app.capture.camera import CameraSource
from app.capture.pacing import MAX_DROPPED, paced
from app.capture.source import Frame, Source, SourceError

PICTURE = np.zeros((4, 4, 3), np.uint8)


class Clock:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Ticks(Source):
    """A clip of 25 frames a second whose decoding takes ``cost`` seconds a frame."""

    name, width, height, fps, duration, frame_count, is_live = "ticks", 4, 4, 25.0, None, None, False

    def __init__(self, count: int, clock: Clock, cost: float = 0.0) -> None:
        self.count, self.clock, self.cost = count, clock, cost

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            self.clock.now += self.cost
            yield Frame(PICTURE, index / 25, index)

    def close(self) -> None:
        pass


def test_a_fast_consumer_gets_every_frame_when_it_is_due() -> None:
    clock = Clock()
    seen = [(frame.index, clock.now, frame.timestamp) for frame in paced(Ticks(50, clock), clock, clock.sleep)]
    assert [index for index, _, _ in seen] == list(range(50))
    for index, now, timestamp in seen:
        assert now == pytest.approx(1000 + index / 25)
        assert timestamp == pytest.approx(now)


def test_a_slow_consumer_gets_fewer_frames_and_not_older_ones() -> None:
    clock = Clock()
    indices = []
    for frame in paced(Ticks(100, clock), clock, clock.sleep):
        assert clock.now - frame.timestamp < 1 / 25 + 1e-9, "the newest frame that is due wins"
        indices.append(frame.index)
        clock.now += 0.1
    assert len(indices) == pytest.approx(40, abs=2)
    assert clock.now - 1000 == pytest.approx(4.0, abs=0.2), "the clip still takes as long as it is"


def test_decoding_slower_than_real_time_still_delivers() -> None:
    clock = Clock()
    indices = [frame.index for frame in paced(Ticks(200, clock, cost=0.05), clock, clock.sleep)]
    assert len(indices) >= 200 // (MAX_DROPPED + 1)
    assert indices[-1] == 199


class FakeCapture:
    """Stands for cv2.VideoCapture: gives as many pictures as are allowed, each filled with its number."""

    def __init__(self, allowed: int) -> None:
        self.permits = threading.Semaphore(allowed)
        self.waiting = threading.Semaphore(0)
        self.given, self.unplugged, self.released = 0, allowed == 0, False

    def read(self) -> tuple[bool, Any]:
        self.waiting.release()
        if not self.unplugged:
            self.permits.acquire()
        if self.unplugged:
            return False, None
        self.given += 1
        return True, np.full((6, 8, 3), (self.given, 0, 255), np.uint8)

    def give(self, count: int) -> None:
        """Give ``count`` pictures and return when the reader, done with all of them, waits for the next."""
        for _ in range(count):
            self.permits.release()
        for _ in range(count):
            assert self.waiting.acquire(timeout=10)

    def unplug(self) -> None:
        self.unplugged = True
        self.permits.release()

    def get(self, prop: int, /) -> float:
        return 50.0 if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released = True


def test_the_camera_gives_the_newest_picture_in_rgb() -> None:
    capture = FakeCapture(1)
    with CameraSource("camera:0", capture) as camera:
        assert (camera.width, camera.height, camera.fps) == (8, 6, 50.0)
        # The constructor has asked for the first picture, the thread for the second.
        for _ in range(2):
            assert capture.waiting.acquire(timeout=10)
        frames = camera.frames()
        previous = next(frames)
        assert previous.index == 0
        for count in (1, 7, 3):
            capture.give(count)
            frame = next(frames)
            assert frame.index == previous.index + count, "what came while nobody looked is skipped"
            assert tuple(frame.image[0, 0]) == (255, 0, frame.index + 1)
            assert frame.timestamp > previous.timestamp
            previous = frame
        capture.unplug()
    assert capture.released


def test_a_camera_without_a_picture_says_so() -> None:
    capture = FakeCapture(0)
    with pytest.raises(SourceError, match="camera:3 opens but gives no picture"):
        CameraSource("camera:3", capture)
    assert capture.released


def test_an_unplugged_camera_says_so_after_its_last_picture() -> None:
    capture = FakeCapture(5)
    with CameraSource("camera:0", capture) as camera:
        for _ in range(6):
            assert capture.waiting.acquire(timeout=10)
        capture.unplug()
        frames = camera.frames()
        assert next(frames).index == 4
        with pytest.raises(SourceError, match="camera:0 has stopped"):
            next(frames)
