"""Optimisation of one person's fields on enrolment footage."""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from renderer.avatar import Avatar
from renderer.camera import camera_directions, frame_coordinates
from renderer.head_field import HeadField, HeadFieldShape
from renderer.kernels import gpu
from renderer.torso_field import TorsoField, TorsoFieldShape
from renderer.training.dataset import (
    BACKGROUND,
    HEAD,
    Footage,
    HeadSurface,
    background_over_time,
    torso_box,
    torso_extent,
)
from renderer.training.field_training import FieldTraining
from renderer.training.head_space import expression_window, grid_around_head
from renderer.training.losses import coverage_loss, photometric_loss, roughness, structural_loss
from renderer.training.perceptual import PerceptualLoss
from renderer.training.pixel_choice import PixelChoice
from renderer.training.settling import settle_grid, settle_torso
from renderer.training.threads import FrameThreads
from renderer.view import within


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the fields are optimised."""

    frames: int = 2
    """Frames a step; the planes are blended once for each."""
    rays: int = 3072
    """Rays a frame."""
    samples: int = 8
    """Field evaluations a ray: few, so that the field learns to be well rendered with few."""
    plane_rate: float = 2e-2
    layer_rate: float = 2e-3
    correction_rate: float = 1e-3
    """Of the pose correction."""
    correction_decay: float = 3.0
    """Decoupled weight decay of the same. How far away a head is hardly shows, and planes that move can make up for it:
    without decay what is corrected by the expression grows to centimetres, and one training of four came out torn."""
    basis_decay: float = 0.02
    """Decoupled weight decay of the planes that expression and pose move: the guard against learning a minute of
    footage by heart."""
    expression_noise: float = 0.05
    """Standard deviation added to the embedded expression, whose own is about 1."""
    smoothness: float = 5e-7
    """Weight of the roughness of the expression's planes, of which a tenth is looked at in each step: without it their
    texels are white noise, which an expression that was not seen before shows as sand on the skin."""
    pose_noise: float = 0.15
    """Standard deviation added to the pose that the look of the head depends on, whose own is 1."""
    condition_noise: float = 0.15
    """Standard deviation added to what bends the torso, whose own is 1: it must not be learned by heart."""
    coverage: float = 0.01
    """Weight of the segmentation's loss against the photometric one."""
    patches_from: float = 0.4
    """Share of the training after which one frame of each step is a patch, which is also compared as people compare."""
    patch: int = 64
    """Its side, pixels."""
    perceptual: float = 0.01
    """Weight of LPIPS, of patches. Squared errors alone are least where hair and skin are smeared: what cannot be
    foretold to the pixel is then better not drawn."""
    structural: float = 0.01
    """Weight of the structural loss, of patches."""
    geometry_steps: int = 250
    """Steps during which the head model's shape still guides the density, less and less."""
    grid_interval: int = 16
    """Steps between updates of the density grid."""
    consistency_code: bool = True
    """Whether the code that head and torso share is learned; else it stays zero (paper table 3)."""
    background_knots: int = 6
    """Backgrounds over the span of the footage: what stands behind a person drifts, and so does the exposure."""


