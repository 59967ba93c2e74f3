"""The page of the rate bench: where the bits of our stream go, and what it costs the picture to send fewer."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from app.bench.report.markdown import NONE, Figure, rate_text, table
from app.bench.report.provenance import provenance
from app.bench.report.rate_parts_plot import plot_parts
from app.bench.results import Result

INTRODUCTION = """\
# The rate of our stream

What a call sends of a face, on footage that nothing was enrolled on: whole packets with their headers, and what
rounding costs the picture. A frame is predicted from one that the sender knows to have arrived; how long that takes is
said below, and every second message is acknowledged. At the point thrifty every second frame is sent, two of them in a
packet: the first waits 80 ms for the other. What is behind the person comes on top when it changes: up to 200 bit/s.
"""

SPLIT = """\
Bits of a mean packet. "Padding" is what a packet has beyond the ideal code length of what it says. "Alone" codes each
frame by itself, for who cannot answer. Loss is against rendering the tracked face unrounded:
"""

OTHERS = """\
The same numbers, rounded one by one as at "normal", coded in other ways, without any header, kbit/s. The paper sends
16 bits a number and takes 0.72 of that for its entropy coder; zlib, bz2, zstd and lzma see all frames at once, which no
call can; the ideal of order 2 predicts each number from its last two values, without delay, and pays for no table:
"""

PLOT: Final = "rate.png"

POINTS: Final = ("finest", "normal", "thrifty", "alone")

TARGETS: Final[Mapping[str, tuple[float, float, float]]] = {
    "normal": (3.0, 0.1, 0.002),
    "thrifty": (1.0, math.inf, math.inf),
}
"""By point: kbit/s at most, dB of PSNR lost at most, LPIPS lost at most."""

LOST: Final = (Figure("loss", "psnr", "PSNR, dB", 3, 1), Figure("loss", "lpips", "LPIPS", 4, -1))

_PARTS_FIGURES: Final = ("packets_a_frame", "alone_share")


def rate_page(results: Sequence[Result], folder: Path) -> str:
    """Write the plot into ``folder`` and return the page as Markdown."""
    ordered = sorted(results, key=lambda result: (result.clip.name, POINTS.index(point_of(result))))
    plot_parts(folder / PLOT, ordered)
    delays = sorted({f"{result.codec.settings['delay_ms']:g} ms" for result in ordered})
    parts = [
        INTRODUCTION,
        f"From sending a message to knowing that it has arrived: {', '.join(delays)}.\n",
        f"![Bits of a packet by part, and loss of PSNR and LPIPS over the rate]({PLOT})\n",
        "The curves run through finest, normal and thrifty; the faint marks are frames coded alone; the lines are what"
        " may be lost at the point normal.\n",
        "## Against the targets\n",
        _targets(ordered),
        "## By part\n",
        SPLIT,
        _split(ordered),
        "## Other ways of coding\n",
        OTHERS,
        _others(ordered),
        provenance(ordered),
    ]
    return "\n".join(parts)


def point_of(result: Result) -> str:
    """Return the name of the operating point of a result."""
    return str(result.codec.settings["point"])


def part_names(results: Sequence[Result]) -> list[str]:
    """Return the parts of a packet in the order in which they were written."""
    return [name for name in results[0].metrics["bits_a_packet"] if name not in _PARTS_FIGURES]


def rate_of(result: Result) -> float:
    """Return kbit/s, NaN where nothing was coded."""
    return result.rate.payload_kbps if result.rate is not None else math.nan


def _targets(results: Sequence[Result]) -> str:
    lines = []
    for point, (rate, psnr, lpips) in TARGETS.items():
        found = [result for result in results if point_of(result) == point]
        if not found:
            continue
        rows = [(result.clip.name, _figures(result)) for result in found]
        if len(rows) > 1:
            columns = zip(*(figures for _, figures in rows), strict=True)
            rows.append(("mean", tuple(sum(column) / len(column) for column in columns)))
        for clip, (kbps, lost_psnr, lost_lpips) in rows:
            holds = kbps <= rate and -lost_psnr <= psnr and lost_lpips <= lpips
            wanted = f"≤ {rate:g}" + (f", ≤ {psnr:g} dB, ≤ {lpips:g}" if math.isfinite(psnr) else "")
            shown = [LOST[0].text(lost_psnr), LOST[1].text(lost_lpips)]
            lines.append([point, clip, wanted, rate_text(kbps), *shown, "yes" if holds else "no"])
    head = ["point", "clip", "wanted", "kbit/s", *(f"Δ {figure.title}" for figure in LOST), "held"]
    return table(head, lines, texts=3) if lines else f"{NONE}\n"


def _figures(result: Result) -> tuple[float, ...]:
    """Return kbit/s, and the changes of PSNR and LPIPS."""
    return (rate_of(result), *(figure.of(result.metrics) for figure in LOST))


def _split(results: Sequence[Result]) -> str:
    names = part_names(results)
    rows = []
    for result in results:
        split = result.metrics["bits_a_packet"]
        rows.append(
            [
                result.clip.name,
                point_of(result),
                rate_text(rate_of(result)),
                *(figure.text(figure.of(result.metrics)) for figure in LOST),
                *(f"{split[name]:.1f}" for name in names),
                f"{sum(split[name] for name in names) / 8:.1f}",
            ]
        )
    return table(["clip", "point", "kbit/s", *(f"Δ {figure.title}" for figure in LOST), *names, "bytes"], rows, texts=2)


def _others(results: Sequence[Result]) -> str:
    rows = []
    normal = [result for result in results if point_of(result) == "normal"]
    # An earlier version compared with fewer.
    names = list(dict.fromkeys(name for result in normal for name in result.metrics["others_kbps"]))
    for result in normal:
        others = result.metrics["others_kbps"]
        split = result.metrics["bits_a_packet"]
        numbers = sum(split[part] for part in ("pose", "torso", "expression"))
        share = numbers / sum(split[name] for name in part_names(results))
        figures = [rate_of(result), rate_of(result) * share]
        rows.append([result.clip.name, *map(rate_text, figures)])
        rows[-1] += [rate_text(others[name]) if name in others else "—" for name in names]
    head = ["clip", "ours", "of that the numbers", *(name.replace("_", " ") for name in names)]
    return table(head, rows) if rows else f"{NONE}\n"
