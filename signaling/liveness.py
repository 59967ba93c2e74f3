"""Deciding that the other side is dead."""

TICK_SECONDS = 0.25
"""How often `Liveness.tick` is called."""

PATIENCE = 3.5
"""Seconds of silence before a peer counts as dead. Beats come every second, so three in a row have been missed."""

WARNED_PATIENCE = 1.5
"""The same once the rendezvous has said that the peer's connection to it has ended."""


class Liveness:
    """Counts ticks since something arrived.

    Ticks are counted, not time: when this process itself could not run for a while, the datagrams of that time still
    wait in the socket, and the peer must not be declared dead before they are read.
    """

    def __init__(self) -> None:
        self._heard = -1
        self._silent_ticks = 0
        self.warned = False
        """The rendezvous has seen the peer go. Its word alone ends nothing: a call outlives a restart of the server."""

    def tick(self, heard: int) -> bool:
        """Return whether the peer is alive; ``heard`` counts the datagrams that have come from it so far."""
        if heard != self._heard:
            self._heard = heard
            self._silent_ticks = 0
            return True
        self._silent_ticks += 1
        patience = WARNED_PATIENCE if self.warned else PATIENCE
        return self._silent_ticks * TICK_SECONDS < patience
