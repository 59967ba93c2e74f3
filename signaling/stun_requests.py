"""STUN requests through losses: each is repeated evenly until it is answered.

aioice repeats a request after half a second, and then after one, two, four and eight (RFC 8489, section 6.2.1). That
spares a server that has too much to do. But where three datagrams in ten are lost each way, half of all tries fail, and
two peers with one pair of addresses between them, as behind most routers, waited nine seconds and more in one call of
ten; one of seventeen did not come about within twenty. So of 120 all have, within six. The request is the same, by its
transaction, so that it does not matter which of them is answered.
"""

import asyncio
from typing import Final

from aioice import ice, stun

FIRST_REPEAT: Final = 0.25
"""Seconds from a request to its first repetition. aioice's own ones fall in between."""

REPEAT: Final = 0.5
"""Seconds from one repetition to the next."""


class RepeatingStunProtocol(ice.StunProtocol):  # type: ignore[misc]
    """Sends again what is not answered, but for what is meant to be sent once: that the other side still answers."""

    async def request(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Send a request and return what is answered, and by whom; raises `stun.TransactionError` as aioice does."""
        repeating = None if retransmissions is not None else asyncio.create_task(self._repeat(request, addr))
        try:
            return await super().request(request, addr, integrity_key, retransmissions)  # type: ignore[no-any-return]
        finally:
            if repeating is not None:
                repeating.cancel()

    async def _repeat(self, request: stun.Message, addr: tuple[str, int]) -> None:
        await asyncio.sleep(FIRST_REPEAT)
        while True:
            self.send_stun(request, addr)
            await asyncio.sleep(REPEAT)
