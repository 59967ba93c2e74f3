"""How far the background has moved, against backgrounds that were moved."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.backdrop_alignment import find_motion, moved
from codec.backdrop_motion import LARGEST, still

SIDE = 128
ALL = np.ones((SIDE, SIDE), bool)


def room(seed: int, blur: float = 4.0) -> np.ndarray:
    """Return a background (128, 128, 3) with something to be seen everywhere."""
    noise = np.random.default_rng(seed).uniform(0.0, 1.0, (SIDE, SIDE, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth), np.float32)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 100),
    st.floats(-0.15, 0.15),
    st.floats(-0.15, 0.15),
    st.floats(-0.04, 0.04),
    st.floats(0.5, 1.0),
    st.floats(-0.1, 0.1),
)
def test_a_moved_camera_is_found_in_any_light(
    seed: int, right: float, down: float, zoom: float, gain: float, light: float
) -> None:
    background = room(seed)
    motion = np.array([[zoom, 0.02, right], [-0.02, zoom, down]])
    seen = (moved(background, motion) * gain + light).astype(np.float32)
    # A person stands before a quarter of it.
    known = ALL.copy()
    known[64:, 32:96] = False
    seen[~known] = 0.5
    found = find_motion(background, seen, known)
    # Of the middle of what both show, to a pixel.
    assert np.abs(found - motion)[:, 2].max() < 1.0 / SIDE
    assert np.abs(found - motion)[:, :2].max() < 0.03


def test_what_has_not_moved_stays() -> None:
    background = room(1)
    for seen in (background, background * np.float32(0.7), background + np.float32(0.1)):
        assert not find_motion(background, np.asarray(seen, np.float32), ALL).any()


@pytest.mark.parametrize("known", [ALL, np.zeros_like(ALL), np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < 40])
def test_bare_walls_other_rooms_and_hidden_ones_have_not_moved(known: np.ndarray) -> None:
    bare = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    ramp = np.broadcast_to(np.linspace(0.3, 0.35, SIDE, dtype=np.float32)[:, None, None], bare.shape).copy()
    for enrolled, seen in ((bare, bare), (bare, bare + np.float32(0.2)), (bare, ramp), (ramp, bare)):
        assert not find_motion(enrolled, seen, known).any()
    if known.all():
        assert not find_motion(room(2, 1.0), room(3, 1.0), known).any()
    else:
        assert np.abs(find_motion(room(2), room(3), known)).max() <= LARGEST


def test_nothing_is_moved_by_nothing() -> None:
    background = room(5)
    assert moved(background, still()) is background
