"""What SCTP's acknowledgements tell of face messages: never more than what came, and nearly all of it."""

import asyncio
import gc
import time

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import (
    DataChunk,
    ForwardTsnChunk,
    InitAckChunk,
    InitChunk,
    RTCSctpTransport,
    SackChunk,
    parse_packet,
    serialize_packet,
)

from signaling.errors import SignalingError
from signaling.impairment import Impairment
from signaling.sctp import ACKNOWLEDGE_SECONDS, FORWARD_SECONDS, IMMEDIATE, CallSctpTransport, call_sctp, sctp_of

FACE, CONTROL = 1, 0


class Wire:
    """A DTLS transport that goes nowhere."""

    state, _role = "connected", "client"

    def __init__(self):
        self.sent = []

    async def _send_data(self, data):
        self.sent.append(data)


async def transport_with(messages, first_tsn=100):
    """Return a transport that has sent messages 0, 1, ... with these TSNs and on, and the list of those delivered."""
    transport = CallSctpTransport(Wire())
    transport._local_tsn, transport._remote_port = first_tsn, 5000
    transport._last_sacked_tsn = transport._advanced_peer_ack_tsn = first_tsn - 1
    transport._ssthresh, transport._cwnd = 1 << 20, 1 << 20
    delivered = []
    transport.on_delivered = delivered.append
    for number in range(messages):
        transport.mark_next(FACE, number)
        await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
    return transport, delivered


def sack(cumulative, *gaps):
    chunk = SackChunk()
    chunk.cumulative_tsn, chunk.advertised_rwnd, chunk.gaps = cumulative, 1 << 20, list(gaps)
    return chunk


async def close(transport):
    transport._t3_cancel()


@pytest.mark.parametrize(
    ("sacks", "delivered"),
    [
        ([], []),
        ([sack(99)], []),
        ([sack(100)], [0]),
        ([sack(103)], [0, 1, 2, 3]),
        ([sack(101), sack(101), sack(103)], [0, 1, 2, 3]),
        ([sack(103), sack(101)], [0, 1, 2, 3]),
        ([sack(99, (2, 3))], [1, 2]),
        ([sack(99, (2, 3)), sack(102)], [1, 2, 0]),
        ([sack(100, (2, 2), (4, 5))], [0, 2, 4, 5]),
        ([sack(99, (3, 2))], []),
    ],
)
async def test_what_an_acknowledgement_covers(sacks, delivered):
    transport, told = await transport_with(8)
    for chunk in sacks:
        await transport._receive_sack_chunk(chunk)
    assert told == delivered
    await close(transport)


async def test_numbers_wrap():
    transport, told = await transport_with(6, first_tsn=2**32 - 2)
    await transport._receive_sack_chunk(sack(2**32 - 1, (2, 2)))
    await transport._receive_sack_chunk(sack(0))
    assert told == [0, 1, 3, 2]
    await close(transport)


async def test_what_was_given_up_is_not_delivered_though_later_acknowledgements_pass_over_it():
    transport, told = await transport_with(8)
    for last in (2, 3, 4):
        # The first one is missed three times, and given up: its only try has gone.
        await transport._receive_sack_chunk(sack(99, (2, last)))
    assert told == [1, 2, 3]
    assert transport._advanced_peer_ack_tsn == 100
    # The peer has been told to skip it, and says that everything up to the sixth is settled.
    await transport._receive_sack_chunk(sack(105))
    assert told == [1, 2, 3, 4, 5]
    assert list(transport._marks) == [106, 107]
    await close(transport)


async def test_what_was_given_up_is_skipped_together_with_what_came_between():
    transport, told = await transport_with(9)
    for last in (4, 5, 6):
        await transport._receive_sack_chunk(sack(99, (2, 2), (4, last)))
    assert told == [1, 3, 4, 5]
    # The first and the third are lost; the last one is still under way.
    assert transport._advanced_peer_ack_tsn == 102
    await transport._receive_sack_chunk(sack(105))
    assert told == [1, 3, 4, 5]
    await close(transport)


