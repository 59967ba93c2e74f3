"""The figures of a call: counted as things happen, snapshot for the overlay, summed up for ``--json``.

Both sides of a call keep a `CallMeter`. What only the other side can know (frames sent, or rendered, latency) comes
with its report once a second, so that either side's figures are whole.
"""

import json
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.errors import UserError
from signaling.statistics import RateWindow, WireCounter, kilobits_per_second

SPAN: Final = 2.0
"""Seconds over which the rates of a snapshot are taken."""

LOSS_SPAN: Final = 5.0
"""Seconds over which the loss is: it is rare, so that fewer would only show noise."""

RECENT: Final = 128
"""Latencies and render times that a snapshot's median is taken over."""

KEPT: Final = 200_000
"""The same for the summary: more than an hour, beyond which the oldest fall out."""

REPORTED: Final = ("frames_sent", "frames_received", "frames_rendered", "payload_bytes")
"""Running totals in a report; each side knows some of them."""

SENT_FIGURES: Final = ("fps_sent", "point", "frames_a_message", "repeats", "message_loss")
"""Figures that the sender reports."""

RENDERED_FIGURES: Final = (
    "fps_rendered",
    "latency_ms_median",
    "latency_ms_p95",
    "render_ms_median",
    "render_ms_p95",
    "width",
    "height",
)
"""Figures that the receiver reports."""

REPORTED_FIGURES: Final = SENT_FIGURES + RENDERED_FIGURES


@dataclass(frozen=True, slots=True)
class CallStatistics:
    """A snapshot: rates over the last two seconds, medians over the last few; None where nothing was measured yet."""

    payload_kbps: float | None = None
    wire_kbps_out: float | None = None
    """All bytes this side put on its UDP sockets, headers included."""
    wire_kbps_in: float | None = None
    fps_sent: float | None = None
    fps_received: float | None = None
    fps_rendered: float | None = None
    loss: float | None = None
    """Share of the sent frames that never came, [0, 1]."""
    latency_ms_median: float | None = None
    """Capture to paint."""
    latency_ms_p95: float | None = None
    render_ms_median: float | None = None
    render_ms_p95: float | None = None
    width: int | None = None
    """Of the last rendered frame, pixels."""
    height: int | None = None
    lowered: bool = False
    """Whether that is less than what was asked for."""
    device: str = ""
    point: int | None = None
    """Index of the operating point in `codec.operating_point.OPERATING_POINTS`."""
    frames_a_message: int | None = None
    repeats: int | None = None
    """Times that each frame is said again, in later messages or in echoes."""
    message_loss: float | None = None
    """Share of the messages that did not come, [0, 1]; of the frames fewer, when they are said again."""

    def __str__(self) -> str:
        def figure(value: float | None, digits: int = 1) -> str:
            return "–" if value is None else f"{value:.{digits}f}"

        wire = None if self.wire_kbps_in is None else self.wire_kbps_in + (self.wire_kbps_out or 0.0)
        return (
            f"{figure(self.payload_kbps)} kbit/s payload, {figure(wire)} kbit/s wire, frames/s"
            f" {figure(self.fps_sent)} sent {figure(self.fps_received)} received {figure(self.fps_rendered)} rendered,"
            f" latency {figure(self.latency_ms_median, 0)} ms"
        )


