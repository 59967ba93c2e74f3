"""Markdown tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NONE = "—"
"""What stands where there is no figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of figures."""

    group: str
    name: str
    """Where it is in `app.bench.results.Result.metrics`."""
    title: str
    digits: int
    """Behind the point."""
    better: int
    """1 where more is better, -1 where less is, 0 where neither is."""
    scale: float = 1.0
    """By which the figure is multiplied for print."""

    def of(self, metrics: Mapping[str, Mapping[str, float]]) -> float:
        """Return the figure, NaN where it is not there."""
        return metrics.get(self.group, {}).get(self.name, math.nan)

    def text(self, value: float) -> str:
        """Return it as printed."""
        return NONE if math.isnan(value) else f"{value * self.scale:.{self.digits}f}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of figures."""

    codec: str
    """Name of the codec, empty where it is none of ours to measure."""
    method: str
    """As the table calls it."""
    kbps: float
    """NaN where it is not known."""
    metrics: Mapping[str, Mapping[str, float]]
    contends: bool = True
    """Whether it can have the best figure: not where it was measured on other clips."""


def rate_text(kbps: float) -> str:
    """Return a rate with about three digits."""
    if math.isnan(kbps):
        return NONE
    return f"{kbps:.0f}" if kbps >= 100 else f"{kbps:.1f}" if kbps >= 10 else f"{kbps:.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Return a table; the first ``texts`` columns are aligned left, the others right."""
    bars = ["---"] * texts + ["---:"] * (len(header) - texts)
    lines = [header, bars, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def figure_table(rows: Sequence[Row], figures: Sequence[Figure], first: str = "method") -> str:
    """Return a table of ``figures`` with the rate of each row; the best of each column is bold, whoever has it.

    Figures that look the same are equally good: the best is decided by what is printed. Columns without any figure are
    left out.
    """
    shown = [figure for figure in figures if any(not math.isnan(figure.of(row.metrics)) for row in rows)]
    best = {figure: best_text(rows, figure) for figure in shown}
    lines = []
    for row in rows:
        cells = []
        for figure in shown:
            text = figure.text(figure.of(row.metrics))
            if not row.contends and text != NONE:
                # Printed with no more digits than its source has.
                text = f"{float(text):g}"
            cells.append(f"**{text}**" if row.contends and text == best[figure] else text)
        method = row.method if row.contends else f"*{row.method}*"
        lines.append([method, rate_text(row.kbps), *cells])
    return table([first, "kbit/s", *(figure.title for figure in shown)], lines)


def best_text(rows: Sequence[Row], figure: Figure) -> str | None:
    """Return the best of a column as printed; None where there is no contest."""
    values = [figure.of(row.metrics) for row in rows if row.contends]
    values = [value for value in values if not math.isnan(value)]
    if figure.better == 0 or len(values) < 2:
        return None
    return figure.text(max(values) if figure.better > 0 else min(values))
