"""Enrolment footage as tensors."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.camera import Camera

BACKGROUND, BODY, HEAD = 0, 1, 2
"""Values of the segmentation: what is behind the person, torso with neck and clothes, head with hair."""
BODY_PIXELS = 50
"""From which on a frame shows a body."""
BODY_MARGIN = 0.04
"""Frame sides about where the body is seen: the torso also bends."""


@dataclass(frozen=True, slots=True)
class Footage:
    """Frames of one person with what was tracked in them."""

    images: Tensor
    """(F, S, S, 3) uint8 RGB."""
    masks: Tensor
    """(F, S, S) uint8: BACKGROUND, BODY or HEAD."""
    expressions: Tensor
    """(F, 79) float32 as tracked."""
    rotations: Tensor
    """(F, 3, 3) float32, head space to camera space."""
    translations: Tensor
    """(F, 3) float32, cm."""
    torso_motions: Tensor
    """(F, 6) float32, see `renderer.torso_field.TorsoField.forward`."""
    torso_modes: Tensor
    """(M, 2, KNOTS, KNOTS) float32 of the torso's motion, see `renderer.torso_modes`."""
    camera: Camera
    refinements: Tensor | None = None
    """(F, E) what comparing the pictures with renderings has added to their embedded expressions, if anything."""

    def __len__(self) -> int:
        return len(self.images)

    def select(self, index: Tensor | slice) -> "Footage":
        """Return the footage of some frames."""
        return Footage(
            self.images[index],
            self.masks[index],
            self.expressions[index],
            self.rotations[index],
            self.translations[index],
            self.torso_motions[index],
            self.torso_modes,
            self.camera,
            None if self.refinements is None else self.refinements[index],
        )

    def to(self, device: torch.device) -> "Footage":
        """Return the footage on a device."""
        return Footage(
            self.images.to(device),
            self.masks.to(device),
            self.expressions.to(device),
            self.rotations.to(device),
            self.translations.to(device),
            self.torso_motions.to(device),
            self.torso_modes.to(device),
            self.camera,
            None if self.refinements is None else self.refinements.to(device),
        )

    def embedded(self, embedding: nn.Module, index: Tensor | slice = slice(None)) -> Tensor:
        """Return the embedded expressions (N, E) of some frames, refined; gradients reach the embedding."""
        embedded: Tensor = embedding(self.expressions[index])
        return embedded if self.refinements is None else embedded + self.refinements[index]


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """Return a (F, S, S) bool mask grown by a square of ``pixels`` on every side."""
    grown = F.max_pool2d(mask[:, None].float(), 2 * pixels + 1, stride=1, padding=pixels)
    return grown[:, 0] > 0.5


