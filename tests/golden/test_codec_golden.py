"""Bytes of version 1 of every format of the codec. A change of any of them is a change of version: add, never edit."""

import hashlib

import numpy as np
import pytest

from codec.avatar_file import AvatarFile
from codec.decoder import FrameDecoder, decode_symbols
from codec.encoder import FrameEncoder, encode_symbols
from codec.entropy import ResidualTable, SymbolDecoder, SymbolEncoder
from codec.face_state import FaceState
from codec.packet import FrameHeader, Packet
from codec.recording import Recording
from codec.tables import CodecTables
from tests.codec.faces import literal_tables, pose_at

RESIDUALS = [0, 1, -1, 2, 0, 0, -2, 5, -70000, 0]
RESIDUAL_BYTES = "b8bbd0341e0af49b"

SYMBOLS = {
    "62070c": [-10, 4, 0, 30, -12, 1048, 0, 1, -2],
    "e994fde06e9f04ba6e4d366ad1": [-30, 20, 10, 83, -53, 1026, 10, -10, 10],
    "d4b459d7b3e0f60d343d1090cb7d9d7fa75fabcb49": [2291, -2291, 0, 12281, -12281, 2560, 2559, -1706, 1280],
}

STATES = [
    FaceState(np.array([0.0, 0.2, -0.4], np.float32), pose_at(), 0.0),
    FaceState(np.array([1.0, -1.5, 2.0], np.float32), pose_at((-3, 2, 1), (3, -2, -55)), 65.575),
    FaceState(np.array([-250.0, 1e9, 0.0], np.float32), pose_at((170, 0, 0), (0, 0, -1e6)), 1e6),
    FaceState(np.zeros(3, np.float32), pose_at(), 12.345, present=False),
]
PACKETS = [
    "11cafefffe000010c6d04e93d4ac22be",
    "11cafeffff0027b64de994fde06e9f4a0cb8bd366ad1",
    "11cafe0000ca002041d478eb522af1380a532b7b287198589eedbc",
    "10cafe000130399ba6",
]


def test_residuals():
    table = ResidualTable(np.array([2000, 20000, 30000, 10000, 2536, 1000], np.int64))
    encoder = SymbolEncoder()
    for residual in RESIDUALS:
        encoder.put(table, residual)
    assert encoder.finish().hex() == RESIDUAL_BYTES
    decoder = SymbolDecoder(bytes.fromhex(RESIDUAL_BYTES))
    assert [decoder.get(table) for _ in RESIDUALS] == RESIDUALS


def test_tables():
    data = bytes(literal_tables())
    assert data[:7] + data[-22:] == bytes.fromhex(
        "4e435442010003" + "0400dc05ac0d7017" + "1c25e02e1c257017ac0ddc05f830"
    )
    assert CodecTables.parse(data).digest.hex() == TABLES_DIGEST


TABLES_DIGEST = "6167bf010e254bff2d6be5d90b79c53c34a11f02782e2b332c43edc92e6f5ddb"


@pytest.mark.parametrize("payload", SYMBOLS)
def test_symbols_of_a_frame(payload):
    assert encode_symbols(literal_tables(), SYMBOLS[payload]).hex() == payload
    assert decode_symbols(literal_tables(), bytes.fromhex(payload)) == SYMBOLS[payload]


def test_packets():
    encoder = FrameEncoder(literal_tables(), b"\xca\xfe", sequence=65534)
    assert [bytes(encoder.encode(state)).hex() for state in STATES] == PACKETS


def test_packets_decode_to_known_numbers():
    decoder = FrameDecoder(literal_tables(), b"\xca\xfe")
    state = decoder.decode(bytes.fromhex(PACKETS[1]), 65.6)
    assert (decoder.sequence, state.timestamp, state.present) == (65535, 65.575, True)
    np.testing.assert_allclose(state.expression, np.array([10, -10, 10]) * [0.1, 0.15, 0.2], atol=1e-5)
    depth = np.exp(1026 / 256)
    offsets = np.array([84, -56]) * 683 / 2**20
    np.testing.assert_allclose(state.pose.translation, [*(offsets * depth), -depth], rtol=1e-6)


def test_headers():
    present = Packet(FrameHeader(b"\xab\xcd", 0x1234, 0x5678, True), b"\x01\x02\x03")
    assert bytes(present).hex() == "11abcd12345678" + "5baf" + "010203"
    absent = Packet(FrameHeader(b"\xab\xcd", 65535, 0, False), b"")
    assert bytes(absent).hex() == "10abcdffff0000" + "723d"


def test_avatar_file():
    body = b"NCAVATAR\x01\x00\x02\x00" + b"\x01a\x02\x00\x00\x00" + b"\x02b2\x01\x00\x00\x00" + b"xyz"
    assert bytes(AvatarFile({"b2": b"z", "a": b"xy"})) == body + hashlib.sha256(body).digest()


def test_recording():
    times = [0.0, 0.04, 0.081, 0.12]
    faces = [np.linspace(-1, 1, 30, dtype=np.float32) * scale for scale in (0, 0.5, 1, 1)]
    states = [FaceState(face, pose_at(), time, time < 0.1) for face, time in zip(faces, times, strict=True)]
    data = bytes(Recording(25.0, states, b"\x01\x02"))
    assert data[:15].hex() == "4e43464143450100" + "40787d01" + "02" + "0102"
    assert hashlib.sha256(data).hexdigest() == RECORDING_DIGEST


RECORDING_DIGEST = "86168901e73b4af3146bfd553ddac9cc71ca587d7016ea543443113ac55850ae"
