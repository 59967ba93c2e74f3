"""The file of one run of the speed bench: ``DIR/speed/CLIP.json``.

Its object has "schema", "bench" ("speed"), "clip" and "environment" as the other results have them, and "speed", whose
parts are there as far as they were measured:

============= =====================================================================================================
avatar        name, sha256, bytes
settings      sizes, call_sizes, threads, seconds, device
load          before, after: load averages over 1, 5, 15 minutes; other_cores: most cores that other work kept busy;
              unreliable: sentences that say why the figures may be wrong
tracker       frames, tracked, cores, ms (median, p95, mean); null where a recording drove the avatar
codec         frames, bytes_a_frame, embed_us, encode_us, decode_us
render        a row for each device, size and number of threads: width, size (its height), backend, parity (with plain
              torch: frames, largest, share, rms in steps of 8 bits; null where that renders), ms, fps (1000 / median),
              to_host_ms, peak_rss_mb
call          a row for each size: fps (median, p5 and mean of the seconds), latency_ms, render_ms, frames, dropped,
              longest_gap_ms, processes (cpu_cores, peak_rss_mb), memory_mb, rates, first_picture_s from the start of
              the preview on, whose sender has to load too
first_picture warm and cold: seconds from the start of the receiver on, and its runs
peak, floor   what each device can do, and for each size the operations and bytes of a frame, the least milliseconds
              they take, and the share of the measured time that is
profile       for each size the milliseconds of each stage, and torch's slowest operators
rivals        frames a second of the conventional codecs
============= =====================================================================================================
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.environment import Environment
from app.bench.results import Clip, ResultError
from codec.errors import CodecError
from codec.files import write_atomic

SCHEMA: Final = 1
SIZE_LIMIT: Final = 1 << 20
"""Bytes: a record has some ten thousand."""


@dataclass(frozen=True, slots=True)
class SpeedRecord:
    """What a run has measured."""

    clip: Clip
    environment: Environment
    speed: Mapping[str, Any]
    """The figures by part."""

    def to_json(self) -> str:
        """Return the file's text. Raises ValueError for a figure that is not finite."""
        content = {
            "schema": SCHEMA,
            "bench": "speed",
            "clip": asdict(self.clip),
            "speed": self.speed,
            "environment": {**asdict(self.environment), "versions": dict(self.environment.versions)},
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "SpeedRecord":
        """Read what :meth:`to_json` returns. Raises ValueError for anything else."""
        try:
            content = json.loads(text)
            if content["schema"] != SCHEMA or content["bench"] != "speed" or not isinstance(content["speed"], dict):
                raise ValueError("it is no record of the speed bench, or of another version")
            return cls(Clip(**content["clip"]), Environment(**content["environment"]), content["speed"])
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("it is no record of the speed bench") from error


def picture_size(row: Mapping[str, Any]) -> str:
    """Return the size of the pictures of a row in words: one side of a square, both of another rectangle."""
    height, width = row["size"], row.get("width", row["size"])
    return f"{height}²" if width == height else f"{width} × {height}"


def record_path(folder: Path, clip: str) -> Path:
    """Return where the record of a clip lies in a folder of results."""
    return folder / "speed" / f"{clip}.json"


def write_record(path: Path, record: SpeedRecord) -> None:
    """Write a record in one step. Raises ResultError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, record.to_json().encode(), CodecError, "result")
    except (OSError, CodecError) as error:
        raise ResultError(f"{path} cannot be written: choose a folder you can write to with -o ({error})") from None


def read_record(path: Path) -> SpeedRecord:
    """Read a record. Raises ResultError: it is missing, damaged or of another version."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise ValueError("it is larger than any record is")
        return SpeedRecord.from_json(data.decode())
    except OSError as error:
        raise ResultError(f"{path} cannot be read ({error.strerror}): run `nerfcall bench speed`") from None
    except ValueError as error:
        raise ResultError(f"{path} is damaged ({error}): delete it and run `nerfcall bench speed` again") from None


def read_records(folder: Path) -> list[SpeedRecord]:
    """Return the records of all clips in a folder of results, in the order of their names. Raises ResultError."""
    return [read_record(path) for path in sorted((folder / "speed").glob("*.json"))]
