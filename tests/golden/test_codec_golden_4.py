"""Tables, packets and recordings of a torso with ten numbers, byte for byte: version 3 of tables and recordings.

These are never edited. Whoever changes what is written adds a version, and a file of vectors beside this one.
"""

import hashlib

import numpy as np

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.entropy import ResidualTable
from codec.face_state import FaceState
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.parameters import ParameterLayout
from codec.prediction import PointTables, PredictionTables
from codec.quantiser import Quantiser
from codec.recording import Recording
from codec.tables import CodecTables
from tests.codec.faces import AVATAR, pose_at

LAYOUT = ParameterLayout(10, 3)
STEPS = [1830] * 3 + [683] * 2 + [4096] + [1024] * 2 + [4096] * 8 + [104858, 157286, 209715]


TABLES = "52dcebaaeb5b0953a40d8ba09f966c6305778e600dbbebd9b1339329bc210f22"
PREDICTION = "409c31697ad7efc45b04abb24ae55843419c0aafb8834ff1d09d551c98c4de5b"
PACKETS = [
    "21000100070000c88fd119c792f5d27a57e33dc9814e331046ce9555269656f2f4dc",
    "b08895b6d81b5bd49a1441d03fecc3b748",
    "809e73c05b8e5946b761f1eaa6c320c0",
]
RECORDING = "60373adba2322437b4134ac976ae8e9c5c783aa1abe880e489c894dd4886d3bd"


def tables():
    numbers = range(LAYOUT.size)
    frequencies = [1500, 3500, 6000, 9500, 12000, 9500, 6000, 3500, 1500, 12536]
    return CodecTables(
        quantiser=Quantiser(LAYOUT, np.array(STEPS, np.int64)),
        centres=[3 * k - 20 if k != 5 else 1048 for k in numbers],
        weights=[[(97 * k + 61 * j) % 1500 - 700 for j in range(k)] for k in numbers],
        residuals=[ResidualTable(np.array(frequencies, np.int64)) for _ in numbers],
    )


def prediction():
    quantiser, numbers, gaps = tables().quantiser, np.arange(LAYOUT.size), np.arange(GAPS)[:, None]
    lower = np.tril(np.ones((LAYOUT.size,) * 2, np.int64), -1)
    point = PointTables(
        hold=4000 - 90 * gaps - 5 * numbers,
        trend=np.stack([4050 - 80 * gaps + 0 * numbers, 1900 - 90 * gaps - 9 * numbers], axis=1),
        rows=np.stack([8 + gaps // 3 + numbers % 3, 7 + gaps // 3 + numbers % 4]),
        edges=np.array([[100, 200, 400, 800], [50, 100, 200, 400], [60, 120, 240, 480]]),
        shifts=np.array([[-2, -1, 0, 1, 2], [-1, 0, 0, 1, 3], [-3, -1, 0, 2, 4]]),
    )
    innovation = lower * (50 * ((numbers[:, None] + 3 * numbers) % 7) - 140)
    feedback = lower * (70 * ((3 * numbers[:, None] + numbers) % 5) - 150)
    return PredictionTables(
        quantiser, 64 * np.array(tables().centres), innovation, feedback, (point,) * len(OPERATING_POINTS)
    )


def states():
    torso = np.array([0.02, -0.01, 0.05, 0.03, -0.03, 0.04, 0.01, -0.02, 0.015, -0.005], np.float32)
    return [
        FaceState(
            np.array([0.5, -1.0, 0.3], np.float32) * scale,
            pose_at((2 * scale, -4, 1), (scale, -2, -60)),
            0.04 * index,
            torso=torso * np.float32(scale),
        )
        for index, scale in enumerate((0.0, 0.4, 1.0))
    ]


def packets():
    encoder = FrameEncoder(tables(), AVATAR, prediction=prediction(), sequence=7, carried=0.6)
    made = []
    for state in states():
        made.append(bytes(encoder.encode(state)))
        encoder.acknowledge([encoder.sequence - 1])
    return made


def test_tables():
    for made, head, digest in (
        (tables(), "4e435442" + "0300" + "03" + "0a", TABLES),
        (prediction(), "4e435052" + "0200" + "03" + "0a", PREDICTION),
    ):
        data = bytes(made)
        assert data[:8].hex() == head
        assert hashlib.sha256(data).hexdigest() == digest
        assert bytes(type(made).parse(data)) == data


def test_packets():
    assert [packet.hex() for packet in packets()] == PACKETS
    decoder = FrameDecoder(tables(), AVATAR, prediction=prediction())
    for packet, state in zip(PACKETS, states(), strict=True):
        decoded = decoder.decode(bytes.fromhex(packet), state.timestamp)
        np.testing.assert_allclose(decoded.torso, state.torso, atol=0.004)
        np.testing.assert_allclose(decoded.expression, state.expression, atol=0.2)


def test_recording():
    torsos = [state.torso for state in states()]
    faces = [np.linspace(-1, 1, 30, dtype=np.float32) * scale for scale in (0, 0.5, 1)]
    made = [
        FaceState(face, pose_at(), 0.04 * index, torso=torso)
        for index, (face, torso) in enumerate(zip(faces, torsos, strict=True))
    ]
    data = bytes(Recording(25.0, made, b"\x01\x02"))
    assert data[:17].hex() == "4e43464143450300" + "40787d01" + "02" + "0102" + "1e0a"
    assert hashlib.sha256(data).hexdigest() == RECORDING
    np.testing.assert_allclose(Recording.parse(data).states[2].torso, torsos[2], atol=1e-3)
