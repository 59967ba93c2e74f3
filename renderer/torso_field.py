"""The torso: a layer in the picture plane, moved by its own motion and bent by the head pose."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.precision import dense, dense_dtype
from renderer.torso_modes import KNOTS, MODES, displacements

LATTICE = 33
"""Points a side at which the warp is evaluated; between them it is interpolated, for a torso bends smoothly."""


def pose_vector(rotation: Tensor, translation: Tensor) -> Tensor:
    """Return (..., 6): the rotation's axis scaled by the sine of its angle, then the translation in cm."""
    skew = 0.5 * (rotation - rotation.transpose(-1, -2))
    axis = torch.stack((skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]), -1)
    return torch.cat((axis, translation), -1)


@dataclass(frozen=True, slots=True)
class TorsoFieldShape:
    """Sizes of a torso field."""

    channels: int = 8
    resolution: int = 256
    """Texels a side of the canonical torso plane: a collar has finer edges than a head."""
    width: int = 64
    code: int = 8
    """Size of the consistency code."""
    octaves: int = 2
    """Frequencies of the warp's positional encoding: few, for a torso bends smoothly."""
    modes: int = MODES
    """In which it deforms."""

    @property
    def conditions(self) -> int:
        """Numbers that bend the torso: the head's pose, and the torso's motion."""
        return 6 + 2 + self.modes


