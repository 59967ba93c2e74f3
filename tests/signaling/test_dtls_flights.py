"""Handshakes that get through losses, and what it costs where nothing is lost."""

import asyncio

import pytest

from signaling import dtls_flights
from signaling.datagrams import DatagramMeter
from signaling.dtls_flights import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MOST_REPEATS, DtlsFlights

HELLO, PART, FINISHED = (bytes([HANDSHAKE, 254, 253, number]) for number in range(3))
DATA = bytes([APPLICATION_DATA, 254, 253])


class Below:
    """An ICE transport: what was sent, and what comes in."""

    def __init__(self):
        self.sent = []
        self.incoming = asyncio.Queue()
        self._recv = self.incoming.get

    async def _send(self, data):
        self.sent.append(data)


@pytest.fixture
def below(monkeypatch):
    for name, value in (("FIRST_REPEAT", 0.02), ("LAST_REPEAT", 0.04), ("FLIGHT_SECONDS", 0.1)):
        monkeypatch.setattr(dtls_flights, name, value)
    below = Below()
    below.flights = DtlsFlights(below)
    yield below
    below.flights.stop()


async def hear(below, data):
    await below.incoming.put(data)
    assert await below._recv() == data


async def test_a_flight_is_repeated_whole_until_the_next_one_goes_out(below):
    for data in (HELLO, PART):
        await below._send(data)
    await asyncio.sleep(0.09)
    assert below.sent[:4] == [HELLO, PART, HELLO, PART]
    await hear(below, FINISHED)
    await below._send(FINISHED)
    before = len(below.sent)
    await asyncio.sleep(0.09)
    assert set(below.sent[before:]) == {FINISHED}
    assert below.flights.repeated == len(below.sent) - 3


async def test_what_is_heard_of_the_handshake_alone_ends_nothing(below):
    # It may be an old flight, which the other side repeats because this one was lost.
    await below._send(HELLO)
    await hear(below, PART)
    await asyncio.sleep(0.05)
    assert below.sent.count(HELLO) >= 2


async def test_data_from_the_other_side_ends_it(below):
    await below._send(FINISHED)
    await hear(below, DATA)
    await asyncio.sleep(0.09)
    assert below.sent == [FINISHED]


async def test_data_and_checks_of_the_path_are_not_repeated(below):
    for data in (DATA, bytes([0, 1, 0, 0])):
        await below._send(data)
    await asyncio.sleep(0.05)
    assert len(below.sent) == 2


async def test_what_openssl_repeats_by_itself_takes_the_place_of_the_first_try(below):
    await below._send(HELLO)
    await asyncio.sleep(0.12)
    await below._send(PART)
    before = len(below.sent)
    await asyncio.sleep(0.05)
    assert set(below.sent[before:]) == {PART}


async def test_it_ends_though_nobody_answers(below, monkeypatch):
    monkeypatch.setattr(dtls_flights, "LAST_REPEAT", 0.001)
    monkeypatch.setattr(dtls_flights, "FIRST_REPEAT", 0.001)
    await below._send(HELLO)
    await asyncio.sleep(0.2)
    assert below.sent == [HELLO] * (1 + MOST_REPEATS)


async def test_a_closed_path_ends_it_silently(below):
    await below._send(HELLO)

    async def closed(data):
        raise ConnectionError

    below.flights._send_below = closed
    await asyncio.sleep(0.05)
    assert below.flights._repeating.done()
    assert below.flights._repeating.exception() is None


async def test_nothing_is_repeated_where_nothing_is_lost(meet):
    a, b = await meet()
    await asyncio.sleep(0.4)
    assert a._flights.repeated == b._flights.repeated == 0


async def test_a_call_begins_though_the_first_copy_of_every_datagram_is_lost(meet, monkeypatch):
    seen, delays = set(), DatagramMeter.delays

    def lose_the_first(self, data, headers, *, outgoing):
        if outgoing and data[0] in (CHANGE_CIPHER_SPEC, HANDSHAKE) and data not in seen:
            seen.add(data)
            return []
        return delays(self, data, headers, outgoing=outgoing)

    monkeypatch.setattr(DatagramMeter, "delays", lose_the_first)
    pair = await meet()
    # Four flights and more, each a quarter of a second late. What OpenSSL repeats is never the same datagram again.
    assert len(seen) >= 4
    for peer in pair:
        assert 0.5 < peer.statistics.connect_seconds < 6.0
        assert peer._flights.repeated >= 2
