"""What the processor can do, as far as the kernels differ by it."""

import ctypes
import platform
import sys
from typing import Final

import llvmlite.binding as llvm
import numpy as np
from numba import config

_ARCH_PRCTL: Final = 158
"""Number of the system call by which a process asks for a part of the processor's state, on x86-64."""
_REQUEST_STATE: Final = 0x1023
_TILE_DATA: Final = 18


def has(*features: str) -> bool:
    """Return whether the processor has these, as far as numba may use them.

    ``NUMBA_CPU_FEATURES``, such as ``+avx2,+fma``, tells it what to make do with in place of all that there is.
    """
    told = config.CPU_FEATURES  # type: ignore[attr-defined] # numba sets its options when it is imported
    found = llvm.get_host_cpu_features().flatten() if told is None else told
    return set(found.split(",")).issuperset(f"+{feature}" for feature in features)


LANES: Final = 16 if has("avx512f", "avx512vl") else 8 if has("avx2", "fma") else 4
"""Float32 numbers in a register."""
BFLOAT16: Final = LANES == 16 and has("avx512bf16", "avx512bw")
"""Whether the layers' inputs and weights are bfloat16; otherwise they are float32."""
NUMBER_BYTES: Final = 2 if BFLOAT16 else 4
"""Of an input or weight of a layer."""
NUMBER: Final = np.int16 if BFLOAT16 else np.float32
"""How numpy holds such a number; it knows no bfloat16."""


def _tiles_permitted() -> bool:
    """Return whether this process may use the tile registers: Linux saves their 8 KB for those only that ask for it."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_STATE, _TILE_DATA) == 0)


MATRICES: Final = BFLOAT16 and has("amx-tile", "amx-bf16") and _tiles_permitted()
"""Whether it multiplies matrices of bfloat16."""
