"""The number format in which the small dense layers run."""

from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


@cache
def dense_dtype(device_type: str) -> torch.dtype:
    """Return bfloat16 where the processor multiplies it natively, float32 elsewhere.

    Skinny float32 layers reach a tenth of a core's bfloat16 rate where AVX512-BF16 is present; without it bfloat16 is
    emulated and slower than float32.
    """
    if device_type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Not in every version of torch that is accepted; where it cannot be asked, float32 is right everywhere. What torch
    # may use, ATEN_CPU_CAPABILITY can restrict.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    restricted = torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    return torch.bfloat16 if supported() and not restricted else torch.float32


def dense(layer: nn.Linear, inputs: Tensor, bias: Tensor) -> Tensor:
    """Apply a layer in the number format of its inputs (N, I), with a bias (O,) that may differ from its own."""
    return F.linear(inputs, layer.weight.to(inputs.dtype), bias.to(inputs.dtype))
