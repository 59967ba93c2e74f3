import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.entropy import TABLE_TOTAL
from codec.errors import CodecError, TablesError
from codec.face_state import FaceState
from codec.parameters import POSE_SIZE, ParameterLayout, pose_parameters, state_parameters
from codec.table_fitting import expression_steps, fit_predictor, fit_table
from codec.tables import CodecTables
from tests.codec.faces import AVATAR, MOTION_SIZE, face_states, fit_to, fitted_tables, literal_tables, pose_at


def cost(tables, states):
    """Return the mean ideal code length of each parameter, in bits."""
    bits = np.zeros(tables.layout.size)
    for state in states:
        offsets = []
        for index, symbol in enumerate(tables.quantiser.quantise(state_parameters(state, tables.layout))):
            bits[index] += tables.residuals[index].cost(int(symbol) - tables.predict(index, offsets))
            offsets.append(int(symbol) - tables.centres[index])
    return bits / len(states)


@pytest.mark.parametrize("make", [fitted_tables, literal_tables])
def test_what_is_parsed_is_what_was_written(make):
    data = bytes(make())
    parsed = CodecTables.parse(data)
    assert bytes(parsed) == data
    assert parsed.digest == make().digest
    assert parsed.weights == make().weights


def test_tables_say_how_many_numbers_a_torso_has():
    states = face_states(60, size=3, modes=8)
    tables = fit_to(states)
    data = bytes(tables)
    assert data[:8] == b"NCTB\x03\x00\x03\x0a"
    assert bytes(fit_to(face_states(60, size=3)))[:7] == b"NCTB\x02\x00\x03"
    parsed = CodecTables.parse(data)
    assert parsed.layout == ParameterLayout(10, 3)
    assert bytes(parsed) == data
    decoder = FrameDecoder(parsed, AVATAR)
    decoded = decoder.decode(bytes(FrameEncoder(tables, AVATAR).encode(states[0])), 0.0)
    np.testing.assert_allclose(decoded.torso, states[0].torso, atol=1e-3)


def test_default_steps_are_what_they_say():
    steps = fitted_tables().quantiser.steps / 2**20
    np.testing.assert_allclose(np.degrees(steps[:3]), 0.05, rtol=1e-3)
    # An eighth of a pixel at 256 x 256 with a focal length of 1.5 heights.
    np.testing.assert_allclose(steps[3:5] * 1.5 * 256, 0.125, rtol=1e-3)
    # The face's size: a point 64 pixels from the centre moves by an eighth of a pixel.
    np.testing.assert_allclose(steps[5] * 64, 0.125, rtol=1e-3)
    # The torso: a sixteenth of a pixel of its displacement, and of a point 64 pixels from its centre.
    np.testing.assert_allclose(steps[6:8] * 256, 0.0625, rtol=2e-3)
    np.testing.assert_allclose(steps[8:12] * 64, 0.0625, rtol=2e-3)
    np.testing.assert_allclose(steps[12:], 0.25, rtol=1e-5)


def test_the_rate_on_unseen_frames_comes_near_the_entropy():
    """Gaussian AR(1) faces have a known differential entropy: log2 det of the covariance, less the steps."""
    states = face_states(4000, size=12, seed=3)
    train, test = states[:3000], states[3000:]
    tables = fit_to(train)
    everything = np.stack([state_parameters(state, ParameterLayout(6, 12)) for state in states])[:, MOTION_SIZE:]
    determinant = np.linalg.slogdet(np.cov(everything.T))[1] / np.log(2)
    ideal = 0.5 * (12 * np.log2(2 * np.pi * np.e) + determinant) - 12 * np.log2(0.25)
    assert cost(tables, test)[MOTION_SIZE:].sum() < 1.03 * ideal


def test_what_parameters_say_about_each_other_is_not_sent_twice():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 4))
    redundant = np.concatenate([base, base @ rng.normal(size=(4, 4))], axis=1)
    states = [FaceState(row.astype(np.float32), pose_at(), 0.0) for row in redundant]
    tables = fit_to(states)
    bits = cost(tables, states)[tables.layout.expression]
    assert bits[:4].sum() > 4 * 4
    assert bits[4:].sum() < 0.6 * bits[:4].sum()


