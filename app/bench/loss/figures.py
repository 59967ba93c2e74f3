"""Figures of a call over a bad network, from what was observed."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.bench.loss.call import Observation
from app.bench.loss.footage import Footage
from app.window.figures import reconnecting

SETTLING: Final = 3.0
"""Seconds at the beginning that do not count: nothing has been acknowledged yet, and the delay is not known."""
CLOSING: Final = 1.0
"""Seconds at the end that do not count: what was sent then may not have come yet."""
PICTURE: Final = 1 / 30
"""Seconds between two pictures."""
STALL: Final = 1.7
"""Pictures: two samples further apart say nothing of a jump, as this machine had no time to show what lay between."""


def call_figures(seen: Observation, footage: Footage) -> dict[str, float]:
    """Return the figures of one call, by the names in `app.bench.loss.record.FIGURES`."""
    begin, end = seen.begin + SETTLING, seen.end - CLOSING
    outages = [outage for outage in seen.outages if begin <= outage[0] and outage[1] <= end]
    return {
        "applied_percent": applied_percent(seen, begin, end),
        "freeze_ms": 1000.0 * largest_freeze(seen, begin, end),
        "jump_percent": 100.0 * largest_jump(seen, footage, begin, end) / largest_movement(footage),
        "delay_ms": 1000.0 * _median([delay for when, delay in seen.delays if begin <= when <= end]),
        "latency_ms": 1000.0 * _median([when - captured for when, captured, _ in seen.shown if begin <= when <= end]),
        "outages": float(len(outages)),
        **recovery(seen, outages),
        "reconnecting": float(_outages_told(seen, outages)),
        "from_rest_steps": from_rest(seen, footage, outages),
        "refused": float(seen.refused),
        "control_kb": seen.control_bytes / 1000,
        "ended": float(seen.ended),
        "wire_kbps": seen.wire_kbps,
        "payload_kbps": seen.payload_kbps,
    }


def applied_percent(seen: Observation, begin: float, end: float) -> float:
    """Return the share of the frames captured meanwhile that were decoded before their moment had passed.

    Frames captured during an outage count as well: whatever the reason, they were not seen.
    """
    wanted = {number for number, captured in seen.sent.items() if begin <= captured <= end}
    in_time = {number for _, number, soon in seen.pushed if soon}
    return 100.0 * len(wanted & in_time) / len(wanted) if wanted else float("nan")


def largest_freeze(seen: Observation, begin: float, end: float) -> float:
    """Return the longest time, seconds, for which what was on show stood still though the camera went on."""
    longest, since, still = 0.0, None, None
    for when, captured, _ in seen.shown:
        if not begin <= when <= end:
            continue
        if still is None or captured > still + 1e-6:
            still, since = captured, when
        assert since is not None
        longest = max(longest, when - since)
    return longest


def largest_jump(seen: Observation, footage: Footage, begin: float, end: float) -> float:
    """Return the largest change from one picture to the next that the face itself did not make, RMS in steps.

    What is on show at each moment is compared with where the face was at the capture time on show: how that difference
    changes is what the network adds to the movement.
    """
    shown = [sample for sample in seen.shown if begin <= sample[0] <= end]
    if len(shown) < 2:
        return float("nan")
    times = np.array([state.timestamp for state in seen.truth])
    numbers = footage.parameters(seen.truth)
    captured = [captured for _, captured, _ in shown]
    truth = np.stack([np.interp(captured, times, column) for column in numbers.T], axis=1)
    added = np.diff(footage.parameters([state for _, _, state in shown]) - truth, axis=0)
    near = np.diff([when for when, _, _ in shown]) <= STALL * PICTURE
    return float(_rms(added[near]).max(initial=0.0))


def largest_movement(footage: Footage) -> float:
    """Return the largest change that the face itself makes in the time between two pictures, RMS in steps."""
    frames = np.diff(footage.parameters(footage.states), axis=0)
    return float(_rms(frames).max() * footage.fps * PICTURE)


def _rms(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square (N,) of each row (N, D)."""
    means: NDArray[np.float64] = np.sqrt(np.mean(np.square(rows), axis=1))
    return means


def recovery(seen: Observation, outages: list[tuple[float, float]]) -> Mapping[str, float]:
    """Return the worst of all outages: packets until one is shown, and the times until it came and until it is shown.

    "recovery_packets" counts the messages from the first after the outage to the one that is applied; 1 is the least.
    "resumed_ms" runs from the network's return to the first message, "recovery_ms" from that to the first picture that
    shows anything captured since; where that never comes, to the call's end.
    """
    packets, resumed, recovered = [], [], []
    for down, up in outages:
        after = [when for when in seen.messages if when > down + 0.9 * (up - down)]
        if not after:
            continue
        applied = [when for when, number, soon in seen.pushed if soon and when >= after[0]]
        captured_since = max(
            (seen.sent.get(number, 0.0) for when, number, _ in seen.pushed if when <= down + 0.2), default=0.0
        )
        shown = [when for when, captured, _ in seen.shown if when >= after[0] and captured > captured_since]
        packets.append(float(sum(after[0] <= when <= applied[0] for when in after)) if applied else len(after) + 1.0)
        resumed.append(1000.0 * (after[0] - up))
        recovered.append(1000.0 * ((shown[0] if shown else seen.end) - after[0]))
    names = ("recovery_packets", "resumed_ms", "recovery_ms")
    columns = (packets, resumed, recovered)
    return {name: max(found, default=float("nan")) for name, found in zip(names, columns, strict=True)}


def from_rest(seen: Observation, footage: Footage, outages: list[tuple[float, float]]) -> float:
    """Return how far the face on show was from the one at rest at the end of the outages, RMS in steps; the worst."""
    rest = footage.parameters([footage.tables.rest_state(0.0)])[0]
    distances = []
    for down, up in outages:
        last = [state for when, _, state in seen.shown if down < when < up]
        if last:
            offset = footage.parameters([last[-1]])[0] - rest
            distances.append(float(_rms(offset[None])[0]))
    return max(distances, default=float("nan"))


def _outages_told(seen: Observation, outages: list[tuple[float, float]]) -> bool:
    """Return whether the receiver said in every outage that it waits for the other side, and not any more after it."""
    word = reconnecting().label
    told = [any(label == word for when, label in seen.labels if down < when <= up + 0.2) for down, up in outages]
    over = [all(label != word for when, label in seen.labels if up + 2.0 < when <= up + 3.0) for _, up in outages]
    return bool(outages) and all(told) and all(over)


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")
