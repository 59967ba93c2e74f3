"""Starts compiled kernels on the CPU's threads, and what their launches share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from renderer.kernels.cpu_pool import side_by_side

Counts = NDArray[np.int64]
"""(5,) how much was done: lookups in the density grid, rays marched, samples evaluated, samples whose colour was
evaluated, pixels of the torso."""

STRIPS = 4
"""Parts a thread into which a picture is divided: some rows hold more of the head than others."""


def array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as kernels read it, contiguous and without its history."""
    found: NDArray[Any] = tensor.detach().contiguous().numpy()
    return found


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(first, last)`` for so many things, on as many threads as torch uses."""
    bounds = [count * part // STRIPS for part in range(STRIPS + 1)]
    side_by_side(work, bounds[:-1], bounds[1:])


def in_strips(work: Callable[[int, int, Counts], None], rows: int, counts: Counts | None) -> None:
    """Call ``work(first, last, done)`` for all rows, on as many threads as torch uses; add up what is done."""
    threads = torch.get_num_threads()
    parts = 1 if threads == 1 or rows < 2 * threads else STRIPS * threads
    bounds = [rows * part // parts for part in range(parts + 1)]
    done = np.zeros((parts, 5), np.int64)
    side_by_side(lambda part: work(bounds[part], bounds[part + 1], done[part]), list(range(parts)))
    if counts is not None:
        counts += done.sum(0)
