"""What a receiver renders before the first packet, by an invented clock."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from app import warm_up
from app.warm_up import WarmUp
from codec.face_state import FaceState
from renderer.budget import FrameBudget
from tests.e2e.small_avatar import SmallAvatar


class SlowAvatar(SmallAvatar):
    """Takes so many seconds a pixel, and half a second more the first time."""

    def __init__(self, pixel_seconds: float):
        super().__init__()
        self.pixel_seconds, self.now = pixel_seconds, 0.5
        self.sizes: list[tuple[int, int]] = []

    def render(self, state: FaceState, width: int, height: int, *, smooth: bool = True) -> NDArray[np.uint8]:
        self.now += self.pixel_seconds * width * height + (0.0 if self.sizes else 0.5)
        self.sizes.append((width, height))
        return np.zeros((height, width, 3), np.uint8)


def warmed_up(pixel_seconds: float, monkeypatch: pytest.MonkeyPatch) -> tuple[SlowAvatar, FrameBudget]:
    avatar, budget = SlowAvatar(pixel_seconds), FrameBudget(25.0)
    monkeypatch.setattr(warm_up, "time", SimpleNamespace(perf_counter=lambda: avatar.now))
    WarmUp(avatar, budget, threads=1).run(512, 384)
    return avatar, budget


@pytest.mark.parametrize("pixel_seconds", [1e-8, 2e-6, 5e-5])
def test_a_usual_field_is_warmed_up_at_the_windows_size(pixel_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    avatar, budget = warmed_up(pixel_seconds, monkeypatch)
    assert avatar.sizes[-1] == (512, 384)
    assert budget.choose(512, 384) == (512, 384)


def test_a_field_that_takes_minutes_is_asked_for_little(monkeypatch: pytest.MonkeyPatch) -> None:
    avatar, budget = warmed_up(1e-3, monkeypatch)
    assert max(avatar.sizes) == (86, 64)
    assert budget.choose(512, 384) == (86, 64)
    assert avatar.now < 10.0


class PreparedAvatar(SmallAvatar):
    """Notes that it was made fast."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared = threading.Event()

    def prepare(self) -> None:
        self.prepared.set()


@pytest.mark.parametrize("allowed_first", [False, True])
def test_rendering_is_made_fast_when_it_may_be(allowed_first: bool) -> None:
    avatar = PreparedAvatar()
    warming = WarmUp(avatar, FrameBudget(25.0), threads=1)
    if allowed_first:
        warming.make_fast()
        assert not avatar.prepared.is_set()
        warming.run(32, 24)
    else:
        warming.run(32, 24)
        assert not avatar.prepared.wait(0.1)
        warming.make_fast()
    assert avatar.prepared.wait(5.0)


def test_rendering_is_not_made_fast_for_a_call_that_has_ended() -> None:
    avatar = PreparedAvatar()
    warming = WarmUp(avatar, FrameBudget(25.0), threads=1)
    warming.run(32, 24)
    warming.end()
    assert not avatar.prepared.wait(0.1)
