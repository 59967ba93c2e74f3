"""Threads that train on a frame each."""

from concurrent.futures import ThreadPoolExecutor

import torch


def frame_threads(frames: int) -> ThreadPoolExecutor | None:
    """Return threads for so many frames of a step, as many as torch uses here; None where that is one.

    The operations of a step are so small that two cores are no faster than one at any of them; but each can have a
    frame to itself.
    """
    count = torch.get_num_threads()
    if min(count, frames) < 2:
        return None
    threads = ThreadPoolExecutor(min(count, frames), "train", lambda: torch.set_num_threads(1))
    # They start now, and what they have set for themselves, and for those started later, is put right for the latter.
    list(threads.map(lambda _: None, range(frames)))
    torch.set_num_threads(count)
    return threads
