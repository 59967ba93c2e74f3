import contextlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.decoder import FrameDecoder, decode_symbols
from codec.encoder import CARRIED, FrameEncoder, encode_symbols
from codec.errors import FaceStateError, PacketError
from codec.face_state import FaceState, HeadPose, torso_limits
from codec.packet import MAX_PACKET_SIZE, FrameHeader, Packet
from codec.parameters import pose_parameters, state_from_parameters, state_parameters
from codec.quantiser import STEP_SCALE
from tests.codec.faces import AVATAR, assert_same_face, face_states, fit_to, fitted_tables, literal_tables, pose_at

LIMITS = np.array(torso_limits(6))


def absent(timestamp):
    return FaceState(np.zeros(30, np.float32), pose_at(), timestamp, present=False)


def test_a_stream_arrives_to_within_half_a_step():
    tables = fitted_tables()
    encoder, decoder = FrameEncoder(tables, AVATAR, carried=0.0), FrameDecoder(tables, AVATAR)
    for index, state in enumerate(face_states(200, seed=5)):
        decoded = decoder.decode(bytes(encoder.encode(state)), state.timestamp + 0.02)
        assert decoder.sequence == index
        assert decoded.timestamp == pytest.approx(state.timestamp, abs=5.1e-4)
        assert np.abs(decoded.expression - state.expression).max() <= 0.1251
        turn = pose_parameters(decoded.pose) - pose_parameters(state.pose)
        assert np.abs(np.degrees(turn[:3])).max() <= 0.0501
        assert np.abs(turn[3:5]).max() * 1.5 * 256 <= 0.126
        assert abs(turn[5]) * 64 <= 0.126
        assert np.abs(decoded.torso - state.torso)[:2].max() * 256 <= 0.126
        assert np.abs(decoded.torso - state.torso)[2:].max() * 64 <= 0.126
        assert decoded.expression.dtype == decoded.pose.rotation.dtype == decoded.torso.dtype == np.float32


def test_packets_are_small():
    """The faces of these tests have 30 independent Gaussian components: no real face is as hard to code."""
    encoder = FrameEncoder(fitted_tables(), AVATAR)
    sizes = [len(encoder.encode(state)) for state in face_states(300, seed=6)]
    assert np.mean(sizes) < 38


def test_a_torso_that_sits_still_takes_no_part_of_a_byte():
    seen, unseen = (
        [replace(state, torso=np.full(6, 0.01, np.float32)) for state in face_states(500, seed=seed)] for seed in (0, 6)
    )
    encoder = FrameEncoder(fit_to(seen), AVATAR)
    assert np.mean([len(encoder.encode(state)) for state in unseen]) < 32


@given(st.integers(0, 2**32 - 1), st.sampled_from([fitted_tables, literal_tables]))
def test_any_symbols_within_bounds_round_trip_exactly(seed, make):
    tables, rng = make(), np.random.default_rng(seed)
    low, high = tables.quantiser.lowest, tables.quantiser.highest
    usual = np.array(tables.centres) + np.rint(rng.laplace(scale=10, size=len(low)))
    anywhere = rng.integers(low, high + 1)
    symbols = np.where(rng.random(len(low)) < 0.8, np.clip(usual, low, high), anywhere).astype(int).tolist()
    payload = encode_symbols(tables, symbols)
    assert decode_symbols(tables, payload) == symbols
    assert len(payload) <= MAX_PACKET_SIZE - 100


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=48, max_size=48))
def test_any_finite_state_is_coded(values):
    numbers = np.array(values, np.float32)
    pose = HeadPose(numbers[:9].reshape(3, 3), numbers[9:12])
    state = FaceState(numbers[18:], pose, 1.0, torso=numbers[12:18])
    decoded = FrameDecoder(fitted_tables(), AVATAR).decode(
        bytes(FrameEncoder(fitted_tables(), AVATAR).encode(state)), 1.0
    )
    assert np.isfinite(decoded.expression).all()
    assert np.isfinite(decoded.pose.translation).all()
    step = fitted_tables().quantiser.steps[fitted_tables().layout.torso] / STEP_SCALE
    expected = np.clip(state.torso.astype(np.float64), -LIMITS, LIMITS)
    assert (np.abs(decoded.torso - expected) <= step + 1e-6).all()
    assert (np.abs(decoded.torso) <= LIMITS + 1e-6).all()


