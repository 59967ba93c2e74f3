"""Whether kernels run on a GPU here; and those of training, `renderer.kernels.gpu_picture` has the others.

Triton compiles them when they are first started, which takes seconds and is kept on disk; a picture never waits for it:
until `prepare` has ended, `ready` says no and torch renders. Without a GPU Triton's interpreter runs them, far too
slowly to look at but right: the variable TRITON_INTERPRET must be 1 when this process first imports them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.head_field import HeadField
    from renderer.occupancy import DensityGrid

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_prepared: dict[tuple[torch.device, bool], bool] = {}
"""Whether the kernels run on a device, those of training (True) or of rendering, once that was tried."""

NARROWEST, WIDEST = 16, 128
"""Units of a hidden layer, powers of two: what the matrix instructions take, what fits into the registers."""
RAYS = 16
"""Searched by a program: with 64 lookups each, eight numbers a thread."""
MOST_CHANNELS, MOST_EXPRESSIONS = 64, 256
"""Of a plane, or of the consistency code; numbers of an expression."""


def obstacle(device: torch.device) -> str | None:
    """Return why the kernels cannot run on a device, or None where they can."""
    try:
        import triton
    except ImportError as error:
        return f"triton cannot be imported ({error})"
    if device.type == "cuda" or triton.knobs.runtime.interpret:
        return None
    return f"the fused stages need a CUDA GPU, and this avatar is on the {device.type.upper()}"


def prepare(avatar: Avatar, training: bool = False) -> bool:
    """Compile the kernels for an avatar's device, or load what an earlier process compiled, unless that was tried.

    Args:
        avatar: that is to be rendered.
        training: whether it is to be trained as well.

    Returns:
        Whether they can be used; where they cannot, the reason is logged once.
    """
    device = avatar.background.device
    with _lock:
        for wanted in (False, True)[: 1 + training]:
            if (device, wanted) not in _prepared and (wanted or supports(avatar)):
                try:
                    if (reason := obstacle(device)) is not None:
                        raise RuntimeError(reason)
                    _try_training(avatar) if wanted else _try_rendering(avatar)
                except Exception as error:  # Whatever compiler and driver complain of: there is another way.
                    _log.warning("%s is not fused here, and slower: %s", "training" if wanted else "rendering", error)
                    _prepared[device, wanted] = False
                else:
                    _prepared[device, wanted] = True
    return ready(device, training)


def ready(device: torch.device, training: bool = False) -> bool:
    """Return whether ``prepare`` has ended for a device, and succeeded."""
    return _prepared.get((device, training), False)


def _try_rendering(avatar: Avatar) -> None:
    """Render a small picture of a head in its middle."""
    device = avatar.background.device
    pose = torch.eye(3, device=device), torch.tensor([0.0, 0.0, -60.0], device=device)
    expression = torch.zeros(avatar.head.shape.expression, device=device)
    torso = torch.zeros(2 + avatar.torso.shape.modes, device=device)
    avatar.render(expression, *pose, torso, 8, 8, backend="triton").cpu()


@torch.enable_grad()
def _try_training(avatar: Avatar) -> None:
    """Search a ray, march it and go back."""
    shape, device = avatar.head.shape, avatar.background.device
    propose(avatar.grid, torch.zeros(1, 3, device=device), torch.ones(1, 3, device=device), 4, torch.Generator(device))
    planes = torch.zeros(3, shape.resolution, shape.resolution, shape.channels, device=device, requires_grad=True)
    points = torch.zeros(2, 3, device=device, requires_grad=True)
    features = read_planes(avatar.head, planes.permute(0, 3, 1, 2), points)
    rgb, _ = composite(features[None, :, 0], features[None, :, 1], features[None, :, :3])
    rgb.sum().backward()  # type: ignore[no-untyped-call]
    float(points.grad.sum())  # type: ignore[union-attr]


def supports(avatar: Avatar) -> bool:
    """Return whether an avatar has sizes that the kernels can be compiled for; a file may state any up to 1024."""
    head, torso = avatar.head.shape, avatar.torso.shape
    widths = all(NARROWEST <= width <= WIDEST and width & (width - 1) == 0 for width in (head.width, torso.width))
    few = max(head.channels, torso.channels, head.code) <= MOST_CHANNELS and head.expression <= MOST_EXPRESSIONS
    # Between two texels a place is looked for.
    return widths and few and min(head.resolution, torso.resolution) >= 2


@torch.no_grad()
def propose(
    grid: DensityGrid, rays_o: Tensor, rays_d: Tensor, samples: int, jitter: torch.Generator, bins: int = 64
) -> tuple[Tensor, Tensor]:
    """Do what `DensityGrid.propose` does for rays of one origin (1, 3), displaced by the same random numbers."""
    from renderer.kernels.gpu_propose import propose as kernel

    count, device = len(rays_d), rays_d.device
    shift = torch.rand(count, 1, generator=jitter, device=device)
    noise = torch.rand(count, samples + 1, generator=jitter, device=device)
    strata = torch.arange(samples + 1, device=device) + noise
    edges, opacity = rays_d.new_empty(count, samples + 1), rays_d.new_empty(count)
    if count:
        with current(device):
            kernel[(-(-count // RAYS),)](
                rays_o.contiguous(),
                rays_d.contiguous(),
                shift,
                strata / (samples + 1),
                grid.density,
                grid.box_min,
                grid.box_max,
                edges,
                opacity,
                count,
                grid.density.shape[0],
                bins,
                SAMPLES=samples,
                BINS=1 << (bins - 1).bit_length(),
                RAYS=RAYS,
            )
    return edges, opacity


def read_planes(field: HeadField, planes: Tensor, points: Tensor) -> Tensor:
    """Do what `HeadField.features` does; gradients reach planes and points."""
    from renderer.kernels.gpu_planes import ReadPlanes

    with current(points.device):
        given = planes.permute(0, 2, 3, 1), points, field.box_min, field.box_max
        features: Tensor = ReadPlanes.apply(*given)  # type: ignore[no-untyped-call]
    return features


def composite(sigma: Tensor, deltas: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.composite_rays` does; gradients reach all three."""
    from renderer.kernels.gpu_composite import Composite

    with current(sigma.device):
        rgb, transmittance = Composite.apply(sigma, deltas, colours)  # type: ignore[no-untyped-call]
    return rgb, transmittance


@contextmanager
def current(device: torch.device) -> Iterator[None]:
    """Make a GPU the current one; Triton starts kernels there."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            yield
    else:
        yield
