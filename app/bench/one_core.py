"""Confines a measurement to one core, so that its figure means the same on every machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_core() -> Iterator[None]:
    """Let this thread, and what it starts within the block, run on one core only.

    To be entered before numpy and torch are loaded: they make as many threads as they then see cores. Where the system
    (macOS, Windows) confines nothing, nothing is done.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
