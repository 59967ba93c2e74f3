"""STUN requests that get through losses."""

import asyncio

import pytest
from aioice import stun

from signaling import stun_requests
from signaling.stun_requests import RepeatingStunProtocol

ADDRESS = ("192.0.2.1", 3478)


class Socket:
    """A transport that keeps what is sent, and answers one request; it can no more than that of a relay."""

    def __init__(self, protocol, answers_at=None):
        self.protocol, self.answers_at, self.sent = protocol, answers_at, []
        protocol.connection_made(self)

    def sendto(self, data, address):
        self.sent.append(data)
        if len(self.sent) == self.answers_at:
            answer = stun.Message(
                stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=stun.parse_message(data).transaction_id
            )
            asyncio.get_running_loop().call_soon(self.protocol.datagram_received, bytes(answer), address)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, value in (("FIRST_REPEAT", 0.01), ("REPEAT", 0.02)):
        monkeypatch.setattr(stun_requests, name, value)


def binding():
    return stun.Message(stun.Method.BINDING, stun.Class.REQUEST)


async def test_a_request_is_repeated_until_it_is_answered():
    protocol = RepeatingStunProtocol(None)
    socket = Socket(protocol, answers_at=4)
    _, address = await protocol.request(binding(), ADDRESS)
    assert address == ADDRESS
    await asyncio.sleep(0.1)
    assert len(socket.sent) == 4
    assert len(set(socket.sent)) == 1
    assert not protocol.transactions


async def test_a_request_that_is_answered_at_once_is_sent_once():
    protocol = RepeatingStunProtocol(None)
    socket = Socket(protocol, answers_at=1)
    await protocol.request(binding(), ADDRESS)
    await asyncio.sleep(0.1)
    assert len(socket.sent) == 1


async def test_a_request_that_is_to_be_sent_once_is(monkeypatch):
    monkeypatch.setattr(stun, "RETRY_RTO", 0.1)
    protocol = RepeatingStunProtocol(None)
    socket = Socket(protocol)
    with pytest.raises(stun.TransactionTimeout):
        await protocol.request(binding(), ADDRESS, retransmissions=0)
    assert len(socket.sent) == 1


async def test_a_request_that_nobody_waits_for_any_more_is_not_repeated():
    protocol = RepeatingStunProtocol(None)
    socket = Socket(protocol)
    asking = asyncio.create_task(protocol.request(binding(), ADDRESS))
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.sleep(0)
    before = len(socket.sent)
    assert before > 1
    await asyncio.sleep(0.1)
    assert len(socket.sent) == before