def test_numbers_not_finite_are_refused_and_use_up_no_sequence_number():
    encoder = FrameEncoder(fitted_tables(), AVATAR)
    for broken in (
        FaceState(np.full(30, np.nan, np.float32), pose_at(), 0.0),
        FaceState(np.zeros(30, np.float32), pose_at(translation=(np.inf, 0, -60)), 0.0),
        FaceState(np.zeros(30, np.float32), pose_at(), float("nan")),
        FaceState(np.zeros(79, np.float32), pose_at(), 0.0),
        FaceState(np.zeros(30, np.float32), pose_at(), 0.0, torso=np.full(6, np.inf, np.float32)),
        FaceState(np.zeros(30, np.float32), pose_at(), 0.0, torso=np.zeros(7, np.float32)),
    ):
        with pytest.raises(FaceStateError):
            encoder.encode(broken)
    assert encoder.encode(face_states(1)[0]).header.sequence == 0


def test_packets_decode_alone_and_in_any_order():
    tables = fitted_tables()
    encoder = FrameEncoder(tables, AVATAR)
    states = face_states(40)
    packets = [bytes(encoder.encode(state)) for state in states]
    expected = [FrameDecoder(tables, AVATAR).decode(packet, 100.0) for packet in packets]
    decoder = FrameDecoder(tables, AVATAR)
    for index in np.random.default_rng(0).permutation(40)[:25]:
        decoded = decoder.decode(packets[index], 101.0)
        assert_same_face(decoded, expected[index])
        assert decoded.timestamp == pytest.approx(states[index].timestamp, abs=1e-3)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_whatever_is_lost_or_late_the_rest_arrives(fates):
    """Of each frame: whether there is a face, whether its packet is lost, and by how many frames it is late."""
    tables = fitted_tables()
    encoder, decoder, alone = FrameEncoder(tables, AVATAR), FrameDecoder(tables, AVATAR), FrameDecoder(tables, AVATAR)
    states = [
        replace(state, present=present) for state, (present, _, _) in zip(face_states(len(fates)), fates, strict=True)
    ]
    packets = [bytes(encoder.encode(state)) for state in states]
    arrivals = sorted((index + late, index) for index, (_, lost, late) in enumerate(fates) if not lost)
    newest, held = -1, tables.rest_state(0.0)
    for _, index in arrivals:
        decoded = decoder.decode(packets[index], 101.0)
        assert decoded.present == states[index].present
        if decoded.present:
            expected = alone.decode(packets[index], 101.0)
            assert_same_face(decoded, expected)
            if index > newest:
                held = expected
        else:
            assert_same_face(decoded, held)
        newest = max(newest, index)


def test_a_packet_of_another_avatar_is_refused_by_name():
    packet = bytes(FrameEncoder(fitted_tables(), b"\x11\x22").encode(face_states(1)[0]))
    with pytest.raises(PacketError, match=r"1122.*0001.*same avatar file"):
        FrameDecoder(fitted_tables(), AVATAR).decode(packet, 0.0)


def test_without_a_face_the_last_one_is_held():
    tables = fitted_tables()
    encoder, decoder = FrameEncoder(tables, AVATAR), FrameDecoder(tables, AVATAR)
    before = decoder.decode(bytes(encoder.encode(absent(1.0))), 1.0)
    assert_same_face(before, tables.rest_state(1.0))
    state = decoder.decode(bytes(encoder.encode(face_states(1)[0])), 1.0)
    packet = encoder.encode(absent(1.5))
    assert len(packet) == 9
    held = decoder.decode(bytes(packet), 1.5)
    assert (held.present, held.timestamp) == (False, 1.5)
    assert_same_face(held, state)


