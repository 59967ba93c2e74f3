"""Bytes of version 1 of every format of the codec. A change of any of them is a change of version: add, never edit.

Tables, packets and recordings have gone on to version 2 (test_codec_golden_2); here they are refused, in one sentence
each. How a frame is coded has not changed, but for the six parameters of the torso in the middle.
"""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from codec.avatar_file import AvatarFile
from codec.decoder import FrameDecoder, decode_symbols
from codec.encoder import encode_symbols
from codec.entropy import ResidualTable, SymbolDecoder, SymbolEncoder
from codec.errors import PacketError, RecordingError, TablesError
from codec.packet import Packet
from codec.recording import Recording
from codec.tables import CodecTables
from tests.codec.faces import literal_tables

FILES = Path(__file__).parent / "version_1"

RESIDUALS = [0, 1, -1, 2, 0, 0, -2, 5, -70000, 0]
RESIDUAL_BYTES = "b8bbd0341e0af49b"

SYMBOLS = {
    "62070c": [-10, 4, 0, 30, -12, 1048, 0, 1, -2],
    "e994fde06e9f04ba6e4d366ad1": [-30, 20, 10, 83, -53, 1026, 10, -10, 10],
    "d4b459d7b3e0f60d343d1090cb7d9d7fa75fabcb49": [2291, -2291, 0, 12281, -12281, 2560, 2559, -1706, 1280],
}

PACKETS = [
    "11cafefffe000010c6d04e93d4ac22be",
    "11cafeffff0027b64de994fde06e9f4a0cb8bd366ad1",
    "11cafe0000ca002041d478eb522af1380a532b7b287198589eedbc",
    "10cafe000130399ba6",
]
HEADERS = ["11abcd12345678" + "5baf" + "010203", "10abcdffff0000" + "723d"]

TABLES_DIGEST = "6167bf010e254bff2d6be5d90b79c53c34a11f02782e2b332c43edc92e6f5ddb"
RECORDING_DIGEST = "86168901e73b4af3146bfd553ddac9cc71ca587d7016ea543443113ac55850ae"


def frame_tables():
    """Return what coding a frame takes of the tables of version 1: six parameters of a pose, three of an expression."""
    bounds = [2291, 2291, 2291, 12281, 12281, 2560, 2559, 1706, 1280]
    lowest = [-bound for bound in bounds]
    lowest[5] = 0
    frequencies = np.array([1500, 3500, 6000, 9500, 12000, 9500, 6000, 3500, 1500, 12536], np.int64)
    return CodecTables(
        quantiser=SimpleNamespace(lowest=np.array(lowest), highest=np.array(bounds)),
        centres=[-10, 4, 0, 30, -12, 1048, 0, 1, -2],
        weights=[
            [],
            [100],
            [0, -2048],
            [0, 8192, 0],
            [512, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [40, -40, 0, 0, 0, 7],
            [0, 0, 0, 0, 0, 0, 2048],
            [1, -1, 2, -2, 3, -3, 4096, -1024],
        ],
        residuals=[ResidualTable(frequencies)] * 9,
    )


def test_residuals():
    table = ResidualTable(np.array([2000, 20000, 30000, 10000, 2536, 1000], np.int64))
    encoder = SymbolEncoder()
    for residual in RESIDUALS:
        encoder.put(table, residual)
    assert encoder.finish().hex() == RESIDUAL_BYTES
    decoder = SymbolDecoder(bytes.fromhex(RESIDUAL_BYTES))
    assert [decoder.get(table) for _ in RESIDUALS] == RESIDUALS


@pytest.mark.parametrize("payload", SYMBOLS)
def test_symbols_of_a_frame(payload):
    assert encode_symbols(frame_tables(), SYMBOLS[payload]).hex() == payload
    assert decode_symbols(frame_tables(), bytes.fromhex(payload)) == SYMBOLS[payload]


def test_avatar_file():
    entries = b"\x02b2\x01\x00\x00\x00" + hashlib.sha256(b"z").digest() + b"\x01a\x02\x00\x00\x00"
    head = b"NCAVATAR\x02\x00\x02\x00" + entries + hashlib.sha256(b"xy").digest()
    avatar = AvatarFile({"b2": b"z", "a": b"xy"})
    assert bytes(avatar) == head + b"zxy"
    assert avatar.digest.hex() == "5117e709470e49f7b860ee49708c6e35ff1549d98442ec2fa260a2de31aeea97"


def test_avatar_file_of_version_1():
    body = b"NCAVATAR\x01\x00\x02\x00" + b"\x01a\x02\x00\x00\x00" + b"\x02b2\x01\x00\x00\x00" + b"xyz"
    assert AvatarFile.parse(body + hashlib.sha256(body).digest()).sections == {"a": b"xy", "b2": b"z"}


def test_tables_are_refused():
    data = (FILES / "small.tables").read_bytes()
    assert data[:7] + data[-22:] == bytes.fromhex(
        "4e435442010003" + "0400dc05ac0d7017" + "1c25e02e1c257017ac0ddc05f830"
    )
    assert hashlib.sha256(data).hexdigest() == TABLES_DIGEST
    sentence = r"The coding tables have version 1 and this program reads 3: enrol the avatar again\."
    with pytest.raises(TablesError, match=f"^{sentence}$"):
        CodecTables.parse(data)


@pytest.mark.parametrize("packet", PACKETS + HEADERS)
def test_packets_are_refused(packet):
    sentence = r"A packet has version 1 and this program speaks 2: update the older side\."
    with pytest.raises(PacketError, match=f"^{sentence}$"):
        Packet.parse(bytes.fromhex(packet))
    with pytest.raises(PacketError, match=f"^{sentence}$"):
        FrameDecoder(literal_tables(), b"\xca\xfe").decode(bytes.fromhex(packet), 0.0)


def test_recordings_are_refused():
    path = FILES / "talk.face"
    data = path.read_bytes()
    assert data[:15].hex() == "4e43464143450100" + "40787d01" + "02" + "0102"
    assert hashlib.sha256(data).hexdigest() == RECORDING_DIGEST
    sentence = r"This recording has format 1 and this program reads 3: update the older one\."
    with pytest.raises(RecordingError, match=f"{sentence}$"):
        Recording.read(path)
