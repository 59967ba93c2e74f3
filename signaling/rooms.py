"""The rendezvous as a state machine: who sits in which room, what is passed on, what is refused.

No sockets and no clock: every event brings ``now`` (seconds, any steady clock) and returns the `Effect`s that the
server carries out in order. A connection is an integer that the server chose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from signaling.messages import (
    PROTOCOL_VERSION,
    Description,
    Join,
    Joined,
    Message,
    MessageError,
    PeerArrived,
    PeerGone,
    Refused,
    parse,
)


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What one server gives, and how long."""

    connections: int = 2000
    """At the same time."""
    connections_per_address: int = 64
    """At the same time, from one network address."""
    arrival_burst: float = 64.0
    """Connections one address may open at once..."""
    arrival_rate: float = 2.0
    """...and per second after that. Each may name one room, so this also bounds the guessing of room codes."""
    message_burst: float = 16.0
    """Messages one connection may send at once..."""
    message_rate: float = 2.0
    """...and per second after that. A call needs two: a join and a description."""
    join_seconds: float = 10.0
    """A connection that has not joined by then is closed."""
    lone_seconds: float = 600.0
    """A room with one peer in it lives this long..."""
    room_seconds: float = 24 * 3600.0
    """...and any room this long."""


@dataclass(frozen=True, slots=True)
class Send:
    """Effect: send a message on a connection."""

    connection: int
    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Effect: close a connection, after what was sent on it."""

    connection: int


Effect = Send | Close


class TokenBucket:
    """A rate with a burst: ``take`` is True while the average stays below ``rate`` per second."""

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate = burst, rate
        self._tokens, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        self._refill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def full(self, now: float) -> bool:
        """Return whether nothing has been taken for so long that the bucket may be forgotten."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)


@dataclass(slots=True)
class _Connection:
    address: str
    since: float
    bucket: TokenBucket
    room: str | None = None
    """Where it sits, or what it waits for."""
    seated: bool = False
    until: float | None = None
    """When waiting for a room: the end of patience."""


@dataclass(slots=True)
class _Room:
    since: float
    peers: list[int] = field(default_factory=list)
    """In order of arrival, at most `SEATS`."""


SEATS: Final = 2


class Rooms:
    """All rooms of one server."""

    def __init__(self, limits: RoomLimits | None = None) -> None:
        self._limits = limits or RoomLimits()
        self._connections: dict[int, _Connection] = {}
        self._rooms: dict[str, _Room] = {}
        self._arrivals: dict[str, TokenBucket] = {}

    @property
    def room_count(self) -> int:
        """Rooms that are open now."""
        return len(self._rooms)

    @property
    def connection_count(self) -> int:
        """Connections that are known now."""
        return len(self._connections)

    def occupants(self, room: str) -> tuple[int, ...]:
        """Return the connections that sit in a room, first come first; empty for an unknown room."""
        found = self._rooms.get(room)
        return tuple(found.peers) if found else ()

    def connected(self, connection: int, address: str, now: float) -> list[Effect]:
        """Take in a new connection from a network address, or refuse it."""
        limits = self._limits
        arrivals = self._arrivals.setdefault(address, TokenBucket(limits.arrival_burst, limits.arrival_rate, now))
        same_address = sum(known.address == address for known in self._connections.values())
        if not arrivals.take(now):
            return [Send(connection, Refused("too-fast")), Close(connection)]
        if len(self._connections) >= limits.connections or same_address >= limits.connections_per_address:
            return [Send(connection, Refused("server-busy")), Close(connection)]
        bucket = TokenBucket(limits.message_burst, limits.message_rate, now)
        self._connections[connection] = _Connection(address, now, bucket)
        return []

    def received(self, connection: int, text: str | bytes, now: float) -> list[Effect]:
        """Act on one message. An unknown connection (refused or closed a moment ago) is passed over in silence."""
        known = self._connections.get(connection)
        if known is None:
            return []
        if not known.bucket.take(now):
            return self._refuse(connection, "too-fast", now)
        try:
            message = parse(text)
        except MessageError:
            return self._refuse(connection, "bad-message", now)
        if isinstance(message, Join) and known.room is None:
            return self._join(connection, known, message, now)
        if isinstance(message, Description) and known.seated:
            others = self._others(connection, known)
            return [Send(other, message) for other in others]
        return self._refuse(connection, "bad-message", now)

    def disconnected(self, connection: int, now: float) -> list[Effect]:
        """Forget a connection whose socket has ended, and tell whoever shared the room."""
        return self._remove(connection, now)

    def tick(self, now: float) -> list[Effect]:
        """Expire what is too old; call about once a second."""
        limits = self._limits
        effects: list[Effect] = []
        for connection, known in list(self._connections.items()):
            if known.room is None and now - known.since >= limits.join_seconds:
                effects += self._refuse(connection, "expired", now)
            elif known.until is not None and now >= known.until:
                effects += self._refuse(connection, "unknown-room", now)
        for room in list(self._rooms.values()):
            age = now - room.since
            if age >= limits.room_seconds or (len(room.peers) == 1 and age >= limits.lone_seconds):
                for connection in list(room.peers):
                    effects += self._refuse(connection, "expired", now)
        for address, bucket in list(self._arrivals.items()):
            if bucket.full(now):
                del self._arrivals[address]
        return effects

    def _join(self, connection: int, known: _Connection, join: Join, now: float) -> list[Effect]:
        if join.version != PROTOCOL_VERSION:
            return self._refuse(connection, "version", now)
        known.room = join.room
        room = self._rooms.get(join.room)
        if room is None and not join.opens:
            if join.wait <= 0.0:
                return self._refuse(connection, "unknown-room", now)
            known.until = now + join.wait
            return []
        if room is None:
            room = self._rooms[join.room] = _Room(now)
        elif len(room.peers) >= SEATS:
            return self._refuse(connection, "full-room", now)
        effects = list(self._seat(connection, room))
        for waiting, other in list(self._connections.items()):
            if other.until is None or other.room != join.room:
                continue
            if len(room.peers) < SEATS:
                effects += self._seat(waiting, room)
            else:
                effects += self._refuse(waiting, "full-room", now)
        return effects

    def _seat(self, connection: int, room: _Room) -> Iterator[Effect]:
        known = self._connections[connection]
        known.seated, known.until = True, None
        earlier = list(room.peers)
        room.peers.append(connection)
        yield Send(connection, Joined(first=not earlier))
        for other in earlier:
            yield Send(other, PeerArrived())

    def _others(self, connection: int, known: _Connection) -> list[int]:
        room = self._rooms.get(known.room) if known.seated and known.room is not None else None
        return [other for other in room.peers if other != connection] if room else []

    def _refuse(self, connection: int, code: str, now: float) -> list[Effect]:
        return [Send(connection, Refused(code)), Close(connection), *self._remove(connection, now)]

    def _remove(self, connection: int, now: float) -> list[Effect]:
        known = self._connections.pop(connection, None)
        if known is None:
            return []
        others = self._others(connection, known)
        if known.seated and known.room is not None and known.room in self._rooms:
            room = self._rooms[known.room]
            room.peers.remove(connection)
            # Whoever stays behind may be found again, for as long as a fresh room would wait.
            room.since = now
            if not room.peers:
                del self._rooms[known.room]
        return [Send(other, PeerGone()) for other in others]
