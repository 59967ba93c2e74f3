"""Two avatars of one person, measured on the same frames."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec
from app.bench.codec import Coded, Frames
from app.bench.environment import environment
from app.bench.json_fields import without_nan
from app.bench.measurement import ClipMeasurement
from app.bench.metrics.fidelity import psnr
from app.bench.options import MeasuringOptions
from app.bench.ours import OurCodec, avatar_framing
from app.capture.source import open_source
from app.errors import UserError
from codec.errors import CodecError
from codec.files import write_atomic

FIGURES_NAME = "compare.json"
SCHEMA = 1
EQUAL_SHARE = 1e-3
"""Figures that differ by less than this share of the larger one are called equal."""


class ComparisonError(UserError):
    """The avatars cannot be compared, or the comparison cannot be written."""


class Better(StrEnum):
    """Which of the two is better in a figure."""

    A = "A"
    B = "B"
    NEITHER = "-"


class Aim(StrEnum):
    """Where a figure is best."""

    HIGH = "high"
    LOW = "low"
    REFERENCE = "near to the reference's"
    NONE = "says nothing"


AIMS = {
    "full": {"l1": Aim.LOW, "psnr": Aim.HIGH, "ssim": Aim.HIGH, "ms_ssim": Aim.HIGH, "lpips": Aim.LOW},
    "head": {"l1": Aim.LOW, "psnr": Aim.HIGH, "ssim": Aim.HIGH, "lpips": Aim.LOW},
    "neck": {"psnr": Aim.HIGH},
    "face": {
        "csim": Aim.HIGH,
        "aucon": Aim.HIGH,
        "prmse_degrees": Aim.LOW,
        "landmark_distance_percent": Aim.LOW,
        "faces_missed": Aim.LOW,
    },
    "video": {"flicker": Aim.REFERENCE},
    "cost": {
        "payload_kbps": Aim.LOW,
        "avatar_megabytes": Aim.LOW,
        # On a machine that does other things too, a difference between two runs proves nothing.
        "render_ms": Aim.NONE,
    },
}
"""The figures that are compared, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One avatar and what it made of the frames."""

    name: str
    """Of its file."""
    digest: str
    """SHA-256 of its file, hex."""
    frames: Frames
    """(N, S, S, 3), RGB."""
    figures: Mapping[str, Mapping[str, float]]
    """By group: those of `app.bench.results.Result.metrics`, and "cost"."""
    psnr: NDArray[np.float64]
    """(N,) dB, of each whole frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Both avatars on the same frames."""

    clip: str
    start: float
    """Second of the clip at which the frames begin."""
    fps: float
    original: Frames
    """(N, S, S, 3), RGB."""
    a: Side
    b: Side


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both."""

    group: str
    name: str
    a: float
    b: float
    difference: float
    """B less A."""
    better: Better
    aim: Aim


def compare_avatars(
    one: LoadedAvatar, other: LoadedAvatar, spec: ClipSpec, size: int, frames: int, stride: int
) -> Comparison:
    """Code the same held-out frames with both avatars, from tracker to rendered frame, and measure both.

    Args:
        one: A. Its calibration is the measure of poses and landmarks for both.
        other: B, of the same square of the same clip.
        spec: the clip, and from where it is held out.
        size: side of the pictures.
        frames: how many at most.
        stride: single-frame metrics on every so many frames.

    Raises:
        ComparisonError: the avatars show different squares of the picture.
        SourceError, ClipError, AvatarError: see their words.
    """
    if avatar_framing(one) != avatar_framing(other):
        raise ComparisonError(
            f"{one.path} and {other.path} show different squares of the picture and cannot be compared frame by frame: "
            "enrol both from the same part of the clip"
        )
    with open_source(str(spec.path)) as source:
        seconds = frames / source.fps
    options = MeasuringOptions((spec,), Path(), seconds, minutes=0.0, animation_minutes=0.0, codecs=None, stride=stride)
    measurement = ClipMeasurement("quality", spec, one, size, options)
    a, b = (_side(avatar, measurement, size) for avatar in (one, other))
    footage = measurement.footage
    return Comparison(spec.name, footage.start, footage.fps, footage.frames, a, b)


def comparison_rows(comparison: Comparison) -> list[Row]:
    """Return the figures that both have, in the order of `AIMS`."""
    rows = []
    for group, aims in AIMS.items():
        of_a, of_b = comparison.a.figures.get(group, {}), comparison.b.figures.get(group, {})
        for name, aim in aims.items():
            if name in of_a and name in of_b:
                reference = of_a.get(f"{name}_reference", math.nan)
                a, b = of_a[name], of_b[name]
                rows.append(Row(group, name, a, b, b - a, which_is_better(a, b, aim, reference), aim))
    return rows


