"""The figures of the bench of fields as text."""

from collections.abc import Sequence

from app.bench.fields.ratio import FIGURES, Figure, gain, pairs
from app.bench.fields.record import FieldRecord, Shipped

EXPLANATION = """\
Each field was trained on what comes before the held-out frames; PSNR is of held-out frames, as trained.
cpu: processor time of one core spent on training; wall: with whatever else the machine did meanwhile.
shipped: as a receiver sees them, from the avatar file and coded packets."""


def lines(records: Sequence[FieldRecord]) -> list[str]:
    """Return what each training came to, and how much sooner each field is as good as the reference."""
    found = [
        f"{'clip':16} {'field':6} {'size':>4} {'steps':>7} {'cpu':>8} {'wall':>8} {'full':>7} {'head':>7}   shipped"
    ]
    for record in records:
        last = record.checks[-1]
        found.append(
            f"{record.clip.name:16} {record.field:6} {record.size:4} {last.steps:7} {last.cpu_s:6.0f} s "
            f"{last.wall_s:6.0f} s {last.psnr_db:7.2f} {last.head_psnr_db:7.2f}   {_shipped(record.shipped)}"
        )
    found += [gain_text(*pair, figure) for pair in pairs(records) for figure in FIGURES]
    return [*found, EXPLANATION]


def gain_text(reference: FieldRecord, other: FieldRecord, figure: Figure) -> str:
    """Say in a sentence how much sooner ``other`` is as good as ``reference``."""
    subject = f"{reference.clip.name} {reference.size}², {FIGURES[figure]}: "
    found = gain(reference, other, figure)
    if found is None:
        return f"{subject}the {other.field} field never is as good as the {reference.field} field at its best"
    return (
        f"{subject}the {other.field} field is as good as the {reference.field} field at its best ({found.value:.2f} dB "
        f"after {found.reference.cpu_s:.0f} s) after {found.reached.cpu_s:.0f} s ({getattr(found.reached, figure):.2f} "
        f"dB): {found.ratio:.0f} times sooner"
    )


def _shipped(shipped: Shipped | None) -> str:
    if shipped is None:
        return "-"
    quality = f"{shipped.psnr_db:.2f} dB, head {shipped.head_psnr_db:.2f} dB"
    return f"{quality}, {shipped.payload_kbps:.2f} kbit/s, field {shipped.field_bytes / 1e6:.2f} MB"
