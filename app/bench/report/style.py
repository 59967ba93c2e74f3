"""How plots look: a palette that the colour-blind can read; the same file for the same figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

WIDTH = 8.8
"""Inches: as wide as a README shows a picture, so that the letters keep about their size."""
DPI = 200
INK, FAINT, GRID = "#1F2328", "#6E7781", "#E4E7EB"

RATE_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
SPARSE_RATE_TICKS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
"""kbit/s: where the axis runs over more than two decades."""


@dataclass(frozen=True, slots=True)
class CodecStyle:
    """How a codec is drawn."""

    short: str
    """Beside its curve."""
    colour: str
    marker: str
    ours: bool = False
    """Drawn larger."""


STYLES = {
    "ours": CodecStyle("nerfcall", "#D55E00", "o", ours=True),
    "ours-plain": CodecStyle("nerfcall, plain", "#E69F00", "D", ours=True),
    "ours-no-code": CodecStyle("nerfcall, no code", "#8F5E00", "v", ours=True),
    "ours-upscaled": CodecStyle("nerfcall, upscaled", "#F0A875", "d"),
    "animation": CodecStyle("animation", "#CC79A7", "P"),
    "vvc": CodecStyle("VVC", "#0072B2", "s"),
    "av1": CodecStyle("AV1", "#009E73", "^"),
    "hevc": CodecStyle("HEVC", "#222222", "o"),
    "vp9": CodecStyle("VP9", "#56B4E9", "v"),
    "h264": CodecStyle("H.264", "#8C959F", "X"),
}
"""By the name of the codec, in the order in which tables list them. The colours are those of Okabe and Ito (2008)."""
_OTHERS = ("#5B4B8A", "#7A5C3E", "#3D7A75", "#A0522D")

_LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": "#B5BCC4",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def style(codec: str) -> CodecStyle:
    """Return the style of a codec, by its name; one that is not known gets a colour that only its name decides."""
    known = STYLES.get(codec)
    return known or CodecStyle(codec, _OTHERS[sum(codec.encode()) % len(_OTHERS)], "d")


def rank(codec: str) -> tuple[int, str]:
    """Return what to sort codecs by."""
    names = list(STYLES)
    return (names.index(codec) if codec in names else len(names), codec)


@contextmanager
def panels(rows: int, columns: int, height: float, **options: Any) -> Iterator[tuple[Figure, list[list[Axes]]]]:
    """Open a figure of ``rows`` by ``columns`` panels, ``height`` inches high; ``options`` as of `pyplot.subplots`."""
    with matplotlib.rc_context(_LOOK):
        figure, axes = pyplot.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)
        try:
            yield figure, axes.tolist()
        finally:
            pyplot.close(figure)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that says nothing of when and by which version it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def title(axes: Axes, text: str, remark: str) -> None:
    """Put ``text`` above a panel, and a remark at the right, smaller."""
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, (0, 1), (0, 8), weight="bold", **above)
    axes.annotate(remark, (1, 1), (0, 8), ha="right", color=FAINT, fontsize=8, **above)


def rate_axis(axes: Axes, rates: Sequence[float], label: bool = True) -> None:
    """Make x logarithmic, from just below the lowest of ``rates`` (kbit/s) to just above the highest."""
    low, high = min(rates) / 1.25, max(rates) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = RATE_TICKS if high / low <= 100 else SPARSE_RATE_TICKS
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    if label:
        axes.set_xlabel("kbit/s")
