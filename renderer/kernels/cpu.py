"""Compiled stages of a picture on the CPU, and when they may be used.

They equal those of `renderer.stages`, two to seven times as fast. Compiling takes seconds the first time on a machine
and is kept on disk; a picture never waits for it: until `prepare` has ended, `ready` says no and torch renders.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from renderer.kernels.cpu_pool import side_by_side
from renderer.rays import head_space_rays
from renderer.stages import OPAQUE
from renderer.view import View
from renderer.window import HeadWindow

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.head_field import HeadField
    from renderer.occupancy import DensityGrid

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_compiled: dict[str, Any] = {}
"""The kernels' modules by name, once they are compiled."""

Counts = NDArray[np.int64]
"""(5,) how much was done: lookups in the density grid, rays marched, samples evaluated, samples whose colour was
evaluated, pixels of the torso."""

HEAD_CHANNELS, MOVING_CHANNELS, TORSO_CHANNELS, WIDTH = 16, 8, 8, 64
"""Sizes that the kernels are compiled for, those of every avatar that is enrolled."""
STRIPS = 4
"""Parts a thread into which a picture is divided: some rows hold more of the head than others."""


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


@dataclass(frozen=True, slots=True, eq=False)
class MovingPlanes:
    """Planes that numbers blend, as the kernel reads them: half the bytes, and as close as makes no difference."""

    levels: NDArray[np.int16]
    """(T, E, TILE), see `cpu_blend.combine`."""
    steps: Tensor
    """(E,) of these."""

    @classmethod
    def of(cls, planes: Tensor) -> MovingPlanes:
        """Round planes (E, 3, M, S, S)."""
        texels = planes.detach().permute(0, 1, 3, 4, 2).flatten(1)
        steps = texels.abs().amax(1).clamp_min(1e-30) / np.iinfo(np.int16).max
        tile, together = _compiled["blend"].TILE, _compiled["blend"].TOGETHER
        padding = (0, -texels.shape[1] % tile, 0, -len(texels) % together)
        rounded = F.pad((texels / steps[:, None]).round().to(torch.int16), padding)
        return cls(_array(rounded.view(len(rounded), -1, tile).transpose(0, 1)), steps)

    def blended(self, numbers: Tensor, side: int) -> NDArray[np.float32]:
        """Return the planes' sum (3, S, S, M), S texels a side, weighted by ``numbers`` (E,)."""
        parts, count, tile = self.levels.shape
        total = np.empty(parts * tile, np.float32)
        weights = _array(F.pad(numbers * self.steps, (0, count - len(numbers))))
        _in_parts(lambda first, last: _compiled["blend"].combine(weights, self.levels, total, first, last), parts)
        texels = 3 * side * side * MOVING_CHANNELS
        return total[:texels].reshape(3, side, side, MOVING_CHANNELS)