def test_a_late_face_is_not_what_is_held():
    tables = fitted_tables()
    encoder, decoder = FrameEncoder(tables, AVATAR), FrameDecoder(tables, AVATAR)
    early, late = (bytes(encoder.encode(state)) for state in face_states(2))
    newest = decoder.decode(late, 100.0)
    decoder.decode(early, 100.0)
    assert_same_face(decoder.decode(bytes(encoder.encode(absent(100.1))), 100.0), newest)


@pytest.mark.parametrize("transit", [-20.0, 0.0, 0.3, 20.0])
def test_time_and_sequence_go_on_past_their_wraps(transit):
    """Three hours of packets, one every ten seconds with their sequence numbers 250 apart."""
    tables = literal_tables()
    decoder = FrameDecoder(tables, b"ab")
    payload = encode_symbols(tables, tables.centres)
    offset = None
    for index in range(1080):
        time = 5000.0 + 10 * index
        header = FrameHeader(b"ab", 250 * index % 65536, round(time * 1000) % 65536)
        state = decoder.decode(bytes(Packet(header, payload)), time + transit)
        offset = state.timestamp - time if offset is None else offset
        assert state.timestamp - time == pytest.approx(offset, abs=1e-6)
        assert decoder.sequence == 250 * index
    assert abs(offset) < 66 if transit else offset == 0


def test_one_clock_gives_capture_times_themselves():
    encoder = FrameEncoder(literal_tables(), b"ab")
    state = FaceState(np.zeros(3, np.float32), pose_at(), 123456.789)
    decoded = FrameDecoder(literal_tables(), b"ab").decode(bytes(encoder.encode(state)), 123456.9)
    assert decoded.timestamp == 123456.789


def test_a_stray_packet_does_not_move_the_clock():
    tables = literal_tables()
    decoder = FrameDecoder(tables, b"ab")
    payload = encode_symbols(tables, tables.centres)

    def decode(sequence, time, now):
        header = FrameHeader(b"ab", sequence % 65536, round(time * 1000) % 65536)
        return decoder.decode(bytes(Packet(header, payload)), now).timestamp

    assert decode(0, 1000.0, 1000.0) == 1000.0
    decode(1, 1030.0, 1000.04)
    for index in range(2, 100):
        assert decode(index, 1000 + 0.04 * index, 1000 + 0.04 * index) == pytest.approx(1000 + 0.04 * index)


def test_clocks_that_drift_apart_are_followed():
    tables = literal_tables()
    decoder = FrameDecoder(tables, b"ab")
    payload = encode_symbols(tables, tables.centres)
    for index in range(0, 400_000, 25):
        time, now = 0.04 * index, 0.04 * index * 1.004
        header = FrameHeader(b"ab", index % 65536, round(time * 1000) % 65536)
        assert decoder.decode(bytes(Packet(header, payload)), now).timestamp == pytest.approx(time, abs=1e-6)
    assert now - time > 60


def test_a_refused_packet_leaves_no_trace():
    tables = fitted_tables()
    encoder, states = FrameEncoder(tables, AVATAR), face_states(3)
    packets = [bytes(encoder.encode(state)) for state in states]
    decoder = FrameDecoder(tables, AVATAR)
    decoder.decode(packets[0], 100.0)
    broken = Packet(FrameHeader(AVATAR[:2], 40000, 40000), b"\xff" * 30)
    with pytest.raises(PacketError):
        decoder.decode(bytes(broken), 100.0)
    assert decoder.sequence == 0
    assert decoder.decode(packets[1], 100.04).timestamp == pytest.approx(states[1].timestamp, abs=1e-3)
    assert decoder.sequence == 1