def test_a_torso_that_goes_with_the_head_costs_less_than_one_of_its_own():
    states = face_states(600)
    own = cost(fit_to(states), states)[POSE_SIZE:MOTION_SIZE].sum()
    poses = [pose_parameters(state.pose).astype(np.float32) for state in states]
    along = [replace(state, torso=0.1 * pose) for state, pose in zip(states, poses, strict=True)]
    assert cost(fit_to(along), along)[POSE_SIZE:MOTION_SIZE].sum() < 0.5 * own


def test_tables_code_what_was_never_seen():
    tables = CodecTables.fit(np.zeros((16, 3)), [pose_at()] * 16, np.zeros((16, 6)))
    states = face_states(20, size=3)
    assert np.isfinite(cost(tables, states)).all()


def test_constant_parameters_cost_next_to_nothing():
    states = [FaceState(np.zeros(30, np.float32), pose_at(), 0.0)] * 300
    assert cost(fit_to(states), states[:1]).sum() < 0.5


@pytest.mark.parametrize("where", [0.0, -0.013, 0.4])
def test_a_torso_that_never_moves_costs_next_to_nothing_(where):
    """Twelve seconds of an enrolment with it, other seconds of the same face after."""
    states = face_states(700)
    still = [replace(state, torso=np.full(6, where, np.float32)) for state in states]
    bits, moving = cost(fit_to(still[:300]), still[300:]), cost(fit_to(states[:300]), states[300:])
    assert bits[POSE_SIZE:MOTION_SIZE].sum() < 0.1
    assert bits.sum() < moving.sum() - 15


def test_a_torso_that_moved_in_no_training_frame_may_move_later():
    states = face_states(400)
    tables = fit_to([replace(state, torso=np.zeros(6, np.float32)) for state in states])
    assert cost(tables, states)[POSE_SIZE:MOTION_SIZE].max() < 22


def test_fitting_is_repeatable():
    states = face_states(60)
    assert fit_to(states).digest == fit_to(states).digest


def test_steps_may_differ_by_component():
    tables = fit_to(face_states(60, size=3), expression_step=np.array([0.1, 0.2, 0.4]))
    np.testing.assert_allclose(tables.quantiser.steps[MOTION_SIZE:] / 2**20, [0.1, 0.2, 0.4], rtol=1e-5)


def test_the_torsos_steps_go_with_the_picture_and_not_with_the_lens():
    states = face_states(60)
    fine, coarse = (fit_to(states, picture_step=step, focal=focal) for step, focal in [(0.5, 1.0), (2.0, 3.0)])
    torso = np.s_[POSE_SIZE:MOTION_SIZE]
    np.testing.assert_array_equal(coarse.quantiser.steps[torso], 4 * fine.quantiser.steps[torso])


def test_sensitive_components_get_fine_steps_and_all_add_the_same_error():
    sensitivity = np.array([1.0, 2.0, 4.0])
    steps = expression_steps(sensitivity, picture_error=0.1)
    errors = steps * sensitivity / np.sqrt(12)
    np.testing.assert_allclose(errors, errors[0])
    assert np.sqrt((errors**2).sum()) == pytest.approx(0.1)
    assert expression_steps(np.array([1e3, 1e-9, 0.0]), 0.1).tolist() == [0.05, 0.5, 0.5]


@pytest.mark.parametrize(
    ("expressions", "poses", "torsos", "reason"),
    [
        (np.zeros((15, 30)), 15, np.zeros((15, 6)), "16 frames"),
        (np.zeros((20, 30)), 19, np.zeros((20, 6)), "19 poses"),
        (np.zeros((20, 30)), 20, np.zeros((19, 6)), r"torsos of shape \(19, 6\) for 20 poses"),
        (np.zeros((20, 30)), 20, np.zeros((20, 1)), r"torsos of shape \(20, 1\) for 20 poses"),
        (np.full((20, 30), np.nan), 20, np.zeros((20, 6)), "not finite"),
        (np.zeros((20, 30)), 20, np.full((20, 6), np.inf), "torsos hold numbers that are not finite"),
    ],
)
def test_an_enrolment_that_cannot_be_fitted_is_refused(expressions, poses, torsos, reason):
    with pytest.raises(TablesError, match=reason):
        CodecTables.fit(expressions, [pose_at()] * poses, torsos)


def test_rest_is_the_mean_face():
    states = face_states(500)
    rest = fitted_tables().rest_state(7.0)
    assert (rest.timestamp, rest.present) == (7.0, False)
    np.testing.assert_allclose(rest.expression, np.mean([s.expression for s in states], axis=0), atol=0.13)
    mean = np.mean([pose_parameters(state.pose) for state in states], axis=0)
    np.testing.assert_allclose(pose_parameters(rest.pose), mean, atol=0.003)
    np.testing.assert_allclose(rest.torso, np.mean([state.torso for state in states], axis=0), atol=0.003)


