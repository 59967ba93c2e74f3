"""Prediction tables with the receiver's filter, packets and what is shown of them, byte for byte.

These are never edited. Whoever changes what is written adds a version, and a file of vectors beside this one.
"""

import hashlib
from dataclasses import replace

import numpy as np

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.parameters import state_parameters
from codec.post_filter import PostFilter
from codec.prediction import PredictionTables
from tests.codec.faces import AVATAR
from tests.golden.test_codec_golden_4 import LAYOUT, states, tables
from tests.golden.test_codec_golden_5 import prediction as prediction_without

PREDICTION = "fd936740b12cb957f3ae8cf8f6c253cbdcece0c9bf57fa2d067f673190fab7ee"
PACKETS = [
    "210001fffa00006ac1d119c792f5d27a57e33dc9814e331046ce9555269656f2f4dc",
    "b3bcb7b6d81b5bd49a1441d03fed04096913",
    "83c683c060422d511fc61cc100e57767be211e7f8db20450d59a",
    "83d626c9771bd71ada822fd5c63526b9a19afc55d9c74ab30a4dc248ee5fabd719da6c",
    "83e3dada042c33a53588203ea8d3915546f8c25b998ef74b1e13cf45",
    "83f93ce187b4cabccc7635fd30ef839784e5de68043353ae5f6a",
]
ADDED = [
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [222, 126, 137, 7, -7, -104, -133, -112, -117, -147, -76, -89, 17, -5, 70, 60, 148, 137, 126],
    [483, 441, 419, 164, -18, -158, -165, -102, -52, -61, 5, -275, -224, -343, -149, -67, 168, 345, 441],
    [-292, 62, 46, 240, -2, 218, 311, 279, 282, 369, 240, 42, -321, -322, -472, -320, -375, -64, 62],
    [379, 286, 370, 77, -61, -272, -249, -164, -89, -46, 73, -87, -29, -112, 16, 5, 142, 278, 285],
    [500, 459, 437, 171, -34, -163, -162, -107, -60, -64, 6, -284, -229, -345, -154, -70, 173, 368, 458],
]


def prediction():
    numbers = np.arange(LAYOUT.size)
    matrix = (47 * numbers[:, None] + 31 * np.arange(2 * LAYOUT.size)) % 800 - 390
    gains = 3000 + 60 * np.arange(GAPS) + 700 * np.arange(len(OPERATING_POINTS))[:, None]
    return replace(prediction_without(), post_filter=PostFilter(matrix, gains))


def packets():
    encoder = FrameEncoder(tables(), AVATAR, prediction=prediction(), sequence=65530)
    made = []
    for state in states() * 2:
        made.append(bytes(encoder.encode(replace(state, timestamp=0.04 * len(made)))))
        encoder.acknowledge([encoder.sequence - 1])
    return made


def added():
    """Return what the filter adds to each frame's numbers, in units of them."""
    decoder = FrameDecoder(tables(), AVATAR, prediction=prediction())
    rows = []
    for index, packet in enumerate(PACKETS):
        face = decoder.decode(bytes.fromhex(packet), 0.04 * index)
        rows.append(prediction().units(state_parameters(face, LAYOUT)) - decoder.record(decoder.sequence).values)
    return rows


def test_tables():
    data = bytes(prediction())
    assert data.startswith(bytes(prediction_without()))
    assert hashlib.sha256(data).hexdigest() == PREDICTION
    assert bytes(PredictionTables.parse(data)) == data


def test_packets():
    assert [packet.hex() for packet in packets()] == PACKETS


def test_what_is_shown():
    # A pose goes through a float32 rotation: a unit may get lost.
    np.testing.assert_allclose(added(), ADDED, atol=1)
