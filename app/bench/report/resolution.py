"""The page of fig. 6: the same bits at every size."""

from collections.abc import Sequence
from pathlib import Path

from app.bench.report.curves import MEAN, Curves, clip_curves, mean_curves
from app.bench.report.markdown import NONE, rate_text, table
from app.bench.report.provenance import provenance
from app.bench.report.rate_distortion import PLOTTED
from app.bench.report.rate_plot import plot_rates
from app.bench.results import Result

OURS = "ours"

INTRODUCTION = """\
# The same bits at every size

Ours codes a face once and renders it at whatever size is asked for; other codecs code each size anew. The footage is
scaled to each size from the clip's own pictures; sizes above those are left out. Beside what ours renders at a larger
size stands what it renders at 256², upscaled (Lanczos). Fig. 6 of arXiv 2402.16599.
"""


def resolution_page(results: Sequence[Result], folder: Path) -> str:
    """Write the plots into ``folder`` and return the page as Markdown."""
    sizes = sorted({result.size for result in results})
    by_size = {size: [result for result in results if result.size == size] for size in sizes}
    clips = sorted({result.clip.name for result in results})
    parts = [INTRODUCTION, "## Our bits\n", _bits(results, clips)]
    shown: list[str] = [MEAN, *clips] if len(clips) > 1 else clips
    for clip in shown:
        rows: list[tuple[str, Curves]] = []
        for size in sizes:
            if clip == MEAN:
                # A mean of what every clip has: footage smaller than this size has none.
                whole = {result.clip.name for result in by_size[size]} == set(clips)
                curves = mean_curves(by_size[size]) if whole else {}
            else:
                curves = clip_curves(by_size[size]).get(clip, {})
            if curves:
                rows.append((f"{size}²", curves))
        if rows:
            heading, name = ("Mean of all clips" if clip == MEAN else clip), f"resolution-{clip}.png"
            plot_rates(folder / name, rows, PLOTTED)
            parts += [f"## {heading}\n", f"![PSNR, LPIPS and MS-SSIM over the rate, {heading}]({name})\n", _table(rows)]
    parts.append(provenance(results))
    return "\n".join(parts)


def _bits(results: Sequence[Result], clips: Sequence[str]) -> str:
    lines = []
    for clip in clips:
        ours = [result for result in results if result.clip.name == clip and result.codec.name == OURS]
        digests = sorted({result.payload_sha256 or "" for result in ours})
        if ours:
            same = "the same, byte for byte" if len(digests) == 1 else "not the same"
            sizes = ", ".join(f"{result.size}²" for result in sorted(ours, key=lambda result: result.size))
            lines.append([clip, sizes, same, ", ".join(f"`{digest[:16]}`" for digest in digests)])
    return table(["clip", "sizes", "packets", "SHA-256 of all packets"], lines, texts=4) if lines else f"{NONE}\n"


def _table(rows: Sequence[tuple[str, Curves]]) -> str:
    lines = [
        [size, curve.label, rate_text(point.kbps), *(figure.text(figure.of(point.metrics)) for figure in PLOTTED)]
        for size, curves in rows
        for curve in curves.values()
        for point in curve.points
    ]
    points = table(["size", "codec", "kbit/s", *(figure.title for figure in PLOTTED)], lines, texts=2)
    return f"<details><summary>The points</summary>\n\n{points}\n</details>\n"
