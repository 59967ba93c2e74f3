"""The page of the loss bench, and its plot."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.bench.loss.networks import NETWORKS, UNDISTURBED, Target
from app.bench.loss.record import SOAK, UNAFFECTED, LossRecord
from app.bench.loss.table import figure_text
from app.bench.report.markdown import NONE, table
from app.bench.report.provenance import environment_lines, wall_time_line
from app.bench.report.style import FAINT, panels, save, style, title
from app.bench.speed.load import NOTICEABLE
from signaling.impairment import Impairment

PLOT = "loss.png"

INTRODUCTION = """\
# Loss

What our stream does over networks made bad on purpose, at the peer's own sockets and both ways: a real call each, in
real time, with a recording in place of the camera and nothing rendered. What is wanted stands in brackets; ✗ marks what
misses it.
"""

APPLIED = """\
Frames applied: decoded before their moment on show had passed, in % of those captured. Freeze: how long the face on
show stood still at most. Jump: the largest change from picture to picture that the face did not make itself, in % of
the largest that it did. Delay: playout's, which follows the jitter and what must be waited for after a loss; latency:
from capture to show, without rendering. Both are medians. Wire: both ways, with all headers.
"""

OUTAGES = """\
When nothing comes through at all. The worst of all outages of a call: packets from the first after it to the one that
is applied; the time from the network's return to that first packet, and from it to the first new picture; how far the
face was from rest at the end, RMS in steps of rounding. Whether the receiver said that it was reconnecting, and took it
back; what crossed the control channel, which would carry an avatar.
"""

NO_EFFECT = """\
Without a network, the same packets played out twice, as they were sent and with {overtaken:.0f} of them overtaken,
{doubled:.0f} doubled, {old:.0f} of three hours before among them ({old_refused:.0f} refused) and sequence numbers that
begin again: of {pictures:.0f} pictures the largest difference was {largest_difference_steps:.3g} steps.
"""

SOAKED = """\
Without a network, {frames:,.0f} frames ({hours:.1f} hours of call, {wraps:.0f} rounds of the sequence number), of which
{lost:,.0f} packets were lost, {reordered:,.0f} overtaken, {doubled:,.0f} doubled, while what the sender heard came late
or not at all. Both sides agreed on {applied:,.0f} applied frames and disagreed on {disagreed:,.0f}; of whole packets
{refused:,.0f} were refused. Of {damaged:,.0f} damaged packets {damaged_taken:,.0f} passed, of {replayed:,.0f} of three
hours before {replayed_taken:,.0f}.
"""

BUSY = f"† Other work kept {NOTICEABLE:g} cores or more of the machine busy meanwhile.\n"

Columns = Mapping[str, str]
"""Title by a figure's name."""

CALL: Columns = {
    "applied_percent": "applied, %",
    "freeze_ms": "freeze, ms",
    "jump_percent": "jump, %",
    "delay_ms": "delay, ms",
    "latency_ms": "latency, ms",
    "payload_kbps": "payload, kbit/s",
    "wire_kbps": "wire, kbit/s",
}
OUTAGE: Columns = {
    "outages": "outages",
    "recovery_packets": "packets",
    "resumed_ms": "resumed, ms",
    "recovery_ms": "new picture, ms",
    "from_rest_steps": "from rest, steps",
    "reconnecting": "said so",
    "control_kb": "control, kB",
    "ended": "ended",
}


