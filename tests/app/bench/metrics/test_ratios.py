"""The six ratio columns, at the scale of the paper."""

import pytest

from app.bench.metrics.ratios import rate_ratios
from app.bench.published import PUBLISHED

# The paper (arXiv 2402.16599) sends N numbers of 16 bits at 25 frames/s, of which its entropy coder leaves 72 %.
RATES = {"paper, plain": (79 + 12) * 16 * 25 * 0.72 / 1000, "paper, f.t.": (30 + 12) * 16 * 25 * 0.72 / 1000}


@pytest.mark.parametrize(
    "row", [row for row in PUBLISHED if row.kbps and "face" in row.metrics], ids=lambda row: row.method
)
def test_all_six_ratios_of_a_published_row_lead_back_to_its_rate(row):
    ratios = rate_ratios(row.metrics, row.kbps)
    figures = {**row.metrics["full"], **row.metrics["face"]}
    rates = [figures[name] / ratios[f"{name}_per_kbps"] for name in ("ssim", "psnr", "csim", "aucon")]
    rates += [ratios[f"{name}_kbps"] / figures[name] for name in ("lpips", "prmse_degrees")]
    assert len(ratios) == 6
    assert rates == pytest.approx([row.kbps] * 6)
    if row.method in RATES:
        assert rates == pytest.approx([RATES[row.method]] * 6, rel=0.005), "kbit/s is the paper's unit"


def test_values_by_hand():
    metrics = {"full": {"ssim": 0.9, "psnr": 30.0, "lpips": 0.05}, "face": {"csim": 0.95, "prmse_degrees": 1.5}}
    ratios = rate_ratios(metrics, 2.0)
    assert ratios["ssim_per_kbps"] == 0.45
    assert ratios["psnr_per_kbps"] == 15.0
    assert ratios["csim_per_kbps"] == 0.475
    assert ratios["lpips_kbps"] == 0.1
    assert ratios["prmse_degrees_kbps"] == 3.0
    assert ratios["aucon_per_kbps"] != ratios["aucon_per_kbps"], "NaN: it was not measured"


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_no_rate_no_ratio(rate):
    with pytest.raises(ValueError, match="above zero"):
        rate_ratios({}, rate)
