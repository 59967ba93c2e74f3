"""Surface points and slide are found again from sightings whose truth is known."""

import numpy as np
import pytest

from app.tracking.bake.correspondence import SIZE, Sighting, correspond, load_sightings, rotation_of, save_sightings
from app.tracking.bake.rasteriser import project
from app.tracking.bake.render import Look, Paint, shade
from app.tracking.bake.slide import fit_slide, pose_angles, pose_terms
from app.tracking.bake.source import HeadSource
from app.tracking.bake.symmetry import mirror_pairs, mirrored, vertex_twins
from app.tracking.morphable_model import MorphableModel


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.load()


@pytest.fixture(scope="module")
def source(model: MorphableModel) -> HeadSource:
    none = np.zeros((0, len(model.vertices_mean), 3))
    regions = {name: model.region(name) for name in model.region_names}
    mean = model.vertices_mean.astype(np.float64)
    return HeadSource(mean, model.triangles, none, [], none, [], none[:, None], regions)


def sight(
    model: MorphableModel, slide: np.ndarray, count: int, seed: int, scatter: float = 0.03, outliers: float = 0.05
) -> list[Sighting]:
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(count):
        rotation = rotation_of(rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4), rng.normal(0, 0.1))
        focal, translation = 1.8, np.array([rng.normal(), rng.normal(), -60.0])
        vertices = model.vertices(rng.normal(0, 0.7, 40), None).astype(np.float64)
        camera = model.at_landmarks(vertices).astype(np.float64) @ rotation.T + translation
        yaw, pitch, roll = pose_angles(rotation)
        c, s = np.cos(roll), np.sin(roll)
        shift = slide @ pose_terms(np.array([yaw]), np.array([pitch]))[0] @ np.array([[c, s], [-s, c]])
        shift = shift + rng.normal(0, scatter, shift.shape)
        lost = rng.uniform(size=len(shift)) < outliers
        shift[lost] += rng.normal(0, 2, (int(lost.sum()), 2))
        camera[:, :2] += shift
        seen.append(Sighting(vertices, rotation, translation, focal, project(camera, focal, SIZE)))
    return seen


def test_surface_points_are_found_again(model: MorphableModel, source: HeadSource) -> None:
    seen = sight(model, np.zeros((478, 2, 5)), 24, seed=1)
    triangles, weights, errors = correspond(seen, source, source.vertices, np.ones(len(source.vertices)))
    found = np.einsum("nkc,nk->nc", source.vertices[source.triangles[triangles]], weights)
    off = np.linalg.norm(found - model.landmarks(), axis=1)
    assert np.median(off) < 0.05
    assert np.percentile(off, 95) < 0.2
    assert np.median(errors) < 0.1


def test_the_slide_is_found_again_despite_outliers(model: MorphableModel) -> None:
    truth = model.landmark_slide.astype(np.float64)
    found = fit_slide(
        sight(model, truth, 150, seed=2), model.triangles, model.landmark_triangles,
        model.landmark_barycentrics.astype(np.float64),
    )  # fmt: skip
    terms = pose_terms(np.array([0.5, -0.4, 0.2]), np.array([0.2, -0.3, 0.3]))
    off = np.linalg.norm((found.coefficients - truth) @ terms.T, axis=1)
    assert np.median(off) < 0.02
    assert off.max() < 0.1
    assert np.median(found.scatter) == pytest.approx(0.03, rel=0.25)


def test_mirror_pairs_pair_the_sides(model: MorphableModel) -> None:
    pairs = mirror_pairs(model.landmarks().astype(np.float64))
    assert (pairs[pairs] == np.arange(478)).all()
    for left, right in ((263, 33), (291, 61), (386, 159), (454, 234), (473, 468)):
        assert pairs[left] == right
    for middle in (1, 10, 13, 14, 152):
        assert pairs[middle] == middle


def test_a_mirrored_sighting_sees_the_mirrored_head(model: MorphableModel) -> None:
    mean = model.vertices_mean.astype(np.float64)
    twins, pairs = vertex_twins(mean), mirror_pairs(model.landmarks().astype(np.float64))
    seen = sight(model, np.zeros((478, 2, 5)), 1, seed=6, scatter=0, outliers=0)[0]
    flipped = mirrored(seen, twins, pairs)
    assert np.linalg.det(flipped.rotation) == pytest.approx(1)
    corners = flipped.camera[model.triangles[model.landmark_triangles]]
    points = np.einsum("nkc,nk->nc", corners, model.landmark_barycentrics)
    off = np.linalg.norm(project(points, flipped.focal, SIZE) - flipped.landmarks, axis=1) / flipped.pixels_per_cm
    assert np.median(off) < 0.12  # as far as the model's own surface points mirror each other
    again = mirrored(flipped, twins, pairs)
    np.testing.assert_allclose(again.landmarks, seen.landmarks, atol=1e-9)
    np.testing.assert_allclose(again.camera, seen.camera, atol=0.03)


def test_poses_come_back_as_yaw_pitch_and_roll() -> None:
    for yaw, pitch, roll in ((0.5, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.2)):
        found = pose_angles(rotation_of(yaw, pitch, roll))
        np.testing.assert_allclose(found, (yaw, -pitch, roll), atol=1e-9)  # rotation_of's pitch is up, the slide's down


def test_sightings_survive_their_file(model: MorphableModel, tmp_path) -> None:
    seen = sight(model, np.zeros((478, 2, 5)), 3, seed=5)
    save_sightings(tmp_path / "s.npz", seen)
    for a, b in zip(seen, load_sightings(tmp_path / "s.npz"), strict=True):
        np.testing.assert_allclose(a.landmarks, b.landmarks)
        np.testing.assert_allclose(a.camera, b.camera, atol=1e-4)


def test_a_picture_shows_skin_irises_and_backdrop(source: HeadSource) -> None:
    paint = Paint.of(source, source.vertices)
    assert np.median(paint.openness[source.regions["cavity"]]) < 0.1
    look = Look.random(np.random.default_rng(0))
    camera = source.vertices + np.array([0, 0, -60.0])
    picture, fragments = shade(source, paint, look, camera, 1.8, 256)
    assert picture.shape == (256, 256, 3)
    for eye in ("eye_left", "eye_right"):
        ball = camera[source.regions[eye]]
        centre = (ball.min(0) + ball.max(0)) / 2
        pupil = centre + np.array([0, 0, np.linalg.norm(ball - centre, axis=1).mean()])
        column, row = project(pupil[None], 1.8, 256)[0].astype(int)
        assert fragments.triangle[row, column] >= 0
        assert picture[row, column].max() < 90, "the pupil is dark"
    assert (fragments.triangle < 0).any()
    assert picture[5, 5].tolist() == picture[5, 250].tolist()
