"""The page of the bench of fields, with its plot."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from app.bench.fields.ratio import FIGURES, gain, pairs
from app.bench.fields.record import FieldRecord
from app.bench.report.markdown import NONE, table
from app.bench.report.provenance import environment_lines, footage_table, wall_time_line
from app.bench.report.style import panels, save, title

INTRODUCTION = """\
# Fields

How much sooner the field of a call is as good as the paper's own (arXiv 2402.16599, eq. 1 to 5, after AD-NeRF), trained
on the same pictures, poses and expressions, on one core. The paper's: positional encoding, four networks of 8 layers of
256 (coarse and fine, head and torso), 64 + 128 samples a ray.
"""

TRAINED = """\
## What each training came to

Processor time of one core, without the looks at held-out frames; wall time has whatever else the machine did. PSNR is
of held-out frames, whole and of the head alone, as trained:
"""

SHIPPED = """\
## As a receiver sees it

From the avatar file and coded packets, on all held-out frames that an enrolment measures:
"""

GAINS = """\
## How much sooner

The time at which the paper's field was at its best, against the first look at the other field that found as much. A
field is looked at now and then, and between the looks nothing is interpolated:
"""

TICKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000)
LOOKS = {"fast": ("#D55E00", "o"), "paper": ("#0072B2", "s")}
"""Colour and marker by the name of the field."""
OTHER = ("#222222", "D")


def fields_page(records: Sequence[FieldRecord], output: Path) -> str:
    """Return the page as Markdown and write its plot into ``output``."""
    plot = output / "fields.png"
    plot_training(plot, records)
    environments = [record.environment for record in records]
    made = [*environment_lines(environments), wall_time_line([record.seconds for record in records])]
    parts = [
        INTRODUCTION,
        GAINS,
        table(
            ["clip", "of", "paper's best", "after", "the field", "as good after", "sooner"], _gains(records), texts=2
        ),
        f"![PSNR of held-out frames over the processor time of training]({plot.name})\n",
        TRAINED,
        table(
            ["clip", "field", "side", "numbers", "steps", "processor time", "wall time", "full frame, dB", "head, dB"],
            [_trained(record) for record in records],
            texts=2,
        ),
        *_shipped_part(records),
        "## How it was measured\n",
        "\n".join(made) + "\n",
        footage_table({record.clip for record in records}),
    ]
    return "\n".join(parts)


def plot_training(path: Path, records: Sequence[FieldRecord]) -> None:
    """Draw PSNR over processor time: a row for each clip and size, a panel for each figure, a curve for each field."""
    rows = sorted({(record.clip.name, record.size) for record in records})
    times = [check.cpu_s for record in records for check in record.checks]
    low, high = max(min(times), 1.0) / 1.25, max(times) * 1.6
    with panels(len(rows), len(FIGURES), 0.55 + 2.75 * len(rows)) as (figure, axes):
        figure.subplots_adjust(
            left=0.06, right=0.95, wspace=0.25, hspace=0.42, top=1 - 0.36 / figure.get_figheight(),
            bottom=0.48 / figure.get_figheight(),
        )  # fmt: skip
        for line, (clip, size) in zip(axes, rows, strict=True):
            shown = [record for record in records if (record.clip.name, record.size) == (clip, size)]
            for panel, (name, called) in zip(line, FIGURES.items(), strict=True):
                title(panel, f"{clip} {size}², {called}, PSNR, dB", "more is better")
                panel.set_xscale("log")
                panel.set_xlim(low, high)
                panel.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if low <= tick <= high]))
                panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                panel.xaxis.set_minor_locator(NullLocator())
                if line is axes[-1]:
                    panel.set_xlabel("seconds of one core")
                for record in shown:
                    colour, marker = LOOKS.get(record.field, OTHER)
                    seconds = [check.cpu_s for check in record.checks]
                    values = [float(getattr(check, name)) for check in record.checks]
                    panel.plot(seconds, values, color=colour, marker=marker, markersize=4, linewidth=1.8)
                    panel.annotate(
                        record.field, (seconds[-1], values[-1]), (6, 0), textcoords="offset points", color=colour,
                        va="center", annotation_clip=False,
                    )  # fmt: skip
        save(figure, path)


def _gains(records: Sequence[FieldRecord]) -> list[list[str]]:
    rows = []
    for reference, other in pairs(records):
        for figure, called in FIGURES.items():
            best = max(float(getattr(check, figure)) for check in reference.checks)
            row = [reference.clip.name, f"{called}, {reference.size}²", f"{best:.2f} dB"]
            found = gain(reference, other, figure)
            if found is None:
                rows.append([*row, NONE, other.field, NONE, NONE])
                continue
            reached = f"{found.reached.cpu_s:.0f} s ({getattr(found.reached, figure):.2f} dB)"
            sooner = f"**{found.ratio:.0f} times**"
            rows.append([*row, f"{found.reference.cpu_s:.0f} s", other.field, reached, sooner])
    return rows


def _trained(record: FieldRecord) -> list[str]:
    last = record.checks[-1]
    return [
        record.clip.name,
        record.field,
        str(record.size),
        f"{record.parameters:,}",
        f"{last.steps:,}",
        f"{last.cpu_s:.0f} s",
        f"{last.wall_s:.0f} s",
        f"{last.psnr_db:.2f}",
        f"{last.head_psnr_db:.2f}",
    ]


def _shipped_part(records: Sequence[FieldRecord]) -> list[str]:
    """Return the part on what a receiver sees; none where no avatar was made."""
    rows = [
        [
            record.clip.name,
            record.field,
            f"{record.shipped.psnr_db:.2f}",
            f"{record.shipped.head_psnr_db:.2f}",
            f"{record.shipped.payload_kbps:.2f}",
            f"{record.shipped.field_bytes / 1e6:.2f}",
        ]
        for record in records
        if record.shipped is not None
    ]
    header = ["clip", "field", "full frame, dB", "head, dB", "kbit/s", "field, MB"]
    return [SHIPPED, table(header, rows, texts=2)] if rows else []
