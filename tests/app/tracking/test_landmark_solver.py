"""Ground truth: landmarks of known parameters, with noise, give the parameters back."""

from dataclasses import replace

import numpy as np
import pytest

from app.tracking.calibration import CalibrationFit, spread_frames
from app.tracking.calibration_record import Calibration
from app.tracking.person import PersonModel
from app.tracking.solver import LandmarkSolver
from codec.rotation import matrix_to_rotation_vector
from tests.app.tracking.tracking_synthetic import IDENTITY_SIZE, NAMED, make_parameters, make_person, make_tables

NOISE_CM = 0.03
"""A landmark's scatter on real footage: a third of a percent of the eye-corner distance."""


@pytest.fixture(scope="module")
def tables():
    return make_tables()


@pytest.fixture(scope="module")
def person(tables):
    return make_person(tables)


def pictured(person, parameters, rng, noise=NOISE_CM):
    return person.project(parameters) + rng.normal(0.0, noise, (478, 2)) * person.face_scale(parameters)


def degrees_between(first, second):
    return np.rad2deg(np.linalg.norm(matrix_to_rotation_vector(first.rotation @ second.rotation.T)))


def test_a_cold_start_recovers_pose_and_expression(person):
    rng = np.random.default_rng(0)
    solver = LandmarkSolver(person)
    turns, moves, depths, expressions = [], [], [], []
    for _ in range(20):
        truth = make_parameters(rng, degrees=25.0)
        found = solver.start(pictured(person, truth, rng))
        turns.append(degrees_between(found, truth))
        moves.append(np.abs(found.centre[:2] - truth.centre[:2]).max())
        depths.append(abs(found.centre[2] - truth.centre[2]))
        expressions.append(np.sqrt(np.mean((found.expression - truth.expression) ** 2)))
    assert max(turns) < 1.0
    assert np.median(turns) < 0.4
    assert max(moves) < 0.06
    assert max(depths) < 0.3
    assert np.median(expressions) < 0.08


def test_one_warm_step_follows_a_moving_face(person):
    rng = np.random.default_rng(1)
    truth = make_parameters(rng)
    solver = LandmarkSolver(person)
    found = solver.start(pictured(person, truth, rng))
    for _ in range(25):
        change = rng.normal(0.0, 0.03, 85) * np.append([0.5] * 3 + [5.0] * 3, [0.0] * 79)
        truth = truth.stepped(change)
        seen = pictured(person, truth, rng)
        found = solver.follow(found, seen)
        assert degrees_between(found, truth) < 1.0
        assert np.median(solver.errors(found, seen)) < 0.006


def test_the_temporal_prior_calms_the_coefficients_and_keeps_a_sudden_move(person):
    rng = np.random.default_rng(11)
    solver = LandmarkSolver(person)
    truth = make_parameters(rng)
    opened = replace(truth, expression=np.where(np.arange(79) == 5, 1.0, truth.expression))
    found = free = solver.start(pictured(person, truth, rng))
    following, freely = [], []
    for frame in range(60):
        seen = pictured(person, opened if frame >= 40 else truth, rng)
        found, free = solver.follow(found, seen), solver.step(free, seen)
        following.append(found.expression)
        freely.append(free.expression)
    still = slice(0, 40)
    assert np.std(following[still], axis=0).mean() < 0.8 * np.std(freely[still], axis=0).mean()
    # In the frame of the move at least three quarters of it have arrived at the landmarks, pose and all.
    before, at, after = (
        person.head_points(np.mean(following[frames], axis=0))
        for frames in (slice(30, 40), slice(40, 41), slice(50, 60))
    )
    move = after - before
    assert ((at - before) * move).sum() > 0.75 * (move * move).sum()


def test_one_step_is_all_but_converged(person):
    rng = np.random.default_rng(2)
    truth = make_parameters(rng)
    solver = LandmarkSolver(person)
    found = solver.start(person.project(truth))
    moved = truth.stepped(np.append(np.deg2rad([0.5, -0.7, 0.3]), np.append([0.3, 0.2, 0.5], rng.normal(0, 0.02, 79))))
    seen = person.project(moved)
    once = solver.step(found, seen)
    converged = solver.step(solver.step(once, seen), seen)
    assert degrees_between(once, converged) < 0.03
    assert np.abs(once.expression - converged.expression).max() < 0.02


def test_named_units_stay_within_their_bounds(person):
    rng = np.random.default_rng(3)
    solver = LandmarkSolver(person)
    # Expressions that no face can make: the named units below rest.
    truth = make_parameters(rng)
    truth = replace(truth, expression=-np.abs(truth.expression))
    found = solver.start(pictured(person, truth, rng))
    assert found.expression[:NAMED].min() > -0.08
    assert found.expression[:NAMED].max() < 1.08


def test_the_same_face_gives_the_same_coefficients_whatever_came_before(person):
    rng = np.random.default_rng(4)
    solver = LandmarkSolver(person)
    seen = pictured(person, make_parameters(rng), rng)
    first = solver.start(seen, iterations=12)
    other = solver.start(pictured(person, make_parameters(rng), rng))
    for _ in range(12):
        other = solver.step(other, seen)
    np.testing.assert_allclose(other.expression, first.expression, atol=1e-4)


@pytest.mark.parametrize("focal", [1.1, 2.4])
def test_calibration_recovers_the_person_and_the_lens(tables, focal):
    rng = np.random.default_rng(6)
    person = make_person(tables, focal=focal)
    frames = [pictured(person, make_parameters(rng, degrees=22.0, distance=37.0 * focal), rng) for _ in range(24)]
    calibration = CalibrationFit(tables, frames).run()
    assert calibration.focal == pytest.approx(focal, rel=0.12)
    fitted, stranger = (
        PersonModel(tables, known) for known in (calibration, Calibration.mean_face(IDENTITY_SIZE, tables.digest))
    )
    truth, rng = make_parameters(rng, distance=37.0 * focal), np.random.default_rng(7)
    seen = pictured(person, truth, rng)
    known, unknown = LandmarkSolver(fitted).start(seen), LandmarkSolver(stranger).start(seen)
    assert np.median(LandmarkSolver(fitted).errors(known, seen)) < 0.006
    assert np.median(LandmarkSolver(stranger).errors(unknown, seen)) > 1.3 * np.median(
        LandmarkSolver(fitted).errors(known, seen)
    )
    assert degrees_between(known, truth) < 2.5
    shape_error = np.sqrt(np.mean((fitted.neutral - person.neutral) ** 2))
    assert shape_error < 0.5 * np.sqrt(np.mean((stranger.neutral - person.neutral) ** 2))


def test_spread_frames_cover_a_rare_pose(person):
    rng = np.random.default_rng(8)
    frontal = make_parameters(rng, degrees=1.0, active=3)
    turned = make_parameters(np.random.default_rng(9), degrees=1.0).stepped(np.append([0, 0.5, 0], np.zeros(82)))
    points = np.stack([pictured(person, frontal, rng) for _ in range(300)] + [pictured(person, turned, rng)] * 4)
    chosen = spread_frames(points, 10)
    assert len(chosen) == len(set(chosen)) <= 10
    assert any(index >= 300 for index in chosen)
    assert chosen == spread_frames(points, 10)
