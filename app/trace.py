"""Stages as a Chrome trace: opened by chrome://tracing and ui.perfetto.dev.

The format is the JSON object of "Trace Event Format": "X" a span on a thread, "b" and "e" begin and end of one that may
overlap others of its kind, "s" and "f" the ends of an arrow from process to process, "M" names.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from app.errors import UserError
from app.latency import RECEIVER_STAGES, SENDER_STAGES, Span

SENDER, RECEIVER = "sender", "receiver"
MAX_SIZE: Final = 256 << 20
"""Bytes of a trace that is read."""

_PROCESSES: Final = {SENDER: 1, RECEIVER: 2}
_SIDE: Final = {stage: SENDER for stage in (*SENDER_STAGES, "wire")} | dict.fromkeys(RECEIVER_STAGES, RECEIVER)
_BUSY: Final = {"track": 1, "encode": 1, "render": 2}
"""Stages in which a thread works on one frame alone, by the number of that thread; of the others many wait at once."""
_THREADS: Final = {(SENDER, 1): "track and encode", (RECEIVER, 2): "render"}


def chrome_trace(spans: Sequence[Span]) -> dict[str, Any]:
    """Return the trace of ``spans``, which are on one clock; microseconds since the first."""
    origin = min((span.begin for span in spans), default=0.0)
    sides = {_SIDE[span.stage] for span in spans}
    events = [*_names(sides)]
    for span in spans:
        events += _events(span, origin)
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"clock_origin_s": origin}}


def write_trace(path: str | Path, spans: Sequence[Span]) -> None:
    """Write a trace; raise `UserError` when that cannot be."""
    try:
        Path(path).write_text(json.dumps(chrome_trace(spans), separators=(",", ":")), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): choose another place with --trace") from error


def read_trace(path: str | Path) -> list[Span]:
    """Return the spans of a trace that `write_trace` wrote; none where there is no such file or it was cut off."""
    try:
        if Path(path).stat().st_size > MAX_SIZE:
            return []
        content = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        # The process that should have written it was killed: the call is none the worse for that.
        return []
    origin = content["otherData"]["clock_origin_s"]
    begun: dict[tuple[str, int], float] = {}
    spans = []
    for event in content["traceEvents"]:
        if event["ph"] not in "Xbe":
            continue
        stage, frame, when = event["name"], event["args"]["frame"], origin + event["ts"] / 1e6
        if event["ph"] == "X":
            spans.append(Span(stage, frame, when, when + event["dur"] / 1e6))
        elif event["ph"] == "b":
            begun[stage, frame] = when
        else:
            spans.append(Span(stage, frame, begun.pop((stage, frame)), when))
    return spans


def _names(sides: Iterable[str]) -> list[Mapping[str, Any]]:
    events: list[Mapping[str, Any]] = []
    for side in sorted(sides, key=lambda side: _PROCESSES[side]):
        process = _PROCESSES[side]
        events.append({"name": "process_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": side}})
        for (owner, thread), name in _THREADS.items():
            if owner == side:
                named = {"name": "thread_name", "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
                events.append(named)
    return events


def _events(span: Span, origin: float) -> list[dict[str, Any]]:
    begin, end = round(1e6 * (span.begin - origin), 1), round(1e6 * (span.end - origin), 1)
    process, thread = _PROCESSES[_SIDE[span.stage]], _BUSY.get(span.stage, 0)
    common = {"name": span.stage, "cat": "frame", "pid": process, "args": {"frame": span.frame}}
    if thread:
        return [{**common, "ph": "X", "tid": thread, "ts": begin, "dur": round(end - begin, 1)}]
    numbered = {**common, "cat": span.stage, "id": span.frame, "tid": 0}
    events = [{**numbered, "ph": "b", "ts": begin}, {**numbered, "ph": "e", "ts": end}]
    if span.stage == "wire":
        arrow = {**common, "name": "packet", "cat": "packet", "id": span.frame}
        events.append({**arrow, "ph": "s", "tid": _BUSY["encode"], "ts": begin})
        events.append({**arrow, "ph": "f", "bp": "e", "pid": _PROCESSES[RECEIVER], "tid": 0, "ts": end})
    return events
