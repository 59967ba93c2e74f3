"""Starts kernels on a CUDA GPU, and what their launches share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.kernels.gpu import current
from renderer.precision import dense_dtype

if TYPE_CHECKING:
    from renderer.avatar import Avatar

Counts = Tensor
"""(5,) int64, how much was done: lookups in the density grid, rays marched, samples evaluated, samples whose colour was
evaluated, pixels of the torso."""


@cache
def kernels() -> dict[str, Any]:
    """Return the kernels by their names. Raises ImportError, or whatever else an unfit installation raises."""
    from renderer.kernels.gpu_blend import blend
    from renderer.kernels.gpu_finish import finish
    from renderer.kernels.gpu_march import march
    from renderer.kernels.gpu_outline import find_outline, march_outline
    from renderer.kernels.gpu_search import search
    from renderer.kernels.gpu_state import prepare

    of_a_picture = prepare, blend, search, march, find_outline, march_outline, finish
    return {kernel.__name__: kernel for kernel in of_a_picture}


def launch(name: str, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Start a kernel of `kernels` by its name, on the device of its tensors."""
    device = next(value.device for value in arguments if isinstance(value, Tensor))
    with current(device):
        kernels()[name][grid](*arguments, **constants)


def dense_type(device: torch.device) -> Any:
    """Return the number format of the small layers; the interpreter multiplies float32 alone."""
    import triton.language as tl

    return tl.bfloat16 if device.type == "cuda" and dense_dtype("cuda") == torch.bfloat16 else tl.float32


def pinhole(avatar: Avatar) -> tuple[float, float, float]:
    """Return focal length and principal point of an avatar's camera, frame sides."""
    camera = avatar.camera
    return camera.focal, camera.cx, camera.cy


def floats(values: Tensor) -> Tensor:
    """Return values as kernels read them: float32, one after the other."""
    return values.float().contiguous()


def parts(count: int, size: int) -> int:
    """Return in how many parts of a size a count falls."""
    return -(-count // size)


def power_of_two(count: int, least: int = 1) -> int:
    """Return the least power of two that is not less than either."""
    return 1 << (max(count, least) - 1).bit_length()
