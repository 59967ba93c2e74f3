"""The room state machine, without a socket or a clock."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from signaling.messages import Description, Join, Joined, PeerArrived, PeerGone, Refused, serialise
from signaling.rooms import SEATS, Close, RoomLimits, Rooms, Send, TokenBucket

OFFER = Description("offer", "v=0")
ROOMY = RoomLimits(message_burst=1000.0)


def join(room="abc", opens=True, wait=0.0, version=1):
    return serialise(Join(room, opens, wait, version))


def refusal(connection, code):
    return [Send(connection, Refused(code)), Close(connection)]


@pytest.fixture
def rooms():
    made = Rooms()
    for connection in (1, 2, 3):
        assert made.connected(connection, f"10.0.0.{connection}", 0.0) == []
    return made


def test_two_peers_meet_and_swap_descriptions(rooms):
    assert rooms.received(1, join(), 1.0) == [Send(1, Joined(True))]
    assert rooms.received(2, join(opens=False), 2.0) == [Send(2, Joined(False)), Send(1, PeerArrived())]
    assert rooms.received(1, serialise(OFFER), 3.0) == [Send(2, OFFER)]
    assert rooms.received(2, serialise(OFFER), 3.0) == [Send(1, OFFER)]
    assert rooms.occupants("abc") == (1, 2)


def test_the_other_one_hears_when_a_peer_goes(rooms):
    rooms.received(1, join(), 1.0)
    rooms.received(2, join(), 1.0)
    assert rooms.disconnected(1, 2.0) == [Send(2, PeerGone())]
    assert rooms.disconnected(2, 2.0) == []
    assert rooms.room_count == 0


def test_a_third_peer_finds_the_room_full(rooms):
    rooms.received(1, join(), 1.0)
    rooms.received(2, join(), 1.0)
    assert rooms.received(3, join(), 1.0) == refusal(3, "full-room")
    assert rooms.occupants("abc") == (1, 2)


def test_an_unknown_room_is_refused_at_once_or_after_the_wait(rooms):
    assert rooms.received(1, join(opens=False), 1.0) == refusal(1, "unknown-room")
    assert rooms.received(2, join(opens=False, wait=5.0), 1.0) == []
    assert rooms.tick(5.9) == []
    assert rooms.tick(6.0)[:2] == refusal(2, "unknown-room")


def test_who_waits_is_seated_when_the_room_opens_and_only_as_many_as_fit(rooms):
    assert rooms.received(2, join(opens=False, wait=5.0), 1.0) == []
    assert rooms.received(3, join(opens=False, wait=5.0), 1.0) == []
    assert rooms.received(1, join(), 2.0) == [
        Send(1, Joined(True)),
        Send(2, Joined(False)),
        Send(1, PeerArrived()),
        *refusal(3, "full-room"),
    ]


def test_waiting_in_vain_leaves_nothing_behind(rooms):
    rooms.received(2, join(opens=False, wait=5.0), 1.0)
    assert rooms.disconnected(2, 2.0) == []
    assert rooms.received(1, join(), 3.0) == [Send(1, Joined(True))]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "nonsense", b"\x00", serialise(OFFER), serialise(Joined(True)), serialise(Refused("expired"))],
)
def test_out_of_turn_or_malformed_ends_the_connection(rooms, text):
    assert rooms.received(1, text, 1.0) == refusal(1, "bad-message")
    assert rooms.received(1, join(), 1.0) == []


def test_a_second_join_ends_the_connection_and_frees_the_seat(rooms):
    rooms.received(1, join(), 1.0)
    rooms.received(2, join(), 1.0)
    assert rooms.received(1, join("other"), 1.0) == [*refusal(1, "bad-message"), Send(2, PeerGone())]
    assert rooms.received(3, join(), 1.0) == [Send(3, Joined(False)), Send(2, PeerArrived())]


def test_another_version_is_refused(rooms):
    assert rooms.received(1, join(version=2), 1.0) == refusal(1, "version")


def test_messages_are_limited_in_rate(rooms):
    limits = RoomLimits()
    rooms.received(1, join(), 0.0)
    rooms.received(2, join(), 0.0)
    sent = 0
    while rooms.received(1, serialise(OFFER), 0.0) == [Send(2, OFFER)]:
        sent += 1
    assert sent == limits.message_burst - 1
    assert rooms.received(1, serialise(OFFER), 9.0) == []
    # At the allowed rate it goes on for ever.
    for step in range(200):
        now = 10.0 + step / limits.message_rate
        assert rooms.received(2, serialise(OFFER), now) == []
    assert 2 in rooms.occupants("abc")


def test_connections_are_limited_in_rate_and_number_by_address():
    rooms = Rooms(RoomLimits(connections=8, connections_per_address=3, arrival_burst=4, arrival_rate=1.0))
    for connection in range(3):
        assert rooms.connected(connection, "a", 0.0) == []
    assert rooms.connected(3, "a", 0.0) == refusal(3, "server-busy")
    assert rooms.connected(4, "a", 0.0) == refusal(4, "too-fast")
    rooms.disconnected(0, 0.5)
    assert rooms.connected(5, "a", 0.5) == refusal(5, "too-fast")
    assert rooms.connected(6, "a", 1.5) == []
    for connection in range(10, 15):
        assert rooms.connected(connection, f"b{connection}", 2.0) == []
    assert rooms.connected(20, "c", 2.0) == refusal(20, "server-busy")


def test_who_does_not_join_is_closed(rooms):
    assert rooms.tick(9.9) == []
    assert rooms.tick(10.0) == [effect for connection in (1, 2, 3) for effect in refusal(connection, "expired")]
    assert rooms.connection_count == 0


def test_a_lonely_room_expires_and_a_full_one_lives_on(rooms):
    rooms.received(1, join(), 0.0)
    rooms.received(2, join("call"), 0.0)
    rooms.received(3, join("call"), 0.0)
    assert rooms.tick(599.0) == []
    assert rooms.tick(600.0) == refusal(1, "expired")
    assert rooms.tick(24 * 3600.0 - 1) == []
    ended = rooms.tick(24 * 3600.0)
    assert [effect for effect in ended if isinstance(effect, Close)] == [Close(2), Close(3)]
    assert rooms.room_count == 0


def test_who_stays_behind_waits_afresh(rooms):
    rooms.received(1, join(), 0.0)
    rooms.received(2, join(), 0.0)
    rooms.disconnected(2, 1000.0)
    assert rooms.tick(1599.0)[:2] != refusal(1, "expired")
    assert rooms.tick(1600.0)[:2] == refusal(1, "expired")


def test_token_bucket_allows_the_burst_then_the_rate():
    bucket = TokenBucket(3.0, 2.0, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    # A clock that stands still or runs backwards gives nothing away.
    assert not bucket.take(0.2)
    assert not bucket.full(1.9)
    assert bucket.full(2.0)


class AnyTraffic(RuleBasedStateMachine):
    """Whatever connections do, in whatever order, these hold."""

    connections = Bundle("connections")

    def __init__(self):
        super().__init__()
        self.rooms = Rooms(RoomLimits(connections=6, connections_per_address=4, arrival_burst=50.0))
        self.now = 0.0
        self.number = 0
        self.alive = set()

    def carry_out(self, effects):
        for effect in effects:
            if isinstance(effect, Close):
                self.alive.discard(effect.connection)
        last = {}
        for effect in effects:
            # Nothing is ever sent to a connection after its closing.
            assert not isinstance(last.get(effect.connection), Close)
            last[effect.connection] = effect
        for connection, effect in last.items():
            refused = isinstance(effect, Send) and isinstance(effect.message, Refused)
            assert not refused, f"{connection} was refused but not closed"

    @rule(target=connections, address=st.sampled_from("ab"))
    def connect(self, address):
        self.number += 1
        self.alive.add(self.number)
        self.carry_out(self.rooms.connected(self.number, address, self.now))
        return self.number

    @rule(
        connection=connections,
        room=st.sampled_from(["abc", "xyz"]),
        opens=st.booleans(),
        wait=st.sampled_from([0.0, 3.0]),
    )
    def join(self, connection, room, opens, wait):
        self.carry_out(self.rooms.received(connection, join(room, opens, wait), self.now))

    @rule(connection=connections)
    def describe(self, connection):
        effects = self.rooms.received(connection, serialise(OFFER), self.now)
        for effect in effects:
            if isinstance(effect, Send) and effect.message == OFFER:
                # Only ever to the one other seat of a room that the sender sits in.
                shared = [room for room in ("abc", "xyz") if connection in self.rooms.occupants(room)]
                assert len(shared) == 1
                assert effect.connection in self.rooms.occupants(shared[0])
                assert effect.connection != connection
        self.carry_out(effects)

    @rule(connection=connections, text=st.text(max_size=50))
    def babble(self, connection, text):
        self.carry_out(self.rooms.received(connection, text, self.now))

    @rule(connection=connections)
    def disconnect(self, connection):
        self.alive.discard(connection)
        self.carry_out(self.rooms.disconnected(connection, self.now))

    @rule(seconds=st.sampled_from([0.1, 4.0, 700.0]))
    def pass_time(self, seconds):
        self.now += seconds
        self.carry_out(self.rooms.tick(self.now))

    @invariant()
    def rooms_are_consistent(self):
        seated = [*self.rooms.occupants("abc"), *self.rooms.occupants("xyz")]
        assert len(seated) == len(set(seated))
        assert set(seated) <= self.alive
        assert all(len(self.rooms.occupants(room)) <= SEATS for room in ("abc", "xyz"))
        assert self.rooms.room_count == sum(bool(self.rooms.occupants(room)) for room in ("abc", "xyz"))
        assert self.rooms.connection_count == len(self.alive) <= 6


AnyTraffic.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyTraffic = AnyTraffic.TestCase
