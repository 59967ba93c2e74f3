"""From capture to paint, stage by stage: when what happened to each frame of a call.

======== =================================== ==========================================================
stage    from                                to
======== =================================== ==========================================================
capture  the camera took the picture         the tracker began with it
track    that                                its state was there
encode   that                                its packet was there
wire     that                                the receiver had decoded it
playout  that, for the picture that shows it the renderer began with the picture
render   that                                the picture was there
paint    that                                it was on the screen
======== =================================== ==========================================================

A picture mostly shows a moment between two frames. It counts as showing the earlier one, and its playout is what it
waited beyond what that frame had taken to come: so the stages of a picture add up to its latency.

Times are `time.monotonic`, which all processes of a machine share. Between machines ``wire`` is known to nobody; there
``arrival`` stands for everything from the capture to the decoded frame.
"""

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SENDER_STAGES: Final = ("capture", "track", "encode")
RECEIVER_STAGES: Final = ("arrival", "playout", "render", "paint")
STAGES: Final = (*SENDER_STAGES, "wire", *RECEIVER_STAGES[1:])

KEPT: Final = 200_000
"""Spans that are kept: half an hour of both sides; of longer calls the end."""
RECENT: Final = 256
"""Frames of which a picture may show one: as many as wait for playout at most."""
SLACK: Final = 0.0006
"""Seconds: a packet's timestamps are whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Span:
    """One stage of one frame."""

    stage: str
    frame: int
    """Sequence number, unwrapped."""
    begin: float
    """Seconds of `time.monotonic`."""
    end: float

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return 1000.0 * (self.end - self.begin)


class StageLog:
    """What one process saw of the frames of a call. Any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: deque[Span] = deque(maxlen=KEPT)

    def add(self, frame: int, *moments: float, stages: Iterable[str]) -> None:
        """Note the ``stages`` of a frame, one after the other, each from one of ``moments`` to the next."""
        spans = [Span(stage, frame, *ends) for stage, *ends in zip(stages, moments, moments[1:], strict=False)]
        with self._lock:
            self._spans.extend(spans)

    @property
    def spans(self) -> list[Span]:
        """All that is kept, in the order in which it was added."""
        with self._lock:
            return list(self._spans)


class ArrivalLog:
    """The receiver's side: which frame a picture shows, and how long that one took to come. One thread at a time."""

    def __init__(self) -> None:
        self._captured: deque[float] = deque(maxlen=RECENT)
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=RECENT)

    def add(self, frame: int, captured: float, now: float) -> None:
        """Take note of a frame that was captured at ``captured`` and decoded at ``now``, both of this side's clock."""
        if self._captured and captured < self._captured[-1]:
            # What was overtaken is on show for less than a frame, if at all.
            return
        self._captured.append(captured)
        self._arrivals.append((frame, now - captured))

    def shown(self, moment: float) -> tuple[int, float] | None:
        """Return the number of the frame on show when the picture is of ``moment``, and the seconds it took to come."""
        index = bisect_right(self._captured, moment + SLACK) - 1
        return self._arrivals[index] if index >= 0 else None


def stage_figures(spans: Iterable[Span]) -> dict[str, dict[str, float]]:
    """Return median and 95th percentile in milliseconds of each stage that there is, in the order of the stages.

    Where there are pictures, only the frames that they show count: so all medians are of the same frames.
    """
    spans = list(spans)
    painted = {span.frame for span in spans if span.stage == "paint"}
    found: dict[str, list[float]] = {}
    for span in spans:
        if painted and span.frame not in painted:
            continue
        found.setdefault(span.stage, []).append(span.milliseconds)
    order = [*SENDER_STAGES, "wire", *RECEIVER_STAGES]
    return {stage: _spread(sorted(found[stage])) for stage in order if stage in found}


def both_sides(sender: Iterable[Span], receiver: Iterable[Span]) -> list[Span]:
    """Return the spans of two processes of one machine, with ``wire`` in the place of ``arrival``."""
    sender, receiver = list(sender), list(receiver)
    encoded: Mapping[int, float] = {span.frame: span.end for span in sender if span.stage == "encode"}
    wire = [
        Span("wire", span.frame, encoded[span.frame], span.end)
        for span in receiver
        if span.stage == "arrival" and span.frame in encoded
    ]
    return [*sender, *wire, *(span for span in receiver if span.stage != "arrival")]


def _spread(ordered: list[float]) -> dict[str, float]:
    last = len(ordered) - 1
    return {
        "median": round(ordered[last // 2], 2),
        "p95": round(ordered[min(int(0.95 * len(ordered)), last)], 2),
    }
