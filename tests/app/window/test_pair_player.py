"""One clock for three videos, against a clock that the test turns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.blind.videos import PairVideos
from app.window.pair_player import PairPlayer


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def videos(frames=5, fps=10.0):
    pictures = np.zeros((frames, 4, 4, 3), np.uint8)
    return PairVideos(pictures, pictures, pictures, fps)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def player(application, clock):
    player = PairPlayer(clock)
    player.shown = []
    player.moved.connect(player.shown.append)
    yield player
    player.stop()


def advance(player, clock, seconds):
    clock.now += seconds
    player.tick()


def test_each_frame_comes_when_its_time_has_come_and_the_video_begins_again(player, clock):
    player.play(videos())
    for _ in range(70):
        advance(player, clock, 0.01)
    assert player.shown == [0, 1, 2, 3, 4, 0, 1, 2]


def test_it_is_watched_when_the_last_frame_has_stood_its_time(player, clock):
    seen = []
    player.watched_once.connect(lambda: seen.append(clock.now))
    player.play(videos())
    advance(player, clock, 0.49)
    assert player.shown[-1] == 4
    assert not player.watched
    advance(player, clock, 0.01)
    assert player.watched
    advance(player, clock, 0.5)
    assert seen == [pytest.approx(100.5)]
    player.play(videos())
    assert not player.watched


def test_a_slow_window_leaves_frames_out(player, clock):
    player.play(videos())
    advance(player, clock, 0.31)
    advance(player, clock, 0.11)
    assert player.shown == [0, 3, 4]


def test_it_stands_still_and_goes_on_from_there(player, clock):
    player.play(videos())
    advance(player, clock, 0.25)
    player.toggle()
    assert not player.playing
    advance(player, clock, 5.0)
    player.toggle()
    assert player.playing
    advance(player, clock, 0.1)
    assert player.shown == [0, 2, 3]
    player.toggle()
    player.replay()
    assert player.playing
    assert player.shown[-1] == 0
    advance(player, clock, 0.1)
    assert player.shown[-1] == 1


def test_without_a_video_nothing_happens(player, clock):
    player.toggle()
    player.replay()
    advance(player, clock, 1.0)
    assert player.shown == []
    assert player.frame == -1
    player.play(videos())
    player.stop()
    advance(player, clock, 0.3)
    assert player.shown == [0]


@given(st.lists(st.floats(0, 0.7), max_size=30), st.integers(1, 12), st.sampled_from([10.0, 25.0, 60.0]))
@settings(deadline=None, max_examples=40)
def test_the_frame_is_always_that_of_the_clock(application, steps, frames, fps):
    clock = Clock()
    player = PairPlayer(clock)
    player.play(videos(frames, fps))
    for step in steps:
        advance(player, clock, step)
        exact = (clock.now - 100.0) * fps
        if abs(exact - round(exact)) > 1e-4:
            assert player.frame == int(exact) % frames
    player.stop()
