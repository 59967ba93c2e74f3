"""Bytes of version 2 of tables, packets and recordings. A change of any of them is a new version: add, never edit."""

import hashlib

import numpy as np
import pytest

from codec.decoder import FrameDecoder, decode_symbols
from codec.encoder import FrameEncoder, encode_symbols
from codec.face_state import FaceState
from codec.packet import FrameHeader, Packet
from codec.recording import Recording
from codec.tables import CodecTables
from tests.codec.faces import literal_tables, pose_at

SYMBOLS = {
    "620709f23c": [-10, 4, 0, 30, -12, 1048, 5, -3, 0, 1, -1, 2, 0, 1, -2],
    "e994fde06e9f04ba6e4e1f15532a6484de1def": [-30, 20, 10, 83, -53, 1026, 12, -9, 3, -2, 4, 5, 10, -10, 10],
    "d4b459d7b3e0f60d343d1090cb7d9d6f9f699b23570e3cac": [
        2291,
        -2291,
        0,
        12281,
        -12281,
        2560,
        2048,
        -2048,
        102,
        -102,
        102,
        -102,
        2559,
        -1706,
        1280,
    ],
}

STATES = [
    FaceState(np.array([0.0, 0.2, -0.4], np.float32), pose_at(), 0.0),
    FaceState(
        np.array([1.0, -1.5, 2.0], np.float32),
        pose_at((-3, 2, 1), (3, -2, -55)),
        65.575,
        torso=np.array([0.02, -0.011, 0.03, -0.02, 0.015, 0.0], np.float32),
    ),
    FaceState(
        np.array([-250.0, 1e9, 0.0], np.float32),
        pose_at((170, 0, 0), (0, 0, -1e6)),
        1e6,
        torso=np.array([-1.5, 1e9, 0.3, 0.4, -7.0, 0.5], np.float32),
    ),
    FaceState(np.zeros(3, np.float32), pose_at(), 12.345, present=False),
]
PACKETS = [
    "21cafefffe0000b5aad04e93d4ac242e0fee84fc",
    "21cafeffff002763d4e994fde06e9f4a0cb8be1e1483da018f2b063eaf",
    "21cafe0000ca00a1e7d478eb522af1380a532b7b2371d1f60cc582abe8ad2f352d2413d5",
    "20cafe00013039c22b",
]

TABLES_DIGEST = "b345a8d97cef87ff7c6d6ecdf698cdf78470568e0fc179fc737b0bee8e9a9797"
RECORDING_DIGEST = "e947615a5330ef157aa4c4ebe4ff0d3f82af08454367a6ee2121a065a1f5d9b2"


def test_tables():
    data = bytes(literal_tables())
    assert data[:7] + data[-22:] == bytes.fromhex(
        "4e435442020003" + "0400dc05ac0d7017" + "1c25e02e1c257017ac0ddc05f830"
    )
    # The torso's steps and centres.
    displacement = "0004000005000000" + "00040000fdffffff"
    linear = "0010000000000000" + "0010000001000000" + "00100000ffffffff" + "0010000002000000"
    assert data[55:103].hex() == displacement + linear
    parsed = CodecTables.parse(data)
    assert parsed.digest.hex() == TABLES_DIGEST
    assert parsed.quantiser.highest[6:12].tolist() == [2048, 2048, 102, 102, 102, 102]


@pytest.mark.parametrize("payload", SYMBOLS)
def test_symbols_of_a_frame(payload):
    assert encode_symbols(literal_tables(), SYMBOLS[payload]).hex() == payload
    assert decode_symbols(literal_tables(), bytes.fromhex(payload)) == SYMBOLS[payload]


def test_packets():
    encoder = FrameEncoder(literal_tables(), b"\xca\xfe", sequence=65534, carried=0.6)
    assert [bytes(encoder.encode(state)).hex() for state in STATES] == PACKETS


def test_packets_decode_to_known_numbers():
    decoder = FrameDecoder(literal_tables(), b"\xca\xfe")
    state = decoder.decode(bytes.fromhex(PACKETS[1]), 65.6)
    assert (decoder.sequence, state.timestamp, state.present) == (65535, 65.575, True)
    np.testing.assert_allclose(state.expression, np.array([10, -10, 10]) * [0.1, 0.15, 0.2], atol=1e-5)
    depth = np.exp(1026 / 256)
    offsets = np.array([84, -56]) * 683 / 2**20
    np.testing.assert_allclose(state.pose.translation, [*(offsets * depth), -depth], rtol=1e-6)
    np.testing.assert_array_equal(state.torso, np.array([20 / 1024, -11 / 1024, *np.array([8, -5, 4, 0]) / 256]))
    clamped = decoder.decode(bytes.fromhex(PACKETS[2]), 1e6)
    np.testing.assert_array_equal(clamped.torso, [-1.5, 2, 77 / 256, 102 / 256, -102 / 256, 102 / 256])
    gone = decoder.decode(bytes.fromhex(PACKETS[3]), 1e6)
    np.testing.assert_array_equal(gone.torso, clamped.torso)


def test_headers():
    present = Packet(FrameHeader(b"\xab\xcd", 0x1234, 0x5678, True), b"\x01\x02\x03")
    assert bytes(present).hex() == "21abcd12345678" + "f634" + "010203"
    absent = Packet(FrameHeader(b"\xab\xcd", 65535, 0, False), b"")
    assert bytes(absent).hex() == "20abcdffff0000" + "2bb0"


def test_recording():
    times = [0.0, 0.04, 0.081, 0.12]
    faces = [np.linspace(-1, 1, 30, dtype=np.float32) * scale for scale in (0, 0.5, 1, 1)]
    torsos = [np.array([0.02, -0.01, 0.05, 0.03, -0.03, 0.04], np.float32) * scale for scale in (0, 0.5, 1, 1)]
    states = [
        FaceState(face, pose_at(), time, time < 0.1, torso)
        for face, torso, time in zip(faces, torsos, times, strict=True)
    ]
    data = bytes(Recording(25.0, states, b"\x01\x02"))
    assert data[:15].hex() == "4e43464143450200" + "40787d01" + "02" + "0102"
    assert data[28:52].hex() == "93030000" + "54010000" + "1f050000" + "00020000" + "00080000" + "aaaa0200"
    assert hashlib.sha256(data).hexdigest() == RECORDING_DIGEST
    np.testing.assert_array_equal(Recording.parse(data).states[2].torso * 2048, [41, -20, 104, 60, -60, 80])
