"""The page of the speed bench."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.bench.report.markdown import NONE, table
from app.bench.report.provenance import environment_lines
from app.bench.results import ResultError
from app.bench.speed.load import NOTICEABLE
from app.bench.speed.record import SpeedRecord, picture_size

INTRODUCTION = """\
# Speed

How fast the tracker, the codec, the rendering and the whole call are. Times are the median of all frames, and the time
that 95 % of them stay below.
"""

Part = Mapping[str, Any]


def speed_page(records: Sequence[SpeedRecord]) -> str:
    """Return the page as Markdown.

    Raises:
        ResultError: a record lacks a figure that its kind has.
    """
    parts = [INTRODUCTION]
    for record in records:
        parts.append(f"## {record.clip.name}\n")
        try:
            parts += _record(record.speed)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ResultError(
                f"speed/{record.clip.name}.json lacks what a record of the speed bench has ({error!r}): run nerfcall"
                " bench speed again"
            ) from None
        parts += ["\n".join(environment_lines([record.environment])) + "\n"]
    return "\n".join(parts).rstrip() + "\n"


def _record(speed: Part) -> list[str]:
    parts = [
        *_sender(speed),
        *_rendering(speed),
        *_calls(speed),
        *_first_picture(speed),
        *_floor(speed),
        *_rivals(speed),
    ]
    warnings = list(speed["load"]["unreliable"])
    if any("†" in part for part in parts):
        warnings.append(f"† other work kept {NOTICEABLE:g} cores or more of the machine busy meanwhile")
    if warnings:
        parts.append("\n".join(f"- {warning}." for warning in warnings) + "\n")
    return parts


def _sender(speed: Part) -> list[str]:
    lines = []
    tracker, codec = speed.get("tracker"), speed["codec"]
    if tracker:
        lines.append([f"tracker, {tracker['cores']} core{_mark(tracker)}", *_times(tracker["ms"], 1.0)])
    for name, key in (("embedding", "embed_us"), ("entropy coder", "encode_us"), ("entropy decoder", "decode_us")):
        if codec.get(key):
            lines.append([f"{name}{_mark(codec)}", *_times(codec[key], 1e-3)])
    size = f"A packet has {codec['bytes_a_frame']:.1f} bytes on average.\n"
    return ["A frame, before and behind the network:\n", table(["what", "ms, median", "ms, 95 %"], lines), size]


def _rendering(speed: Part) -> list[str]:
    lines = [
        [
            f"{picture_size(row)}{_mark(row)}",
            _device(row),
            str(row.get("backend") or NONE),
            *_times(row["ms"], 1.0),
            _number(row["fps"], 1),
            _number(row["peak_rss_mb"], 0),
            _number((row.get("parity") or {}).get("rms"), 2),
        ]
        for row in speed.get("render") or []
    ]
    header = ["size", "on", "by", "ms, median", "ms, 95 %", "frames/s", "memory, MB", "from torch, rms of 255"]
    return ["Rendering alone:\n", table(header, lines, texts=3)] if lines else []


def _calls(speed: Part) -> list[str]:
    lines = []
    for call in speed.get("call") or []:
        processes = call["processes"] or {}
        busy = [_number(processes.get(name, {}).get("cpu_cores"), 2) for name in ("sender", "receiver")]
        lines.append(
            [
                f"{call['size']}²{_mark(call)}",
                str(call["device"]),
                _number(call["fps"]["mean"], 1),
                _number(call["latency_ms"]["median"], 0),
                _number(call["latency_ms"]["p95"], 0),
                _number(call["longest_gap_ms"], 0),
                f"{call['frames']['painted']} of {call['frames']['due']}",
                _number(call.get("payload_kbps"), 1),
                _number(call.get("wire_kbps"), 1),
                " + ".join(busy),
                _number(call["memory_mb"], 0),
            ]
        )
    header = ["size", "on", "frames/s", "latency, ms", "95 %", "longest gap, ms", "painted", "payload, kbit/s"]
    header += ["wire, kbit/s", "cores, sender + receiver", "memory, MB"]
    about = "A whole call on this machine, both sides on it; latency is from capture to paint, wire counts both ways:\n"
    return [about, table(header, lines, texts=2)] if lines else []


def _first_picture(speed: Part) -> list[str]:
    first = speed.get("first_picture")
    if not first:
        return []
    lines = []
    for name, about in (("warm", "files in memory"), ("cold", "files on disk")):
        if first.get(name):
            marks = first[name]["runs"][-1]["marks"]
            steps = ", ".join(f"{mark.replace('_', ' ')} {seconds:.2f}" for mark, seconds in marks.items())
            lines.append([about + _mark(first), steps, _number(first[name]["seconds"], 2)])
    header = ["start of the receiver", "reached after s", "first picture, s"]
    return ["First picture:\n", table(header, lines, texts=2)] if lines else []


def _floor(speed: Part) -> list[str]:
    lines = []
    for row in speed.get("floor") or []:
        operations = (row["dense_operations"] + row["other_operations"]) / 1e9
        lines.append(
            [
                picture_size(row),
                row["device_type"],
                _number(operations, 2),
                _number(row["bytes"]["compulsory"] / 1e6, 0),
                _number(row["floor_ms"], 2),
                _number(row["measured_ms"], 1),
                f"{_number(100 * row['share'], 1)} %",
            ]
        )
    header = ["size", "on one thread of", "GFLOP", "MB moved at least", "floor, ms", "measured, ms", "reached"]
    about = "How near rendering is to what the machine can do, by its operations and by the bytes it must move:\n"
    return [about, table(header, lines, texts=2)] if lines else []


def _rivals(speed: Part) -> list[str]:
    lines = [
        [
            str(row["label"]),
            f"{row['size']}²",
            _number(row.get("kbps"), 1),
            _number(row["encode_fps"], 0),
            _number(row["decode_fps"], 0),
        ]
        for row in speed.get("rivals") or []
    ]
    header = ["codec", "size", "kbit/s", "coded, frames/s", "decoded, frames/s"]
    return ["Conventional codecs, as many threads as they take:\n", table(header, lines, texts=2)] if lines else []


def _times(figures: Part, scale: float) -> list[str]:
    digits = 1 if figures["median"] * scale >= 1 else 3
    return [_number(figures[name] * scale, digits) for name in ("median", "p95")]


def _device(row: Part) -> str:
    if row["device_type"] != "cpu":
        return str(row["device"])
    return f"{row['threads']} thread" + ("s" if row["threads"] > 1 else "")


def _mark(part: Part) -> str:
    return " †" if (part.get("other_cores") or 0.0) >= NOTICEABLE else ""


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None or math.isnan(value) else f"{value:.{digits}f}"