@given(st.binary(max_size=60), st.sampled_from([fitted_tables, literal_tables]))
def test_payloads_that_no_encoder_makes_are_refused(payload, make):
    """With a right checksum, as a hostile sender would have it: what decodes is what the encoder would have made."""
    packet = Packet(FrameHeader(AVATAR[:2], 1, 2), payload)
    try:
        state = FrameDecoder(make(), AVATAR).decode(bytes(packet), 0.0)
    except PacketError:
        return
    assert np.isfinite(state.expression).all()
    assert (np.abs(state.torso) <= LIMITS + 1e-6).all()
    assert bytes(FrameEncoder(make(), AVATAR, sequence=1).encode(state))[9:] == payload or (
        # Half a turn one way is half a turn the other way.
        np.linalg.norm(pose_parameters(state.pose)[:3]) > 3
    )


@given(st.data())
def test_damaged_packets_raise_only_the_codecs_error(data):
    tables = fitted_tables()
    packet = bytearray(bytes(FrameEncoder(tables, AVATAR).encode(face_states(1)[0])))
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["cut", "flip", "insert", "join"]))
        position = data.draw(st.integers(0, max(len(packet) - 1, 0)))
        if kind == "cut":
            del packet[position:]
        elif kind == "flip" and packet:
            packet[position] ^= data.draw(st.integers(1, 255))
        elif kind == "insert":
            packet[position:position] = data.draw(st.binary(min_size=1, max_size=5))
        else:
            packet += bytes(packet)
    with contextlib.suppress(PacketError):
        FrameDecoder(tables, AVATAR).decode(bytes(packet), 0.0)


def test_every_truncation_of_a_packet_is_refused():
    tables = fitted_tables()
    encoder = FrameEncoder(tables, AVATAR)
    for state, length in itertools.product(face_states(20), range(9, 40)):
        packet = bytes(encoder.encode(state))
        if length < len(packet):
            with pytest.raises(PacketError):
                FrameDecoder(tables, AVATAR).decode(packet[:length], 0.0)


def test_a_face_that_hardly_moves_keeps_its_symbols():
    """Noise of a sixth of a step, on the border between two symbols: rounding alone would jump every other frame."""
    tables = fitted_tables()
    steps = tables.quantiser.steps / STEP_SCALE
    face = (np.rint(state_parameters(face_states(1)[0], tables.layout) / steps) + 0.5) * steps
    noise = np.random.default_rng(0).normal(0, 1 / 6, (100, len(steps)))
    encoder, decoder = FrameEncoder(tables, AVATAR), FrameDecoder(tables, AVATAR)
    shown, rounded = [], []
    for index, row in enumerate(noise):
        seen = face + row * steps
        packet = bytes(encoder.encode(state_from_parameters(seen, tables.layout, 0.04 * index, present=True)))
        shown.append(state_parameters(decoder.decode(packet, 0.04 * index), tables.layout))
        rounded.append(tables.quantiser.dequantise(tables.quantiser.quantise(seen)))
    jumps, plain = (np.mean(np.abs(np.diff(some, axis=0) / steps) > 0.5) for some in (shown, rounded))
    assert plain > 0.4
    assert jumps < 0.3 * plain


def test_carried_errors_stay_bounded_and_do_not_outlast_a_clamped_number():
    tables = fitted_tables()
    steps = tables.quantiser.steps / STEP_SCALE
    encoder, decoder = FrameEncoder(tables, AVATAR), FrameDecoder(tables, AVATAR)
    for index, state in enumerate(face_states(300, seed=8)):
        wild = replace(state, expression=np.full_like(state.expression, 1e4)) if index == 150 else state
        decoded = decoder.decode(bytes(encoder.encode(wild)), state.timestamp)
        if index != 150:
            difference = state_parameters(decoded, tables.layout) - state_parameters(state, tables.layout)
            assert np.abs(difference / steps).max() < 0.5 / (1 - CARRIED) + 0.01 + (0.6 if 150 < index < 160 else 0)
