"""The page of tables 1 and 2: every codec at the rate of ours, with all metrics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.bench.metrics.ratios import rate_ratios
from app.bench.published import PAPER, PUBLISHED, PublishedRow
from app.bench.report.curves import Curves, clip_curves, mean_curves
from app.bench.report.markdown import NONE, Figure, Row, best_text, figure_table, rate_text, table
from app.bench.report.provenance import provenance
from app.bench.results import Result

L1 = Figure("full", "l1", "L1 ↓", 4, -1)
SSIM = Figure("full", "ssim", "SSIM ↑", 3, 1)
MS_SSIM = Figure("full", "ms_ssim", "MS-SSIM ↑", 3, 1)
PSNR = Figure("full", "psnr", "PSNR ↑", 2, 1)
LPIPS = Figure("full", "lpips", "LPIPS ↓", 3, -1)
CSIM = Figure("face", "csim", "CSIM ↑", 3, 1)
AUCON = Figure("face", "aucon", "AUCON ↑", 3, 1)
PRMSE = Figure("face", "prmse_degrees", "PRMSE ↓", 2, -1)
LANDMARKS = Figure("face", "landmark_distance_percent", "landmarks ↓, %", 2, -1)
FLICKER = Figure("video", "flicker", "flicker, 10⁻⁴", 2, 0, scale=1e4)
FLICKER_REFERENCE = Figure("video", "flicker_reference", "flicker of the original, 10⁻⁴", 2, 0, scale=1e4)

FULL = (L1, SSIM, PSNR, LPIPS, CSIM, AUCON, PRMSE, MS_SSIM)
HEAD = tuple(replace(figure, group="head") for figure in (L1, SSIM, PSNR, LPIPS))
STILL = Figure("face", "aucon_still", "AUCON of a still face", 3, 0)
MISSED = Figure("face", "faces_missed", "frames without a face ↓", 0, -1)
MOTION = (LANDMARKS, MISSED, STILL, FLICKER, FLICKER_REFERENCE)
RATIOS = (
    Figure("ratio", "ssim_per_kbps", "SSIM/b.r. ↑", 4, 1),
    Figure("ratio", "psnr_per_kbps", "PSNR/b.r. ↑", 2, 1),
    Figure("ratio", "lpips_kbps", "LPIPS×b.r. ↓", 3, -1),
    Figure("ratio", "csim_per_kbps", "CSIM/b.r. ↑", 4, 1),
    Figure("ratio", "aucon_per_kbps", "AUCON/b.r. ↑", 4, 1),
    Figure("ratio", "prmse_degrees_kbps", "PRMSE×b.r. ↓", 2, -1),
)
CONTESTED = (*FULL, *HEAD, LANDMARKS, MISSED)
"""Where one method can be better than another."""

EXPLANATION = """\
PSNR is in dB, PRMSE in degrees. CSIM compares embeddings of dlib's face recognition network, not ArcFace's. AUCON is a
proxy: the share of thresholded blendshapes on which both sides agree. PRMSE, landmarks and AUCON are found by our own
tracker on both sides; landmarks are in percent of the distance between the eyes' outer corners. They are means over the
frames in which both sides show a face; how many decoded frames lack the one that the original has stands beside them.
A face that never moves can agree as much as "AUCON of a still face" says: only what is above that is worth anything.
Flicker is the warping error of Lai et al. (2018): what changes from frame to frame beyond the motion of the original.
It is best near that of the original; far below it, motion or texture is missing.
"""

ACTION_UNIT_CEILING = """\
AUCON is found in pictures by a detector that wavers even between a frame and a good copy of it. The most that any other
codec reaches, at the highest rate that was measured or below:
"""

AS_PUBLISHED = f"""\
Rows as published are those of {PAPER.citation} They were measured on {PAPER.footage}, not on ours, and take no part in
what is bold. LPIPS, on training footage, is a part of what nerfcall's fields and the animation codec are trained by:
its column flatters these two.
"""

INTRODUCTION = """\
# Quality at equal rate

