"""Small avatars and footage with a known truth."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from renderer.avatar import Avatar
from renderer.camera import Camera, camera_directions, frame_coordinates
from renderer.head_field import HeadField, HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.rays import head_space_rays
from renderer.torso_field import TorsoField, TorsoFieldShape
from renderer.torso_modes import MODES, linear_modes
from renderer.training.dataset import BACKGROUND, BODY, HEAD, Footage, HeadSurface

SMALL = HeadFieldShape(
    30, channels=8, resolution=32, moving_channels=4, moving_resolution=16, wide_resolution=8, width=32
)
USUAL = HeadFieldShape(resolution=32, moving_resolution=16, wide_resolution=8)
"""The usual channels and width, for which kernels are compiled, and small planes."""
CAMERA = Camera(2.0)
RADIUS = 8.0


def small_avatar(
    seed: int = 0, modes: int = MODES, wide: int = SMALL.wide_resolution, wide_expression: int = SMALL.wide_expression
) -> Avatar:
    torch.manual_seed(seed)
    low, high = torch.full((3,), -10.0), torch.full((3,), 10.0)
    shape = replace(SMALL, wide_resolution=wide, wide_expression=wide_expression if wide else 0)
    head = HeadField(low, high, torch.tensor([8, 8, 16]), shape)
    torch.nn.init.normal_(head.basis_planes, std=0.1)
    torch.nn.init.normal_(head.wide_planes, std=0.02, generator=torch.Generator().manual_seed(7))
    grid = DensityGrid(low, high, 16)
    centres = grid.voxel_centres()
    grid.density.view(-1).copy_((centres.norm(dim=-1) < RADIUS + 1.5).float() * 2.0)
    avatar = Avatar(head, TorsoField(TorsoFieldShape(resolution=64, modes=modes)), grid, torch.rand(32, 32, 3), CAMERA)
    return avatar.requires_grad_(False)


def usual_avatar(seed: int = 0) -> Avatar:
    """A blotched ball, here opaque and there a mist, before a torso."""
    torch.manual_seed(seed)
    low, high = torch.full((3,), -10.0), torch.full((3,), 10.0)
    head = HeadField(low, high, torch.tensor([8, 8, 16]), USUAL)
    torch.nn.init.normal_(head.static_planes, std=0.5)
    torch.nn.init.normal_(head.basis_planes, std=0.1)
    torch.nn.init.normal_(head.wide_planes, std=0.02, generator=torch.Generator().manual_seed(7))
    torch.nn.init.normal_(head.sigma_layer.weight, std=0.4)
    torch.nn.init.normal_(head.rgb_layer.weight, std=0.3)
    grid = DensityGrid(low, high, 24)
    centres = grid.voxel_centres()
    grid.density.view(-1).copy_((RADIUS + 1.5 - centres.norm(dim=-1)).clamp(0.0, 1.0) * 2.0)
    torso = TorsoField(TorsoFieldShape(resolution=64))
    torch.nn.init.normal_(torso.plane)
    torch.nn.init.normal_(torso.warp[4].weight, std=0.1)
    drawn = torch.Generator().manual_seed(5)
    shifts, motions = torch.randn(9, 3, generator=drawn), torch.randn(9, 2 + torso.shape.modes, generator=drawn) * 0.1
    modes = torch.randn(torso.modes.shape, generator=drawn) * 0.3
    box = torch.tensor([[-0.1, 0.2], [1.05, 1.25]])
    torso.initialise(modes, torch.eye(3).expand(9, 3, 3), shifts, motions, box)
    avatar = Avatar(head, torso, grid, torch.rand(32, 32, 3), CAMERA)
    avatar.consistency_code.data.normal_()
    avatar.torso_extent[:20] = 0.0
    return avatar.requires_grad_(False)


def turned(yaw: float, pitch: float) -> Tensor:
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    about_y = torch.tensor([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]])
    return about_y @ about_x


def ball_footage(frames: int, size: int, seed: int = 0) -> Footage:
    """A ball of radius 8 cm, striped in its own space, that turns, moves and changes its mouth with expression 0.

    Before a background that is a gradient; the lower fifth of the frame is a grey torso.
    """
    generator = torch.Generator().manual_seed(seed)
    images, masks, rotations, translations = [], [], [], []
    expressions = torch.randn(frames, 79, generator=generator) * 0.3
    directions = camera_directions(CAMERA, frame_coordinates(size, size))
    for frame in range(frames):
        yaw, pitch = (torch.rand(2, generator=generator) * 0.8 - 0.4).tolist()
        rotation = turned(yaw, pitch)
        shift = torch.randn(3, generator=generator) * torch.tensor([1.0, 0.5, 1.0])
        translation = torch.tensor([0.0, 1.0, -60.0]) + shift
        rays_o, rays_d = head_space_rays(directions.reshape(-1, 3), rotation, translation)
        a, b = rays_d.square().sum(-1), (rays_o * rays_d).sum(-1)
        discriminant = b * b - a * (rays_o.square().sum(-1) - RADIUS**2)
        hit = discriminant > 0
        points = rays_o + ((-b - discriminant.clamp_min(0).sqrt()) / a)[:, None] * rays_d
        mouth = ((points[:, 1] + 3).abs() < 1.2) & (points[:, 0].abs() < 3) & (points[:, 2] > 0)
        red = 0.6 + 0.3 * torch.sin(points[:, 0])
        colour = torch.stack((red, 0.5 + 0.05 * points[:, 1], torch.full_like(red, 0.3)), -1)
        colour[mouth] = torch.tensor([0.5 + 0.4 * math.tanh(float(expressions[frame, 0]) * 2), 0.1, 0.2])
        uv = frame_coordinates(size, size).reshape(-1, 2)
        picture = torch.stack((0.2 * uv[:, 0], 0.4 + 0.2 * uv[:, 1], torch.full((size * size,), 0.8)), -1)
        mask = torch.full((size * size,), BACKGROUND, dtype=torch.uint8)
        torso = uv[:, 1] > 0.8
        picture[torso], mask[torso] = 0.35, BODY
        picture[hit], mask[hit] = colour[hit], HEAD
        images.append((picture.clamp(0, 1) * 255).round().to(torch.uint8).view(size, size, 3))
        masks.append(mask.view(size, size))
        rotations.append(rotation)
        translations.append(translation)
    return Footage(
        torch.stack(images),
        torch.stack(masks),
        expressions,
        torch.stack(rotations),
        torch.stack(translations),
        torch.zeros(frames, 6),
        linear_modes(torch.tensor([0.5, 0.9])),
        CAMERA,
    )


def ball_surface(points: int = 1500) -> HeadSurface:
    generator = torch.Generator().manual_seed(1)
    normals = torch.nn.functional.normalize(torch.randn(points, 3, generator=generator), dim=-1)
    return HeadSurface(
        normals * RADIUS,
        normals,
        torch.full((points,), 1.0),
        torch.tensor([0.0, -1.0, 6.0]),
        torch.tensor([[0.0, -3.0, 7.4]]),
    )