async def test_reliable_messages_are_never_skipped():
    transport, _ = await transport_with(0)
    for _ in range(4):
        await transport._send(CONTROL, 53, b"word")
    await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
    await transport._send(CONTROL, 53, b"word")
    for last in (6, 6, 6, 6):
        await transport._receive_sack_chunk(sack(99, (2, 4), (6, last)))
    assert transport._advanced_peer_ack_tsn == 99
    await close(transport)


async def test_nothing_is_delivered_that_the_timer_has_given_up():
    transport, told = await transport_with(4)
    transport._t3_cancel()
    transport._t3_expired()
    await asyncio.sleep(0.01)
    await transport._receive_sack_chunk(sack(103))
    assert told == []
    assert transport._marks == {}
    await close(transport)


async def test_other_streams_are_not_told_of():
    transport, told = await transport_with(2)
    await transport._send(CONTROL, 51, b"{}")
    transport.mark_next(FACE, 2)
    await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
    await transport._receive_sack_chunk(sack(103))
    assert told == [0, 1, 2]
    await close(transport)


async def test_gap_blocks_of_a_hostile_peer_cost_nothing():
    transport, told = await transport_with(4)
    began = time.perf_counter()
    await transport._receive_sack_chunk(sack(99, *[(1, 65535)] * 280))
    assert time.perf_counter() - began < 0.05
    assert told == []
    await close(transport)


async def test_two_sides_come_together_though_their_first_answers_to_each_other_were_lost(meet, monkeypatch):
    answers = []
    send = CallSctpTransport._send_chunk

    async def lose_the_first_answers(self, chunk):
        if isinstance(chunk, InitAckChunk):
            answers.append(self)
            if answers.count(self) == 1:
                return
        await send(self, chunk)

    monkeypatch.setattr(CallSctpTransport, "_send_chunk", lose_the_first_answers)
    a, _ = await meet()
    # Otherwise the first answer did not cross the other side's.
    assert len(set(answers)) == 2
    assert 0.4 < a.statistics.connect_seconds < 3.0


async def test_an_init_has_no_tag_though_the_tag_of_the_other_side_is_known():
    transport = CallSctpTransport(Wire())
    transport._remote_port, transport._remote_verification_tag = 5000, 1234
    for kind, tag in ((InitChunk, 0), (InitAckChunk, 1234)):
        await transport._send_chunk(kind())
        assert parse_packet(transport.transport.sent[-1])[2] == tag


async def test_connections_outside_a_call_have_the_transport_of_aiortc():
    for wanted in (False, True):
        connection = RTCPeerConnection()
        if wanted:
            with call_sctp():
                connection.createDataChannel("face")
            assert sctp_of(connection) is connection.sctp
        else:
            connection.createDataChannel("face")
            assert type(connection.sctp) is RTCSctpTransport
            with pytest.raises(SignalingError, match="another way"):
                sctp_of(connection)
        await connection.close()


def sacks_of(transport):
    return [data for data in transport.transport.sent if data[12] == SackChunk.type]


async def receive(transport, tsn, flags=3):
    chunk = DataChunk(flags)
    chunk.tsn, chunk.stream_id, chunk.protocol, chunk.user_data = tsn, FACE, 53, b"face"
    await transport._handle_data(serialize_packet(5000, 5000, transport._local_verification_tag, chunk))


async def listener():
    transport = CallSctpTransport(Wire())
    transport._remote_port, transport._last_received_tsn = 5000, 99
    transport._association_state = transport.State.ESTABLISHED
    transport._RTCSctpTransport__state = "connected"
    return transport


async def test_every_second_packet_is_acknowledged_and_a_lonely_one_soon():
    transport = await listener()
    for tsn in range(100, 110):
        await receive(transport, tsn)
    assert len(sacks_of(transport)) == 5
    await receive(transport, 110)
    assert len(sacks_of(transport)) == 5
    await asyncio.sleep(ACKNOWLEDGE_SECONDS + 0.1)
    assert len(sacks_of(transport)) == 6
    await asyncio.sleep(ACKNOWLEDGE_SECONDS + 0.1)
    assert len(sacks_of(transport)) == 6


