"""Published figures: derived rates agree with the printed ratios' logic, and nothing is passed off as measured here."""

import math

from app.bench.published import PUBLISHED, PUBLISHED_ABLATION, PUBLISHED_SAVINGS, SOURCES


def test_figures_are_in_the_range_of_their_metric():
    for row in (*PUBLISHED, *PUBLISHED_ABLATION):
        full, face = row.metrics["full"], row.metrics.get("face", {})
        for value in (full["l1"], full["ssim"], full["lpips"], *(face[name] for name in ("csim", "aucon") if face)):
            assert 0 < value < 1
        assert 10 < full["psnr"] < 40
        assert 0 < face.get("prmse_degrees", 1) < 10


def test_what_contradicts_itself_is_remarked_upon():
    for row in (*PUBLISHED, *PUBLISHED_ABLATION):
        full = row.metrics["full"]
        # Mean square >= square of the mean absolute error, so an error spread evenly bounds the PSNR.
        possible = full["psnr"] <= -20 * math.log10(full["l1"] - 0.0005) + 0.005
        assert possible == (not row.remark), row.method


def test_the_papers_own_arithmetic_holds():
    rows = {row.method: row for row in PUBLISHED}
    # N numbers of 16 bit, 25 times a second, entropy coded to 72 %.
    for method, numbers in (("paper, plain", 79 + 12), ("paper, f.t.", 30 + 12)):
        kbps = rows[method].kbps
        assert kbps is not None
        assert math.isclose(kbps, numbers * 16 * 25 / 1000 * 0.72, abs_tol=0.06)
    without, with_code = PUBLISHED_ABLATION
    gain = with_code.metrics["full"]["psnr"] - without.metrics["full"]["psnr"]
    assert math.isclose(gain, 2.17, abs_tol=0.005)


def test_hybrid_coding_saves_less_against_the_better_codec():
    savings = {(saving.metric, saving.anchor): saving.percent for saving in PUBLISHED_SAVINGS}
    for metric in ("PSNR", "MS-SSIM", "msVGG"):
        assert savings[metric, "HEVC"] < savings[metric, "VVC"] < 0


def test_every_source_is_cited():
    assert "2402.16599" in SOURCES[0].citation
    assert "H-DAC" in SOURCES[1].citation
    assert all(row.source in SOURCES for row in (*PUBLISHED, *PUBLISHED_ABLATION, *PUBLISHED_SAVINGS))
