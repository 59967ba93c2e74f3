"""What the machine can do at most, measured: matrix products in the formats in use, and copying in memory and cache."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from app.bench.speed.timing import rounded

if TYPE_CHECKING:
    import torch

SECONDS: Final = 0.3
"""Spent on each figure: the best of the repetitions counts, which other work on the machine disturbs least."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Of one device, on one thread where it is the CPU."""

    dtype: str
    """The format of the decoder's layers here."""
    gemm_gflops: float
    """10^9 operations a second of the fastest matrix product in that format."""
    decoder_gemm_gflops: float
    """The same for a layer of the decoder's width, which is all that this shape allows."""
    float32_gemm_gflops: float
    """Of the fastest float32 product: as many multiply-adds as any float32 arithmetic can reach."""
    memory_gbs: float
    """10^9 bytes a second, reading and writing counted, of copying far more than the caches hold."""
    cache_gbs: float
    """The same of copying what a core's own cache (a GPU's shared one) holds."""

    def figures(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        return asdict(self)


def measure_peak(device: "torch.device", width: int, rows: int) -> Peak:
    """Measure a device; ``width`` and ``rows`` are those of the decoder's layers when a frame is rendered."""
    import torch

    from renderer.precision import dense_dtype

    gpu = device.type == "cuda"
    dtype = dense_dtype(device.type)
    # Several: libraries favour some, and on a busy machine only short ones run without being interrupted.
    squares = (2048, 4096, 8192) if gpu else (256, 512, 1024)
    memory, cache = (1 << 30, 8 << 20) if gpu else (1 << 28, 1 << 18)

    def product(rows: int, inner: int, columns: int, dtype: "torch.dtype") -> float:
        left, right = (torch.randn(shape, device=device).to(dtype) for shape in ((rows, inner), (inner, columns)))
        out = torch.empty(rows, columns, device=device, dtype=dtype)
        return 2.0 * rows * inner * columns / best_seconds(lambda: torch.mm(left, right, out=out), device) / 1e9

    def copying(size: int) -> float:
        source, target = torch.ones(size // 8, device=device), torch.ones(size // 8, device=device)
        return size / best_seconds(lambda: target.copy_(source), device) / 1e9

    def fastest_square(dtype: "torch.dtype") -> float:
        return max(product(side, side, side, dtype) for side in squares)

    with torch.inference_mode():
        in_shape = product(rows, width, width, dtype)
        return Peak(
            dtype=str(dtype).removeprefix("torch."),
            gemm_gflops=rounded(max(fastest_square(dtype), in_shape)),
            decoder_gemm_gflops=rounded(in_shape),
            float32_gemm_gflops=rounded(fastest_square(torch.float32)),
            memory_gbs=rounded(copying(memory)),
            cache_gbs=rounded(copying(cache)),
        )


def best_seconds(work: Callable[[], object], device: "torch.device", seconds: float = SECONDS) -> float:
    """Return the least time that ``work`` takes of many repetitions during ``seconds``.

    Short work is repeated within one measurement, so that neither the clock nor the way to a GPU counts.
    """
    from app.bench.speed.rendering import synchronise

    def once(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            work()
        synchronise(device)
        return (time.perf_counter() - started) / count

    once(1)
    count = max(1, round(2e-3 / max(once(1), 1e-7)))
    end = time.perf_counter() + seconds
    best = once(count)
    while time.perf_counter() < end:
        best = min(best, once(count))
    return best
