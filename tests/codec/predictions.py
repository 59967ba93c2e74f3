"""Prediction tables of the faces of tests/codec/faces.py, and a call in which packets meet their fates."""

from functools import cache

import numpy as np

from codec.cross_prediction import CrossPrediction
from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.errors import PacketError
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.parameters import ParameterLayout, state_parameters
from codec.post_filter import PostFilter
from codec.prediction import CLASSES, GROUPS, PointTables, PredictionTables
from codec.prediction_fitting import fit_prediction
from codec.quantiser import STEP_SCALE
from codec.short_packet import ShortPacket
from tests.codec.faces import AVATAR, face_states, fitted_tables, literal_tables


def parameters_of(states):
    return np.stack([state_parameters(state, ParameterLayout.of(state)) for state in states])


def coupled_metric(size, seed=3):
    """Return a metric of a picture in which every number acts on the same pixels as its neighbours."""
    derivative = np.random.default_rng(seed).normal(size=(3 * size // 2, size))
    return derivative.T @ derivative / size


@cache
def fitted_prediction():
    """Return tables fitted to the same 20 seconds as `fitted_tables`."""
    return fit_prediction(
        parameters_of(face_states(500)), fitted_tables().layout, fitted_tables().quantiser.steps / STEP_SCALE
    )


def literal_cross():
    """Return what the numbers of `literal_prediction` may tell of each other."""
    numbers = np.arange(15)
    matrix = (37 * numbers[:, None] + 61 * np.arange(30)) % 400 - 190
    return CrossPrediction(matrix, 4096 - 150 * np.arange(GAPS) - 300 * np.arange(len(OPERATING_POINTS))[:, None])


def literal_filter():
    """Return a filter for what `literal_prediction` predicts."""
    numbers = np.arange(15)
    matrix = (41 * numbers[:, None] + 67 * np.arange(30)) % 500 - 240
    return PostFilter(matrix, 3900 - 40 * np.arange(GAPS) + 500 * np.arange(len(OPERATING_POINTS))[:, None])


def literal_prediction(cross=None, post_filter=None):
    """Return small tables of written-out integers, for vectors that no fit can change."""
    quantiser = literal_tables().quantiser
    size = len(quantiser.steps)
    numbers = np.arange(size)
    gaps = np.arange(GAPS)[:, None]
    lower = np.tril(np.ones((size, size), np.int64), -1)
    points = tuple(
        PointTables(
            hold=4096 - 100 * gaps - 7 * numbers - index,
            trend=np.stack([4096 - 90 * gaps + 0 * numbers, 2000 - 100 * gaps - 11 * numbers + index], axis=1),
            rows=np.stack([8 + gaps // 3 + numbers % 3, 7 + gaps // 3 + numbers % 4]),
            edges=np.array([[100, 200, 400, 800], [50, 100, 200, 400], [60, 120, 240, 480]]),
            shifts=np.array([[-2, -1, 0, 1, 2], [-1, 0, 0, 1, 3], [-3, -1, 0, 2, 4]]),
        )
        for index in range(len(OPERATING_POINTS))
    )
    assert points[0].shifts.shape == (GROUPS, CLASSES)
    innovation = lower * (60 * ((numbers[:, None] + 2 * numbers) % 7) - 150)
    feedback = lower * (80 * ((2 * numbers[:, None] + numbers) % 5) - 160)
    centres = 64 * np.array(literal_tables().centres)
    return PredictionTables(quantiser, centres, innovation, feedback, points, cross, post_filter)


def call(tables=None, prediction=None, sequence=0, carried=0.0, short=False):
    """Return both ends of one, with long headers or short packets.

    By default no rounding error is carried on, so that each frame tells of itself.
    """
    tables, prediction = tables or fitted_tables(), prediction or fitted_prediction()
    encoder = FrameEncoder(tables, AVATAR, sequence=sequence, prediction=prediction, carried=carried, short=short)
    return encoder, FrameDecoder(tables, AVATAR, prediction=prediction, short=short)


def gap_of(packet):
    """Return how many frames the reference of a predicted frame lies back."""
    return packet.gap if isinstance(packet, ShortPacket) else packet.header.gap


def order_of(packet):
    """Return how the reference of a predicted frame is used."""
    return packet.frames[0].order if isinstance(packet, ShortPacket) else packet.header.order


def same_record(encoder, decoder):
    """Whether both sides have the same of the frame decoded last."""
    received = decoder.record(decoder.sequence)
    sent = encoder.record(encoder.sequence - (encoder.sequence - decoder.sequence) % 65536)
    return received is not None and sent is not None and received.check == sent.check


def decodes(decoder, data, now):
    """Return the state in a packet, None where it is refused."""
    try:
        return decoder.decode(data, now)
    except PacketError:
        return None
