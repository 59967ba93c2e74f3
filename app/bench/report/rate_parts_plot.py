"""Draws where the bits of a packet go, and what fewer of them cost the picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from app.bench.report.style import FAINT, INK, panels, rate_axis, save, title
from app.bench.results import Result

COLOURS: Final = {
    "header": "#8C959F",
    "checksum": "#C4CAD1",
    "time": "#F0E442",
    "pose": "#0072B2",
    "torso": "#56B4E9",
    "expression": "#D55E00",
    "padding": "#E4E7EB",
}
_LEGEND: Final[dict[str, Any]] = {"frameon": False, "fontsize": 7.0, "handlelength": 1.2}
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
CLIP_COLOURS: Final = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#222222")
POINTS: Final = ("finest", "normal", "thrifty", "alone")


def plot_parts(path: Path, results: Sequence[Result]) -> None:
    """Draw the bits of each point's mean packet by part, beside them PSNR and LPIPS lost over the rate."""
    with panels(1, 3, 3.3) as (figure, axes):
        figure.subplots_adjust(left=0.055, right=0.985, wspace=0.36, top=0.87, bottom=0.3)
        _parts(axes[0][0], results)
        clips = sorted({result.clip.name for result in results})
        for panel, name, text in ((axes[0][1], "psnr", "PSNR lost, dB"), (axes[0][2], "lpips", "LPIPS gained")):
            _losses(panel, results, clips, name)
            title(panel, text, "less is better")
        handles, labels = axes[0][2].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower right", bbox_to_anchor=(0.99, 0.02), ncols=len(clips), **_LEGEND)
        save(figure, path)


def _parts(panel: Axes, results: Sequence[Result]) -> None:
    """Draw a bar for each point: the mean over the clips."""
    shown = [point for point in POINTS if any(result.codec.settings["point"] == point for result in results)]
    bottom = np.zeros(len(shown))
    for part, colour in COLOURS.items():
        means = [
            np.mean(
                [result.metrics["bits_a_packet"][part] for result in results if result.codec.settings["point"] == point]
            )
            for point in shown
        ]
        panel.bar(shown, means, bottom=bottom, color=colour, width=0.62, label=part, zorder=3)
        bottom += means
    for place, bits in enumerate(bottom):
        above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "color": INK, "fontsize": 8}
        panel.annotate(f"{bits:.0f}", (place, bits), (0, 3), **above)
    panel.set_ylim(0, 1.08 * max(bottom))
    panel.legend(loc="upper center", bbox_to_anchor=(0.45, -0.12), ncols=4, columnspacing=0.8, **_LEGEND)
    title(panel, "Bits of a packet", "mean of the clips")


def _losses(panel: Axes, results: Sequence[Result], clips: Sequence[str], name: str) -> None:
    rates = [result.rate.payload_kbps for result in results if result.rate is not None]
    rate_axis(panel, rates)
    sign = -1.0 if name == "psnr" else 1.0
    for index, clip in enumerate(clips):
        look: dict[str, Any] = {
            "color": CLIP_COLOURS[index % len(CLIP_COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
        }
        points = sorted(
            (result.rate.payload_kbps, sign * result.metrics["loss"][name])
            for result in results
            if result.clip.name == clip and result.rate is not None and result.codec.settings["point"] != "alone"
        )
        panel.plot(*np.transpose(points), label=clip, linewidth=1.5, zorder=3, **look)
        alone = [
            (result.rate.payload_kbps, sign * result.metrics["loss"][name])
            for result in results
            if result.clip.name == clip and result.rate is not None and result.codec.settings["point"] == "alone"
        ]
        if alone:
            panel.plot(*np.transpose(alone), linestyle="none", alpha=0.45, zorder=3, **look)
    panel.axhline(0.0, color=FAINT, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
    panel.axhline({"psnr": 0.1, "lpips": 0.002}[name], color=FAINT, linewidth=0.8, zorder=1)
