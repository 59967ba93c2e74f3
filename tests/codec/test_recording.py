import contextlib
import struct
import time
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.errors import RecordingError
from codec.face_state import FaceState, torso_limits
from codec.recording import MAX_FILE_SIZE, Recording
from tests.codec.faces import AVATAR, assert_same_face, face_states, pose_at


def seal(data):
    return data + zlib.crc32(data).to_bytes(4, "little")


STEPS = (915, 340, 1311, 512, 2048, 87381)


def head(size=30, frames=1, rate=25_000_000, avatar=b"ab", steps=STEPS, start=0, version=2):
    return (
        b"NCFACE"
        + struct.pack("<HIB", version, rate, len(avatar))
        + avatar
        + struct.pack("<BIq6I", size, frames, start, *steps)
    )


MODELS = struct.pack("<ihh", 0, 4096, 0) * 42


@pytest.mark.parametrize(("size", "avatar", "tolerance"), [(79, None, 1 / 500), (30, AVATAR, 1 / 11.9)])
def test_what_is_parsed_is_what_was_written_to_within_half_a_step(size, avatar, tolerance):
    states = face_states(120, size=size)
    recording = Recording(25.0, states, avatar)
    parsed = Recording.parse(bytes(recording))
    assert (parsed.fps, parsed.avatar_id, len(parsed.states)) == (25.0, avatar, 120)
    assert bytes(parsed) == bytes(recording)
    for first, second in zip(states, parsed.states, strict=True):
        assert second.timestamp == pytest.approx(first.timestamp, abs=1e-6)
        assert second.present
        np.testing.assert_allclose(second.expression, first.expression, atol=tolerance)
        np.testing.assert_allclose(second.pose.rotation, first.pose.rotation, atol=np.radians(0.06))
        np.testing.assert_allclose(second.pose.translation, first.pose.translation, rtol=1e-3, atol=0.02)
        # A sixteenth of a pixel at 256 x 256, of a point 64 pixels from the centre as well.
        np.testing.assert_allclose(second.torso[:2] * 256, first.torso[:2] * 256, atol=0.0626)
        np.testing.assert_allclose(second.torso[2:] * 64, first.torso[2:] * 64, atol=0.0626)


@pytest.mark.parametrize("modes", [0, 4, 8, 16])
def test_a_torso_has_as_many_numbers_as_it_had(modes):
    states = face_states(30, modes=modes)
    parsed = Recording.parse(bytes(Recording(25.0, states, AVATAR)))
    for first, second in zip(states, parsed.states, strict=True):
        np.testing.assert_allclose(second.torso, first.torso, atol=1e-3)


def test_torsos_of_six_numbers_are_written_as_they_always_were():
    size_at = 13 + len(AVATAR)
    six, ten = (bytes(Recording(25.0, face_states(3, modes=modes), AVATAR)) for modes in (4, 8))
    assert six[6:8] == b"\x02\x00"
    assert six[size_at : size_at + 5] == bytes([30, 3, 0, 0, 0])
    assert ten[6:8] == b"\x03\x00"
    assert ten[size_at : size_at + 6] == bytes([30, 10, 3, 0, 0, 0])


def test_absent_faces_are_held_and_cost_nothing():
    states = face_states(100)
    gone = [replace(s, present=not 40 <= i < 70) for i, s in enumerate(states)]
    data = bytes(Recording(25.0, gone, AVATAR))
    parsed = Recording.parse(data)
    assert [state.present for state in parsed.states] == [state.present for state in gone]
    for state in parsed.states[40:70]:
        assert_same_face(state, parsed.states[39])
    assert bytes(parsed) == data
    assert len(data) < len(bytes(Recording(25.0, states, AVATAR))) - 30 * 15


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("present", [True, False])
def test_short_recordings(frames, present):
    states = [replace(s, present=present) for s in face_states(frames)]
    recording = Recording(30.0, states, AVATAR)
    parsed = Recording.parse(bytes(recording))
    assert [state.present for state in parsed.states] == [present] * frames
    assert bytes(parsed) == bytes(recording)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0.5, 240))
@settings(max_examples=30)
def test_any_timestamps_are_kept_to_the_microsecond(times, fps):
    state = FaceState(np.zeros(30, np.float32), pose_at(), 0.0)
    states = [FaceState(state.expression, state.pose, time) for time in times]
    parsed = Recording.parse(bytes(Recording(fps, states, AVATAR)))
    np.testing.assert_allclose([state.timestamp for state in parsed.states], times, atol=1e-6)


def test_forty_seconds_are_a_few_kilobytes():
    """Steps of a real face are correlated in time; these have a memory of half a second and are Gaussian."""
    assert len(bytes(Recording(25.0, face_states(1000), AVATAR))) < 22_000


