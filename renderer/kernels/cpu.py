"""Whether kernels run compiled on this CPU; and those of training, `renderer.kernels.cpu_picture` has the others.

Compiling takes seconds the first time on a machine and is kept on disk; a picture never waits for it: until `prepare`
has ended, `ready` says no and torch renders.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.kernels.cpu_launch import array, in_parts

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.head_field import HeadField
    from renderer.occupancy import DensityGrid

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_compiled: dict[str, Any] = {}
"""The kernels' modules by name, once they are compiled."""

HEAD_CHANNELS, MOVING_CHANNELS, TORSO_CHANNELS, WIDTH = 16, 8, 8, 64
"""Sizes that the kernels are compiled for, those of every avatar that is enrolled."""


def prepare(folder: Path) -> bool:
    """Compile the kernels, or load what an earlier process compiled, unless that was done; seconds, or half of one.

    Args:
        folder: where compiled kernels are kept; it is made, and where it cannot be, each process compiles anew.

    Returns:
        Whether they can be used; where they cannot, the reason is logged once.
    """
    with _lock:
        if not _compiled:
            try:
                from numba import config

                from renderer.kernels import cpu_features

                settings: Any = config
                settings.CACHE_DIR = str(_cache(folder, cpu_features.MATRICES))
                from renderer.kernels import cpu_blend, cpu_finish, cpu_march, cpu_planes, cpu_search
            except Exception as error:  # Whatever a compiler complains of: there is another way to render.
                _log.warning("rendering is not compiled on this machine, and slower: %s", error)
                _compiled["failed"] = error
            else:
                _compiled.update(search=cpu_search, march=cpu_march, finish=cpu_finish, features=cpu_features)
                _compiled.update(planes=cpu_planes, blend=cpu_blend)
        return ready()


def _cache(folder: Path, matrices: bool) -> Path:
    """Return a folder for what these very sources compile to.

    The compiler looks at a kernel's own file and at the processor alone; whether the system lets a process multiply
    matrices it does not see.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    contents = b"".join(source.read_bytes() for source in sources)
    digest = hashlib.sha256(contents + bytes([matrices])).hexdigest()[:16]
    try:
        (folder / digest).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder / digest):
            return folder / digest
    except OSError:
        return Path(tempfile.mkdtemp())


def ready() -> bool:
    """Return whether ``prepare`` has ended and succeeded in this process."""
    return "finish" in _compiled


def compiled(name: str) -> Any:
    """Return a module of kernels, by what they do; not before ``prepare``."""
    return _compiled[name]


def bfloat16() -> bool:
    """Return whether the kernels multiply in bfloat16 here; not before ``prepare``."""
    return bool(_compiled["features"].BFLOAT16)


def supports(avatar: Avatar) -> bool:
    """Return whether an avatar has the sizes that the kernels are compiled for, and is on the CPU."""
    head, torso = avatar.head.shape, avatar.torso.shape
    # Between two texels a place is looked for.
    if min(head.resolution, torso.resolution) < 2 or head.wide_resolution == 1:
        return False
    sizes = head.channels, head.moving_channels, head.width, torso.channels, torso.width
    return avatar.background.device.type == "cpu" and sizes == (
        HEAD_CHANNELS,
        MOVING_CHANNELS,
        WIDTH,
        TORSO_CHANNELS,
        WIDTH,
    )


def reads(field: HeadField) -> bool:
    """Return whether ``read_planes`` reads a field's planes."""
    return ready() and field.box_min.device.type == "cpu" and field.shape.channels == HEAD_CHANNELS


@torch.no_grad()
def propose(
    grid: DensityGrid, rays_o: Tensor, rays_d: Tensor, samples: int, jitter: torch.Generator, bins: int = 64
) -> tuple[Tensor, Tensor]:
    """Do what `DensityGrid.propose` does for rays of one origin (1, 3), displaced by the same random numbers."""
    count = len(rays_d)
    shifts = torch.rand(count, 1, generator=jitter)
    strata = torch.arange(samples + 1) + torch.rand(count, samples + 1, generator=jitter)
    edges, opacity = rays_d.new_empty(count, samples + 1), rays_d.new_empty(count)
    given = (
        *(array(tensor) for tensor in (rays_o[0], rays_d, grid.density, grid.cells())),
        array(torch.stack((grid.box_min, grid.box_max))),
        bins,
        *(array(tensor) for tensor in (shifts[:, 0], strata / (samples + 1), edges, opacity)),
    )
    in_parts(lambda first, last: _compiled["search"].propose(*given, first, last), count)
    return edges, opacity


def read_planes(field: HeadField, planes: Tensor, points: Tensor) -> Tensor:
    """Do what `HeadField.features` does; gradients reach planes and points."""
    texels = (field.shape.resolution - 1) / (field.box_max - field.box_min)
    given = planes.permute(0, 2, 3, 1), points, torch.stack((field.box_min, texels))
    features: Tensor = _compiled["planes"].ReadPlanes.apply(*given)
    return features
