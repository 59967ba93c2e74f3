"""What is done to a trained field before it is shipped: its density grid is sharpened, its torso continued."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.avatar import Avatar
from renderer.camera import camera_directions, frame_coordinates
from renderer.compositing import render_weights
from renderer.rays import head_space_rays
from renderer.training.dataset import HEAD, Footage, grow_inwards
from renderer.view import within

DENSITY_FRAMES = 12
"""Whose expressions the density is the mean of."""
EVIDENCE_FRAMES = 60
EVIDENCE_SIDE = 128
"""Of the pictures marched for evidence; a voxel is larger than their pixels."""
EVIDENCE_SAMPLES = 16
EVIDENCE = 0.1
"""Weight in some ray of the footage from which on a voxel is believed."""
SKIN = 0.6
"""Centimetres about the head model's skin in which voxels are believed that no frame has shown: a turned head may."""
POINTS_AT_ONCE = 16384
TORSO_FRAMES = 200
TORSO_SHARE = 0.1
"""Of these frames in which a texel of the torso must have been seen to be believed: what a few frames show once, at the
edge of a motion that was tracked less well there, is a line of dirt in the others."""


@torch.no_grad()
def settle_grid(avatar: Avatar, footage: Footage, expressions: Tensor, voxels: Tensor, distances: Tensor) -> None:
    """Give the density grid the field's mean density, where the footage has shown something, and nothing elsewhere.

    The maximum that guides training is wide, so that nothing is missed while the field still moves. Once it stands, a
    grid as sharp as the field places the few samples of a rendered ray better; and of what lies inside the head, or
    floats where no frame looked, nothing is searched any more.

    Args:
        avatar: trained.
        footage: that it was trained on.
        expressions: (F, E) embedded, of the footage.
        voxels: (N,) indices of those that may be occupied.
        distances: (resolution³,) from the head model's skin, cm, negative inside; infinite where unknown.
    """
    grid = avatar.grid
    centres = grid.voxel_centres()[voxels]
    density = torch.zeros(len(voxels), device=centres.device)
    # The density does not depend on the view.
    view = centres.new_tensor([0.0, 0.0, -1.0])
    for frame in _evenly(footage, DENSITY_FRAMES):
        poses = footage.rotations[frame : frame + 1], footage.translations[frame : frame + 1]
        planes = avatar.blend(expressions[frame : frame + 1], *poses)[0]
        parts = [
            avatar.head(planes, points, view.expand_as(points), avatar.consistency_code)[0]
            for points in torch.split(centres, POINTS_AT_ONCE)
        ]
        density += torch.cat(parts) / DENSITY_FRAMES
    seen = F.max_pool3d(_evidence(avatar, footage, expressions)[None, None], 3, 1, 1).flatten() > EVIDENCE
    believed = seen[voxels] | (distances[voxels].abs() < SKIN)
    grid.density.zero_()
    grid.density.view(-1)[voxels] = torch.where(believed, density, 0.0)
    avatar.forget()


@torch.no_grad()
def settle_torso(avatar: Avatar, footage: Footage) -> None:
    """Continue the torso's plane to where the footage never showed it.

    There it would be what it was when training began, grey haze, which comes into sight as soon as the torso is lower
    or higher than it ever was at enrolment. The nearest texels that were seen are the better guess: above the shoulders
    there is nothing, and below the frame's edge the shirt goes on.

    Args:
        avatar: trained.
        footage: that it was trained on.
    """
    torso = avatar.torso
    side = torso.plane.shape[-1]
    # As many points as texels, so that none is missed between them.
    points = math.ceil(side / float((torso.box_max - torso.box_min).min()))
    uv = frame_coordinates(points, points, torso.plane.device).reshape(-1, 2)
    column, row = (uv * footage.masks.shape[-1]).long().unbind(-1)
    extent = within(avatar.torso_extent, uv)
    sightings = torch.zeros(side * side, device=uv.device)
    frames = _evenly(footage, min(TORSO_FRAMES, len(footage)))
    for frame in frames:
        shown = extent & (footage.masks[frame][row, column] != HEAD)
        motion = footage.torso_motions[frame]
        condition = torso.condition(footage.rotations[frame], footage.translations[frame], motion)
        places = torso.canonical(uv[shown], motion, torch.cat((condition, avatar.consistency_code)))
        inside = (places.abs() <= 1.0).all(-1)
        texels = ((places[inside] + 1.0) * 0.5 * (side - 1)).round().long()
        seen = torch.zeros_like(sightings)
        seen[texels[:, 1] * side + texels[:, 0]] = 1.0
        # A point is read from the texels around it.
        sightings += F.max_pool2d(seen.view(1, side, side), 3, 1, 1).flatten()
    known = sightings.view(side, side) >= max(2.0, TORSO_SHARE * len(frames))
    if known.any():
        torso.plane.copy_(grow_inwards(torso.plane[0].permute(1, 2, 0), known).permute(2, 0, 1)[None])


def _evidence(avatar: Avatar, footage: Footage, expressions: Tensor) -> Tensor:
    """Return the largest weight that each voxel has in the footage's rays, in the shape of the grid."""
    grid = avatar.grid
    size = grid.density.shape[0]
    evidence = torch.zeros(size**3, device=grid.density.device)
    uv = frame_coordinates(EVIDENCE_SIDE, EVIDENCE_SIDE, evidence.device)
    directions = camera_directions(footage.camera, uv).view(-1, 3)
    for frame in _evenly(footage, EVIDENCE_FRAMES):
        expression, rotation, translation = expressions[frame], footage.rotations[frame], footage.translations[frame]
        planes = avatar.blend(expression[None], rotation[None], translation[None])[0]
        pose = avatar.pose_correction(expression, rotation, translation)
        rays_o, rays_d = head_space_rays(directions, *pose)
        edges, opacity = grid.propose(rays_o, rays_d, EVIDENCE_SAMPLES)
        hits = torch.nonzero(opacity > 1e-3).squeeze(-1)
        edges, rays_d = edges[hits], rays_d[hits]
        lengths = rays_d.norm(dim=-1, keepdim=True)
        middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
        points = rays_o + middles.unsqueeze(-1) * rays_d.unsqueeze(-2)
        views = (rays_d / lengths).unsqueeze(-2).expand_as(points)
        sigma, _ = avatar.head(planes, points.view(-1, 3), views.reshape(-1, 3), avatar.consistency_code)
        weights, _ = render_weights(sigma.view_as(middles), (edges[:, 1:] - edges[:, :-1]) * lengths)
        place = (points - grid.box_min) / (grid.box_max - grid.box_min) * (size - 1)
        x, y, z = place.round().long().clamp(0, size - 1).unbind(-1)
        evidence.scatter_reduce_(0, ((z * size + y) * size + x).flatten(), weights.flatten(), "amax")
    return evidence.view(size, size, size)


def _evenly(footage: Footage, count: int) -> list[int]:
    """Return ``count`` frames of the footage, evenly."""
    frames: list[int] = torch.linspace(0, len(footage) - 1, count).long().tolist()
    return frames
