"""Deciding that the other side is dead, and not merely out of reach."""

from typing import Final

TICK_SECONDS: Final = 0.25
"""How often `Liveness.tick` is called."""

SILENT_SECONDS: Final = 1.5
"""Seconds without anything after which a peer counts as out of reach. Beats come every second, frames oftener."""

PATIENCE: Final = 20.0
"""Seconds of silence before a peer counts as dead. A train leaves a tunnel, a telephone finds the next cell and a
laptop its network within that, and the call goes on where it was; aioice itself gives up after half a minute."""

WARNED_PATIENCE: Final = 1.5
"""The same once the rendezvous has said that the peer's connection to it has ended."""

FORGIVEN_SECONDS: Final = 2.0
"""A peer that is still heard so long after that lives: it is the rendezvous that has gone. What was under way when a
peer died has come by then."""


class Liveness:
    """Counts ticks since something arrived.

    Ticks are counted, not time: when this process itself could not run for a while, the datagrams of that time still
    wait in the socket, and the peer must not be declared dead before they are read.
    """

    def __init__(self) -> None:
        self._heard = -1
        self._silent_ticks = 0
        self._ticks_since_warning: int | None = None

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has come."""
        return self._silent_ticks * TICK_SECONDS

    def warn(self) -> None:
        """Take note that the rendezvous has just seen the peer go.

        Its word alone ends nothing, and is forgotten when the peer goes on: a call outlives a restart of the server.
        """
        self._ticks_since_warning = 0

    def tick(self, heard: int) -> bool:
        """Return whether the peer is alive; ``heard`` counts the datagrams that have come from it so far."""
        if self._ticks_since_warning is not None:
            self._ticks_since_warning += 1
        if heard != self._heard:
            self._heard = heard
            self._silent_ticks = 0
            if (self._ticks_since_warning or 0) * TICK_SECONDS > FORGIVEN_SECONDS:
                self._ticks_since_warning = None
            return True
        self._silent_ticks += 1
        patience = PATIENCE if self._ticks_since_warning is None else WARNED_PATIENCE
        return self.silent_seconds < patience
