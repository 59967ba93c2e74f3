"""Draws rate-distortion curves, each with its name at its end."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from app.bench.report.curves import Curves, Pairs
from app.bench.report.labels import Name, place_names
from app.bench.report.markdown import Figure
from app.bench.report.style import panels, rate_axis, save, style, title


def plot_rates(path: Path, rows: Sequence[tuple[str, Curves]], figures: Sequence[Figure]) -> None:
    """Draw a panel for each figure, a row for each of ``rows`` (name, curves), and write the picture to ``path``."""
    rates = [point.kbps for _, curves in rows for curve in curves.values() for point in curve.points]
    rates = [rate for rate in rates if rate > 0]
    with panels(len(rows), len(figures), 0.55 + 2.75 * len(rows)) as (figure, axes):
        figure.subplots_adjust(
            left=0.05, right=0.93, wspace=0.42, hspace=0.42, top=1 - 0.36 / figure.get_figheight(),
            bottom=0.48 / figure.get_figheight(),
        )  # fmt: skip
        for line, (name, curves) in zip(axes, rows, strict=True):
            for panel, shown in zip(line, figures, strict=True):
                pairs = {codec: curve.pairs(shown) for codec, curve in curves.items()}
                if not any(pairs.values()):
                    # MS-SSIM is not defined for small pictures.
                    panel.set_axis_off()
                    continue
                remark = "more is better" if shown.better > 0 else "less is better"
                title(panel, f"{name} {shown.title}".strip(), remark)
                rate_axis(panel, rates, label=line is axes[-1])
                draw_curves(panel, pairs)
        save(figure, path)


def draw_curves(axes: Axes, curves: dict[str, Pairs]) -> None:
    """Draw curves into a panel whose rate axis is made."""
    # Ours last, so that it lies on top; a rate of zero has no place on a logarithmic axis.
    shown = {codec: [pair for pair in pairs if pair[0] > 0] for codec, pairs in curves.items()}
    for codec, pairs in sorted(shown.items(), key=lambda item: (style(item[0]).ours, item[0] == "ours")):
        if not pairs:
            continue
        look = style(codec)
        rates, values = zip(*pairs, strict=True)
        axes.plot(
            rates, values, color=look.colour, marker=look.marker, linewidth=2.2 if look.ours else 1.4,
            markersize=5.8 if look.ours else 3.6, markeredgecolor="white", markeredgewidth=0.9 if look.ours else 0.4,
            zorder=4 if look.ours else 3, clip_on=False,
        )  # fmt: skip
    place_names(
        axes,
        [
            Name(style(codec).short, style(codec).colour, style(codec).ours, np.array(pairs))
            for codec, pairs in shown.items()
            if pairs
        ],
    )
