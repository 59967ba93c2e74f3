"""What flickers between symbols stands still; what moves is followed within what the symbols leave open."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.face_state import TORSO_LIMITS, FaceState
from codec.playout import PlayoutBuffer
from codec.quantiser import STEP_SCALE, Quantiser, state_from_parameters, state_parameters
from codec.steadying import REACH, Steadier

SIZE = 3
STEPS = np.array([0.002, 0.002, 0.002, 0.001, 0.001, 0.002, *[0.001] * 6, *[0.25] * SIZE])
QUANTISER = Quantiser(np.rint(STEPS * STEP_SCALE).astype(np.int64))
REST = np.array([0.1, -0.2, 0.05, 0.01, -0.02, 4.1, *[0.01] * 6, 0.3, -0.6, 1.2])
FRAME = 0.04


def coded(parameters, time):
    """A face as it comes out of the decoder."""
    return state_from_parameters(QUANTISER.dequantise(QUANTISER.quantise(parameters)), time, present=True)


def parameters_of(state):
    return state_parameters(state, SIZE)


def steadied(faces):
    steadier, shown = Steadier(QUANTISER), [faces[0]]
    for face in faces[1:]:
        shown.append(steadier.follow(shown[-1], face))
    return shown


def test_a_noisy_face_at_rest_stands_nearly_still():
    """Noise of a third of a step, in the worst place: on the border between two symbols."""
    noise = np.random.default_rng(0).normal(0, 1 / 3, (200, len(STEPS)))
    border = (np.rint(REST / STEPS) + 0.5) * STEPS
    faces = [coded(border + row * STEPS, FRAME * index) for index, row in enumerate(noise)]
    before, after = (
        np.diff([parameters_of(face) / STEPS for face in some], axis=0)[20:] for some in (faces, steadied(faces))
    )
    assert np.sqrt(np.square(before).mean()) > 0.6
    assert np.sqrt(np.square(after).mean()) < 0.25 * np.sqrt(np.square(before).mean())


def test_nothing_is_shown_farther_from_what_was_received_than_the_reach():
    walk = np.cumsum(np.random.default_rng(1).normal(0, 0.8, (300, len(STEPS))), axis=0)
    walk[:, 6:12] = np.clip(walk[:, 6:12], -50, 50)
    faces = [coded(REST + row * STEPS, FRAME * index) for index, row in enumerate(walk)]
    distance = [
        np.abs(parameters_of(shown) - parameters_of(face)) / STEPS
        for shown, face in zip(steadied(faces), faces, strict=True)
    ]
    assert np.max(distance) < REACH + 0.02


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_a_moving_face_is_followed_at_once(speed):
    """It is behind by no more than the reach, and so, of a fast motion, by a small part of a frame."""
    faces = [coded(REST + index * speed * STEPS, FRAME * index) for index in range(60)]
    shown = np.array([parameters_of(face) for face in steadied(faces)])[20:, 0]
    truth = np.array([REST[0] + index * speed * STEPS[0] for index in range(60)])[20:]
    behind = (truth - shown) / (speed * STEPS[0])
    assert behind.mean() < (REACH + 0.05) / speed


def test_frames_farther_apart_are_approached_further():
    one, other = coded(REST, 0.0), coded(REST + 0.45 * STEPS * 2, FRAME)
    steadier = Steadier(QUANTISER)
    near = parameters_of(steadier.follow(one, other))
    far = parameters_of(steadier.follow(one, replace(other, timestamp=10 * FRAME)))
    target = parameters_of(other)
    assert np.abs(far - target).sum() < np.abs(near - target).sum()


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True)])
def test_a_face_that_comes_or_goes_is_left_as_it_is(before, after):
    one, other = coded(REST, 0.0), coded(REST + 5 * STEPS, FRAME)
    face = replace(other, present=after)
    assert Steadier(QUANTISER).follow(replace(one, present=before), face) is face
    assert Steadier(QUANTISER).follow(None, face) is face
    assert Steadier(QUANTISER).follow(other, one) is one


@given(*[st.lists(st.floats(-1, 1), min_size=6, max_size=6)] * 2, st.floats(0.001, 5.0))
def test_a_steadied_torso_stays_within_its_limits(first, second, pause):
    one, other = (
        FaceState(
            np.zeros(SIZE, np.float32),
            coded(REST, 0.0).pose,
            time,
            torso=(np.array(signs) * TORSO_LIMITS).astype(np.float32),
        )
        for signs, time in ((first, 0.0), (second, pause))
    )
    shown = Steadier(QUANTISER).follow(one, other)
    assert (np.abs(shown.torso) <= np.array(TORSO_LIMITS) + 1e-6).all()


@pytest.mark.parametrize("swap", [False, True])
def test_the_playout_buffer_shows_steadied_faces_in_the_order_of_time(swap):
    noise = np.random.default_rng(0).normal(0, 1 / 3, (200, len(STEPS)))
    border = (np.rint(REST / STEPS) + 0.5) * STEPS
    faces = [coded(border + row * STEPS, FRAME * index) for index, row in enumerate(noise)]
    order = list(range(200))
    if swap:
        for index in range(10, 200, 10):
            order[index], order[index + 1] = order[index + 1], order[index]
    jitter = []
    for steadier in (None, Steadier(QUANTISER)):
        buffer, shown = PlayoutBuffer(None, steadier), []
        for place, index in enumerate(order):
            buffer.push(faces[index], 0.01 + FRAME * place, index)
            shown += [buffer.sample(0.01 + FRAME * place + part) for part in (0.0, FRAME / 2)]
        times = [face.timestamp for face in shown]
        assert (np.diff(times) >= -1e-9).all()
        steps = np.diff([parameters_of(face) / STEPS for face in shown], axis=0)[40:]
        jitter.append(np.sqrt(np.square(steps).mean()))
    assert jitter[1] < 0.4 * jitter[0]