def test_a_still_torso_is_next_to_nothing():
    states = face_states(1000)
    still = [replace(state, torso=states[0].torso) for state in states]
    assert len(bytes(Recording(25.0, still, AVATAR))) < len(bytes(Recording(25.0, states, AVATAR))) - 2000


def test_a_still_face_is_next_to_nothing():
    state = face_states(1)[0]
    states = [replace(state, timestamp=index / 30000 * 1001) for index in range(1000)]
    assert len(bytes(Recording(30000 / 1001, states, AVATAR))) < 2000


def test_duration_and_text():
    recording = Recording(25.0, face_states(100), AVATAR)
    assert recording.duration == pytest.approx(4.0)
    assert str(recording) == "recording of avatar 0001: 100 frames, 4.0 s at 25.00 fps"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((25.0, []), "frames"),
        ((0.0, face_states(1, 79)), "frames a second"),
        ((float("nan"), face_states(1, 79)), "frames a second"),
        ((25.0, face_states(1, 30)), "79 coefficients"),
        ((25.0, face_states(1, 31), AVATAR), "30 or all 79 coefficients"),
        ((25.0, face_states(1, 79) + face_states(1, 30), AVATAR), "30 or all 79 coefficients"),
        ((25.0, face_states(1, 30) + face_states(1, 30, modes=8), AVATAR), "torsos"),
        ((25.0, face_states(1, 30), b""), "identity"),
    ],
)
def test_what_is_no_recording_is_refused(arguments, reason):
    with pytest.raises(RecordingError, match=reason):
        Recording(*arguments)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a recording"),
        (b"NCFACE", "cut off"),
        (head()[:20], "cut off"),
        (head(), "cut off"),
        (seal(head() + MODELS[:-8]), "cut off"),
        (head() + MODELS + bytes(4), "wrong checksum"),
        (seal(head(version=1) + MODELS), "format 1 and this program reads 3: update"),
        (seal(head(version=9) + MODELS), "format 9"),
        (seal(head(size=31) + MODELS + bytes(8)), "31 coefficients"),
        (seal(head(avatar=b"") + MODELS), "30 coefficients"),
        (seal(head(frames=0) + MODELS), "out of range"),
        (seal(head(frames=2**32 - 1) + MODELS), "out of range"),
        (seal(head(rate=0) + MODELS), "out of range"),
        (seal(head(start=2**62) + MODELS), "out of range"),
        (seal(head(avatar=bytes(33)) + MODELS), "out of range"),
        (seal(head(steps=(0, 1, 1, 1, 1, 1)) + MODELS), "step"),
        (seal(head() + struct.pack("<ihh", 2**31 - 1, 0, 0) * 42), "centre"),
        (seal(head(frames=50) + MODELS + b"\xff" * 40), "damaged"),
        (b"NCFACE" + bytes(MAX_FILE_SIZE), "larger"),
    ],
)
def test_hostile_files_are_refused_without_allocating(data, reason):
    Recording.parse(bytes(Recording(25.0, face_states(2), AVATAR)))  # Builds the adaptive tables.
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError, match=reason):
            Recording.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_a_small_file_that_claims_many_frames_stays_bounded():
    data = seal(head(frames=10_000) + MODELS + b"\x7f")
    tracemalloc.start()
    started = time.perf_counter()
    with contextlib.suppress(RecordingError):
        Recording.parse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert time.perf_counter() - started < 30


SAMPLE = bytes(Recording(25.0, face_states(30), AVATAR))


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.booleans())
def test_damaged_recordings_raise_only_the_codecs_error(position, value, sealed):
    data = bytearray(SAMPLE)
    data[position] = value
    data = seal(bytes(data[:-4])) if sealed else bytes(data)
    try:
        parsed = Recording.parse(data)
    except RecordingError:
        return
    assert sealed or data == SAMPLE
    assert (np.abs([state.torso for state in parsed.states]) <= np.array(torso_limits(6)) + 1e-6).all()


@given(st.integers(0, len(SAMPLE) - 1))
def test_cut_recordings_are_refused(length):
    with pytest.raises(RecordingError):
        Recording.parse(SAMPLE[:length])


def test_read_and_write_name_the_file(tmp_path):
    path = tmp_path / "talk.face"
    with pytest.raises(RecordingError, match=r"no recording at .*talk\.face.*nerfcall track"):
        Recording.read(path)
    Recording(25.0, face_states(5), AVATAR).write(path)
    assert len(Recording.read(path).states) == 5
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordingError, match=r"talk\.face: .*damaged"):
        Recording.read(path)
    with pytest.raises(RecordingError, match="cannot be written"):
        Recording(25.0, face_states(5), AVATAR).write(tmp_path / "nowhere" / "talk.face")
