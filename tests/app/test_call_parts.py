"""Pacing of recordings, thinning of sources, owner keys on disk, options: the small parts of a call."""

import argparse
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.call_options import CallOptions, add_network_arguments, check_outputs, impairment, lossy, port_number
from app.capture.source import Frame
from app.errors import UsageError
from app.face_source import thinned
from app.owner_keys import key_path, make_owner_key, read_owner_key
from app.receiver import looks_alike
from app.recording_player import paced_states
from app.scaling import scaled
from codec.face_state import FaceState, HeadPose
from signaling.identity import IdentityError


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0.0
        self.now += seconds


def state(timestamp, value=0.0):
    return FaceState(np.full(30, value, np.float32), HeadPose.at_rest(), timestamp)


def test_a_recording_is_played_in_time_and_begins_again():
    clock = Clock()
    recorded = [state(5.0 + index / 25.0, index) for index in range(10)]
    playing = paced_states(recorded, 25.0, True, clock, clock.sleep)
    played = [(next(playing), clock.now) for _ in range(25)]
    for index, (shown, when) in enumerate(played):
        assert shown.expression[0] == index % 10
        assert shown.timestamp == pytest.approx(1000.0 + index / 25.0)
        assert when == pytest.approx(shown.timestamp)
    assert len(list(paced_states(recorded, 25.0, False, clock, clock.sleep))) == 10


def test_a_consumer_that_is_too_slow_misses_states_and_gets_no_old_ones():
    clock = Clock()
    recorded = [state(index / 25.0, index) for index in range(100)]
    shown = []
    for played in paced_states(recorded, 25.0, False, clock, clock.sleep):
        assert clock.now - played.timestamp < 1 / 25.0 + 1e-6
        shown.append(int(played.expression[0]))
        clock.now += 0.1
    assert shown[-1] == 99
    assert 38 <= len(shown) <= 42


@pytest.mark.parametrize(("fps", "expected"), [(10.0, 100), (25.0, 250), (26.0, 250), (30.0, 250), (60.0, 250)])
def test_a_source_is_thinned_to_25_frames_a_second(fps, expected):
    frames = [Frame(np.zeros((1, 1, 3), np.uint8), index / fps, index) for index in range(int(10 * fps))]
    kept = list(thinned(iter(frames), 25.0))
    assert abs(len(kept) - expected) <= 2
    gaps = np.diff([frame.timestamp for frame in kept])
    # Each frame is the nearest to its turn, so at most half an interval early or late.
    assert gaps.max() <= max(1 / fps, 1 / 25.0 + 1 / fps) + 1e-6


@given(st.lists(st.floats(0.001, 0.3), min_size=1, max_size=200))
def test_thinning_never_exceeds_the_rate_in_the_long_run(gaps):
    times = np.cumsum(gaps)
    frames = [Frame(np.zeros((1, 1, 3), np.uint8), float(time), index) for index, time in enumerate(times)]
    kept = list(thinned(iter(frames), 25.0))
    assert kept[0].index == 0
    assert len(kept) <= 25.0 * (times[-1] - times[0]) + 3


def test_owner_keys_lie_in_the_users_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    public = make_owner_key()
    path = key_path(public)
    assert path.parent == tmp_path / "nerfcall" / "keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_owner_key(public).public_key == public
    assert make_owner_key() != public
    with pytest.raises(IdentityError, match=r"driven only by its owner, whose key .* is not here"):
        read_owner_key(bytes(32))
    key_path(bytes(32)).write_bytes(path.read_bytes())
    with pytest.raises(IdentityError, match="belongs to another avatar"):
        read_owner_key(bytes(32))
    assert {entry.name for entry in path.parent.iterdir()} >= {path.name}
    assert not list(path.parent.glob("new-*"))


def options(*arguments, room="abc"):
    parser = argparse.ArgumentParser()
    add_network_arguments(parser)
    return CallOptions.of(argparse.Namespace(room=room, **vars(parser.parse_args(arguments))))


def test_the_server_is_named_by_option_then_environment_then_default(monkeypatch):
    monkeypatch.delenv("NERFCALL_SERVER", raising=False)
    assert options() == CallOptions("abc", wait=0.0)
    assert options().server == "ws://127.0.0.1:8765"
    monkeypatch.setenv("NERFCALL_SERVER", "wss://example.org")
    assert options().server == "wss://example.org"
    assert options("--server", "ws://x:1").server == "ws://x:1"


def test_numbers_out_of_range_are_refused():
    for parse, text in (
        (lossy, "1"),
        (lossy, "nan"),
        (impairment, "loss"),
        (port_number, "65536"),
        (port_number, "-1"),
    ):
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)
    with pytest.raises(UsageError, match="does not exist"):
        check_outputs(argparse.Namespace(json="/no/such/folder/out.json", trace=None))


def test_states_that_look_alike():
    assert looks_alike(state(1.0), state(2.0))
    assert not looks_alike(state(1.0), state(1.0, 0.5))
    moved = FaceState(state(1.0).expression, HeadPose.at_rest(50.0), 1.0)
    assert not looks_alike(state(1.0), moved)


def test_scaling():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = (200, 100, 50)
    assert scaled(picture, 8, 8) is picture
    larger = scaled(picture, 32, 16)
    assert larger.shape == (16, 32, 3)
    assert np.abs(larger[:, 28:].astype(int) - (200, 100, 50)).max() <= 3
    assert larger[:, :4].max() <= 3