class CallMeter:
    """Counts one side of a call. Every method may be called from any thread; ``now`` is `time.monotonic`."""

    def __init__(self, device: str = "") -> None:
        self._lock = threading.Lock()
        self._device = device
        self._totals = dict.fromkeys(REPORTED, 0)
        self._remote: dict[str, float] = {}
        self._windows = {name: RateWindow(SPAN) for name in (*REPORTED, "wire_out", "wire_in")}
        self._latency = _Samples()
        self._render = _Samples()
        self._size: tuple[int, int] | None = None
        self._lowered = False
        self._sending: dict[str, float | None] = {}
        self._first: float | None = None
        self._last = 0.0
        self._wire = WireCounter()
        self._wire_first: WireCounter | None = None
        self._losses: deque[tuple[float, float, float]] = deque()

    def message_sent(self, payload_bytes: int, frames: int, now: float) -> None:
        """Count a message that was handed to the network, with so many new frames."""
        self._count(now, frames_sent=frames, payload_bytes=payload_bytes)

    def message_received(self, payload_bytes: int, frames: int, now: float) -> None:
        """Count a message that came in, with so many new frames that were decoded."""
        self._count(now, frames_received=frames, payload_bytes=payload_bytes)

    def sending(self, point: int, frames_a_message: int, repeats: int, message_loss: float | None) -> None:
        """Take how this side sends, see `CallStatistics`."""
        with self._lock:
            self._sending = {
                "point": point,
                "frames_a_message": frames_a_message,
                "repeats": repeats,
                "message_loss": message_loss,
            }

    def frame_rendered(self, render_ms: float, width: int, height: int, lowered: bool, now: float) -> None:
        """Count a rendered frame; ``lowered`` when the render budget chose less than what was asked for."""
        self._count(now, frames_rendered=1)
        with self._lock:
            self._render.add(render_ms)
            self._size, self._lowered = (width, height), lowered

    def frame_painted(self, latency_ms: float) -> None:
        """Take the time from capture to paint of one frame."""
        with self._lock:
            self._latency.add(latency_ms)

    def wire(self, counter: WireCounter, now: float) -> None:
        """Take the peer's counts, a few times a second."""
        with self._lock:
            self._wire = counter
            if self._first is not None and self._wire_first is None:
                self._wire_first = counter
            self._windows["wire_out"].add(counter.bytes_out, now)
            self._windows["wire_in"].add(counter.bytes_in, now)
            for name, total in self._totals.items():
                self._windows[name].add(total, now)

    def report(self) -> dict[str, Any]:
        """Return what the other side is told: what was measured here."""
        snapshot = asdict(self.snapshot())
        with self._lock:
            report: dict[str, Any] = {name: total for name, total in self._totals.items() if total}
        own = SENT_FIGURES if "frames_sent" in report else RENDERED_FIGURES
        report |= {name: snapshot[name] for name in own if snapshot[name] is not None}
        return {name: round(value, 2) if isinstance(value, float) else value for name, value in report.items()}

    def take_report(self, report: Mapping[str, Any], now: float) -> None:
        """Take the other side's report; what is no number is passed over."""
        with self._lock:
            for name in (*REPORTED, *REPORTED_FIGURES):
                value = report.get(name)
                if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
                    self._remote[name] = float(value)
            self._take_loss(now)

    def snapshot(self) -> CallStatistics:
        """Return the figures as they are now."""
        with self._lock:
            rendered_here = self._totals["frames_rendered"] > 0
            size = self._size
            remote = self._remote.get
            sending = self._sending.get if self._sending else remote
            return CallStatistics(
                payload_kbps=self._rate("payload_bytes", 0.008),
                wire_kbps_out=self._rate("wire_out", 0.008),
                wire_kbps_in=self._rate("wire_in", 0.008),
                fps_sent=self._rate("frames_sent") if self._totals["frames_sent"] else remote("fps_sent"),
                fps_received=self._received_rate(),
                fps_rendered=self._rate("frames_rendered") if rendered_here else remote("fps_rendered"),
                loss=self._loss(),
                latency_ms_median=self._latency.recent(0.5) if rendered_here else remote("latency_ms_median"),
                latency_ms_p95=self._latency.recent(0.95) if rendered_here else remote("latency_ms_p95"),
                render_ms_median=self._render.recent(0.5) if rendered_here else remote("render_ms_median"),
                render_ms_p95=self._render.recent(0.95) if rendered_here else remote("render_ms_p95"),
                width=size[0] if size else _whole(remote("width")),
                height=size[1] if size else _whole(remote("height")),
                lowered=self._lowered,
                device=self._device,
                point=_whole(sending("point")),
                frames_a_message=_whole(sending("frames_a_message")),
                repeats=_whole(sending("repeats")),
                message_loss=sending("message_loss"),
            )

    def summary(self) -> dict[str, Any]:
        """Return the figures of the whole call, from its first frame to its last, under the keys of ``--json``."""
        snapshot = self.snapshot()
        with self._lock:
            seconds = self._last - self._first if self._first is not None else 0.0
            first, last = self._wire_first or self._wire, self._wire
            totals = {name: max(total, int(self._remote.get(name, 0))) for name, total in self._totals.items()}
            rendered_here = self._totals["frames_rendered"] > 0

            def spread(samples: _Samples, name: str) -> dict[str, float | None]:
                if rendered_here:
                    return {"median": samples.over_all(0.5), "p95": samples.over_all(0.95)}
                return {key: self._remote.get(f"{name}_{key}") for key in ("median", "p95")}

            return {
                "frames_sent": totals["frames_sent"],
                "frames_received": totals["frames_received"],
                "frames_rendered": totals["frames_rendered"],
                "fps_rendered": _rounded(_per(totals["frames_rendered"], seconds)),
                "payload_kbps": _rounded(kilobits_per_second(self._totals["payload_bytes"], seconds)),
                "wire_kbps_out": _rounded(kilobits_per_second(last.bytes_out - first.bytes_out, seconds)),
                "wire_kbps_in": _rounded(kilobits_per_second(last.bytes_in - first.bytes_in, seconds)),
                "latency_ms": spread(self._latency, "latency_ms"),
                "render_ms": spread(self._render, "render_ms"),
                "width": snapshot.width,
                "height": snapshot.height,
                "device": self._device,
                "point": snapshot.point,
                "frames_a_message": snapshot.frames_a_message,
                "repeats": snapshot.repeats,
                "seconds": _rounded(seconds),
                "wire_bytes_out": last.bytes_out,
                "wire_bytes_in": last.bytes_in,
            }

    def _count(self, now: float, **increments: int) -> None:
        with self._lock:
            if self._first is None:
                self._first = now
                if self._wire.datagrams_out:
                    self._wire_first = self._wire
            self._last = now
            for name, increment in increments.items():
                self._totals[name] += increment

    def _rate(self, name: str, scale: float = 1.0) -> float | None:
        return self._windows[name].rate * scale if self._first is not None else None

    def _received_rate(self) -> float | None:
        if self._totals["frames_received"]:
            return self._rate("frames_received")
        sent, loss = self._rate("frames_sent"), self._loss()
        return None if sent is None or loss is None else sent * (1.0 - loss)

    def _take_loss(self, now: float) -> None:
        """Compare what was sent with what was received, at the moment of a report: both totals are then of one age."""
        sent = self._totals["frames_sent"] or self._remote.get("frames_sent", 0.0)
        received = self._totals["frames_received"] or self._remote.get("frames_received", 0.0)
        self._losses.append((now, sent, received))
        while len(self._losses) > 2 and now - self._losses[1][0] >= LOSS_SPAN:
            self._losses.popleft()

    def _loss(self) -> float | None:
        if len(self._losses) < 2:
            return None
        (_, sent_before, received_before), (_, sent, received) = self._losses[0], self._losses[-1]
        if sent - sent_before < 1.0:
            return None
        return min(max(1.0 - (received - received_before) / (sent - sent_before), 0.0), 1.0)


def write_json(summary: Mapping[str, Any], path: str | Path) -> None:
    """Write a summary to a file; raise `UserError` when that cannot be."""
    try:
        Path(path).write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): choose another place with --json") from error


class _Samples:
    """Durations: the last few for display, all of them for the summary."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._all: deque[float] = deque(maxlen=KEPT)

    def add(self, value: float) -> None:
        self._recent.append(value)
        self._all.append(value)

    def recent(self, quantile: float) -> float | None:
        return _quantile(self._recent, quantile)

    def over_all(self, quantile: float) -> float | None:
        return _rounded(_quantile(self._all, quantile))


def _quantile(values: deque[float], quantile: float) -> float | None:
    """Return the smallest value that at least this share of the values does not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


def _per(count: float, seconds: float) -> float:
    return count / seconds if seconds > 0.0 else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