def which_is_better(a: float, b: float, aim: Aim, reference: float = math.nan) -> Better:
    """Return which of two figures is better; neither where they are about equal or one is not defined."""
    if aim is Aim.NONE or math.isnan(a) or math.isnan(b) or abs(a - b) <= EQUAL_SHARE * max(abs(a), abs(b)):
        return Better.NEITHER
    if aim is Aim.REFERENCE:
        distance_a, distance_b = abs(a - reference), abs(b - reference)
        if math.isnan(reference) or distance_a == distance_b:
            return Better.NEITHER
        return Better.A if distance_a < distance_b else Better.B
    return Better.A if (a > b) is (aim is Aim.HIGH) else Better.B


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return the figures as lines for a terminal."""
    a, b = comparison.a, comparison.b
    count, size = comparison.original.shape[:2]
    lines = [
        f"{comparison.clip} from {comparison.start:g} s: {count} held-out frames at {size}² and {comparison.fps:g} fps",
        f"A: {a.name}",
        f"B: {b.name}",
        "",
        f"{'':32}{'A':>12}{'B':>12}{'B - A':>12}  better",
    ]
    for row in comparison_rows(comparison):
        name = f"{row.group} {row.name.replace('_', ' ')}"
        a_words, b_words, difference = _figure(row.a), _figure(row.b), _figure(row.difference, "+")
        lines.append(f"{name:32}{a_words:>12}{b_words:>12}{difference:>12}  {row.better}")
    reference = a.figures.get("video", {}).get("flicker_reference")
    if reference is not None:
        lines.append(f"flicker of the footage itself: {_figure(reference)}; the nearer to it, the better")
    ahead = int((b.psnr > a.psnr).sum())
    lines.append(f"PSNR of B is higher in {ahead} of {count} frames")
    return lines


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write the figures to ``folder/compare.json`` and return where. Raises ComparisonError."""
    made = environment()
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "clip": comparison.clip,
        "held_out_from_s": round(comparison.start, 3),
        "frames": len(comparison.original),
        "size": comparison.original.shape[1],
        "fps": comparison.fps,
    }
    for letter, side in (("a", comparison.a), ("b", comparison.b)):
        figures = {name: without_nan(group) for name, group in side.figures.items()}
        content[letter] = {"avatar": side.name, "sha256": side.digest, "figures": figures}
    content["rows"] = [
        {**asdict(row), **without_nan({"a": row.a, "b": row.b, "difference": row.difference})}
        for row in comparison_rows(comparison)
    ]
    content["environment"] = {**asdict(made), "versions": dict(made.versions)}
    path = folder / FIGURES_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode(), CodecError, "comparison")
    except OSError as error:
        raise ComparisonError(f"{folder} cannot be made ({error.strerror}): choose another with -o") from None
    except CodecError as error:
        raise ComparisonError(str(error)) from None
    return path


def _figure(value: float, sign: str = "-") -> str:
    """Return a figure with four significant digits, a dash where it is not defined."""
    return "-" if math.isnan(value) else f"{value:{sign}.4g}"


def telling_frames(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[tuple[str, int]]:
    """Return the frames that tell most of two runs of PSNR (N,), N >= 1: what they show, and their places.

    Where A does best against B, where the difference is the median, where B does best against A; of equal ones the
    first, and none twice.
    """
    order = [int(place) for place in np.argsort(b - a, kind="stable")]
    chosen = {order[0]: "best for A", order[-1]: "best for B"}
    middle = order[len(order) // 2]
    places = [order[0], middle, order[-1]]
    return [(chosen.get(place, "median"), place) for place in dict.fromkeys(places)]


def _side(avatar: LoadedAvatar, measurement: ClipMeasurement, size: int) -> Side:
    codec = OurCodec(avatar)
    original, fps = measurement.footage.frames, measurement.footage.fps
    coded = codec.encode(original, fps)
    # The first picture costs what is set up once.
    codec.decode(Coded(coded.packets[:1]), size)
    began = time.perf_counter()
    decoded = codec.decode(coded, size)
    rendered = time.perf_counter()
    cost = {
        "payload_kbps": coded.kbps(fps),
        "avatar_megabytes": coded.side_bytes / 1e6,
        "render_ms": 1000 * (rendered - began) / len(original),
    }
    figures = {**measurement.compare(decoded), "cost": cost}
    per_frame = np.array([psnr(*pair) for pair in zip(original, decoded, strict=True)])
    return Side(avatar.path.name, avatar.digest.hex(), decoded, figures, per_frame)