@pytest.mark.parametrize(
    ("arrivals", "acknowledgements"),
    [
        ([(100, 3)], 0),
        ([(100, 3 | IMMEDIATE)], 1),
        ([(100, 3), (101, 3 | IMMEDIATE)], 1),
        # One is missing, which is told at once, and then as always.
        ([(101, 3)], 1),
        ([(101, 3), (102, 3)], 1),
        ([(101, 3), (102, 3), (103, 3)], 2),
        ([(101, 3), (103, 3)], 2),
        # It comes late, and twice.
        ([(101, 3), (100, 3)], 1),
        ([(101, 3), (100, 3), (100, 3)], 2),
    ],
)
async def test_what_is_acknowledged_at_once(arrivals, acknowledgements):
    transport = await listener()
    for tsn, flags in arrivals:
        await receive(transport, tsn, flags)
    assert len(sacks_of(transport)) == acknowledgements
    if transport._telling is not None:
        transport._telling.cancel()


async def test_urgent_messages_ask_for_an_acknowledgement_at_once():
    transport, _ = await transport_with(1)
    transport.mark_next(FACE, 1, urgent=True)
    await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
    flags = [data[13] & IMMEDIATE for data in transport.transport.sent]
    assert flags == [0, IMMEDIATE]
    await close(transport)


def kinds(data):
    return [type(chunk) for chunk in parse_packet(data)[3]]


async def test_an_acknowledgement_that_waits_goes_along_with_the_next_message():
    transport = await listener()
    await receive(transport, 100)
    await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
    assert [kinds(data) for data in transport.transport.sent] == [[SackChunk, DataChunk]]
    await asyncio.sleep(ACKNOWLEDGE_SECONDS + 0.1)
    assert len(transport.transport.sent) == 1
    await close(transport)


async def test_beside_a_large_message_there_is_no_room():
    transport = await listener()
    await receive(transport, 100)
    await transport._send(FACE, 53, bytes(1155), max_retransmits=0, ordered=False)
    assert [kinds(data) for data in transport.transport.sent] == [[SackChunk], [DataChunk]]
    assert max(map(len, transport.transport.sent)) <= 1189
    await close(transport)


async def test_what_was_given_up_is_said_along_with_the_next_message_or_soon():
    for sends in (True, False):
        transport, _ = await transport_with(8)
        transport.transport.sent.clear()
        for last in (2, 3, 4):
            await transport._receive_sack_chunk(sack(99, (2, last)))
        assert transport.transport.sent == []
        transport._association_state = transport.State.ESTABLISHED
        transport._RTCSctpTransport__state = "connected"
        if sends:
            await transport._send(FACE, 53, b"face", max_retransmits=0, ordered=False)
        await asyncio.sleep(FORWARD_SECONDS + 0.05)
        expected = [ForwardTsnChunk, DataChunk] if sends else [ForwardTsnChunk]
        assert [kinds(data) for data in transport.transport.sent] == [expected]
        await close(transport)


@pytest.mark.parametrize("loss", [0.0, 0.2])
async def test_over_a_network_nothing_is_told_that_has_not_come(meet, loss):
    # Either side loses so many of both directions.
    a, b = await meet(impairment=Impairment(loss=loss / 2))
    came, told = set(), []
    b.on_face(lambda data: came.add(int.from_bytes(data)))
    a.on_delivered(lambda mark: (told.append(mark), missing.append(mark not in came)))
    missing = []
    for number in range(1, 201):
        a.send_face(number.to_bytes(2), number)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not any(missing)
    assert len(set(told)) == len(told) >= (len(came) if loss == 0.0 else 0.9 * len(came)) > 100


@pytest.mark.parametrize("ended", [False, True])
async def test_a_timer_that_runs_out_after_the_goodbye_is_of_no_interest(meet, ended):
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    a, _ = await meet()
    transport = sctp_of(a._connection)
    a.impairment = Impairment(delay=0.2)
    assert a.send_control({"type": "test"})
    await asyncio.sleep(0.05)
    transport.transport._ssl.shutdown()
    if ended:
        await transport.transport.stop()
    transport._t3_expired()
    await asyncio.sleep(0.05)
    gc.collect()
    assert not failures
