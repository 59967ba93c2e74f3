"""Prediction tables in which numbers tell of each other, and packets that are predicted so, byte for byte.

These are never edited. Whoever changes what is written adds a version, and a file of vectors beside this one.
"""

import hashlib
from dataclasses import replace

import numpy as np

from codec.cross_prediction import CrossPrediction
from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.prediction import PredictionTables
from tests.codec.faces import AVATAR
from tests.golden.test_codec_golden_4 import LAYOUT, states, tables
from tests.golden.test_codec_golden_4 import prediction as prediction_without

PREDICTION = "175ef3ac1646f4c5d78eeffe105ea59aa913c5f4c27cf4a5dbf4121142508928"
PACKETS = [
    "210001fffa00006ac1d119c792f5d27a57e33dc9814e331046ce9555269656f2f4dc",
    "b3b662b6d81b5bd49a1441d03fecc3b748",
    "83c2dac060422eb466fd74b2f4e2df7658b1d64c6efbcd8c17c3",
    "83db96c9771bd7176b420779bf1c3938f0c47128a02fc74c5aaeca7b5b28ac0ed5",
    "83e77bda04299e963cdfd5ef613bdea4d75040bc05424daaa584af5a",
    "83f3b9e187bff98a8bf5cb5ab7281ed7d654fbf40218d17e6c61",
]


def prediction():
    numbers = np.arange(LAYOUT.size)
    matrix = (53 * numbers[:, None] + 29 * np.arange(2 * LAYOUT.size)) % 700 - 330
    gains = 4400 - 170 * np.arange(GAPS) - 250 * np.arange(len(OPERATING_POINTS))[:, None]
    return replace(prediction_without(), cross=CrossPrediction(matrix, gains))


def packets():
    encoder = FrameEncoder(tables(), AVATAR, prediction=prediction(), sequence=65530, carried=0.5)
    made = []
    for state in states() * 2:
        made.append(bytes(encoder.encode(replace(state, timestamp=0.04 * len(made)))))
        encoder.acknowledge([encoder.sequence - 1])
    return made


def test_tables():
    data = bytes(prediction())
    assert data.startswith(bytes(prediction_without()))
    assert hashlib.sha256(data).hexdigest() == PREDICTION
    assert bytes(PredictionTables.parse(data)) == data


def test_packets():
    assert [packet.hex() for packet in packets()] == PACKETS
    decoder = FrameDecoder(tables(), AVATAR, prediction=prediction())
    for index, (packet, state) in enumerate(zip(PACKETS, states() * 2, strict=True)):
        decoded = decoder.decode(bytes.fromhex(packet), 0.04 * index)
        np.testing.assert_allclose(decoded.torso, state.torso, atol=0.008)
        np.testing.assert_allclose(decoded.expression, state.expression, atol=0.2)


def test_they_are_other_packets_than_without():
    encoder = FrameEncoder(tables(), AVATAR, prediction=prediction_without(), sequence=65530, carried=0.5)
    other = []
    for index, state in enumerate(states() * 2):
        other.append(bytes(encoder.encode(replace(state, timestamp=0.04 * index))).hex())
        encoder.acknowledge([encoder.sequence - 1])
    assert other[:2] == PACKETS[:1] + other[1:2]
    assert other[2:] != PACKETS[2:]
