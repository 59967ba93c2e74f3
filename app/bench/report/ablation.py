"""The page of table 3: what the consistency code and the embedding are worth."""

import math
from collections.abc import Sequence

from app.bench.published import PAPER, PUBLISHED_ABLATION
from app.bench.report.curves import Curves, clip_curves, mean_curves
from app.bench.report.markdown import Figure, Row, figure_table, table
from app.bench.report.provenance import provenance
from app.bench.report.quality import AUCON, CSIM, L1, LPIPS, PRMSE, PSNR, SSIM
from app.bench.results import Result

NECK = Figure("neck", "psnr", "PSNR at the neck ↑", 2, 1)
HEAD_PSNR = Figure("head", "psnr", "PSNR of the head ↑", 2, 1)
FIGURES = (L1, SSIM, PSNR, LPIPS, CSIM, AUCON, PRMSE, NECK, HEAD_PSNR)
OURS = "ours"

INTRODUCTION = """\
# Ablation

Ours with and without the code that head and torso share, and with and without the embedding of the 79 expression
coefficients into 30. Every variant was trained on the same footage for the same number of steps and measured on what it
was not trained on. Table 3 of arXiv 2402.16599. The best figure of a column is **bold**. The neck is where pixels of
the head and of the body are within a thirty-second of the picture's side.
"""

EXPLANATION = """\
The code is the same in every frame, so that what it does to a network is what a bias does, and the layers that take it
have biases: a field without it can show the same pictures. It ties two fields that are trained apart. Ours are trained
together, in the pictures that they make together, and what is wrong at their seam is put right in both; the torso knows
the head's pose and its own motion besides. So the code has nothing left to do here, costs nothing either, as it is
added to those biases before a picture is rendered, and differences between rows with and without it are of the kind
that two trainings of one field have.
"""


def ablation_page(results: Sequence[Result]) -> str:
    """Return the page as Markdown."""
    clips = clip_curves(results)
    parts = [INTRODUCTION]
    if len(clips) > 1:
        parts.append("## Mean of all clips\n")
        parts += _tables(mean_curves(results), published=True)
    for clip, curves in clips.items():
        parts.append(f"## {clip}\n")
        parts += _tables(curves, published=len(clips) == 1)
    parts += ["## What the code does\n", EXPLANATION]
    parts += [f"Rows as published: {PAPER.citation} Measured on {PAPER.footage}.\n", provenance(results)]
    return "\n".join(parts)


def _tables(curves: Curves, published: bool) -> list[str]:
    rows = [
        Row(codec, curve.label, point.kbps, point.metrics) for codec, curve in curves.items() for point in curve.points
    ]
    others = [
        Row(
            "",
            f"{row.method} (as published, other clips)",
            math.nan if row.kbps is None else row.kbps,
            row.metrics,
            False,
        )
        for row in PUBLISHED_ABLATION
    ]
    parts = [figure_table([*rows, *(others if published else [])], FIGURES, "variant")]
    whole = next((row for row in rows if row.codec == OURS), None)
    lines = [
        [
            f"less {row.method}",
            *(_gain(figure.of(whole.metrics) - figure.of(row.metrics), figure) for figure in FIGURES),
        ]
        for row in rows
        if whole is not None and row is not whole
    ]
    if lines:
        parts += ["The figures of the whole system, less those of each variant:\n"]
        parts += [table(["", *(figure.title for figure in FIGURES)], lines)]
    return parts


def _gain(value: float, figure: Figure) -> str:
    return figure.text(value) if math.isnan(value) else f"{value:+.{figure.digits}f}"