def background_over_time(footage: Footage, knots: int, frames: int = 16) -> Tensor:
    """Return the (knots, S, S, 3) float32 picture behind the person at evenly spaced times of the footage.

    Each is the median over the frames around its time that show a pixel. Pixels which none of them shows are taken
    from the nearest knot that knows them, and else grown inwards from their neighbourhood.
    """
    span = len(footage) / knots
    pictures, known = [], []
    for knot in range(knots):
        around = torch.linspace(knot * span, (knot + 1) * span - 1, min(frames, int(span))).long()
        hidden = dilate(footage.masks[around] != BACKGROUND, max(2, footage.images.shape[1] // 64))
        images = footage.images[around].float() / 255.0
        seen = torch.where(hidden[..., None], torch.full_like(images, torch.nan), images)
        median = torch.nanmedian(seen, 0).values
        known.append(~median.isnan().any(-1))
        pictures.append(median.nan_to_num(0.0))
    filled = []
    for knot in range(knots):
        picture, covered = pictures[knot].clone(), known[knot].clone()
        for other in sorted(range(knots), key=lambda index: abs(index - knot)):
            fresh = known[other] & ~covered
            picture[fresh] = pictures[other][fresh]
            covered |= fresh
        filled.append(grow_inwards(picture, covered))
    return torch.stack(filled)


def grow_inwards(picture: Tensor, known: Tensor) -> Tensor:
    """Return a picture (S, S, C) whose pixels that are not ``known`` (S, S) have the mean of their known neighbours.

    Ring after ring; where nothing is known, one half.
    """
    channels = picture.permute(2, 0, 1)
    if not known.any():
        return torch.full_like(picture, 0.5)
    while not known.all():
        support = F.avg_pool2d(known.float()[None], 5, 1, 2, divisor_override=1)[0]
        total = F.avg_pool2d(channels * known, 5, 1, 2, divisor_override=1)
        fresh = ~known & (support > 0)
        channels = torch.where(fresh, total / support.clamp_min(1.0), channels)
        known = known | fresh
    return channels.permute(1, 2, 0).contiguous()


def torso_extent(footage: Footage, side: int, frames: int = 100) -> Tensor:
    """Return where in the frame the body is seen, with a margin: (side, side) float, 0 or 1."""
    masks = footage.masks[:: max(1, len(footage) // frames)]
    bodies = dilate(masks == BODY, max(2, footage.images.shape[1] // 32)).any(0)
    return F.adaptive_max_pool2d(bodies.float()[None], side)[0]


def torso_box(footage: Footage, frames: int = 200) -> Tensor:
    """Return where the body is at rest, corners (2, 2) in frame sides: the frame, and what came into it by moving.

    Rarely seen edges are left out, as what is seen once is not learned. A plane of the body alone would have more
    texels for it; but with three to a pixel a shirt is learned by heart, and its held-out frames have 0.5 dB less.

    Args:
        footage: to be trained on.
        frames: that are looked at, evenly.
    """
    corners = []
    for frame in torch.linspace(0, len(footage) - 1, min(frames, len(footage))).long().tolist():
        rows, columns = torch.nonzero(footage.masks[frame] == BODY, as_tuple=True)
        if len(rows) < BODY_PIXELS:
            continue
        places = (torch.stack((columns, rows), -1) + 0.5) / footage.masks.shape[-1] - footage.torso_motions[frame, :2]
        corners.append(torch.stack((places.quantile(0.005, 0), places.quantile(0.995, 0))))
    if not corners:
        return torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    found = torch.stack(corners)
    low, high = found[:, 0].quantile(0.02, 0) - BODY_MARGIN, found[:, 1].quantile(0.98, 0) + BODY_MARGIN
    return torch.stack((low.clamp_max(0.0), high.clamp_min(1.0)))


@dataclass(frozen=True, slots=True)
class HeadSurface:
    """Points on the head model of a person: a first guess at where the head is."""

    points: Tensor
    """(M, 3) head space, cm."""
    normals: Tensor
    """(M, 3) unit, outwards."""
    reach: Tensor
    """(M,) how far the person may stand out from the model, cm: hair from the scalp, hardly anything from the face."""
    face_centre: Tensor
    """(3,) the middle of the moving face, head space, cm."""
    features: Tensor
    """(L, 3) points of eyes and mouth at rest, head space, cm."""

    def to(self, device: torch.device) -> "HeadSurface":
        """Return the surface on a device."""
        return HeadSurface(
            self.points.to(device),
            self.normals.to(device),
            self.reach.to(device),
            self.face_centre.to(device),
            self.features.to(device),
        )

    def distances(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signed distance (N,) of points (N, 3) to the surface, cm, and the reach (N,) at their foot."""
        nearest = torch.cat([torch.cdist(chunk, self.points).argmin(1) for chunk in torch.split(points, 8192)])
        arm = points - self.points[nearest]
        along = (arm * self.normals[nearest]).sum(-1)
        return torch.where(along < 0, -arm.norm(dim=-1), arm.norm(dim=-1)), self.reach[nearest]