class TorsoField(nn.Module):
    """Colour and opacity of the torso and neck at a point of the frame, for a head pose and a motion of the torso.

    Seen from a fixed camera a torso moves little in depth, so the second field of the paper is a plane: the torso's own
    motion, which is tracked and sent, takes frame coordinates into the canonical plane; a small network bends them by
    what head and torso do together; the plane is read there, and a decoder gives colour and opacity. It continues below
    the chin, so that head and torso overlap instead of meeting at a seam.
    """

    modes: Tensor
    box_min: Tensor
    box_max: Tensor
    condition_mean: Tensor
    condition_scale: Tensor
    lattice: Tensor
    lattice_modes: Tensor

    def __init__(self, shape: TorsoFieldShape | None = None):
        super().__init__()
        self.shape = shape = shape or TorsoFieldShape()
        self.register_buffer("modes", torch.zeros(shape.modes, 2, KNOTS, KNOTS))
        """(modes, 2, KNOTS, KNOTS) of the torso's motion, see `renderer.torso_modes`."""
        self.register_buffer("box_min", torch.zeros(2))
        """(x, y) of the plane's first texel, in frame sides; what moves into the frame lies beyond it at rest."""
        self.register_buffer("box_max", torch.ones(2))
        """(x, y) of its last texel."""
        self.register_buffer("condition_mean", torch.zeros(shape.conditions))
        self.register_buffer("condition_scale", torch.ones(shape.conditions))
        self.plane = nn.Parameter(torch.randn(1, shape.channels, shape.resolution, shape.resolution) * 0.1)
        encoded = 2 + 4 * shape.octaves
        bend = nn.Linear(shape.width, 2)
        nn.init.zeros_(bend.weight)
        nn.init.zeros_(bend.bias)
        self.warp = nn.Sequential(
            nn.Linear(encoded + shape.conditions + shape.code, shape.width),
            nn.ReLU(),
            nn.Linear(shape.width, shape.width),
            nn.ReLU(),
            bend,
        )
        self.shade = nn.Linear(shape.channels, shape.width)
        self.shade_condition = nn.Linear(shape.conditions + shape.code, shape.width, bias=False)
        self.colour = nn.Linear(shape.width, 4)
        nn.init.normal_(self.shade_condition.weight, std=0.02)
        lattice = torch.linspace(-1.0, 1.0, LATTICE)
        row, column = torch.meshgrid(lattice, lattice, indexing="ij")
        points = torch.stack((column, row), -1).view(-1, 2)
        waves = [points]
        for octave in range(shape.octaves):
            waves += [torch.sin(points * (2.0**octave * torch.pi)), torch.cos(points * (2.0**octave * torch.pi))]
        self.register_buffer("lattice", torch.cat(waves, -1), persistent=False)
        self.register_buffer("lattice_modes", torch.empty(*self.modes.shape[:2], LATTICE, LATTICE), persistent=False)
        """The modes on the lattice, in half frame sides."""
        self._spread_modes()
        self.register_load_state_dict_post_hook(lambda *_: self._spread_modes())  # type: ignore[no-untyped-call]

    def condition(self, rotation: Tensor, translation: Tensor, motion: Tensor) -> Tensor:
        """Return what bends the torso, relative to the enrolment footage, in its standard deviations, bounded to ±3.

        Args:
            rotation: (..., 3, 3) head space to camera space.
            translation: (..., 3) cm.
            motion: (..., 2 + modes) of the torso, see `forward`.

        Returns:
            (..., conditions): the sine-scaled rotation axis, the translation, the motion.
        """
        values = torch.cat((pose_vector(rotation, translation), motion), -1)
        return ((values - self.condition_mean) / self.condition_scale).clamp(-3.0, 3.0)

    @torch.no_grad()
    def initialise(
        self, modes: Tensor, rotations: Tensor, translations: Tensor, motions: Tensor, box: Tensor | None = None
    ) -> None:
        """Take over how the torso deforms, how the enrolment footage spreads, and where the plane lies.

        Args:
            modes: (modes, 2, KNOTS, KNOTS) of the torso's motion.
            rotations: (N, 3, 3) head space to camera space.
            translations: (N, 3) cm.
            motions: (N, 2 + modes) of the torso.
            box: (2, 2) of ``box_min`` and ``box_max``; None: the frame.
        """
        self.modes.copy_(modes)
        if box is not None:
            self.box_min.copy_(box[0])
            self.box_max.copy_(box[1])
        self._spread_modes()
        values = torch.cat((pose_vector(rotations, translations), motions), -1)
        self.condition_mean.copy_(values.mean(0))
        self.condition_scale.copy_(values.std(0).clamp_min(1e-3))

    @torch.no_grad()
    def _spread_modes(self) -> None:
        places = torch.linspace(0.0, 1.0, LATTICE, device=self.modes.device)
        self.lattice_modes.copy_(2.0 * displacements(self.modes, places, places))

    def offsets(self, motion: Tensor, condition: Tensor) -> Tensor:
        """Return the warp (1, 2, L, L) on a lattice over the frame: (x, y) displacements in half frame sides.

        Args:
            motion: (2 + modes,) of the torso, see `forward`.
            condition: (conditions + code,) of ``condition``, and the consistency code.
        """
        bent = self.warp(torch.cat((self.lattice, condition.expand(len(self.lattice), -1)), -1)) * 0.1
        warp: Tensor = bent.T.reshape(1, 2, LATTICE, LATTICE)
        return warp - torch.einsum("m,mdrc->drc", motion[2:], self.lattice_modes)

    def canonical(self, uv: Tensor, motion: Tensor, condition: Tensor) -> Tensor:
        """Return where in the plane (N, 2) points of the frame are read: -1 to 1 from edge to edge.

        Args:
            uv: (N, 2) frame coordinates in [0, 1].
            motion: (2 + modes,) of the torso, see `forward`.
            condition: (conditions + code,) of ``condition``, and the consistency code.
        """
        centred = ((uv - motion[:2]) * 2.0 - 1.0)[None, None]
        offsets = F.grid_sample(self.offsets(motion, condition), centred, padding_mode="border", align_corners=True)
        places = 0.5 * (centred[0, 0] + offsets[0, :, 0].T) + 0.5
        return (places - self.box_min) * (2.0 / (self.box_max - self.box_min)) - 1.0

    def forward(self, uv: Tensor, motion: Tensor, condition: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the torso.

        Args:
            uv: (N, 2) frame coordinates in [0, 1].
            motion: (2 + modes,) of the torso: a displacement d in frame sides, then how much there is of each mode. A
                point u of the frame shows the point ``p - sum of motion[2 + k] * modes[k](p)`` of the frame at rest,
                a part of which, ``box_min`` to ``box_max``, is the canonical plane, where ``p = u - d``.
            condition: (conditions,) of ``condition``.
            code: (code,) the consistency code shared with the head.

        Returns:
            ``rgb`` (N, 3) in [0, 1] and ``alpha`` (N,) in [0, 1].
        """
        condition = torch.cat((condition, code))
        bent = self.canonical(uv, motion, condition)
        plane = self.plane.contiguous(memory_format=torch.channels_last)
        read = F.grid_sample(plane, bent[None, None], padding_mode="border", align_corners=True)[0, :, 0].T
        dtype = dense_dtype(uv.device.type)
        hidden = F.relu(dense(self.shade, read.to(dtype), self.shade.bias + self.shade_condition(condition)))
        out = dense(self.colour, hidden, self.colour.bias).float()
        return torch.sigmoid(out[:, :3]), torch.sigmoid(out[:, 3] * 2.0)
