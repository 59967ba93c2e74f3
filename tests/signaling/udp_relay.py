"""A UDP relay between two peers that counts what crosses it: the independent witness of the wire statistics."""

import asyncio
import re
from dataclasses import replace

HEADERS = 28
"""IPv4 and UDP."""


def count(totals, data):
    totals[0] += len(data) + HEADERS
    totals[1] += 1


class _Side(asyncio.DatagramProtocol):
    """Stands in for one peer: what comes here is passed on from the other side's socket to that peer.

    Totals are bytes with headers, and datagrams.
    """

    def __init__(self):
        self.came = [0, 0]
        self.passed_on = [0, 0]
        self.other = None
        self.stands_for = None

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, address):
        count(self.came, data)
        # Until the answer has been seen, nobody knows where the answerer is.
        if self.stands_for is not None:
            count(self.passed_on, data)
            self.other.transport.sendto(data, self.stands_for)


class UdpRelay:
    """Both peers believe that the relay is the other one."""

    async def start(self):
        loop = asyncio.get_running_loop()
        self.offerer, self.answerer = [
            (await loop.create_datagram_endpoint(_Side, local_addr=("127.0.0.1", 0)))[1] for _ in range(2)
        ]
        self.offerer.other, self.answerer.other = self.answerer, self.offerer
        return self

    def divert(self, description):
        """Return a session description whose only candidate is the relay."""
        side = self.offerer if description.kind == "offer" else self.answerer
        found = re.findall(r"^a=candidate:(.*) 127\.0\.0\.1 (\d+) typ host", description.sdp, re.MULTILINE)
        assert len(found) == 1, description.sdp
        side.stands_for = ("127.0.0.1", int(found[0][1]))
        sdp = re.sub(r"127\.0\.0\.1 \d+ typ host", f"127.0.0.1 {side.port} typ host", description.sdp)
        return replace(description, sdp=sdp)

    def close(self):
        self.offerer.transport.close()
        self.answerer.transport.close()
