"""Where in head space there may be a head: boxes and grids about it."""

import torch
from torch import Tensor

from renderer.camera import project
from renderer.head_field import HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.training.dataset import HEAD, Footage, HeadSurface, dilate

INSIDE_DEPTH = 4.0
"""Centimetres below the skin model at which nothing is ever seen."""
LEAST_SEEN = 0.1
"""Share of the views in which a point must be in the picture."""


def carve_hull(footage: Footage, points: Tensor, views: int = 60, tolerance: float = 0.04) -> Tensor:
    """Return which points of head space lie inside the head's silhouette in nearly every view.

    Args:
        footage: frames with masks and poses.
        points: (N, 3) head space, cm.
        views: how many frames to look at.
        tolerance: share of the views of a point in which it may fall outside; a few masks and poses are always wrong.

    Returns:
        (N,) bool. A view in which a point leaves the picture says nothing of it, and one that hardly any view says
        anything of counts as outside: the hair of a head that fills the frame leaves it now and then.
    """
    chosen = torch.linspace(0, len(footage) - 1, min(views, len(footage))).long()
    size = footage.images.shape[1]
    heads = dilate(footage.masks[chosen] == HEAD, max(2, size // 64))
    seen, outside = torch.zeros(len(points)), torch.zeros(len(points))
    camera = footage.camera
    for frame, head in zip(chosen.tolist(), heads, strict=True):
        uv = project(camera, points @ footage.rotations[frame].T + footage.translations[frame])
        column, row = (uv * size).long().unbind(-1)
        visible = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        inside = head[row.clamp(0, size - 1), column.clamp(0, size - 1)]
        seen += visible.float()
        outside += (visible & ~inside).float()
    return (outside <= tolerance * seen) & (seen >= LEAST_SEEN * len(chosen))


def head_box(footage: Footage, surface: HeadSurface) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper corner (3,), head space, cm, of a box that fits the head tightly."""
    points = surface.points
    axes = [
        torch.linspace(float(low) - 5.0, float(high) + 5.0, 32)
        for low, high in zip(points.amin(0), points.amax(0), strict=True)
    ]
    centres = torch.cartesian_prod(*axes)
    centres = centres[carve_hull(footage, centres)]
    distance, reach = surface.distances(centres)
    inside = centres[distance < reach]
    return inside.amin(0) - 1.0, inside.amax(0) + 1.0


def grid_around_head(footage: Footage, surface: HeadSurface) -> tuple[DensityGrid, Tensor, Tensor]:
    """Return a density grid that fits the head tightly.

    Returns:
        The grid; which (resolution³,) of its voxels may be occupied; and the signed distance (resolution³,) of those
        inside all silhouettes from the head model, infinite elsewhere.
    """
    grid = DensityGrid(*head_box(footage, surface))
    centres = grid.voxel_centres()
    hull = carve_hull(footage, centres)
    distances = torch.full((len(centres),), torch.inf)
    distance, reach = surface.distances(centres[hull])
    distances[hull] = distance
    hull[hull.clone()] = (distance < reach) & (distance > -INSIDE_DEPTH)
    return grid, hull, distances


def expression_window(grid: DensityGrid, face_centre: Tensor, shape: HeadFieldShape | None) -> Tensor:
    """Return the first texel (3,) along x, y, z of the window in which the expression acts.

    Args:
        grid: whose box the planes fill.
        face_centre: (3,) head space, cm; the window is about it.
        shape: sizes of the head's field; None for the usual ones.
    """
    shape = shape or HeadFieldShape()
    texel = (face_centre - grid.box_min) / (grid.box_max - grid.box_min) * (shape.resolution - 1)
    start = texel.round().long() - shape.moving_resolution // 2
    return start.clamp(0, shape.resolution - shape.moving_resolution)
