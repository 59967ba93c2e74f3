"""The benchmark's results: one JSON file for each measurement.

``nerfcall bench`` writes them, resumes from them and makes its report of them, so a reader can also take any other
program's figures into the comparison by writing such files. The format is that of `Result`; its version is `SCHEMA`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from app.bench.environment import Environment
from app.bench.json_fields import FieldError, Fields, json_text, without_nan
from app.errors import UserError
from codec.errors import CodecError
from codec.files import write_atomic

SCHEMA = 1
BENCHES = ("quality", "rate-distortion", "resolution", "ablation", "rate")
"""Those whose results are of this kind; the benches of speed and tracking have formats of their own."""
SIZE_LIMIT = 1 << 20
"""Bytes: a result is a few thousand."""

Settings = Mapping[str, str | int | float]

Read = TypeVar("Read")


class ResultError(UserError):
    """A result file cannot be used or written: the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Clip:
    """The footage that was coded."""

    name: str
    """Of the file, without folder and ending."""
    held_out_from_s: float
    """Where the footage begins that no avatar was trained on; only what comes after is measured."""
    frames: int
    """How many frames were coded."""
    fps: float


@dataclass(frozen=True, slots=True)
class CodecUsed:
    """A codec at one operating point."""

    name: str
    """Lower-case letters, digits and -."""
    label: str
    """As tables and plots call it."""
    settings: Settings
    """Everything that decides its result."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What the coded frames cost."""

    payload_kbps: float
    """Of all packets, without the headers of a network."""
    bytes: int
    """Of all packets together."""
    side_bytes: int
    """What the receiver must hold before the first packet, such as an avatar; not in the rate."""


@dataclass(frozen=True, slots=True)
class Result:
    """One codec at one operating point on one clip at one size."""

    bench: str
    """One of `BENCHES`."""
    clip: Clip
    size: int
    """The side of the square picture, pixels."""
    codec: CodecUsed
    environment: Environment
    rate: Rate | None = None
    """None where nothing was coded."""
    payload_sha256: str | None = None
    """Of all packets one after the other, hex; None where nothing was coded."""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Figures by group, such as ``metrics["full"]["psnr"]``; NaN where a metric is undefined on this footage.

    ===== =======================================================================================================
    full  of whole pictures: l1 (mean absolute difference of channels in [0, 1]), psnr (dB, mean over frames), ssim,
          ms_ssim, lpips
    head  of the pixels of face and hair alone: l1, psnr, ssim, lpips
    face  csim, aucon (shares of 1), prmse_degrees, landmark_distance_percent (of the distance between the eyes)
    video flicker, and flicker_reference: that of the original
    neck  where head meets torso: psnr
    loss  of the bench "rate": psnr and lpips against the rendering of what was tracked, not rounded
    bits_a_packet, others_kbps  of the bench "rate", see `app.bench.rate.bits`
    ===== =======================================================================================================
    """
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of "encode", "decode" and "measure"."""
    measuring: Settings = field(default_factory=dict)
    """How it was measured, where that can be chosen: "stride", say, of the metrics that skip frames."""

    def to_json(self) -> str:
        """Return the file's text, the same for the same result.

        Raises:
            ValueError: a figure is infinite.
        """
        content: dict[str, Any] = {"schema": SCHEMA, "bench": self.bench, "clip": asdict(self.clip), "size": self.size}
        content["codec"] = {**asdict(self.codec), "settings": dict(self.codec.settings)}
        if self.rate is not None:
            content["rate"] = asdict(self.rate)
        if self.payload_sha256 is not None:
            content["payload_sha256"] = self.payload_sha256
        content["metrics"] = {name: without_nan(group) for name, group in self.metrics.items()}
        content["seconds"] = without_nan(self.seconds)
        if self.measuring:
            content["measuring"] = dict(self.measuring)
        content["environment"] = environment_fields(self.environment)
        return json_text(content)

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """Read what :meth:`to_json` returns.

        Raises:
            FieldError: it is something else; the message says what and where.
        """
        fields = Fields.of_file(text, SCHEMA)
        result = cls(
            bench=_bench(fields),
            clip=clip_from(fields.within("clip")),
            size=fields.integer("size", least=1),
            codec=_codec(fields.within("codec")),
            environment=environment_from(fields.within("environment")),
            rate=_rate(fields.within("rate")) if "rate" in fields else None,
            payload_sha256=digest_from(fields, "payload_sha256") if "payload_sha256" in fields else None,
            metrics=_groups(fields.within("metrics")),
            seconds=fields.figures("seconds"),
            measuring=fields.settings("measuring") if "measuring" in fields else {},
        )
        fields.close()
        return result


def result_path(folder: Path, bench: str, clip: str, codec: str, point: str | int | None, size: int) -> Path:
    """Return where the result of a measurement lies: ``FOLDER/BENCH/CLIP/CODEC_SIZE_POINT.json``.

    Args:
        folder: that of all results.
        bench: one of `BENCHES`.
        clip: `Clip.name`.
        codec: `CodecUsed.name`.
        point: what tells apart a codec's operating points, such as a QP; None where it has one alone.
        size: `Result.size`.
    """
    parts = [codec, str(size), *([] if point is None else [str(point)])]
    return folder / name_part(bench) / name_part(clip) / ("_".join(map(name_part, parts)) + ".json")


