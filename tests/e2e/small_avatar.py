"""A whole avatar in miniature: real coding tables and embedding, and a picture that tells which state it shows."""

import hashlib

import numpy as np

from codec.face_state import FaceState, HeadPose
from codec.parameters import state_parameters
from codec.prediction_fitting import fit_prediction
from codec.quantiser import STEP_SCALE
from codec.rotation import rotation_vector_to_matrix
from codec.tables import CodecTables

SIZE = 30


def wandering_states(count=250, fps=25.0, seed=5):
    """Return states of a head that turns and talks, with embedded expressions (30,)."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(count, SIZE + 6)) * 0.3
    walk = np.zeros_like(steps)
    for index in range(1, count):
        walk[index] = 0.95 * walk[index - 1] + steps[index]
    states = []
    for index, row in enumerate(walk):
        rotation = rotation_vector_to_matrix(0.1 * row[30:33]).astype(np.float32)
        pose = HeadPose(rotation, np.array([0.0, 0.0, -60.0], np.float32) + row[33:36].astype(np.float32))
        expression, torso = row[:30].astype(np.float32), (0.01 * np.resize(row[30:], 10)).astype(np.float32)
        states.append(FaceState(expression, pose, index / fps, torso=torso))
    return states


def tables_of(states):
    """Return coding tables fitted to ``states``."""
    expressions, torsos = (np.stack([getattr(state, name) for state in states]) for name in ("expression", "torso"))
    return CodecTables.fit(expressions, [state.pose for state in states], torsos)


def prediction_of(states, tables):
    """Return prediction tables fitted to ``states``, with the steps of their coding tables."""
    parameters = np.stack([state_parameters(state, tables.layout) for state in states])
    return fit_prediction(parameters, tables.layout, tables.quantiser.steps / STEP_SCALE)


class SmallAvatar:
    refining = False

    def __init__(self, seed=5, meta=None, predicted=True):
        states = wandering_states(seed=seed)
        self.tables = tables_of(states)
        self.prediction = prediction_of(states, self.tables) if predicted else None
        self.meta = meta or {"name": "small"}
        self.digest = hashlib.sha256(bytes(self.tables) + repr(self.meta).encode()).digest()
        self.short_id = self.digest[:2]

    def embed(self, expression):
        return expression[:SIZE]

    @property
    def expression_bounds(self):
        return np.full(SIZE, -9.0, np.float32), np.full(SIZE, 9.0, np.float32)

    def prepare(self):
        pass

    def render(self, state, width, height, *, smooth=True):
        """The grey level tells the first coefficient, as far as 8 bits can."""
        level = int(np.clip(128 + 20 * state.expression[0], 0, 255))
        return np.full((height, width, 3), level, np.uint8)


class PlainBudget:
    """Lowers nothing."""

    smooth = False

    def choose(self, width, height):
        return width, height

    def report(self, width, height, seconds):
        assert seconds >= 0.0
