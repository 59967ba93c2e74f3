"""The threads that the compiled kernels share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


def side_by_side(work: Callable[..., None], *arguments: list[int]) -> None:
    """Call ``work`` for each tuple of arguments, on as many threads as torch uses."""
    threads = torch.get_num_threads()
    run = map if threads == 1 or len(arguments[0]) == 1 else _pool(threads).map
    # Exhausted, so that what one of them raises is raised here.
    for _ in run(work, *arguments):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "render")
