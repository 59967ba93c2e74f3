"""The playout buffer: states arrive when the network likes, and are shown when they are due.

A state is due at its capture time plus the least transit seen lately plus a delay that covers the jitter seen lately.
When the display is faster than the camera, the delay grows by up to one interval between captures, so that there is
always a later state to interpolate towards; a display slower than the camera is given the newest state instead.

When nothing is there to show, the last face is held for ``hold`` seconds and then eases to the face at rest with time
constant ``ease``; when states come again, the difference between what is on show and what is due dies away with time
constant ``catch_up``. Both begin slowly and end slowly, as a critically damped spring moves, so that nothing ever jumps
or jerks. The same goes for a face that leaves the camera and comes back.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from math import exp

from codec.delay import DelayEstimator
from codec.face_state import FaceState
from codec.interpolation import StateOffset, interpolate_state

CAPACITY = 256
"""States kept at most: ten seconds at 25 fps."""

_SEQUENCES = 1024
"""Sequence numbers behind the newest within which a packet that comes twice is known as a duplicate."""

_EARLIEST = 1.0
"""Seconds by which a packet may beat the least transit before its timestamp is taken for wrong."""

_RATES = (0.5, 1.5)
"""How slowly and how fast the display time may run, while the delay changes."""

_SNAP = 0.6
"""Seconds of lag behind the due time from which the display time jumps."""

_RESTART = 15
"""Packets too early or too late in a row after which they are believed: the sender's clock has been set."""

_GAP = 1.5
"""Intervals without a state after which the next one is glided to; a shorter wait is the display's own rhythm."""

_CADENCE_WEIGHT = 0.1
"""Weight of the newest sample in the running mean of the time between samples."""

_SETTLED = 0.01
"""Share of a jump below which its glide has ended."""


@dataclass
class PlayoutStatistics:
    """Counts since the start."""

    received: int = 0
    """Packets pushed, all of those below but the lost included."""
    late: int = 0
    """Packets that came when later ones had been shown, or with an impossible time; they are dropped."""
    duplicate: int = 0
    """Packets that had come before; they are dropped."""
    reordered: int = 0
    """Packets that came after a later one, but in time."""
    lost: int = 0
    """Sequence numbers up to the newest that have not come. A late packet is not lost."""
    starved: int = 0
    """Times that nothing new came for longer than the hold time."""


