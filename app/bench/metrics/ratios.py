"""The paper's six columns that set quality against rate (Li et al., arXiv 2402.16599, tables 1 and 2)."""

from collections.abc import Mapping

PER_RATE = ("ssim", "psnr", "csim", "aucon")
"""Higher is better: divided by the rate."""
TIMES_RATE = ("lpips", "prmse_degrees")
"""Lower is better: multiplied by the rate."""


def rate_ratios(metrics: Mapping[str, Mapping[str, float]], kbps: float) -> dict[str, float]:
    """Return SSIM/b.r., PSNR/b.r., LPIPS×b.r., CSIM/b.r., AUCON/b.r. and PRMSE×b.r.

    Args:
        metrics: as of `Result.metrics`; figures that are not there give NaN.
        kbps: the payload's rate in kbit/s, as in the paper.

    Returns:
        Under "ssim_per_kbps", ..., "lpips_kbps", ...

    Raises:
        ValueError: the rate is not positive.
    """
    if not kbps > 0.0:
        raise ValueError("a ratio to the rate needs a rate above zero")
    figures = {**metrics.get("face", {}), **metrics.get("full", {})}
    nan = float("nan")
    ratios = {f"{name}_per_kbps": figures.get(name, nan) / kbps for name in PER_RATE}
    return ratios | {f"{name}_kbps": figures.get(name, nan) * kbps for name in TIMES_RATE}
