"""The figures of the loss bench as text."""

import math
from collections.abc import Sequence

from app.bench.loss.networks import NETWORKS
from app.bench.loss.record import FIGURES, LossRecord

EXPLANATION = """\
applied: frames decoded before their moment on show had passed. freeze: how long the face on show stood still at most,
though the camera went on. jump: the largest change from picture to picture that the face did not make itself, in % of
the largest that it did. delay: playout, median. latency: from capture to show without rendering, median. The worst of
all outages: recovery_packets, from the first after it to the one that is applied; resumed, from the network's return to
that first one; recovery, from that to the first new picture; from_rest, how far the face was from rest at its end, RMS
in steps. reconnecting: 1 where the receiver said so in each and took it back. refused: packets that came and could not
be decoded. control: what crossed the control channel, both ways. ended: 1 where the call did not last. wire: both ways.
In brackets what is wanted; ! marks a miss."""

NONE = "-"
DIGITS = {"percent": 2, "ms": 0, "steps": 2, "kb": 0, "kbps": 1}
"""Behind the point, by the end of a figure's name."""


def lines(records: Sequence[LossRecord]) -> list[str]:
    """Return a table with a column for each network, what its figures are, and those of the soak and the like."""
    networks = {network.name: network for network in NETWORKS}
    calls = [record for record in records if record.network in networks]
    table = []
    if calls:
        rows = [["network", *(record.network for record in calls)]]
        for name in FIGURES:
            row = [name]
            for record in calls:
                value, target = record.figures[name], networks[record.network].targets.get(name)
                text = figure_text(name, value)
                row.append(f"{text} ({target}){'' if target.met(value) else ' !'}" if target else text)
            rows.append(row)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        table.append(EXPLANATION)
    for record in records:
        if record.network not in networks:
            found = ", ".join(f"{name} {figure_text(name, value)}" for name, value in record.figures.items())
            table.append(f"{record.network} ({record.how}): {found}")
    return table


def figure_text(name: str, value: float) -> str:
    """Return a figure as printed."""
    if math.isnan(value):
        return NONE
    return f"{value:.{DIGITS.get(name.rpartition('_')[2], 0)}f}"