class PlayoutBuffer:
    """Orders, times and interpolates the states of one sender. ``now`` is seconds of this side's clock, never earlier.

    ``rest`` is the face to ease to when nothing comes (None: the last one is held). ``hold``, ``ease`` and ``catch_up``
    are seconds, see the module; ``max_delay`` bounds the delay for jitter, in seconds.
    """

    def __init__(
        self,
        rest: FaceState | None = None,
        *,
        hold: float = 0.4,
        ease: float = 0.3,
        catch_up: float = 0.045,
        max_delay: float = 0.4,
    ) -> None:
        self._rest = rest
        self._hold, self._ease, self._catch_up, self._max_delay = hold, ease, catch_up, max_delay
        self._sequences = _SequenceLog()
        self._sampled_at: float | None = None
        self._sample_interval = 0.0
        self._shown: FaceState | None = None
        self._offset: tuple[StateOffset, float] | None = None
        self._starved = self._gap = False
        self.statistics = PlayoutStatistics()
        self._restart()

    def _restart(self) -> None:
        self._estimator = DelayEstimator()
        self._states: list[FaceState] = []
        self._times: list[float] = []
        self._newest_arrival = float("-inf")
        self._display_time: float | None = None
        self._absent_since: float | None = None
        self._rejected = 0

    @property
    def delay(self) -> float:
        """Seconds that a state waits beyond the least transit before it is due."""
        interval = min(self._estimator.interval, self._max_delay)
        # From none when the display is as slow as the camera to a whole interval when it is twice as fast.
        wish = min(max(2 * (1 - self._sample_interval / interval), 0.0), 1.0) if interval > 0 else 0.0
        return min(self._estimator.jitter, self._max_delay) + wish * interval

    @property
    def jitter(self) -> float:
        """Seconds by which all but a few of the packets of the last seconds exceed the least transit."""
        return self._estimator.jitter

    @property
    def starved(self) -> bool:
        """Whether, at the last sample, nothing new had come for longer than the hold time: the sender is silent."""
        return self._starved

    def push(self, state: FaceState, now: float, sequence: int | None = None) -> None:
        """Add a state that arrived at ``now``; ``sequence`` is its unwrapped sequence number, for the statistics."""
        self.statistics.received += 1
        if self._times and now - state.timestamp < self._estimator.transit - _EARLIEST:
            self._reject(state, now)
            return
        if state.timestamp in self._times if sequence is None else sequence in self._sequences:
            self.statistics.duplicate += 1
            return
        newest_before = self._sequences.newest
        if sequence is not None:
            self._sequences.add(sequence)
            self.statistics.lost = self._sequences.lost
        reordered = bool(self._times) and state.timestamp < self._times[-1]
        if self._times and not reordered:
            steps = 1 if sequence is None or newest_before is None else max(sequence - newest_before, 1)
            self._estimator.add_interval((state.timestamp - self._times[-1]) / steps)
        self._estimator.add(state.timestamp, now)
        # The first state kept is the one on show, once it is due: nothing before it is of use.
        if reordered and state.timestamp < self._times[0] <= (self._display_time or float("-inf")):
            self._reject(state, now)
            return
        self._rejected = 0
        self.statistics.reordered += reordered
        self._insert(state, now)

    def amend(self, state: FaceState) -> None:
        """Take ``state`` instead of the one of the same capture time, unless that is on show already."""
        if state.timestamp in self._times[1:]:
            self._states[self._times.index(state.timestamp)] = state

    def sample(self, now: float) -> FaceState | None:
        """Return the face to show at ``now``; None before the first state has arrived.

        Its timestamp is the capture time of what it shows, which stands still while a face is held.
        """
        if not self._states:
            return self._shown
        time = self._advance(now)
        passed = max(bisect_right(self._times, time) - 1, 0)
        del self._states[:passed], self._times[:passed]
        # After a route has become longer, every state is overdue when it comes, and yet they come.
        overdue = min(time - self._times[-1], now - self._newest_arrival)
        starved = overdue > self._hold
        self.statistics.starved += starved and not self._starved
        self._starved = starved
        resumed = self._gap and overdue <= _GAP * self._estimator.interval
        self._gap = overdue > _GAP * self._estimator.interval
        state = self._due_state(time, overdue)
        if self._shown is not None and (resumed or (state.present and not self._shown.present)):
            self._offset = StateOffset.between(state, self._shown), self._sampled_at or now
        self._sampled_at = now
        self._shown = self._glide(state, now)
        return self._shown

    def _insert(self, state: FaceState, now: float) -> None:
        position = bisect_right(self._times, state.timestamp)
        if position == len(self._times):
            self._newest_arrival = now
        self._states.insert(position, state)
        self._times.insert(position, state.timestamp)
        if len(self._states) > CAPACITY:
            del self._states[0], self._times[0]

    def _reject(self, state: FaceState, now: float) -> None:
        self.statistics.late += 1
        self._rejected += 1
        if self._rejected >= _RESTART:
            self._restart()
            self._gap = True
            self._estimator.add(state.timestamp, now)
            self._insert(state, now)

    def _advance(self, now: float) -> float:
        """Move the display time on to ``now``, no faster or slower than looks natural, and return it."""
        elapsed = 0.0
        if self._sampled_at is not None:
            elapsed = max(now - self._sampled_at, 0.0)
            cadence = min(elapsed, self._estimator.interval)
            self._sample_interval += _CADENCE_WEIGHT * (cadence - self._sample_interval)
        target = now - self._estimator.transit - self.delay
        if self._display_time is None or target - self._display_time > elapsed + _SNAP:
            self._display_time = target
        else:
            slowest, fastest = (rate * elapsed for rate in _RATES)
            self._display_time += min(max(target - self._display_time, slowest), fastest)
        return self._display_time

    def _due_state(self, time: float, overdue: float) -> FaceState:
        """Return what is due at display ``time``, ``overdue`` seconds after anything new was."""
        due = self._states[0]
        if not due.present:
            if self._absent_since is None:
                self._absent_since = due.timestamp
            return self._ease_to_rest(due, time - self._absent_since)
        self._absent_since = None
        if time <= due.timestamp:
            return due
        if len(self._states) == 1:
            return self._ease_to_rest(due, overdue)
        after = self._states[1]
        if not after.present:
            return due
        return interpolate_state(due, after, (time - due.timestamp) / (after.timestamp - due.timestamp))

    def _ease_to_rest(self, state: FaceState, age: float) -> FaceState:
        """Return ``state`` on its way to rest, ``age`` seconds after the last of anything newer."""
        if self._rest is None or age <= self._hold:
            return state
        eased = interpolate_state(state, self._rest, 1 - _spring((age - self._hold) / self._ease))
        return replace(eased, timestamp=state.timestamp)

    def _glide(self, state: FaceState, now: float) -> FaceState:
        """Return ``state``, or shortly after a gap something between what was shown before it and it."""
        if self._offset is None:
            return state
        offset, since = self._offset
        weight = _spring((now - since) / self._catch_up)
        if weight < _SETTLED:
            self._offset = None
            return state
        return offset.apply(state, weight)


def _spring(time: float) -> float:
    """Return what is left of a displacement after ``time`` time constants of a critically damped spring, from rest."""
    return (1 + time) * exp(-time)


class _SequenceLog:
    """Which sequence numbers have come."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._first = 0
        self._count = 0
        self.newest: int | None = None

    def __contains__(self, sequence: int) -> bool:
        # What is older than the log remembers cannot be told from a duplicate, and is of no use either way.
        return sequence in self._recent or (self.newest is not None and sequence <= self.newest - _SEQUENCES)

    @property
    def lost(self) -> int:
        return 0 if self.newest is None else self.newest - self._first + 1 - self._count

    def add(self, sequence: int) -> None:
        if self.newest is None:
            self.newest = self._first = sequence
        self.newest, self._first = max(self.newest, sequence), min(self._first, sequence)
        self._count += 1
        self._recent.add(sequence)
        if len(self._recent) > 2 * _SEQUENCES:
            self._recent = {recent for recent in self._recent if recent > self.newest - _SEQUENCES}
