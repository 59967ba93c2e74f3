"""The page of fig. 5: quality over rate, and Bjøntegaard differences."""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.bench.bjontegaard import CurveError, bd_metric, bd_rate
from app.bench.published import HDAC, PUBLISHED_SAVINGS
from app.bench.report.curves import MEAN, Curve, Curves, Pairs, clip_curves, mean_curves
from app.bench.report.markdown import Figure, rate_text, table
from app.bench.report.provenance import provenance
from app.bench.report.rate_plot import plot_rates
from app.bench.results import Result

PLOTTED = (
    Figure("full", "psnr", "PSNR, dB", 2, 1),
    Figure("full", "lpips", "LPIPS", 3, -1),
    Figure("full", "ms_ssim", "MS-SSIM", 3, 1),
)
ANCHORS = ("hevc", "vvc")

INTRODUCTION = """\
# Rate and distortion

Every codec over its range of operating points, on footage that nothing was trained on; payload rates. Ours changes its
rate by the steps of its quantiser; what a call sends is one of the points. Fig. 5 of arXiv 2402.16599.
"""

DIFFERENCES = """\
BD-rate: by how much the rate differs at equal quality, averaged over the qualities that both curves reach; negative is
less rate. BD-PSNR: by how much PSNR differs at equal rate (Bjøntegaard, VCEG-M33, 2001). They compare what both curves
cover and nothing beyond: where the curves share no quality, or no rate, there is "no overlap". Points at which a codec
is no better than at a lower rate do not count; with fewer than two left there are "too few points".
"""


def rate_distortion_page(results: Sequence[Result], folder: Path) -> str:
    """Write the plots into ``folder`` and return the page as Markdown."""
    clips: dict[str, Curves] = clip_curves(results)
    shown = dict(clips)
    if len(clips) > 1:
        shown = {MEAN: mean_curves(results), **clips}
    parts = [INTRODUCTION]
    for clip, curves in shown.items():
        name = plot_name(clip)
        plot_rates(folder / name, [("", curves)], PLOTTED)
        heading = "Mean of all clips" if clip == MEAN else clip
        parts += [f"## {heading}\n", f"![PSNR, LPIPS and MS-SSIM over the rate, {heading}]({name})\n", _points(curves)]
        for anchor in ANCHORS:
            if anchor in curves:
                parts += [f"Against {curves[anchor].label}:\n", _differences(curves, anchor)]
    parts += ["## Reading the tables\n", DIFFERENCES, _published_savings(), provenance(results)]
    return "\n".join(parts)


def plot_name(clip: str) -> str:
    """Return the file name of a clip's plot."""
    return f"rate-distortion-{clip}.png"


def _points(curves: Curves) -> str:
    lines = []
    for curve in curves.values():
        for point in curve.points:
            figures = [figure.text(figure.of(point.metrics)) for figure in PLOTTED]
            lines.append([curve.label, rate_text(point.kbps), *figures])
    points = table(["codec", "kbit/s", *(figure.title for figure in PLOTTED)], lines)
    return f"<details><summary>The points</summary>\n\n{points}\n</details>\n"


def _differences(curves: Curves, anchor: str) -> str:
    lines = []
    for codec, curve in curves.items():
        if codec == anchor:
            continue
        line = [curve.label]
        for figure in PLOTTED:
            line.append(_difference(bd_rate, curves[anchor], curve, figure, "{:+.1f} %"))
            if figure.name == "psnr":
                line.append(_difference(bd_metric, curves[anchor], curve, figure, "{:+.2f} dB"))
        lines.append(line)
    return table(["codec", "BD-rate, PSNR", "BD-PSNR", "BD-rate, LPIPS", "BD-rate, MS-SSIM"], lines)


def _difference(
    measure: Callable[[Pairs, Pairs, bool], float | None], anchor: Curve, test: Curve, figure: Figure, form: str
) -> str:
    try:
        difference = measure(anchor.pairs(figure), test.pairs(figure), figure.better > 0)
    except CurveError:
        return "too few points"
    return "no overlap" if difference is None else form.format(difference)


def _published_savings() -> str:
    lines = [[saving.method, saving.anchor, saving.metric, f"{saving.percent:+.1f} %"] for saving in PUBLISHED_SAVINGS]
    cited = f"As published, of {HDAC.footage}, not of these clips: {HDAC.citation}\n"
    return cited + "\n" + table(["method", "against", "quality by", "BD-rate"], lines, texts=3)
