"""Rates, clock offset, liveness, addresses of servers, control messages: arithmetic and parsing without a network."""

import json

import pytest
from aiortc import RTCIceServer
from hypothesis import given
from hypothesis import strategies as st

from signaling.channels import MAX_CONTROL_BYTES, parse_control
from signaling.clock import ClockOffset
from signaling.errors import SignalingError
from signaling.ice_servers import IceServers
from signaling.liveness import FORGIVEN_SECONDS, PATIENCE, TICK_SECONDS, WARNED_PATIENCE, Liveness
from signaling.statistics import RateWindow, kilobits_per_second


def test_rate_over_a_window_forgets_what_came_before_it():
    window = RateWindow(2.0)
    assert window.rate == 0.0
    for step in range(21):
        window.add(1000.0 if step < 10 else 1000.0 + (step - 10) * 5.0, step * 0.5)
    assert window.rate == pytest.approx(10.0)
    window.add(1050.0, 11.0)
    assert window.rate == pytest.approx(10.0 / 2.0)
    window.add(1050.0, 13.0)
    assert window.rate == 0.0
    assert kilobits_per_second(1250, 2.0) == 5.0
    assert kilobits_per_second(1250, 0.0) == 0.0


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.0001, 0.5), st.floats(0.0001, 0.5)), min_size=1, max_size=80),
)
def test_clock_offset_is_within_half_the_shortest_round_trip(offset, delays):
    here, there = ClockOffset(), ClockOffset()
    now = 100.0
    for there_delay, back_delay in delays:
        there.take(dict(here.stamp(now)), now + there_delay + offset)
        now += there_delay + 0.3
        here.take(dict(there.stamp(now + offset)), now + back_delay)
        now += back_delay + 0.7
    assert here.known
    recent = delays[-64:]
    assert here.round_trip == pytest.approx(min(a + b for a, b in recent), abs=1e-6)
    assert abs(here.offset - offset) <= here.round_trip / 2 + 1e-6


@given(st.dictionaries(st.sampled_from(["t", "echo", "held"]), st.none() | st.booleans() | st.floats() | st.text()))
def test_nonsense_from_the_other_clock_does_no_harm(fields):
    clock = ClockOffset()
    clock.take(fields, 1.0)
    clock.take(fields, 2.0)
    assert abs(clock.offset) < 1e13
    json.dumps(clock.stamp(3.0), allow_nan=False)


def test_a_peer_is_dead_after_silence_and_sooner_after_a_warning():
    def ticks_until_dead(liveness, heard):
        count = 0
        while liveness.tick(heard):
            count += 1
        return count * TICK_SECONDS

    assert PATIENCE - 0.5 <= ticks_until_dead(Liveness(), 7) <= PATIENCE
    warned = Liveness()
    assert warned.tick(1)
    warned.warn()
    assert ticks_until_dead(warned, 1) <= WARNED_PATIENCE
    alive = Liveness()
    assert all(alive.tick(count // 10) for count in range(500))


def test_a_peer_that_goes_on_after_a_warning_is_given_all_the_time_again():
    liveness = Liveness()
    assert liveness.tick(0)
    liveness.warn()
    heard = iter(range(1, 1000))
    # It is heard for a second, and then there is nothing: it has died.
    assert all(liveness.tick(next(heard)) for _ in range(round(1.0 / TICK_SECONDS)))
    assert not all(liveness.tick(4) for _ in range(round(WARNED_PATIENCE / TICK_SECONDS) + 1))
    liveness = Liveness()
    liveness.warn()
    # It goes on for longer than anything can be under way: only the rendezvous has gone.
    assert all(liveness.tick(next(heard)) for _ in range(round((FORGIVEN_SECONDS + 1.0) / TICK_SECONDS)))
    assert liveness.silent_seconds == 0.0
    assert all(liveness.tick(999) for _ in range(round(10.0 / TICK_SECONDS)))
    assert liveness.silent_seconds == pytest.approx(10.0, abs=TICK_SECONDS)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (IceServers(), []),
        (IceServers(stun="stun.example.org"), [RTCIceServer("stun:stun.example.org:3478")]),
        (IceServers(stun="stun:10.0.0.1:99"), [RTCIceServer("stun:10.0.0.1:99")]),
        (
            IceServers(turn="turn:t.example.org", turn_user="u", turn_password="p"),
            [RTCIceServer("turn:t.example.org:3478?transport=udp", "u", "p")],
        ),
    ],
)
def test_ice_servers_for_aiortc(servers, expected):
    assert servers.for_aiortc() == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stun": "http://x"}, "not the address of a STUN server"),
        ({"stun": "x:0"}, "not the address"),
        ({"stun": "x:70000"}, "not the address"),
        ({"turn": "x", "turn_user": "u"}, "needs credentials"),
        ({"turn": "x?transport=tcp", "turn_user": "u", "turn_password": "p"}, "not the address of a TURN server"),
    ],
)
def test_bad_ice_servers_are_refused_in_one_sentence(fields, words):
    with pytest.raises(SignalingError, match=words):
        IceServers(**fields)


@given(st.text() | st.binary() | st.integers().map(str) | st.lists(st.text()).map(json.dumps))
def test_control_messages_that_are_none(data):
    assert parse_control(data) is None


@pytest.mark.parametrize("data", ["[" * 10000, '{"type":1}', "{}", '{"type":"' + "x" * MAX_CONTROL_BYTES + '"}'])
def test_hostile_control_messages(data):
    assert parse_control(data) is None


def test_a_control_message():
    assert parse_control('{"type":"hello","x":[1]}') == {"type": "hello", "x": [1]}
