"""Threads that train on a frame each."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


class FrameThreads:
    """Runs the frames of a step side by side.

    The operations of a step are so small that two cores are no faster than one at any of them; but each can have a
    frame to itself.
    """

    def __init__(self, count: int) -> None:
        """Take ``count`` threads at most."""
        self._pool = ThreadPoolExecutor(count, "train")

    def map(self, work: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
        """Return what ``work`` returns for each frame's arguments; meanwhile each operation has one thread."""
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return list(self._pool.map(work, *arguments))
        finally:
            torch.set_num_threads(cores)