Every codec at its lowest operating point that was not below our rate when it was measured; where ours has changed
since, the rates beside the figures tell. On footage that nothing was trained on. Tables 1
and 2 of arXiv 2402.16599, with each method's rate beside its figures. The best figure of a column is **bold**, whoever
has it. A dash means that there is no figure.
"""


def quality_page(results: Sequence[Result], rate_distortion: Sequence[Result] = ()) -> str:
    """Return the page as Markdown; results at other rates tell how far AUCON goes."""
    clips = quality_rows(results)
    parts = [INTRODUCTION]
    mean = mean_rows(results)
    if len(clips) > 1:
        parts.append(f"## Mean of {_listed(list(clips))}\n")
        parts += _tables(mean, with_published=True)
    for clip, rows in clips.items():
        parts.append(f"## {clip}\n")
        parts += _tables(rows, with_published=len(clips) == 1)
    parts += ["## Where others are better than ours\n", losses(clips)]
    if rate_distortion:
        parts += ["## How far AUCON goes\n", ACTION_UNIT_CEILING, action_unit_ceiling(clip_curves(rate_distortion))]
    parts += [_remarks(), provenance(results)]
    return "\n".join(parts)


def mean_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each codec that every clip was measured with: means over the clips."""
    return _rows(mean_curves(results))


def main_table(rows: Sequence[Row]) -> str:
    """Return the one table that matters: table 1 with published rows below."""
    return figure_table([*rows, *(_published(row) for row in PUBLISHED)], FULL)


def quality_rows(results: Sequence[Result]) -> dict[str, list[Row]]:
    """Return each clip's rows."""
    return {clip: _rows(curves) for clip, curves in clip_curves(results).items()}


def losses(clips: Mapping[str, Sequence[Row]]) -> str:
    """Return a table of the figures in which a method that is not of ours is better than ours, by clip."""
    lines = []
    for clip, rows in clips.items():
        ours = next((row for row in rows if row.codec == "ours"), None)
        if ours is None:
            continue
        others = [row for row in rows if not row.codec.startswith("ours")]
        for figure in CONTESTED:
            text = figure.text(figure.of(ours.metrics))
            best = best_text([ours, *others], figure)
            if best is not None and text not in (best, NONE):
                winner = next(row for row in others if figure.text(figure.of(row.metrics)) == best)
                name = figure.title + (", head" if figure.group == "head" else "")
                lines.append([clip, name, text, best, winner.method, rate_text(winner.kbps)])
    return table(["clip", "figure", "ours", "best", "of", "kbit/s"], lines, texts=2) if lines else "Nowhere.\n"


def action_unit_ceiling(clips: Mapping[str, Curves]) -> str:
    """Return a table of the greatest AUCON that anything of others has on each clip, at whatever rate."""
    lines = []
    for clip, curves in clips.items():
        points = [
            (AUCON.of(point.metrics), curve.label, point)
            for name, curve in curves.items()
            for point in curve.points
            if not name.startswith("ours") and not math.isnan(AUCON.of(point.metrics))
        ]
        if points:
            value, label, point = max(points, key=lambda found: found[0])
            psnr = PSNR.text(PSNR.of(point.metrics))
            lines.append([clip, label, AUCON.text(value), rate_text(point.kbps), psnr])
    return table(["clip", "codec", "AUCON", "kbit/s", "PSNR, dB"], lines, texts=2)


def _tables(rows: Sequence[Row], with_published: bool) -> list[str]:
    published = [_published(row) for row in PUBLISHED] if with_published else []
    rated = [_with_ratios(row) for row in (*rows, *published)]
    return [
        "Full frame and face:\n",
        figure_table([*rows, *published], FULL),
        "Head only (the pixels of face and hair):\n",
        figure_table(rows, HEAD),
        "Per rate (table 2; b.r. is the bitrate in kbit/s):\n",
        figure_table(rated, RATIOS),
        "Motion:\n",
        figure_table(rows, MOTION),
    ]


def _rows(curves: Curves) -> list[Row]:
    return [
        Row(codec, curve.label, point.kbps, point.metrics) for codec, curve in curves.items() for point in curve.points
    ]


def _published(row: PublishedRow) -> Row:
    kbps = math.nan if row.kbps is None else row.kbps
    return Row("", f"{row.method} (as published, other clips)", kbps, row.metrics, contends=False)


def _with_ratios(row: Row) -> Row:
    # A rate that is not known, or of nothing, gives no ratio.
    return replace(row, metrics={**row.metrics, "ratio": rate_ratios(row.metrics, row.kbps) if row.kbps > 0 else {}})


def _remarks() -> str:
    cited = f"- {PAPER.citation} Measured on {PAPER.footage}, not on ours."
    remarks = [f"- {row.remark}" for row in PUBLISHED if row.remark]
    return "\n".join(["## Reading the tables\n", EXPLANATION, "Rows as published:\n", cited, *remarks]) + "\n"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
