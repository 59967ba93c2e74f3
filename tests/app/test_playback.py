"""A recording in time, and which avatar may play it."""

import hashlib
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demonstration import DemonstrationError
from app.playback import Playback, PlaybackError, Playhead, embedded_states
from codec.avatar_file import AvatarFile
from codec.errors import FaceStateError
from codec.face_state import FaceState, HeadPose
from codec.recording import Recording
from tests.codec.faces import face_states, literal_tables


def states(times, size=30):
    return [FaceState(np.full(size, index, np.float32), HeadPose.at_rest(), time) for index, time in enumerate(times)]


def avatar(**meta):
    return AvatarFile({"meta": json.dumps(meta).encode(), "tables": bytes(literal_tables())})


def embed(expression):
    return expression[:30] + 1


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=50),
    st.floats(-100, 100),
    st.floats(0, 500),
)
def test_the_playhead_shows_the_frame_whose_time_has_come(steps, start, seconds):
    times = [start + sum(steps[:index]) for index in range(len(steps))]
    playhead = Playhead(states(times), 25.0)
    index = playhead.index_at(seconds)
    within = seconds % playhead.duration
    assert times[index] - start <= within + 1e-9
    assert index == len(times) - 1 or times[index + 1] - start > within
    left = playhead.until_next(seconds)
    assert 0 < left <= playhead.duration
    following = times[index + 1] - start if index + 1 < len(times) else playhead.duration
    assert within + left == pytest.approx(following)


@pytest.fixture
def tracked(tmp_path):
    Recording(25.0, states([0, 0.04, 0.08], 79)).write(tmp_path / "tracked.face")
    return tmp_path / "tracked.face"


@pytest.fixture
def embedded(tmp_path):
    Recording(25.0, states([0, 0.04, 0.08]), b"some avatar").write(tmp_path / "embedded.face")
    return tmp_path / "embedded.face"


def played(path, file):
    return embedded_states(path, Recording.read(path), "jo.avatar", file, embed)


def test_a_tracked_recording_is_embedded(tracked):
    result = played(tracked, avatar())
    assert [state.expression.shape for state in result] == [(30,)] * 3
    np.testing.assert_allclose([state.expression[0] for state in result], [1, 2, 3], atol=0.01)


def test_a_torso_of_which_less_is_known_is_taken(tracked, tmp_path):
    assert [state.torso.shape for state in played(tracked, avatar())] == [(6,)] * 3
    Recording(25.0, face_states(3, size=79, modes=8)).write(tmp_path / "more.face")
    with pytest.raises(FaceStateError, match="track it with this avatar"):
        played(tmp_path / "more.face", avatar())


def test_an_embedded_recording_plays_with_its_avatar_alone(tmp_path):
    file = avatar(name="Jo")
    path = tmp_path / "embedded.face"
    Recording(25.0, states([0, 0.04]), file.digest).write(path)
    assert len(played(path, file)) == 2
    with pytest.raises(PlaybackError, match="another avatar"):
        played(path, avatar(name="Bo"))


def test_a_demonstration_plays_what_came_with_it_and_nothing_else(tracked, embedded):
    digest = hashlib.sha256(embedded.read_bytes()).hexdigest()
    assert len(played(embedded, avatar(demo=True, recordings=[digest]))) == 3
    with pytest.raises(DemonstrationError, match=r"jo\.avatar is a demonstration .*tracked\.face"):
        played(tracked, avatar(demo=True, recordings=[digest]))
    with pytest.raises(DemonstrationError):
        played(embedded, avatar(demo=True, recordings=["00" * 32]))


def test_a_demonstration_is_not_driven_by_a_recording_that_names_it(tmp_path):
    file = avatar(demo=True)
    path = tmp_path / "forged.face"
    Recording(25.0, states([0, 0.04]), file.digest).write(path)
    with pytest.raises(DemonstrationError):
        played(path, file)


def test_playback_keeps_time_and_skips_what_it_cannot_render():
    rendered = []

    def render(state, width, height):
        rendered.append((int(state.expression[0]), width))
        time.sleep(0.03)
        return np.zeros((height, width, 3), np.uint8)

    playback = Playback(states([index / 100 for index in range(100)]), 100.0, render, 32)
    playback.start()
    time.sleep(0.25)
    playback.set_size(64, 64)
    time.sleep(0.25)
    playback.stop()
    indices = [index for index, _ in rendered]
    assert indices == sorted(set(indices))
    # Frames stand 10 ms apart and take 30: after half a second about every third one was rendered.
    assert 8 <= len(indices) <= 18
    assert 40 <= indices[-1] <= 52
    assert [width for _, width in rendered] == sorted(width for _, width in rendered)
    assert rendered[-1][1] == 64
    assert playback.mailbox.take().index == indices[-1]


def test_a_failing_renderer_ends_the_playback_and_is_kept():
    def render(state, width, height):
        raise RuntimeError("no memory")

    playback = Playback(states([0.0]), 25.0, render, 32)
    playback.start()
    end = time.monotonic() + 5
    while not playback.mailbox.closed and time.monotonic() < end:
        time.sleep(0.01)
    playback.stop()
    assert str(playback.error) == "no memory"
