"""The ways in which one person's torso deforms: smooth displacement fields over the frame.

A collar goes with the neck and a lapel with the arm, so that no affine motion brings all of a torso back to where it
was. What enrolment has seen of it is summed up in a few modes (principal components, as those of Cootes et al., "Active
appearance models", PAMI 2001); the tracker finds how much of each there is in a frame, and that is sent.

A mode is a uniform cubic B-spline surface: smooth, and exact for every affine displacement.
"""

import torch
from torch import Tensor

MODES = 8
"""Learned of each torso: twice as many tell little more, half as many leave a jacket's lapels where they were."""
MAX_MODES = 16
"""That an avatar may have."""
LINEAR = 4
"""Modes of a linear part."""
KNOTS = 10
"""Control points a side; the first and the last lie outside the frame."""
CELLS = KNOTS - 3
"""Pieces of the spline a side."""
SPREAD = 0.25
"""Root mean square, in sides of the frame, of a learned mode's displacement over the torso: about that of the elements
of a linear part."""


def spline(positions: Tensor) -> Tensor:
    """Return the weights (N, KNOTS) of a side's control points at positions (N,): 0 and 1 are the frame's edges.

    Positions beyond the edges count as on them.
    """
    place = positions.clamp(0.0, 1.0) * CELLS
    cell = place.floor().clamp(max=CELLS - 1)
    t = (place - cell)[:, None]
    s = 1.0 - t
    weights = torch.cat((s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3), 1) / 6.0
    index = cell.long()[:, None] + torch.arange(4, device=positions.device)
    return positions.new_zeros(len(positions), KNOTS).scatter(1, index, weights)


def linear_modes(centre: Tensor) -> Tensor:
    """Return the modes (4, 2, KNOTS, KNOTS) of a linear part about ``centre`` (2,): xx, xy, yx, yy of its deviation."""
    knots = (torch.arange(KNOTS) - 1.0) / CELLS
    row, column = torch.meshgrid(knots - centre[1].cpu(), knots - centre[0].cpu(), indexing="ij")
    modes = torch.zeros(LINEAR, 2, KNOTS, KNOTS)
    modes[0, 0], modes[1, 0], modes[2, 1], modes[3, 1] = column, row, column, row
    return modes.to(centre)


def displacements(modes: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return (M, 2, R, C): modes (M, 2, KNOTS, KNOTS) at the points of a grid, rows (R,) by columns (C,) in [0, 1]."""
    return torch.einsum("rj,mdjk,ck->mdrc", spline(rows), modes, spline(columns))