def test_prediction_is_integer_arithmetic_with_rounding_and_bounds():
    tables = literal_tables()
    # centre 30 + (8192 * 5 + 2048 >> 12), weight 2 from symbol 1.
    assert tables.predict(3, [0, 5, 0]) == 40
    # floor((100 * -21 + 2048) / 4096) = -1: rounding is to the nearest, ties up.
    assert tables.predict(1, [-21]) == 3
    assert tables.predict(3, [0, 10**9, 0]) == tables.quantiser.highest[3]
    assert tables.predict(3, [0, -(10**9), 0]) == tables.quantiser.lowest[3]


@pytest.mark.parametrize("kind", ["normal", "laplace", "zero", "wild"])
def test_fitted_tables_are_near_the_empirical_entropy(kind):
    rng = np.random.default_rng(0)
    draws = {
        "normal": lambda: rng.normal(scale=6, size=3000),
        "laplace": lambda: rng.laplace(scale=3, size=3000),
        "zero": lambda: np.zeros(3000),
        "wild": lambda: rng.standard_cauchy(size=3000) * 4,
    }[kind]
    train, test = (np.rint(np.clip(draws(), -5000, 5000)).astype(np.int64) for _ in range(2))
    table = fit_table(train)
    assert table.frequencies.sum() == TABLE_TOTAL
    _, counts = np.unique(train, return_counts=True)
    entropy = -(counts * np.log2(counts / len(train))).sum() / len(train)
    assert np.mean([table.cost(int(value)) for value in test]) < 1.05 * entropy + 0.12


def test_the_predictor_finds_a_known_relation():
    rng = np.random.default_rng(0)
    first = np.rint(rng.normal(scale=50, size=1000))
    symbols = np.stack([first + 7, np.rint(0.5 * first) - 3], axis=1).astype(np.int64)
    centres, weights, residuals = fit_predictor(symbols)
    assert weights[1][0] == pytest.approx(0.5 * 4096, rel=0.02)
    assert np.abs(residuals[:, 1]).max() <= 2
    assert abs(centres[0] - 7) < 5


DATA = bytes(literal_tables())


@given(st.integers(0, len(DATA) - 1))
def test_cut_tables_are_refused(length):
    with pytest.raises(TablesError):
        CodecTables.parse(DATA[:length])


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data):
    for attempt in (data, b"NCTB\x02\x00" + data, b"NCTB\x03\x00" + data):
        with pytest.raises(TablesError):
            CodecTables.parse(attempt)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_changed_tables_are_refused_or_valid(position, change):
    data = bytearray(DATA)
    data[position] ^= change
    try:
        tables = CodecTables.parse(bytes(data))
    except TablesError:
        return
    assert bytes(tables) == bytes(data)
    assert tables.digest != literal_tables().digest


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA + b"\0", "1 bytes too many"),
        (b"NCTB\x01\x00" + DATA[6:], "version 1 and this program reads 3: enrol"),
        (b"NCTB\x02\x00\x00", "coefficients, not 0"),
        (b"NCTB\x03\x00\x03", "cut off"),
        (b"NCTB\x03\x00\x03\x06" + DATA[7:], "not as any program writes them"),
        (b"NCTB\x03\x00\x03\x01" + DATA[7:], "2 to 18 numbers, not 1"),
        (b"NCTB\x02\x00\xff" + bytes(5000), "coefficients, not 255"),
        (b"NCTB\x02\x00\x80" + struct.pack("<Ii", 2**20, 0) * 140, "cut off"),
        (b"NCTB\x02\x00\x01" + struct.pack("<Ii", 2**20, 99) * 13, "centres"),
        (b"NCTB\x02\x00\x01" + struct.pack("<Ii", 0, 0) * 13, "step"),
        (b"NCTB\x02\x00\x01" + struct.pack("<Ii", 2**20, 0) * 13 + bytes(156) + b"\xff\xff", "radius"),
        (b"NCTB" + bytes(2 << 20), "no coding tables"),
    ],
)
def test_hostile_tables_are_refused_without_allocating(data, reason):
    tracemalloc.start()
    try:
        with pytest.raises(TablesError, match=reason):
            CodecTables.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_error_is_of_the_codecs_family():
    assert issubclass(TablesError, CodecError)
