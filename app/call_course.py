"""The course of a call, as both of its sides take it: connecting, measuring, ending."""

import asyncio
import time
from typing import Any, Final

from app.call_statistics import CallMeter
from app.window import figures
from app.window.figures import Status, Tone
from signaling.peer import PEER_HAS_LEFT, Ending, Peer

METER_SECONDS: Final = 0.25
"""Time between samples of the wire counters."""


async def until_stopped(connecting: "asyncio.Future[Peer]", stopped: asyncio.Event | None) -> Peer | None:
    """Return the connected peer, or None when ``stopped`` was set before."""
    assert stopped is not None
    waiting = asyncio.create_task(stopped.wait())
    awaited: set[asyncio.Future[Any]] = {connecting, waiting}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            return connecting.result()
        return None
    finally:
        waiting.cancel()
        if not connecting.done():
            connecting.cancel()
            await asyncio.wait({connecting})


async def measure(peer: Peer, meter: CallMeter) -> None:
    """Sample a peer's wire counters for ever."""
    while True:
        meter.wire(peer.statistics.wire, time.monotonic())
        await asyncio.sleep(METER_SECONDS)


def ended_status(ending: Ending) -> Status:
    """Return in words that a call is over, and who ended it."""
    if ending.reason == PEER_HAS_LEFT:
        return figures.peer_left()
    return Status("Ended", "The call has ended", f"{ending.reason[:1].upper()}{ending.reason[1:]}.", Tone.OVER)
