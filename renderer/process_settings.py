"""Process-wide settings without which a CPU spends its time beside the arithmetic."""

import ctypes
import platform

import torch

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def keep_buffers_mapped() -> bool:
    """Tell the C library to reuse freed buffers of many megabytes instead of returning them to the system.

    Without this glibc unmaps a freed plane or feature buffer and faults every page of the next one in again, which on
    a CPU costs more than the arithmetic done in it. Call it once, before tensors are made.

    Returns:
        Whether the C library took the settings; only glibc has them.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = {
        _M_MMAP_THRESHOLD: 32 << 20,  # the largest value glibc accepts
        _M_TRIM_THRESHOLD: 1 << 30,
        _M_TOP_PAD: 64 << 20,
        _M_ARENA_MAX: 1,  # the backward pass runs in a thread of its own, whose arena would trim itself
    }
    return all([libc.mallopt(option, value) == 1 for option, value in settings.items()])


def flush_denormals() -> bool:
    """Let products too small for a normal float32 become zero, in this thread and those started after it.

    Transmittance behind an opaque surface and moments of the optimiser for texels that no ray touches fall into the
    denormal range, where each operation takes a hundred times as long.

    Returns:
        Whether the processor can.
    """
    return torch.set_flush_denormal(True)
