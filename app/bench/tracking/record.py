"""The file of one clip of the tracking bench: ``DIR/tracking/CLIP.json``.

Its object has "schema", "bench" ("tracking"), "clip", "seconds" and "environment" as the other results have them, and
what the fields of `TrackingRecord` say.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.environment import Environment
from app.bench.json_fields import FieldError, Fields, json_text, without_nan
from app.bench.results import (
    Clip,
    ResultError,
    clip_from,
    digest_from,
    environment_fields,
    environment_from,
    name_part,
    read_file,
)

SCHEMA: Final = 1
BENCH: Final = "tracking"

FIGURES: Final = (
    "reprojection_median_percent",
    "reprojection_p95_percent",
    "rotation_jitter_mediapipe_degrees",
    "rotation_jitter_mediapipe_smoothed_degrees",
    "rotation_jitter_solved_degrees",
    "rotation_jitter_filtered_degrees",
    "landmark_jitter_detected_px",
    "landmark_jitter_solved_px",
    "landmark_jitter_filtered_px",
    "expression_jitter_solved",
    "expression_jitter_filtered",
    "rotation_lag_frames",
    "expression_lag_frames",
    "decode_ms",
    "landmarks_ms",
    "solve_ms",
    "filter_ms",
    "total_ms",
)
"""Names of a clip's figures, each with its unit at the end; `app.bench.tracking.table.EXPLANATION` says what they are.
"""


@dataclass(frozen=True, slots=True)
class TrackingRecord:
    """What the tracker did on the held-out frames of one clip, calibrated on what comes before them."""

    clip: Clip
    tracked: int
    """Frames with a face."""
    figures: Mapping[str, float]
    """By the names in `FIGURES`, all of them; NaN where the footage does not define one."""
    seconds: Mapping[str, float]
    """Wall time of "landmarks", "calibrate" and "measure"."""
    code_sha256: str
    """Of the tracker's code and tables and of what measured it, hex: other code has other figures."""
    environment: Environment
    other_cores: float | None = None
    """Cores that other work kept busy meanwhile, mean, which makes the times longer; None where nobody tells."""

    def to_json(self) -> str:
        """Return the file's text, the same for the same record.

        Raises:
            ValueError: a figure is infinite.
        """
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "bench": BENCH,
            "clip": asdict(self.clip),
            "tracked": self.tracked,
            "figures": without_nan(self.figures),
            "seconds": without_nan(self.seconds),
            "code_sha256": self.code_sha256,
            "environment": environment_fields(self.environment),
        }
        if self.other_cores is not None:
            content["other_cores"] = self.other_cores
        return json_text(content)

    @classmethod
    def from_json(cls, text: str) -> "TrackingRecord":
        """Read what :meth:`to_json` returns.

        Raises:
            FieldError: it is something else; the message says what and where.
        """
        fields = Fields.of_bench(text, SCHEMA, BENCH)
        clip = clip_from(fields.within("clip"))
        tracked = fields.integer("tracked")
        if tracked > clip.frames:
            raise FieldError(f"tracked is more than the {clip.frames} frames")
        figures = fields.figures("figures")
        if different := set(figures) ^ set(FIGURES):
            name = min(different)
            raise FieldError(f"figures.{name} is " + ("missing" if name in FIGURES else "no field of this format"))
        record = cls(
            clip=clip,
            tracked=tracked,
            figures=figures,
            seconds=fields.figures("seconds"),
            code_sha256=digest_from(fields, "code_sha256"),
            environment=environment_from(fields.within("environment")),
            other_cores=fields.number("other_cores", least=0) if "other_cores" in fields else None,
        )
        fields.close()
        return record


def record_path(folder: Path, clip: str) -> Path:
    """Return where the record of a clip lies in a folder of results. Raises ResultError: it cannot be a file's name."""
    return folder / BENCH / f"{name_part(clip)}.json"


def read_record(path: Path) -> TrackingRecord:
    """Read a record. Raises ResultError: it is missing, damaged or of another version."""
    return read_file(path, TrackingRecord.from_json)


def read_records(folder: Path) -> list[TrackingRecord]:
    """Return the records of all clips in a folder of results, in the order of their names. Raises ResultError."""
    return [read_record(path) for path in sorted((folder / BENCH).glob("*.json"))]


def find_record(folder: Path, clip: Clip, code_sha256: str, now: Environment) -> TrackingRecord | None:
    """Return the record that is there already for exactly this measurement, which need not be repeated; else None.

    The clip, the code, the libraries, the processor and the number of its cores must be the same. A damaged file counts
    as none: it will be written anew.
    """
    try:
        record = read_record(record_path(folder, clip.name))
    except ResultError:
        return None
    made = record.environment
    wanted = (clip, code_sha256, now.cpu, now.cores, dict(now.versions))
    there = (record.clip, record.code_sha256, made.cpu, made.cores, dict(made.versions))
    return record if there == wanted else None