def name_part(text: str) -> str:
    """Return what can be part of a file's name as it is. Raises ResultError for anything else."""
    if not text or text.startswith(".") or set(text) & set('/\\:*?"<>|\0'):
        raise ResultError(f"{text!r} cannot be part of a result's file name: choose another name")
    return text


class Writable(Protocol):
    """A result of whichever bench."""

    def to_json(self) -> str:
        """Return the file's text. Raises ValueError: a figure is infinite."""


def write(path: Path, result: Writable) -> None:
    """Write ``result`` to ``path`` in one step: a crash leaves no half of a file.

    Raises:
        ResultError: the file cannot be written, or a figure is infinite.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{path.parent} cannot be made ({error.strerror}): choose a folder you can write to"
        raise ResultError(reason) from None
    try:
        text = result.to_json()
    except ValueError as error:
        raise ResultError(f"{path} is not written because {error}: the measurement has failed") from None
    try:
        write_atomic(path, text.encode(), CodecError, "result")
    except CodecError as error:
        raise ResultError(str(error)) from None


def read(path: Path) -> Result:
    """Read one result.

    Raises:
        ResultError: it is missing, damaged or of another version.
    """
    return read_file(path, Result.from_json)


def read_file(path: Path, parse: Callable[[str], Read]) -> Read:
    """Read a result of whichever bench.

    Args:
        path: of the file.
        parse: what its text is read with; it raises FieldError.

    Raises:
        ResultError: it is missing, damaged or of another version.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise FieldError("it is larger than any result is")
        return parse(data.decode())
    except OSError as error:
        raise ResultError(f"{path} cannot be read ({error.strerror}): run the bench that writes it") from None
    except (FieldError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, FieldError) else "it is no UTF-8 text"
        raise ResultError(
            f"{path} is no result of nerfcall bench: {reason}; delete it and run the bench again"
        ) from None


def read_results(folder: Path, bench: str | None = None) -> list[Result]:
    """Read the results of one bench or of all, in the order of their paths.

    Raises:
        ResultError: there is no such folder, or one of the files is damaged.
    """
    if not folder.is_dir():
        raise ResultError(f"{folder} is no folder: give the one that nerfcall bench ... -o wrote to")
    benches = BENCHES if bench is None else (bench,)
    return [read(path) for name in benches for path in sorted((folder / name).glob("*/*.json"))]


def find(
    folder: Path,
    bench: str,
    clip: Clip,
    codec: str,
    point: str | int | None,
    size: int,
    settings: Settings,
    measuring: Settings | None = None,
) -> Result | None:
    """Return the result that is there already for exactly this measurement, which need not be repeated; else None.

    The clip, the codec's settings and the way of measuring must be the same; the commit, the machine and the versions
    may differ, and the result says what they were. A damaged file counts as none: it will be written anew.
    """
    path = result_path(folder, bench, clip.name, codec, point, size)
    try:
        result = read(path)
    except ResultError:
        return None
    wanted = (bench, clip, codec, size, dict(settings), dict(measuring or {}))
    there = (result.bench, result.clip, result.codec.name, result.size, result.codec.settings, result.measuring)
    return result if there == wanted else None


def _bench(fields: Fields) -> str:
    bench = fields.text("bench")
    if bench not in BENCHES:
        raise FieldError(f"{bench} is no bench")
    return bench


def clip_from(fields: Fields) -> Clip:
    """Take a clip's description apart, of whichever bench; raise FieldError where it is none."""
    clip = Clip(
        name=fields.text("name"),
        held_out_from_s=fields.number("held_out_from_s", least=0),
        frames=fields.integer("frames", least=1),
        fps=fields.number("fps", least=1e-3),
    )
    fields.close()
    return clip


def _codec(fields: Fields) -> CodecUsed:
    codec = CodecUsed(fields.text("name"), fields.text("label"), fields.settings("settings"))
    fields.close()
    return codec


def _rate(fields: Fields) -> Rate:
    rate = Rate(fields.number("payload_kbps", least=0), fields.integer("bytes"), fields.integer("side_bytes"))
    fields.close()
    return rate


def digest_from(fields: Fields, name: str) -> str:
    """Take a SHA-256 in hex; raise FieldError where it is none."""
    digest = fields.text(name)
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise FieldError(f"{name} is no SHA-256 in hex")
    return digest


def _groups(fields: Fields) -> dict[str, dict[str, float]]:
    return {name: fields.figures(name) for name in fields.names()}


def environment_fields(environment: Environment) -> dict[str, Any]:
    """Return an environment as files have it; :func:`environment_from` is the inverse."""
    fields = {**asdict(environment), "versions": dict(environment.versions)}
    return {name: value for name, value in fields.items() if value is not None}


def environment_from(fields: Fields) -> Environment:
    """Take an environment apart, of whichever bench; raise FieldError where it is none."""
    commit = fields.text("commit") if "commit" in fields else None
    made = Environment(
        machine=fields.text("machine"),
        cpu=fields.text("cpu"),
        cores=fields.integer("cores", least=1),
        versions=fields.texts("versions"),
        commit=commit,
        dirty=fields.flag("dirty"),
        command=fields.text("command"),
        date=fields.text("date"),
    )
    fields.close()
    return made
