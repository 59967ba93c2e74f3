"""The thing that renders: head and torso fields, their shared code, background and camera of one person."""

from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor, nn

from renderer import stages
from renderer.camera import Camera
from renderer.head_field import HeadField
from renderer.kernels import cpu, cpu_picture, gpu, gpu_picture
from renderer.occupancy import DensityGrid
from renderer.outline import sample_outline
from renderer.portrait import Backend, Portrait
from renderer.pose_correction import PoseCorrection
from renderer.rays import head_space_rays
from renderer.torso_field import TorsoField

SURFACE = 0.5
"""Opacity in the density grid from which there is a head to be seen."""
SAMPLES = 6
"""Field evaluations a ray when a frame is rendered: two more gain 0.01 dB."""
SEARCH_BINS = 64
"""Lookups in the density grid a ray when a frame is rendered: a quarter fewer lose 0.08 dB, more gain nothing."""
BLOCK = 2
"""Side of a block of rays that share a search: the density grid is coarser than the pixels anyway."""
LARGEST_BLOCK = 4
"""The same for the largest pictures, in which a larger one would be seen as steps along the hair."""
BLOCKS_ACROSS = 170
"""Blocks that a picture is high, between these two sides: then a block errs as little as one of 2 pixels of 256."""


class Avatar(Portrait):
    """Radiance field of one person's head and torso before a still background."""

    KIND: ClassVar[str] = "fast field"
    PROBE_SIDE: ClassVar[int] = 64

    def __init__(self, head: HeadField, torso: TorsoField, grid: DensityGrid, background: Tensor, camera: Camera):
        """Join the parts.

        Args:
            head: the head's field.
            torso: the torso's field.
            grid: where the head is.
            background: (S, S, 3) float in [0, 1], the frame without the person.
            camera: the camera of the frame.
        """
        super().__init__(background, camera)
        self.head = head
        self.torso = torso
        self.pose_correction = PoseCorrection(head.shape.expression)
        self.grid = grid
        self.consistency_code = nn.Parameter(torch.zeros(head.shape.code))
        self.moving_planes: tuple[cpu_picture.MovingPlanes, cpu_picture.MovingPlanes | None] | None = None
        """Of face and head as `renderer.kernels.cpu_picture` reads them, kept from frame to frame."""

    @torch.no_grad()
    def render(
        self,
        expression: Tensor,
        rotation: Tensor,
        translation: Tensor,
        torso: Tensor,
        width: int,
        height: int,
        samples: int = SAMPLES,
        backend: Backend = "auto",
        smooth: bool = True,
    ) -> Tensor:
        """Render one frame; see `Portrait.render`.

        Args:
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            torso: (2 + modes,) its motion.
            width: pixels.
            height: pixels.
            samples: field evaluations a ray.
            backend: "triton" takes the stages of `renderer.kernels.gpu_picture`, "compiled" those of
                `renderer.kernels.cpu_picture`, "torch" those of `renderer.stages`; "auto" the first of them that has
                been prepared (`prepare` of `renderer.kernels.gpu` or `cpu`) and renders such an avatar.
            smooth: whether the outline of the head is sampled more finely, see `renderer.outline`.

        Raises:
            ValueError: the backend cannot be had here, or does not render such an avatar.
        """
        backend = self._chosen(backend)
        view = self.view(width, height)
        if backend == "triton":
            state = expression, rotation, translation, torso
            return gpu_picture.render(self, view, *state, samples, SEARCH_BINS, BLOCK, smooth)
        if backend == "compiled":
            planes = cpu_picture.blend(self, expression, rotation, translation)
        else:
            planes = self.blend(expression[None], rotation[None], translation[None])[0]
        condition = self.torso.condition(rotation, translation, torso)
        rotation, translation = self.pose_correction(expression, rotation, translation)
        block = min(max(BLOCK, height // BLOCKS_ACROSS), LARGEST_BLOCK)
        window = view.head_window(self.grid, self.camera, rotation, translation, block)
        run: ModuleType = cpu_picture if backend == "compiled" else stages
        if window.height and window.width:
            edges, opacity = run.search(self, view, window, rotation, translation, samples, SEARCH_BINS)
            rgb, passed = run.march(self, planes, view, window, rotation, translation, edges, opacity)
            if smooth:
                place = view, window, rotation, translation
                sample_outline(run, self, planes, *place, rgb, passed, samples, SEARCH_BINS)
        else:
            rgb, passed = planes.new_zeros(window.height, window.width, 3), planes.new_ones(window.height, window.width)
        picture: Tensor = run.finish(self, view, window, rgb, passed, torso, condition)
        return picture

    def blend(self, expressions: Tensor, rotations: Tensor, translations: Tensor, noise: float = 0.0) -> list[Tensor]:
        """Return the head's planes of frames, see `HeadField.blend`.

        Args:
            expressions: (F, E) embedded.
            rotations: (F, 3, 3) head space to camera space, as sent.
            translations: (F, 3) cm, as sent.
            noise: standard deviation of what is added to poses, in their own.
        """
        poses = self.pose_correction.standardised(rotations, translations)
        if noise > 0.0:
            poses = poses + torch.randn_like(poses) * noise
        return self.head.blend(expressions, poses)

    def head_distance(
        self,
        expression: Tensor,
        rotation: Tensor,
        translation: Tensor,
        width: int,
        height: int,
        backend: Backend = "auto",
    ) -> Tensor:
        """Return how far away the surface of the head is, as the density grid has it: to about half a centimetre.

        Args:
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            width: pixels.
            height: pixels.
            backend: as of ``render``; "triton" searches in plain torch.

        Returns:
            (height, width) cm along the line of sight, infinite where there is no head.

        Raises:
            ValueError: the backend cannot be had here, or does not render such an avatar.
        """
        backend = self._chosen(backend)
        view = self.view(width, height)
        rotation, translation = self.pose_correction(expression, rotation, translation)
        window = view.head_window(self.grid, self.camera, rotation, translation, BLOCK)
        distance = torch.full((height, width), torch.inf, device=rotation.device)
        if window.height and window.width:
            run: ModuleType = cpu_picture if backend == "compiled" else stages
            edges, opacity = run.search(self, view, window, rotation, translation, 2, SEARCH_BINS)
            found = torch.where(opacity > SURFACE, edges[:, 1], torch.inf).view(window.blocks)
            pixels = found.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            distance[window.rows, window.columns] = pixels[: window.height, : window.width]
        return distance

    def fastest(self) -> Backend:
        """Return the backend that "auto" takes: see `Portrait.fastest`."""
        if gpu.ready(self.background.device) and gpu.supports(self):
            return "triton"
        return "compiled" if cpu.ready() and cpu.supports(self) else "torch"

    def _chosen(self, backend: Backend) -> Backend:
        """Return the backend that renders; ValueError where it cannot be had."""
        if backend == "auto":
            return self.fastest()
        if backend == "triton":
            if (reason := gpu.obstacle(self.background.device)) is not None:
                raise ValueError(reason)
            if not gpu.supports(self):
                raise ValueError("the fused stages render avatars of other sizes than this one's")
        if backend == "compiled":
            if not cpu.supports(self):
                raise ValueError("the compiled stages render avatars of the usual sizes, on the CPU")
            if not cpu.ready():
                raise ValueError("the stages are not compiled, or cannot be on this machine")
        return backend

    def forget(self) -> None:
        """See `Portrait.forget`."""
        super().forget()
        self.grid.forget()
        self.moving_planes = None

    @torch.no_grad()
    def rescale_expression(self, shift: Tensor, scale: Tensor) -> None:
        """See `Portrait.rescale_expression`."""
        head = self.head
        neutral = head.blend(shift[None])[0]
        head.static_planes.copy_(neutral)
        head.basis_planes.mul_(scale.view(-1, 1, 1, 1, 1))
        moved = head.shape.wide_expression
        head.wide_planes[:moved].mul_(scale[:moved].view(-1, 1, 1, 1, 1))
        self.pose_correction.rescale_expression(shift, scale)

    def render_head(
        self,
        planes: Tensor,
        directions: Tensor,
        rotation: Tensor,
        translation: Tensor,
        samples: int,
        jitter: torch.Generator | None = None,
        backend: Backend = "auto",
    ) -> tuple[Tensor, Tensor]:
        """March camera rays through the head (paper eq. 2, 3).

        Args:
            planes: blended planes of the expression.
            directions: (N, 3) camera-space ray directions.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            samples: field evaluations a ray.
            jitter: of the random numbers by which samples are displaced, as training needs.
            backend: "triton" searches where jittered, reads the planes and composites with `renderer.kernels.gpu`,
                "compiled" searches where jittered and reads with `renderer.kernels.cpu`, "torch" does without; "auto"
                takes the first of them that has been prepared and reads such planes.

        Returns:
            ``rgb`` (N, 3), premultiplied, and ``transmittance`` (N,).

        Raises:
            ValueError: the backend cannot be had here.
        """
        if backend == "triton" and (reason := gpu.obstacle(directions.device)) is not None:
            raise ValueError(reason)
        if backend == "auto":
            fused = gpu.ready(directions.device, training=True)
            backend = "triton" if fused else "compiled" if cpu.reads(self.head) else "torch"
        rays_o, rays_d = head_space_rays(directions, rotation, translation)
        if jitter is not None and backend != "torch":
            propose = gpu.propose if backend == "triton" else cpu.propose
            edges, opacity = propose(self.grid, rays_o, rays_d, samples, jitter)
        else:
            edges, opacity = self.grid.propose(rays_o, rays_d, samples, jitter=jitter)
        hits = torch.nonzero(opacity > 1e-3).squeeze(-1)
        rgb = directions.new_zeros(len(directions), 3)
        transmittance = directions.new_ones(len(directions))
        if len(hits) == 0:
            return rgb, transmittance
        given = self, planes, rays_o, rays_d[hits], edges[hits]
        if backend == "triton":
            hit_rgb, passed = stages.march_rays(*given, gpu.read_planes, gpu.composite)
        elif backend == "compiled":
            hit_rgb, passed = stages.march_rays(*given, cpu.read_planes)
        else:
            hit_rgb, passed = stages.march_rays(*given)
        return rgb.index_copy(0, hits, hit_rgb), transmittance.index_copy(0, hits, passed)
