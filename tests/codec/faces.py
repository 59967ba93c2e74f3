"""Faces that move like faces: seeded, so that every test sees the same ones."""

from functools import cache

import numpy as np

from codec.entropy import ResidualTable
from codec.face_state import FaceState, HeadPose
from codec.parameters import ParameterLayout
from codec.quantiser import Quantiser
from codec.rotation import rotation_vector_to_matrix
from codec.tables import CodecTables

AVATAR = bytes(range(32))
MOTION_SIZE = 12
"""Numbers of pose and torso, where a torso has four modes."""


def walk(rng, frames, size, memory):
    """Return an AR(1) series (frames, size) of unit variance."""
    series = np.empty((frames, size))
    series[0] = rng.normal(size=size)
    for index in range(1, frames):
        series[index] = memory * series[index - 1] + np.sqrt(1 - memory**2) * rng.normal(size=size)
    return series


def face_states(frames, size=30, seed=0, fps=25.0, start=100.0, modes=4):
    """Return states of a face that talks and moves about in front of a camera 60 cm away."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(size) + 0.3 * np.random.default_rng(1).normal(size=(size, size)) / np.sqrt(size)
    expressions = walk(rng, frames, size, 0.9) @ mixing
    moves = walk(rng, frames, 6, 0.98)
    # The torso follows the head a little, and for the rest has a will of its own.
    led = np.resize(moves.T, (2 + modes, frames)).T
    torsos = 0.01 * (walk(np.random.default_rng(seed + 1000), frames, 2 + modes, 0.98) + 0.5 * led)
    states = []
    for index in range(frames):
        rotation = rotation_vector_to_matrix(np.radians([4, 8, 3]) * moves[index, :3])
        x = 2 * moves[index, 3] + 3 * moves[index, 1]
        translation = np.array([x, 1.5 * moves[index, 4], -60 * np.exp(0.04 * moves[index, 5])])
        pose = HeadPose(rotation.astype(np.float32), translation.astype(np.float32))
        timestamp = start + index / fps
        expression, torso = expressions[index].astype(np.float32), torsos[index].astype(np.float32)
        states.append(FaceState(expression, pose, timestamp, torso=torso))
    return states


def fit_to(states, **steps):
    """Return tables fitted to states."""
    expressions, torsos = (np.stack([getattr(state, name) for state in states]) for name in ("expression", "torso"))
    return CodecTables.fit(expressions, [state.pose for state in states], torsos, **steps)


def pose_at(degrees=(0.0, 0.0, 0.0), translation=(0.0, 0.0, -60.0)):
    rotation = rotation_vector_to_matrix(np.radians(degrees))
    return HeadPose(rotation.astype(np.float32), np.array(translation, np.float32))


@cache
def fitted_tables():
    """Return tables fitted to 20 seconds of the face."""
    return fit_to(face_states(500))


def literal_tables():
    """Return small tables of written-out integers, for vectors that no fit can change."""
    steps = [1830] * 3 + [683] * 2 + [4096] + [1024] * 2 + [4096] * 4 + [104858, 157286, 209715]
    frequencies = [1500, 3500, 6000, 9500, 12000, 9500, 6000, 3500, 1500, 12536]
    return CodecTables(
        quantiser=Quantiser(ParameterLayout(6, 3), np.array(steps, np.int64)),
        centres=[-10, 4, 0, 30, -12, 1048, 5, -3, 0, 1, -1, 2, 0, 1, -2],
        weights=[
            [],
            [100],
            [0, -2048],
            [0, 8192, 0],
            [512, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [0, 1024, 0, 4096, 0, 0],
            [0, 0, 0, 0, 2048, 0, 16],
            [300, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, -2048, 0, 0, 0, 0, 0, 0],
            [0, 0, 2048, 0, 0, 0, 0, 0, 0, -4096],
            [0, 0, 0, 0, 0, 0, 1, 1024, 2048, 0, 0],
            [40, -40, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 2048],
            [1, -1, 2, -2, 3, -3, 5, -5, 6, -6, 7, -7, 4096, -1024],
        ],
        residuals=[ResidualTable(np.array(frequencies, np.int64)) for _ in steps],
    )


def assert_same_face(first, second, tolerance=0.0):
    np.testing.assert_allclose(first.expression, second.expression, rtol=0, atol=tolerance)
    np.testing.assert_allclose(first.pose.rotation, second.pose.rotation, rtol=0, atol=tolerance)
    np.testing.assert_allclose(first.pose.translation, second.pose.translation, rtol=0, atol=60 * tolerance)
    np.testing.assert_allclose(first.torso, second.torso, rtol=0, atol=tolerance)
