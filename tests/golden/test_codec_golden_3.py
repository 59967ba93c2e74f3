"""Bytes of version 3 of the codec: prediction tables, predicted packets, messages. Add, never edit.

Frames coded alone, tables and recordings are those of version 2 (test_codec_golden_2).
"""

from dataclasses import replace

import numpy as np

from codec.face_state import FaceState
from codec.message import Message
from codec.operating_point import FINEST, NORMAL, THRIFTY
from codec.prediction import PredictionTables
from tests.codec.faces import literal_tables, pose_at
from tests.codec.predictions import call, literal_prediction

TABLES_DIGEST = "525d5718860df41b625316209b58ea6d4a25cfe0e17de389fa4e48e0d0b4bf28"
TABLES_SIZE = 6496

POINTS = [NORMAL, NORMAL, NORMAL, FINEST, THRIFTY, NORMAL, NORMAL, NORMAL, FINEST, NORMAL]
"""Of each frame."""
HEARD = {2: (0,), 4: (1, 2, 3), 8: (2, 5, 6), 9: (8,)}
"""Before which frame it is heard which others have come."""
PACKETS = [
    "210001fffcff78b9b7d06c42fca4a4e1538a8023d76550",
    "210001fffdffa050dbd0cf9ec244bae7dcf09dcd1291a5",
    "b7e535b6d92f800c3a91c5a3",
    "fff9a90cb6d94f10c508354f4bb6c334672babe242",
    "fc04fa05b1c8",
    "fc19550aff9ffc9239ea5b41",
    "fc295310c0669761262728d3540af4",
    "fc38db16c06035339c01b6467a38",
    "fc4dd109c977fde8a30e2ac247243cd4",
    "e05f1cda",
]
MESSAGE = (
    "420c1506b7e535b6d92f800c3a91c5a3fff9a90cb6d94f10c508354f4bb6c334672babe242fc04fa05b1c8fc19550aff9ffc9239ea5b41"
)
"""The third to the sixth, together."""
VALUES = [2549, -1285, 494, 1350, -1707, 66413, 527, 1037, 13, 122, 7, -6, 499, -130, 409]
"""Of the last frame, in 64ths of a step."""
CHOSEN = [
    "210001fffcff78b9b7d06c42fca4a4e1538a8023d76550",
    "210001fffdffa050dbd0cf9ec244bae7dcf09dcd1291a5",
    "b7eb65b6d92f800c3a8ef9",
    "fff03d0cb6d94f10c508354e61803cea06146b38b8",
    "fc0ec805b1c8",
    "fc12ff0aff9ffc92382b2682",
    "fc2d4d10c06697612625c1150765",
    "fc380c16c06035339bfe0c3790ad",
    "fc48e009c977fde8a30e30c02e46468531",
    "e059fada",
]
"""What the encoder makes of the ten frames. How it rounds is its own choice, and no part of the format: those above
were rounded otherwise, and decode as ever."""
CHOSEN_VALUES = [2549, -1285, 494, 1350, -1707, 66425, 530, 1037, -17, 112, 8, -9, 505, -135, 408]


def states():
    """Return ten frames of a face that nods and talks; twice it does not move from one to the next, and one is late."""
    made = []
    for index in range(10):
        expression = np.array([0.1 * index, -0.3, 0.02 * index * index], np.float32)
        pose = pose_at((0.5 * index, -2, 0.1 * index), (0.1 * index, -1, -60 + 0.3 * index))
        torso = np.array([0.001, 0.002, 0, 0.001, 0, 0], np.float32) * index
        made.append(FaceState(expression, pose, 65.4 + 0.04 * index + 0.007 * (index == 5), torso=torso))
    made[7] = replace(made[6], timestamp=made[7].timestamp)
    made[9] = replace(made[8], timestamp=made[9].timestamp)
    return made


def packets():
    """Return encoder, decoder and what the one made of the ten frames, each of which the other decoded."""
    encoder, decoder = call(literal_tables(), literal_prediction(), sequence=65532)
    sent = []
    for index, (state, point) in enumerate(zip(states(), POINTS, strict=True)):
        encoder.acknowledge(65532 + number for number in HEARD.get(index, ()))
        encoder.point = point
        sent.append(bytes(encoder.encode(state)))
        decoder.decode(sent[-1], state.timestamp)
    return encoder, decoder, sent


def test_prediction_tables():
    tables = literal_prediction()
    assert (tables.digest.hex(), len(bytes(tables))) == (TABLES_DIGEST, TABLES_SIZE)
    assert PredictionTables.parse(bytes(tables)).digest == tables.digest


def test_predicted_packets():
    _, decoder, sent = packets()
    assert [data.hex() for data in sent] == CHOSEN
    assert decoder.record(decoder.sequence).values.tolist() == CHOSEN_VALUES


def test_a_message():
    packets = tuple(bytes.fromhex(data) for data in PACKETS[2:6])
    assert bytes(Message(packets)).hex() == MESSAGE
    assert Message.parse(bytes.fromhex(MESSAGE)).packets == packets


def test_the_packets_decode_on_their_own_side_too():
    """Without the encoder: what is on the wire alone decides."""
    _, decoder = call(literal_tables(), literal_prediction())
    for state, data in zip(states(), PACKETS, strict=True):
        decoder.decode(bytes.fromhex(data), state.timestamp)
    assert decoder.record(decoder.sequence).values.tolist() == VALUES
