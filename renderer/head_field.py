"""The head's radiance field in its canonical space (paper eq. 1): expression-blended tri-planes and a small decoder."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.plane_blending import BlendPlanes, Window, widened
from renderer.precision import dense, dense_dtype

PLANE_AXES = ((0, 1), (2, 1), (0, 2))
"""Head-space axes (column, row) of the three planes: front, side and top view."""
POSE = 6
"""Numbers of a head's pose."""
FARTHEST = 2.5
"""Standard deviations of expression and pose, from which on all of the head changes no more."""


@dataclass(frozen=True, slots=True)
class HeadFieldShape:
    """Sizes of a head field."""

    expression: int = 30
    channels: int = 16
    """Channels of the static planes."""
    resolution: int = 128
    """Texels a side of the static planes."""
    moving_channels: int = 8
    """The first channels of each plane, which the expression blends."""
    moving_resolution: int = 64
    """Texels a side of the window over the face in which the expression acts, at the static planes' texel size."""
    wide_resolution: int = 32
    """Texels a side of the planes in which expression and pose act on all of the head; 0: there are none."""
    wide_expression: int = 30
    """Numbers of the expression, its first, that act there; the pose always does."""
    width: int = 64
    """Units of a hidden layer."""
    code: int = 8
    """Size of the consistency code."""


class HeadField(nn.Module):
    """Density and colour at a point in head space, for an expression and a view direction.

    The planes of a frame are static planes plus two linear combinations, blended once: of basis planes, fine ones over
    the face, by the expression; and of wide planes, coarse ones over all of the head, by expression and pose: the scalp
    slides as brows are raised, and hair that turns sways and is lit otherwise. A point reads three planes bilinearly
    and a two-layer decoder turns what it reads into density and colour.
    """

    box_min: Tensor
    box_max: Tensor
    window: Tensor

    def __init__(self, box_min: Tensor, box_max: Tensor, window: Tensor, shape: HeadFieldShape | None = None):
        """Make a field that fills a box.

        Args:
            box_min: (3,) lower corner of the modelled space, head space, cm.
            box_max: (3,) upper corner.
            window: (3,) int, first texel along x, y, z of the window in which the expression acts.
            shape: sizes; None for the usual ones.
        """
        super().__init__()
        self.shape = shape = shape or HeadFieldShape()
        self.register_buffer("box_min", box_min.clone())
        self.register_buffer("box_max", box_max.clone())
        self.register_buffer("window", window)
        static = torch.randn(3, shape.channels, shape.resolution, shape.resolution) * 0.1
        # In the order in which they are read.
        self.static_planes = nn.Parameter(static.contiguous(memory_format=torch.channels_last))
        size = shape.moving_resolution
        self.basis_planes = nn.Parameter(torch.zeros(shape.expression, 3, shape.moving_channels, size, size))
        side = shape.wide_resolution
        self.wide_planes = nn.Parameter(torch.zeros(shape.wide_expression + POSE, 3, shape.moving_channels, side, side))
        self.density_layer = nn.Linear(3 * shape.channels, shape.width)
        self.code_layer = nn.Linear(shape.code, shape.width, bias=False)
        self.colour_layer = nn.Linear(shape.width + 3, shape.width)
        self.sigma_layer = nn.Linear(shape.width, 1)
        self.rgb_layer = nn.Linear(shape.width, 3)

    def blend(self, expressions: Tensor, poses: Tensor | None = None) -> list[Tensor]:
        """Return the planes of frames.

        Args:
            expressions: (F, E) embedded.
            poses: (F, POSE) of the head, in standard deviations from the enrolment's mean; None: the mean.

        Returns:
            F times (3, C, R, R) in channels-last memory, which bilinear reads prefer.
        """
        wide = self.wide(expressions, poses)
        given = expressions, self.static_planes, self.basis_planes, wide, self.windows()
        return [planes.permute(0, 3, 1, 2) for planes in BlendPlanes.apply(*given)]  # type: ignore[no-untyped-call]

    def wide(self, expressions: Tensor, poses: Tensor | None = None) -> Tensor | None:
        """Return what expressions and poses of ``blend`` add to the first channels, (F, 3, M, R, R); None: nothing."""
        if self.shape.wide_resolution == 0:
            return None
        poses = expressions.new_zeros(len(expressions), POSE) if poses is None else poses
        coarse = torch.tensordot(self.wide_numbers(expressions, poses), self.wide_planes, 1)
        return widened(coarse, self.shape.resolution)

    def wide_numbers(self, expressions: Tensor, poses: Tensor) -> Tensor:
        """Return how much of each wide plane there is (F, W) in frames, see ``blend``.

        No gradient leads from here to the expression: what it says is learned from the face, not from the hair. Beyond
        `FARTHEST` nothing more is done: hair would come apart where a mouth opens as it never did.
        """
        moving = torch.cat((expressions[:, : self.shape.wide_expression].detach(), poses), -1)
        return moving.clamp(-FARTHEST, FARTHEST)

    def windows(self) -> list[Window]:
        """Return each plane's index with the rows and the columns that the expression blends."""
        starts = self.window.tolist()
        size = self.shape.moving_resolution
        return [
            (plane, slice(starts[row], starts[row] + size), slice(starts[column], starts[column] + size))
            for plane, (column, row) in enumerate(PLANE_AXES)
        ]

    def features(self, planes: Tensor, points: Tensor) -> Tensor:
        """Read the three planes at points.

        Args:
            planes: (3, C, R, R) of ``blend``.
            points: (N, 3) head space, cm.

        Returns:
            (N, 3 C).
        """
        unit = (points - self.box_min) * (2.0 / (self.box_max - self.box_min)) - 1.0
        grid = torch.stack([unit[:, axes] for axes in PLANE_AXES]).unsqueeze(1)
        read = F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=True)
        return read.permute(3, 0, 1, 2).reshape(len(points), 3 * planes.shape[1])

    def decode(self, features: Tensor, directions: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Turn features into density and colour.

        Args:
            features: (N, 3 C).
            directions: (N, 3) unit view directions in head space.
            code: (code,) the consistency code shared with the torso.

        Returns:
            ``sigma`` (N,) per cm and ``rgb`` (N, 3) in [0, 1], float32.
        """
        dtype = dense_dtype(features.device.type)
        shared = self.density_layer.bias + self.code_layer(code)
        hidden = F.relu(dense(self.density_layer, features.to(dtype), shared))
        sigma = dense(self.sigma_layer, hidden, self.sigma_layer.bias).float().squeeze(-1)
        colour = torch.cat((hidden, directions.to(dtype)), -1)
        colour = F.relu(dense(self.colour_layer, colour, self.colour_layer.bias))
        rgb = dense(self.rgb_layer, colour, self.rgb_layer.bias).float()
        return F.softplus(sigma * 4.0 - 4.0), torch.sigmoid(rgb)

    def forward(self, planes: Tensor, points: Tensor, directions: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the field (paper eq. 1): ``features``, then ``decode``."""
        return self.decode(self.features(planes, points), directions, code)
