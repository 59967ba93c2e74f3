import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.frame_record import FrameClock, FrameHistory, FrameRecord


@given(st.integers(0, 65535), st.integers(1, 16), st.integers(0, 65535))
def test_any_time_is_told_by_its_residual(timestamp, gap, later):
    clock = FrameClock(timestamp)
    residual = clock.residual(gap, later)
    assert -32768 <= residual < 32768
    assert clock.advanced(gap, residual).timestamp == later


@pytest.mark.parametrize("fps", [12.5, 24.0, 25.0, 30.0, 50.0])
def test_a_steady_camera_is_soon_foreseen(fps):
    clock, late = FrameClock(65000), []
    for frame in range(3, 300, 3):
        now = round(65000 + 1000 * frame / fps) % 65536
        late.append(clock.residual(3, now))
        clock = clock.advanced(3, late[-1])
    assert max(map(abs, late[20:])) <= 2
    assert clock.interval / 64 == pytest.approx(1000 / fps, abs=0.5)


def record(sequence):
    return FrameRecord(sequence, FrameClock(0), np.arange(3))


def test_only_the_recent_past_is_kept():
    history = FrameHistory()
    for sequence in range(1000):
        history.add(record(sequence))
    assert [n for n in range(1000) if history.find(n) is not None] == list(range(936, 1000))
    history.add(record(10))
    assert history.find(10) is None
    history.add(record(5000))
    assert history.find(999) is None
    assert history.find(5000).sequence == 5000


def test_the_check_tells_records_apart_and_wraps_with_the_sequence():
    assert record(3).check == record(3 + 65536).check
    assert record(3).check != record(4).check
    assert record(3).check != FrameRecord(3, FrameClock(1), np.arange(3)).check
    assert record(3).check != FrameRecord(3, FrameClock(0), np.arange(1, 4)).check
