"""At which rate others show what ours shows: for each clip, by PSNR and by LPIPS."""

import math
from collections.abc import Mapping, Sequence

from app.bench.operating_point import Reach, rate_at
from app.bench.report.curves import Curves, Pairs
from app.bench.report.markdown import NONE, Figure, Row, rate_text, table
from app.bench.report.quality import LPIPS, PSNR
from app.bench.report.style import style

RIVALS = ("hevc", "av1", "vvc")

EXPLANATION = """\
Ours at the rate of a call; then the rate at which each codec reaches the same LPIPS and the same PSNR on the same
frames, interpolated between its measured points; behind it that rate as a multiple of ours: above 1 the codec needs
more than ours, below 1 less. Where the rate lies beyond what was measured, the cell says so: "at most" the lowest rate
that was measured, which is that good already, or "more than" the highest, which is not.
"""


def equal_quality(ours: Mapping[str, Row], curves: Mapping[str, Curves], rivals: Sequence[str] = RIVALS) -> str:
    """Return the table.

    Args:
        ours: our figures by clip.
        curves: the rivals' curves by clip.
        rivals: which, by name.
    """
    header = ["clip", "ours, kbit/s", "PSNR ↑", "LPIPS ↓"]
    for codec in rivals:
        header += [f"{style(codec).short}, same LPIPS", f"{style(codec).short}, same PSNR"]
    lines = []
    for clip, row in ours.items():
        line = [clip, rate_text(row.kbps), PSNR.text(PSNR.of(row.metrics)), LPIPS.text(LPIPS.of(row.metrics))]
        for codec in rivals:
            curve = curves.get(clip, {}).get(codec)
            for figure in (LPIPS, PSNR):
                line.append(NONE if curve is None else reached(curve.pairs(figure), row, figure))
        lines.append(line)
    return table(header, lines)


def reached(pairs: Pairs, ours: Row, figure: Figure) -> str:
    """Return in words at which rate a curve reaches our value of a figure."""
    value = figure.of(ours.metrics)
    pairs = [pair for pair in pairs if pair[0] > 0]
    if math.isnan(value) or not pairs:
        return NONE
    found = rate_at(pairs, value, figure.better > 0)
    text = rate_text(found.kbps)
    if found.reach is Reach.AT_MOST:
        return f"at most {text}, beyond what was measured"
    if found.reach is Reach.MORE_THAN:
        return f"more than {text}, beyond what was measured"
    return f"{text} (×{found.kbps / ours.kbps:.2f})" if ours.kbps > 0 else text