class Trainer(FieldTraining[Avatar]):
    """Trains head, torso, background and expression embedding together."""

    def __init__(
        self,
        footage: Footage,
        embedding: nn.Module,
        surface: HeadSurface,
        settings: TrainingSettings | None = None,
        shape: HeadFieldShape | None = None,
        device: torch.device | None = None,
        seed: int = 0,
        perceptual: PerceptualLoss | None = None,
    ):
        """Prepare the fields.

        Args:
            footage: training frames in the order of time.
            embedding: maps (..., 79) tracked to (..., 30) embedded expressions; trained along.
            surface: the person's head model.
            settings: how to optimise.
            shape: sizes of the head field.
            device: where to train; None for the CPU.
            seed: of all randomness.
            perceptual: LPIPS; without it, the field is trained without.
        """
        super().__init__(footage, embedding, device, seed)
        self.surface = surface.to(self.device)
        self._perceptual = perceptual.to(self.device) if perceptual is not None else None
        with self.device:
            self._prepare(self.footage, self.surface, settings or TrainingSettings(), shape)
        if self.device.type == "cuda":
            gpu.prepare(self.avatar, training=True)
            self.avatar.forget()

    def _prepare(
        self, footage: Footage, surface: HeadSurface, settings: TrainingSettings, shape: HeadFieldShape | None
    ) -> None:
        self.settings = settings
        grid, self.hull, self._distances = grid_around_head(footage, surface)
        head = HeadField(grid.box_min, grid.box_max, expression_window(grid, surface.face_centre, shape), shape)
        torso = TorsoField(TorsoFieldShape(modes=len(footage.torso_modes)))
        poses = footage.rotations, footage.translations
        torso.initialise(footage.torso_modes, *poses, footage.torso_motions, torso_box(footage))
        # Not trained: a background that learns takes up what the head's outline gets wrong, as rings around it.
        self.backgrounds = background_over_time(footage, settings.background_knots)
        self.avatar = Avatar(head, torso, grid, self.backgrounds[-1].clone(), footage.camera).to(self.device)
        self.avatar.pose_correction.initialise(footage.rotations, footage.translations)
        self.avatar.consistency_code.requires_grad_(settings.consistency_code)
        self.avatar.torso_extent.copy_(torso_extent(footage, self.avatar.torso_extent.shape[0]))
        grid.density.view(-1).copy_(torch.where(self.hull, 4.0 * torch.exp(-self._distances.clamp_min(0.0) / 0.5), 0.0))
        self._uv = frame_coordinates(self.size, self.size).reshape(-1, 2)
        self._torso_extent = within(self.avatar.torso_extent, self._uv).float()
        self._voxels = torch.nonzero(self.hull).squeeze(1)
        self._voxel_centres = grid.voxel_centres()[self._voxels]
        self._voxel_size = (grid.box_max - grid.box_min) / (grid.density.shape[0] - 1)
        self._directions = camera_directions(footage.camera, frame_coordinates(self.size, self.size).reshape(-1, 2))
        self._pixels = PixelChoice(footage, surface)
        self._patch = min(settings.patch, self.size)
        planes = [head.static_planes, torso.plane]
        moving = [head.basis_planes, head.wide_planes]
        apart = {id(parameter) for parameter in (*planes, *moving)}
        corrections = list(self.avatar.pose_correction.parameters())
        apart |= {id(parameter) for parameter in corrections}
        layers = [parameter for parameter in self.avatar.parameters() if id(parameter) not in apart]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": moving, "lr": settings.plane_rate, "weight_decay": settings.basis_decay},
                {"params": planes, "lr": settings.plane_rate},
                {"params": [*layers, *self.embedding.parameters()], "lr": settings.layer_rate},
                {
                    "params": corrections,
                    "lr": settings.correction_rate,
                    "weight_decay": settings.correction_decay,
                },
            ],
            betas=(0.9, 0.99),
            eps=1e-9,
            weight_decay=0.0,
            fused=True,
        )
        blended = {id(parameter) for parameter in (head.static_planes, *moving)}
        self._shared = [each for each in self.avatar.parameters() if each.requires_grad and id(each) not in blended]
        threads = min(torch.get_num_threads(), settings.frames) if self.device.type == "cpu" else 1
        self._threads = FrameThreads(threads) if threads > 1 else None
        self._rates = [group["lr"] for group in self._optimiser.param_groups]

    def step(self, progress: float) -> float:
        """See `FieldTraining.step`; the learning rates fall along a cosine."""
        # Where it is the CPU, which is what torch takes anyhow, saying so would take a tenth of the step.
        with self.device if self.device.type != "cpu" else nullcontext():
            return self._step(progress)

    def _step(self, progress: float) -> float:
        settings, avatar = self.settings, self.avatar
        warm = min(1.0, (self.steps + 1) / 50)
        falling = 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * warm * falling
        chosen = torch.randint(len(self.footage), (settings.frames,))
        expressions = self.footage.embedded(self.embedding, chosen)
        expressions = expressions + torch.randn_like(expressions) * settings.expression_noise
        poses = self.footage.rotations[chosen], self.footage.translations[chosen]
        blended = avatar.blend(expressions, *poses, settings.pose_noise)
        self._optimiser.zero_grad(set_to_none=True)
        patches = [progress >= settings.patches_from and index == settings.frames - 1 for index in range(len(chosen))]
        seeds = torch.randint(1 << 62, (len(chosen),)).tolist()
        given = chosen.tolist(), expressions.detach(), (planes.detach() for planes in blended), patches, seeds
        run = map if self._threads is None else self._threads.map
        photometric, slopes, others = zip(*run(self._frame_gradients, *given), strict=True)
        torch.autograd.backward(blended, slopes)
        for parameter, gradients in zip(self._shared, zip(*others, strict=True), strict=True):
            found = [gradient for gradient in gradients if gradient is not None]
            parameter.grad = sum(found[1:], found[0]) if found else None
        if self.steps < settings.geometry_steps:
            share = 1.0 - self.steps / settings.geometry_steps
            first = avatar.blend(expressions.detach()[:1], poses[0][:1], poses[1][:1])[0]
            (share * self._geometry_loss(first)).backward()  # type: ignore[no-untyped-call]
        if settings.smoothness > 0.0:
            self._smooth_basis()
        self._optimiser.step()
        if self.steps % settings.grid_interval == 0:
            self._update_grid()
        self.steps += 1
        return math.fsum(photometric)

    def _frame_gradients(
        self, frame: int, expression: Tensor, planes: Tensor, patch: bool, seed: int
    ) -> tuple[float, Tensor, tuple[Tensor | None, ...]]:
        """Return what a frame has to say; frames are asked side by side.

        Args:
            frame: of the footage.
            expression: (E,) embedded.
            planes: (3, C, R, R) blended for it.
            patch: whether to look at a square, also as people do, and not at scattered pixels.
            seed: of its random numbers.

        Returns:
            Its photometric loss, and the gradients of all its losses by planes (3, C, R, R) and by what frames share.
        """
        settings = self.settings
        random = torch.Generator(self.device).manual_seed(seed)
        planes.requires_grad_()
        if patch:
            pixels = self._pixels.patch(frame, self._patch, random)
        else:
            pixels = self._pixels.scattered(frame, settings.rays, random)
        rgb, head_opacity, opacity = self._render(expression, planes, frame, pixels, random)
        target = self.footage.images[frame].view(-1, 3)[pixels].float() / 255.0
        mask = self.footage.masks[frame].flatten()[pixels]
        photometric = photometric_loss(rgb, target) / settings.frames
        is_head, is_person = (mask == HEAD).float(), (mask != BACKGROUND).float()
        coverage = coverage_loss(head_opacity, opacity, is_head, is_person) / settings.frames
        loss = photometric + settings.coverage * coverage
        if patch:
            loss = loss + self._appearance_loss(rgb, target)
        slopes, *others = torch.autograd.grad(loss, [planes, *self._shared], allow_unused=True)
        # Where no ray meets the head, its planes have no part in the picture.
        slopes = torch.zeros_like(planes) if slopes is None else slopes
        return float(photometric.detach()), slopes, tuple(others)

    def _smooth_basis(self) -> None:
        """Add the gradient of the roughness of a tenth of the expression's planes, and of no others."""
        basis = self.avatar.head.basis_planes
        tenth = len(basis) // 10
        first = int(torch.randint(len(basis) - tenth + 1, (1,)))
        chosen = basis.detach()[first : first + tenth].requires_grad_()
        (gradient,) = torch.autograd.grad(10.0 * self.settings.smoothness * roughness(chosen), chosen)
        assert basis.grad is not None
        basis.grad[first : first + tenth] += gradient

    def _appearance_loss(self, rgb: Tensor, target: Tensor) -> Tensor:
        """Return how differently people see two square pictures of colours (N, 3), row by row."""
        pictures, wanted = (_square(colours) for colours in (rgb, target))
        loss = self.settings.structural * structural_loss(pictures, wanted)
        if self._perceptual is not None:
            loss = loss + self.settings.perceptual * self._perceptual(pictures, wanted)
        return loss

    def _picture_loss(self, picture: Tensor, real: Tensor, head: Tensor) -> Tensor:
        colours = [each.view(-1, 3).to(self.device) / 255.0 for each in (picture, real)]
        with self.device:
            return super()._picture_loss(picture, real, head) + self._appearance_loss(*colours).cpu()

    def _geometry_loss(self, planes: Tensor) -> Tensor:
        """Return how far the density is from that of the head model: the start from which the pictures go on."""
        chosen = torch.randint(len(self._voxels), (8192,))
        points = self._voxel_centres[chosen] + (torch.rand(len(chosen), 3) - 0.5) * self._voxel_size
        views = torch.tensor([0.0, 0.0, -1.0]).expand_as(points)
        sigma, _ = self.avatar.head(planes, points, views, self.avatar.consistency_code)
        target = torch.sigmoid(-(self._distances[self._voxels[chosen]] - 0.3) / 0.15)
        return ((1.0 - torch.exp(-sigma)) - target).square().mean()

    def _render(
        self, expression: Tensor, planes: Tensor, frame: int, pixels: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return colour (N, 3), head opacity (N,) and opacity (N,) of pixels of a training frame."""
        avatar, footage = self.avatar, self.footage
        rotation, translation = footage.rotations[frame], footage.translations[frame]
        directions = self._directions[pixels]
        samples = self.settings.samples
        motion = footage.torso_motions[frame]
        condition = avatar.torso.condition(rotation, translation, motion)
        # A pose can only be wrong against a shape that stands.
        if self.steps >= self.settings.geometry_steps:
            rotation, translation = avatar.pose_correction(expression, rotation, translation)
        head, passed = avatar.render_head(planes, directions, rotation, translation, samples, random)
        noise = torch.randn(condition.shape, generator=random, device=condition.device)
        condition = condition + noise * self.settings.condition_noise
        torso, alpha = avatar.torso(self._uv[pixels], motion, condition, avatar.consistency_code)
        alpha = alpha * self._torso_extent[pixels]
        behind = self._background(frame, pixels)
        rgb = head + passed[:, None] * (alpha[:, None] * torso + (1.0 - alpha[:, None]) * behind)
        return rgb, 1.0 - passed, 1.0 - passed * (1.0 - alpha)

    def _background(self, frame: int, pixels: Tensor) -> Tensor:
        knots = len(self.backgrounds)
        place = min(max((frame + 0.5) / len(self.footage) * knots - 0.5, 0.0), knots - 1.0)
        before = min(int(place), knots - 2) if knots > 1 else 0
        share = place - before
        pictures = self.backgrounds.view(knots, -1, 3)
        earlier = pictures[before, pixels]
        return earlier if share == 0.0 else earlier + share * (pictures[before + 1, pixels] - earlier)

    @torch.no_grad()
    def _update_grid(self) -> None:
        """Let the density grid follow the field: a slowly forgetting maximum over expressions."""
        grid = self.avatar.grid
        grid.density *= 0.95
        chosen = torch.randint(len(self._voxels), (min(len(self._voxels), 24576),))
        frame = torch.randint(len(self.footage), (1,))
        poses = self.footage.rotations[frame], self.footage.translations[frame]
        planes = self.avatar.blend(self.footage.embedded(self.embedding, frame), *poses)[0]
        points = self._voxel_centres[chosen] + (torch.rand(len(chosen), 3) - 0.5) * self._voxel_size
        views = torch.tensor([0.0, 0.0, -1.0]).expand_as(points)
        sigma, _ = self.avatar.head(planes, points, views, self.avatar.consistency_code)
        density = grid.density.view(-1)
        where = self._voxels[chosen]
        density[where] = torch.maximum(density[where], sigma)
        grid.forget()

    def settle(self) -> None:
        """Sharpen the density grid at the end of the training; see `renderer.training.settling`."""
        with self.device, torch.no_grad():
            expressions = self.footage.embedded(self.embedding)
            settle_grid(self.avatar, self.footage, expressions, self._voxels, self._distances)
            settle_torso(self.avatar, self.footage)


def _square(colours: Tensor) -> Tensor:
    """Return colours (N, 3), row by row, as a picture (1, 3, S, S)."""
    side = math.isqrt(len(colours))
    return colours.view(1, side, side, 3).permute(0, 3, 1, 2)
