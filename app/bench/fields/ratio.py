"""How much sooner one field is as good as another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.bench.fields.record import Check, FieldRecord

Figure = Literal["psnr_db", "head_psnr_db"]
FIGURES: dict[Figure, str] = {"psnr_db": "full frame", "head_psnr_db": "head"}
"""What a look finds, by the name in `app.bench.fields.record.Check`."""
REFERENCE = "paper"
"""The field that others are measured against."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How soon a field reaches the best that another one has reached."""

    figure: Figure
    value: float
    """dB: the best that the reference reached."""
    reference: Check
    """When it first did."""
    reached: Check
    """The first look at the other field that found at least as much."""

    @property
    def ratio(self) -> float:
        """How many times more processor time the reference took."""
        return self.reference.cpu_s / self.reached.cpu_s


def first_as_good(checks: Sequence[Check], figure: Figure, value: float) -> Check | None:
    """Return the first check that found at least ``value`` dB; None where none did.

    Nothing is interpolated between the looks: what a look did not find was not reached before it.
    """
    return next((check for check in checks if getattr(check, figure) >= value), None)


def gain(reference: FieldRecord, other: FieldRecord, figure: Figure) -> Gain | None:
    """Return how much sooner ``other`` is as good as ``reference`` at its best; None where it never is."""
    best = max(reference.checks, key=lambda check: float(getattr(check, figure)))
    value = float(getattr(best, figure))
    reached = first_as_good(other.checks, figure, value)
    return None if reached is None else Gain(figure, value, best, reached)


def pairs(records: Sequence[FieldRecord]) -> Iterator[tuple[FieldRecord, FieldRecord]]:
    """Yield every training of the reference field with every training of another one on the same pictures."""
    for reference in records:
        for other in records:
            same = (other.clip.name, other.size) == (reference.clip.name, reference.size)
            if same and reference.field == REFERENCE != other.field:
                yield reference, other
