"""The whole call on this machine: tracker and sender in one process, receiver in another, a real connection between."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.bench.speed.job import Job, JobError
from app.bench.speed.process_watch import ProcessWatch, Watched
from app.bench.speed.timing import frame_rate, longest_gap, quantile, rounded

SETTLING: Final = 1.0
"""Seconds after the first picture before anything counts: the playout delay and the processor's clock settle."""

SPARE: Final = 1.0
"""Seconds of call more than are counted: its length counts from the first packet on, not from the first picture."""

PREVIEW_FPS: Final = 1.0
"""What the render budget is told to hold: so little that the size asked for is always rendered."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What is called."""

    avatar: str
    source: str
    size: int
    threads: int
    device: str
    seconds: float
    fps: float
    """Frames a second that the sender should send."""

    def command(self, summary: Path) -> list[str]:
        """Return the command line of the preview that is measured."""
        words = ["preview", "--avatar", self.avatar, "--source", self.source, "--loop", "--headless"]
        words += ["--seconds", str(self.seconds + SETTLING + SPARE), "--json", str(summary), "--fps", str(PREVIEW_FPS)]
        words += ["--width", str(self.size), "--height", str(self.size)]
        return [*words, "--threads", str(self.threads), "--device", self.device]


def measure_call(plan: CallPlan, job: Job, summary_path: Path, started: float) -> dict[str, Any]:
    """Carry the call that ``job`` runs, whose figures come to ``summary_path``, and return what the bench says of it.

    Args:
        plan: what ``job`` calls.
        job: a "call".
        summary_path: of ``plan.command``.
        started: `time.monotonic`, just now.

    Raises:
        JobError: the call did not come about, or no picture came.
    """
    process = subprocess.Popen(job.command, env=job.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        with ProcessWatch(process.pid) as watch:
            status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    moments = job.read(status)
    summary = json.loads(summary_path.read_text())
    if not moments["painted"]:
        raise JobError(f"no picture came in {plan.seconds:g} s of call: try a longer --seconds")
    figures = call_figures(plan, moments, summary)
    begin, end = _window(plan, moments)
    figures["first_picture_s"] = rounded(moments["painted"][0][0] - started)
    figures["processes"] = _processes(watch.processes, begin, end)
    memory = watch.memory()
    figures["memory_mb"] = None if memory is None else round(memory / 1e6, 1)
    return figures


def call_figures(plan: CallPlan, moments: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a call from what was noted in it (`observed_call.watch`) and from its own ``--json``.

    Everything is counted from `SETTLING` after the first picture on. Of the frames that were due by the source's
    frame rate, some are not sent (the tracker did not keep up), some of the sent are lost, and some of the received
    are never painted, because the renderer did not keep up.
    """
    begin, end = _window(plan, moments)
    painted = [(when, latency) for when, latency in moments["painted"] if begin <= when <= end]
    rendered = [(when, cost) for when, cost in moments["rendered"] if begin <= when <= end]
    received = [packet for packet in moments["received"] if begin <= packet[0] <= end]
    if end - begin < 1.0 or len(painted) < 2 or len(received) < 2:
        raise JobError(f"only {len(painted)} pictures came in {plan.seconds:g} s of call: try a longer --seconds")
    numbers = [packet[1] for packet in received]
    stamps = [packet[2] for packet in received]
    due = round((max(stamps) - min(stamps)) * plan.fps) + 1
    sent = max(numbers) - min(numbers) + 1
    latencies, costs = [latency for _, latency in painted], [cost for _, cost in rendered]
    return {
        "size": plan.size,
        "threads": plan.threads,
        "device": summary["device"],
        "seconds": rounded(end - begin),
        "fps": frame_rate([when for when, _ in painted], begin, end),
        "latency_ms": {"median": rounded(quantile(latencies, 0.5)), "p95": rounded(quantile(latencies, 0.95))},
        "render_ms": {"median": rounded(quantile(costs, 0.5)), "p95": rounded(quantile(costs, 0.95))},
        "frames": {
            "due": due,
            "sent": sent,
            "received": len(received),
            "rendered": len(rendered),
            "painted": len(painted),
        },
        "dropped": {
            "not_sent": max(0, due - sent),
            "lost": max(0, sent - len(received)),
            "not_painted": max(0, len(received) - len(painted)),
        },
        "longest_gap_ms": rounded(1e3 * longest_gap([when for when, _ in painted])),
        "payload_kbps": summary["payload_kbps"],
        "wire_kbps": rounded(summary["wire_kbps_in"] + summary["wire_kbps_out"]),
        "lowered": (summary["width"], summary["height"]) != (plan.size, plan.size),
    }


def _window(plan: CallPlan, moments: dict[str, Any]) -> tuple[float, float]:
    """Return between which moments is counted."""
    begin = moments["painted"][0][0] + SETTLING
    return begin, min(begin + plan.seconds, moments["painted"][-1][0])


def _processes(seen: list[Watched], begin: float, end: float) -> dict[str, Any] | None:
    """Return processor and memory of sender and receiver; None where processes cannot be looked at."""
    figures = {}
    for name, process in (
        ("receiver", next(iter(seen), None)),
        ("sender", next((one for one in seen[1:] if "send" in one.command), None)),
    ):
        if process is None:
            return None
        figures[name] = {"cpu_cores": process.cores(begin, end), "peak_rss_mb": round(process.peak_rss / 1e6, 1)}
    return figures
