"""The files of the loss bench: ``DIR/loss/RECORDING/NETWORK.json``.

Each object has "schema", "bench" ("loss"), "clip", "seconds" and "environment" as the other results have them, and what
the fields of `LossRecord` say.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.environment import Environment
from app.bench.json_fields import Fields, json_text, without_nan
from app.bench.results import Clip, clip_from, environment_fields, environment_from, name_part, read_file

SCHEMA: Final = 1
BENCH: Final = "loss"
SOAK: Final = "soak"
"""The name of the record of `app.bench.loss.soak`, whose figures are those of `SoakFigures`."""
UNAFFECTED: Final = "unaffected"
"""The name of the record of `app.bench.loss.unaffected`."""

FIGURES: Final = (
    "applied_percent",
    "freeze_ms",
    "jump_percent",
    "delay_ms",
    "latency_ms",
    "outages",
    "recovery_packets",
    "resumed_ms",
    "recovery_ms",
    "reconnecting",
    "from_rest_steps",
    "refused",
    "control_kb",
    "ended",
    "wire_kbps",
    "payload_kbps",
)
"""Names of a call's figures; `app.bench.loss.table.EXPLANATION` says what they are."""


@dataclass(frozen=True, slots=True)
class LossRecord:
    """What our stream did over one network."""

    clip: Clip
    """The recording that was sent."""
    network: str
    how: str
    """As for --impair; of the soak and of what must have no effect, in words."""
    figures: Mapping[str, float]
    """NaN where the network does not define one."""
    seconds: Mapping[str, float]
    """Wall time of "measure"."""
    environment: Environment
    other_cores: float | None = None
    """Cores that other work kept busy meanwhile, mean; None where nobody tells."""

    def to_json(self) -> str:
        """Return the file's text, the same for the same record.

        Raises:
            ValueError: a figure is infinite.
        """
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "bench": BENCH,
            "clip": asdict(self.clip),
            "network": self.network,
            "how": self.how,
            "figures": without_nan(self.figures),
            "seconds": without_nan(self.seconds),
            "environment": environment_fields(self.environment),
        }
        if self.other_cores is not None:
            content["other_cores"] = self.other_cores
        return json_text(content)

    @classmethod
    def from_json(cls, text: str) -> "LossRecord":
        """Read what :meth:`to_json` returns.

        Raises:
            FieldError: it is something else; the message says what and where.
        """
        fields = Fields.of_bench(text, SCHEMA, BENCH)
        record = cls(
            clip=clip_from(fields.within("clip")),
            network=fields.text("network"),
            how=fields.text("how"),
            figures=fields.figures("figures"),
            seconds=fields.figures("seconds"),
            environment=environment_from(fields.within("environment")),
            other_cores=fields.number("other_cores", least=0) if "other_cores" in fields else None,
        )
        fields.close()
        return record


def record_path(folder: Path, clip: str, network: str) -> Path:
    """Return where a record lies in a folder of results. Raises ResultError: it cannot be a file's name."""
    return folder / BENCH / name_part(clip) / f"{name_part(network)}.json"


def read_records(folder: Path) -> list[LossRecord]:
    """Return all records in a folder of results, in the order of their paths. Raises ResultError."""
    return [read_file(path, LossRecord.from_json) for path in sorted((folder / BENCH).glob("*/*.json"))]
