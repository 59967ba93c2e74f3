"""The file of one field trained on one clip: ``DIR/fields/CLIP_FIELD_SIZE.json``.

Its object has "schema", "bench" ("fields"), "clip", "size", "seconds" and "environment" as the other results have them,
and what the fields of `FieldRecord` say.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.environment import Environment
from app.bench.json_fields import FieldError, Fields, json_text, without_nan
from app.bench.results import Clip, ResultError, clip_from, environment_fields, environment_from, name_part, read_file

SCHEMA: Final = 1
BENCH: Final = "fields"
MOST_CHECKS: Final = 1000


@dataclass(frozen=True, slots=True)
class Check:
    """How far a training had come when it was looked at."""

    steps: int
    cpu_s: float
    """Processor time that training had taken, of one core, without the looks at it."""
    wall_s: float
    """Time that had passed meanwhile, which other work on the machine makes longer."""
    psnr_db: float
    """Of held-out frames, whole, as trained: neither quantised nor coded; mean over the frames."""
    head_psnr_db: float
    """Of their heads alone."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """The avatar that came of it, on held-out frames as a receiver sees them, coded and decoded."""

    psnr_db: float
    head_psnr_db: float
    payload_kbps: float
    field_bytes: int
    """Of the avatar file's part that holds the field."""


@dataclass(frozen=True, slots=True)
class FieldRecord:
    """One field's training on one clip."""

    clip: Clip
    """What was held out; `Clip.frames` are those that each check compares."""
    size: int
    """Side of the pictures that were trained on and compared, pixels."""
    field: str
    """A name of `app.enrolment.fields.FIELDS`."""
    budget_s: float
    """Processor time of one core that was given to the training: the learning rates fall with its share that is spent.
    """
    parameters: int
    """Numbers that were trained, those of the expression embedding included."""
    checks: Sequence[Check]
    """In the order of time."""
    shipped: Shipped | None
    """None where no avatar was made."""
    seconds: dict[str, float]
    """Wall time of "prepare", "train" and "look", and of "ship" where an avatar was made."""
    environment: Environment

    def to_json(self) -> str:
        """Return the file's text, the same for the same record.

        Raises:
            ValueError: a figure is infinite.
        """
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "bench": BENCH,
            "clip": asdict(self.clip),
            "size": self.size,
            "field": self.field,
            "budget_s": self.budget_s,
            "parameters": self.parameters,
            "checks": [without_nan(asdict(check)) for check in self.checks],
            "seconds": without_nan(self.seconds),
            "environment": environment_fields(self.environment),
        }
        if self.shipped is not None:
            content["shipped"] = without_nan(asdict(self.shipped))
        return json_text(content)

    @classmethod
    def from_json(cls, text: str) -> "FieldRecord":
        """Read what :meth:`to_json` returns.

        Raises:
            FieldError: it is something else; the message says what and where.
        """
        fields = Fields.of_bench(text, SCHEMA, BENCH)
        record = cls(
            clip=clip_from(fields.within("clip")),
            size=fields.integer("size", least=1),
            field=fields.text("field"),
            budget_s=fields.number("budget_s", least=0),
            parameters=fields.integer("parameters"),
            checks=[_check(check) for check in fields.each("checks", MOST_CHECKS)],
            shipped=_shipped(fields.within("shipped")) if "shipped" in fields else None,
            seconds=fields.figures("seconds"),
            environment=environment_from(fields.within("environment")),
        )
        fields.close()
        if not record.checks:
            raise FieldError("checks is empty")
        times = [check.cpu_s for check in record.checks]
        if sorted(times) != times:
            raise FieldError("checks is not in the order of time")
        return record


def _check(fields: Fields) -> Check:
    check = Check(
        steps=fields.integer("steps"),
        cpu_s=fields.number("cpu_s", least=0),
        wall_s=fields.number("wall_s", least=0),
        psnr_db=fields.number("psnr_db"),
        head_psnr_db=fields.number("head_psnr_db"),
    )
    fields.close()
    return check


def _shipped(fields: Fields) -> Shipped:
    shipped = Shipped(
        psnr_db=fields.number("psnr_db"),
        head_psnr_db=fields.number("head_psnr_db"),
        payload_kbps=fields.number("payload_kbps", least=0),
        field_bytes=fields.integer("field_bytes"),
    )
    fields.close()
    return shipped


def stem(clip: str, field: str, size: int) -> str:
    """Return the name, without ending, of what belongs to one training. Raises ResultError: it can be no file's."""
    return "_".join(map(name_part, (clip, field, str(size))))


def read_record(path: Path) -> FieldRecord:
    """Read a record. Raises ResultError: it is missing, damaged or of another version."""
    return read_file(path, FieldRecord.from_json)


def read_records(folder: Path) -> list[FieldRecord]:
    """Return all records in a folder of results, in the order of their names. Raises ResultError."""
    return [read_record(path) for path in sorted((folder / BENCH).glob("*.json"))]


def find_record(path: Path, clip: str, field: str, size: int, budget_s: float, shipped: bool) -> FieldRecord | None:
    """Return the record that is there already for exactly this training; a damaged file counts as none.

    ``shipped`` says whether it must tell of an avatar.
    """
    try:
        record = read_record(path)
    except ResultError:
        return None
    there = (record.clip.name, record.field, record.size, record.budget_s)
    return record if there == (clip, field, size, budget_s) and (record.shipped or not shipped) else None