def blend(avatar: Avatar, expression: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Do what `Avatar.blend` does for one frame; returns (3, C, R, R)."""
    head = avatar.head
    if avatar.moving_planes is None:
        wide = MovingPlanes.of(head.wide_planes) if head.shape.wide_resolution else None
        avatar.moving_planes = MovingPlanes.of(head.basis_planes), wide
    basis, wide = avatar.moving_planes
    face = basis.blended(expression, head.shape.moving_resolution)
    if wide is None:
        everywhere = np.zeros((3, 2, 2, MOVING_CHANNELS), np.float32)
    else:
        poses = avatar.pose_correction.standardised(rotation, translation)
        everywhere = wide.blended(head.wide_numbers(expression[None], poses[None])[0], head.shape.wide_resolution)
    static = _array(head.static_planes.permute(0, 2, 3, 1))
    corners = np.array([(rows.start, columns.start) for _, rows, columns in head.windows()])
    planes = np.empty_like(static)
    given = static, everywhere, face, corners, planes
    _in_parts(lambda first, last: _compiled["blend"].compose(*given, first, last), 3 * len(static[0]))
    return torch.from_numpy(planes).permute(0, 3, 1, 2)


def search(
    avatar: Avatar,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    samples: int,
    bins: int,
    counts: Counts | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.search` does; ``counts`` are added to."""
    rows, columns = window.blocks
    edges, opacity = np.empty((rows * columns, samples + 1), np.float32), np.empty((rows, columns), np.float32)
    box = _array(torch.stack((avatar.grid.box_min, avatar.grid.box_max)))
    grid = avatar.grid
    given = (_array(view.directions), _pose(rotation, translation), _array(grid.density), _array(grid.cells()), box)

    def strip(first: int, last: int, done: Counts) -> None:
        _compiled["search"].search(*given, _numbers(window, window.block, first, last), bins, edges, opacity, done)

    _in_strips(strip, rows, counts)
    return torch.from_numpy(edges), torch.from_numpy(opacity).view(-1)


def march(
    avatar: Avatar,
    planes: Tensor,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    edges: Tensor,
    opacity: Tensor,
    counts: Counts | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.march` does, up to where a ray is opaque; ``counts`` are added to."""
    head = avatar.head
    rows, columns = window.blocks
    rgb = np.empty((window.height, window.width, 3), np.float32)
    passed = np.empty((window.height, window.width), np.float32)
    texels = (head.shape.resolution - 1) / (head.box_max - head.box_min)
    given = (
        _array(view.directions),
        _pose(rotation, translation),
        _array(edges),
        _array(opacity.view(rows, columns)),
    )
    field = (
        _array(planes.permute(0, 2, 3, 1)),
        _array(torch.stack((head.box_min, texels))),
        pack(head.density_layer.weight),
        _array(head.density_layer.bias + head.code_layer(avatar.consistency_code)),
        _narrow(head.sigma_layer),
        pack(F.pad(head.colour_layer.weight, (0, 1))),
        _array(head.colour_layer.bias),
        _narrow(head.rgb_layer),
    )

    def strip(first: int, last: int, done: Counts) -> None:
        numbers = _numbers(window, window.block, first, last)
        _compiled["march"].march(*given, numbers, *field, rgb, passed, done)

    _in_strips(strip, rows, counts)
    return torch.from_numpy(rgb), torch.from_numpy(passed)


def finish(
    avatar: Avatar,
    view: View,
    window: HeadWindow,
    rgb: Tensor,
    transmittance: Tensor,
    torso: Tensor,
    condition: Tensor,
    counts: Counts | None = None,
) -> Tensor:
    """Do what `renderer.stages.finish` does; ``counts`` are added to."""
    field = avatar.torso
    picture = view.background_bytes.clone()
    code = torch.cat((condition, avatar.consistency_code))
    shown = _array(view.torso)
    given = (_array(view.background), _array(rgb), _array(transmittance))
    texels = (field.shape.resolution - 1) / (field.box_max - field.box_min)
    rest = (
        OPAQUE,
        _array(view.uv),
        _array(torso[:2]),
        _array(field.offsets(torso, code)[0].permute(1, 2, 0)),
        _array(field.plane[0].permute(1, 2, 0)),
        _array(torch.stack((field.box_min, texels))),
        pack(field.shade.weight),
        _array(field.shade.bias + field.shade_condition(code)),
        _narrow(field.colour),
        _array(picture),
    )

    def strip(first: int, last: int, done: Counts) -> None:
        start, end = np.searchsorted(shown, (first * view.width, last * view.width))
        numbers = np.array([window.top, window.left, window.height, window.width, first, last])
        _compiled["finish"].finish(*given, numbers, shown[start:end], *rest, done)

    _in_strips(strip, view.height, counts)
    return picture


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
        *(_array(tensor) for tensor in (rays_o[0], rays_d, grid.density, grid.cells())),
        _array(torch.stack((grid.box_min, grid.box_max))),
        bins,
        *(_array(tensor) for tensor in (shifts[:, 0], strata / (samples + 1), edges, opacity)),
    )
    _in_parts(lambda first, last: _compiled["search"].propose(*given, first, last), count)
    return edges, opacity


def read_planes(field: HeadField, planes: Tensor, points: Tensor) -> Tensor:
    """Do what `HeadField.features` does; gradients reach planes and points."""
    texels = (field.shape.resolution - 1) / (field.box_max - field.box_min)
    given = planes.permute(0, 2, 3, 1), points, torch.stack((field.box_min, texels))
    features: Tensor = _compiled["planes"].ReadPlanes.apply(*given)
    return features


def pack(weights: Tensor) -> NDArray[Any]:
    """Return a layer's weights (64, I), I even, as the kernels read them.

    That is flat, an input's 64 weights one after the other; in bfloat16 those of two inputs are interleaved.
    """
    if not bfloat16():
        return _array(weights.T).reshape(-1)
    pairs = weights.to(torch.bfloat16).view(len(weights), -1, 2).transpose(0, 1)
    return _array(pairs.contiguous().view(torch.int16)).reshape(-1)


def _narrow(layer: torch.nn.Linear) -> NDArray[Any]:
    """Return a narrow layer's weights (H, 64) and its biases (H,) after them."""
    return _array(torch.cat((layer.weight.flatten(), layer.bias)))


def _pose(rotation: Tensor, translation: Tensor) -> NDArray[Any]:
    """Return the rays' origin in head space and the rotation, row by row."""
    origin, _ = head_space_rays(rotation, rotation, translation)
    return _array(torch.cat((origin.flatten(), rotation.flatten())))


def _array(tensor: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().contiguous().numpy()
    return found


def _numbers(window: HeadWindow, *more: int) -> NDArray[np.int64]:
    return np.array([window.top, window.left, window.height, window.width, *more])


def _in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(first, last)`` for so many things, on as many threads as torch uses."""
    bounds = [count * part // STRIPS for part in range(STRIPS + 1)]
    side_by_side(work, bounds[:-1], bounds[1:])


def _in_strips(work: Callable[[int, int, Counts], None], rows: int, counts: Counts | None) -> None:
    """Call ``work(first, last, done)`` for all rows, on as many threads as torch uses; add up what is done."""
    threads = torch.get_num_threads()
    parts = 1 if threads == 1 or rows < 2 * threads else STRIPS * threads
    bounds = [rows * part // parts for part in range(parts + 1)]
    done = np.zeros((parts, 5), np.int64)
    side_by_side(lambda part: work(bounds[part], bounds[part + 1], done[part]), list(range(parts)))
    if counts is not None:
        counts += done.sum(0)
