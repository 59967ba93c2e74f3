"""The bake's rasteriser against geometry that can be worked out by hand."""

import numpy as np

from app.tracking.bake.rasteriser import project, rasterise

SIZE, FOCAL = 96, 1.5


def test_each_fragment_is_the_surface_point_that_its_pixel_looks_at() -> None:
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(-6, 6, (60, 2)), rng.uniform(-30, -14, 60)])
    triangles = rng.permutation(60).reshape(20, 3).astype(np.int32)
    triangles = np.concatenate([triangles, triangles[:, ::-1]])  # both faces, so that each is seen from one side
    seen = rasterise(points, triangles, FOCAL, SIZE)
    row, column = np.nonzero(seen.triangle >= 0)
    assert len(row) > 500
    weights = seen.barycentric[row, column].astype(float)
    surface = np.einsum("nk,nkc->nc", weights, points[triangles[seen.triangle[row, column]]])
    np.testing.assert_allclose(project(surface, FOCAL, SIZE), np.column_stack([column, row]) + 0.5, atol=1e-3)
    np.testing.assert_allclose(-surface[:, 2], seen.depth[row, column], rtol=1e-5)
    assert (weights >= -1e-6).all()


def test_the_nearest_surface_wins_against_a_ray_caster() -> None:
    rng = np.random.default_rng(4)
    points = np.column_stack([rng.uniform(-6, 6, (45, 2)), rng.uniform(-30, -14, 45)])
    triangles = rng.permutation(45).reshape(15, 3).astype(np.int32)
    triangles = np.concatenate([triangles, triangles[:, ::-1]])
    seen = rasterise(points, triangles, FOCAL, SIZE)
    for row in range(3, SIZE, 7):
        for column in range(3, SIZE, 7):
            ray = np.array([(column + 0.5 - SIZE / 2) / SIZE / FOCAL, -(row + 0.5 - SIZE / 2) / SIZE / FOCAL, -1.0])
            depths = []
            for triangle in triangles[:15]:
                a, b, c = points[triangle]
                system = np.column_stack([b - a, c - a, -ray])
                u, v, depth = np.linalg.solve(system, -a)
                if u >= 0 and v >= 0 and u + v <= 1:
                    depths.append(depth)
            np.testing.assert_allclose(seen.depth[row, column], min(depths, default=np.inf), rtol=1e-4)


def test_back_faces_and_what_lies_outside_are_not_drawn() -> None:
    square = np.array([[-1, -1, -5], [1, -1, -5], [1, 1, -5], [-1, 1, -5.0]])
    front = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    covered = (rasterise(square, front, FOCAL, SIZE).triangle >= 0).mean()
    assert abs(covered - (FOCAL * 2 / 5) ** 2) < 0.03
    assert (rasterise(square, front[:, ::-1], FOCAL, SIZE).triangle < 0).all()
    assert (rasterise(square + np.array([50, 0, 0]), front, FOCAL, SIZE).triangle < 0).all()


def test_values_are_spread_linearly_in_space_not_on_screen() -> None:
    slanted = np.array([[-3, -3, -8], [3, -3, -20], [3, 3, -20], [-3, 3, -8.0]])
    seen = rasterise(slanted, np.array([[0, 1, 2], [0, 2, 3]], np.int32), FOCAL, SIZE)
    spread = seen.interpolate(slanted, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    inside = seen.triangle >= 0
    np.testing.assert_allclose(spread[inside][:, 2], -8 - 2 * (spread[inside][:, 0] + 3), atol=1e-3)