def loss_page(records: Sequence[LossRecord], output: Path) -> str:
    """Return the page as Markdown, and draw its plot into the folder ``output``."""
    order = {network.name: (index, network.targets) for index, network in enumerate(NETWORKS)}
    calls = sorted(
        (record for record in records if record.network in order), key=lambda record: order[record.network][0]
    )
    parts = [INTRODUCTION]
    if points := _points(calls):
        plot_applied(output / PLOT, points)
        parts += [f"![Frames applied over loss, and the largest freeze]({PLOT})\n"]
    if calls:
        rows = [_row(record, CALL, order[record.network][1]) for record in calls]
        parts += [APPLIED, table(["network", "each way", *CALL.values()], rows, texts=2)]
    cut = [record for record in calls if record.figures.get("outages", 0.0) > 0]
    if cut:
        rows = [_row(record, OUTAGE, order[record.network][1]) for record in cut]
        parts += ["## Bursts and outages\n", OUTAGES, table(["network", "each way", *OUTAGE.values()], rows, texts=2)]
    if any(map(_mark, calls)):
        parts.append(BUSY)
    for record in records:
        if record.network == UNAFFECTED:
            parts += ["## What has no effect\n", NO_EFFECT.format(**record.figures)]
        elif record.network == SOAK:
            hours = record.figures["seconds_of_call"] / 3600
            parts += ["## Soak\n", SOAKED.format(**record.figures, hours=hours)]
    made = environment_lines([record.environment for record in records])
    made.append(wall_time_line([record.seconds for record in records]))
    sent = sorted(
        {f"{record.clip.name}, {record.clip.frames} frames, {record.clip.fps:g} a second" for record in records}
    )
    parts += ["## How it was measured\n", "\n".join([*made, f"- Sent, over and over: {'; '.join(sent)}"]) + "\n"]
    return "\n".join(parts)


def plot_applied(path: Path, points: Sequence[tuple[float, Mapping[str, float]]]) -> None:
    """Draw what was applied and the largest freeze over the share lost, and write the picture to ``path``."""
    look = style("ours")
    shown = (("applied_percent", "Frames applied in time, %", "more is better", (97.0, 99.5)),
             ("freeze_ms", "Largest freeze, ms", "less is better", (120.0,)))  # fmt: skip
    with panels(1, len(shown), 3.0) as (figure, (line,)):
        figure.subplots_adjust(left=0.06, right=0.96, wspace=0.24, top=0.86, bottom=0.17)
        for axes, (name, text, remark, wanted) in zip(line, shown, strict=True):
            title(axes, text, remark)
            for value in wanted:
                axes.axhline(value, color=FAINT, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
                axes.annotate(f"{value:g}", (1.01, value), xycoords=("axes fraction", "data"), va="center", color=FAINT,
                              fontsize=7.5)  # fmt: skip
            losses, values = [loss for loss, _ in points], [figures[name] for _, figures in points]
            axes.plot(
                losses, values, color=look.colour, marker=look.marker, linewidth=2.2, markersize=5.8,
                markeredgecolor="white", markeredgewidth=0.9, zorder=4, clip_on=False,
            )  # fmt: skip
            axes.set_xlabel("packets lost, %")
            if name == "freeze_ms":
                axes.set_ylim(bottom=0.0)
            else:
                axes.set_ylim(min(90.0, math.floor(min(values))), 100.0)
        save(figure, path)


def _points(calls: Sequence[LossRecord]) -> list[tuple[float, Mapping[str, float]]]:
    """Return percent lost and figures of the calls that differ in their loss alone."""
    found = []
    for record in calls:
        if record.network == UNDISTURBED:
            found.append((0.0, record.figures))
        elif record.network.startswith("loss-"):
            found.append((100.0 * Impairment.parse(record.how).loss, record.figures))
    return sorted(found, key=lambda point: point[0]) if len(found) > 1 else []


def _row(record: LossRecord, columns: Columns, targets: Mapping[str, Target]) -> list[str]:
    cells = [record.network + _mark(record), record.how or NONE]
    for name in columns:
        value = record.figures.get(name, math.nan)
        text = NONE if math.isnan(value) else figure_text(name, value)
        if name in ("reconnecting", "ended") and not math.isnan(value):
            text = "yes" if value else "no"
        if (target := targets.get(name)) is not None:
            wanted = f" ({target})" if name not in ("reconnecting", "ended") else ""
            text += wanted + ("" if target.met(value) else " ✗")
        cells.append(text)
    return cells


def _mark(record: LossRecord) -> str:
    return " †" if (record.other_cores or 0.0) >= NOTICEABLE else ""
