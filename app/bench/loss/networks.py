"""The networks of the loss bench, and what our stream must do over each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from signaling.impairment import Impairment

WAY = "delay=40ms,jitter=10ms"
"""Of what is lossy: an acknowledgement takes 80 ms and more, as between two cities."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a figure."""

    bound: float
    at_least: bool = False
    """Otherwise at most."""

    def met(self, value: float) -> bool:
        """Return whether a figure is within it; a missing one is not."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Target:
    """Return a lower bound."""
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    """Return an upper bound."""
    return Target(bound)


@dataclass(frozen=True, slots=True)
class Network:
    """A network, for how long it is called over, and what must hold."""

    name: str
    how: str
    """As for --impair; empty: as it is."""
    seconds: float
    targets: Mapping[str, Target] = field(default_factory=dict)
    """By the names of `app.bench.loss.record.FIGURES`."""

    @property
    def impairment(self) -> Impairment | None:
        """What is done to each direction."""
        return Impairment.parse(self.how) if self.how else None


_SMOOTH: Final = {"jump_percent": at_most(100.0)}
"""No change from picture to picture that is larger than those that the face makes itself."""
_RESUMES: Final = {
    "recovery_packets": at_most(1),
    "ended": at_most(0),
    "control_kb": at_most(64),
}
"""The call goes on, and no avatar crosses the control channel again."""

UNDISTURBED: Final = "undisturbed"
NETWORKS: Final = (
    Network(UNDISTURBED, "", 30.0, {"applied_percent": at_least(99.5)}),
    Network("loss-5", f"loss=0.05,{WAY}", 30.0),
    Network("loss-10", f"loss=0.1,{WAY}", 60.0, {"applied_percent": at_least(99.5), **_SMOOTH}),
    Network("loss-20", f"loss=0.2,{WAY}", 30.0),
    Network("loss-30", f"loss=0.3,{WAY}", 60.0, {"applied_percent": at_least(97.0), "freeze_ms": at_most(120)}),
    Network("loss-40", f"loss=0.4,{WAY}", 30.0),
    Network("bursts-500ms", f"burst=500ms/5s,{WAY}", 40.0, {"recovery_packets": at_most(1), "ended": at_most(0)}),
    Network("outage-1s", f"burst=1s/8s,{WAY}", 34.0, {**_RESUMES, "reconnecting": at_least(1)}),
    Network(
        "outage-10s", f"burst=10s/20s,{WAY}", 48.0,
        {**_RESUMES, "reconnecting": at_least(1), "from_rest_steps": at_most(1.0)},
    ),
    Network(
        "reorder-duplicate", "reorder=0.05,duplicate=0.05,delay=40ms", 30.0,
        {"applied_percent": at_least(99.5), **_SMOOTH},
    ),
    Network("jitter", "delay=60ms,jitter=60ms", 30.0, {"applied_percent": at_least(99.5), **_SMOOTH}),
    Network("narrow", "rate=64kbit,delay=40ms", 30.0),
)  # fmt: skip
"""In the order of the table."""
