"""A peer's side of the rendezvous: join a room, swap session descriptions, hear when the other one goes."""

import asyncio
import ssl
from typing import Any, Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.frames import CloseCode

from signaling.errors import PeerLeft, SignalingError
from signaling.messages import (
    MAX_MESSAGE_BYTES,
    Description,
    Join,
    Joined,
    MessageError,
    PeerArrived,
    PeerGone,
    Refused,
    normalise_room_code,
    parse,
    serialise,
)

CONNECT_SECONDS = 5.0
"""How long the server may take to answer."""

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Rendezvous:
    """A seat in a room, from `join` until `close`."""

    def __init__(self, websocket: ClientConnection, server: str, room: str) -> None:
        self._websocket = websocket
        self._server, self._room = server, room
        self._reader: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._joined: asyncio.Future[bool] = loop.create_future()
        self._arrived: asyncio.Future[None] = loop.create_future()
        self._description: asyncio.Future[Description] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self.peer_gone = asyncio.Event()
        """Set when the server says that the other peer's connection to it has ended."""
        self.server_gone = asyncio.Event()
        """Set when the server has ended the connection: it has been stopped, perhaps along with the other peer. A
        network that carries nothing any more does not set it."""
        for future in (self._joined, self._arrived, self._description, self._ended):
            # A failure goes to all four; those that nobody awaits must not be reported as never retrieved.
            future.add_done_callback(_mark_retrieved)

    @classmethod
    async def join(cls, server: str, room: str, *, opens: bool, wait: float = 0.0) -> "Rendezvous":
        """Take a seat in ``room`` on the server at ``ws://`` or ``wss://`` address ``server``.

        ``opens``: open the room when nobody has. Otherwise wait up to ``wait`` seconds for somebody to open it.
        Raises `SignalingError`: no server there, unknown room, full room, and whatever else the server refuses.
        """
        room = normalise_room_code(room)
        # A proxy that is configured for the outside world cannot reach a server on this very machine.
        proxy: Literal[True] | None = None if is_loopback(server) else True
        try:
            websocket = await connect(
                server,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=8,
                open_timeout=CONNECT_SECONDS,
                close_timeout=1,
                ping_interval=10,
                ping_timeout=10,
                proxy=proxy,
                user_agent_header=None,
            )
        except (InvalidURI, ValueError) as error:
            raise SignalingError(
                f"{server} is not the address of a rendezvous server: it looks like ws://host:8765 or wss://host"
            ) from error
        except (InvalidHandshake, InvalidMessage, ssl.SSLError) as error:
            raise SignalingError(
                f"what answers at {server} is not a nerfcall rendezvous server: check the address given with --server"
            ) from error
        except (OSError, TimeoutError, EOFError) as error:
            raise SignalingError(
                f"no rendezvous server answers at {server}: start `nerfcall serve` there, or name another with --server"
            ) from error
        seat = cls(websocket, server, room)
        seat._reader = asyncio.create_task(seat._read())
        try:
            await websocket.send(serialise(Join(room, opens, wait)))
            async with asyncio.timeout(wait + CONNECT_SECONDS):
                await asyncio.shield(seat._joined)
        except TimeoutError as error:
            await seat.close()
            raise SignalingError(f"the rendezvous server at {server} does not answer: try again later") from error
        except ConnectionClosed:
            # The reader has the reason: it is the last thing the server said.
            await asyncio.wait([seat._reader])
            await seat.close()
            await seat._joined
        except BaseException:
            await seat.close()
            raise
        return seat

    @property
    def first(self) -> bool:
        """True for the peer that was in the room first and therefore makes the offer."""
        return self._joined.result()

    @property
    def room(self) -> str:
        """The room's code in its normal form."""
        return self._room

    async def arrival(self) -> None:
        """Wait until the other seat is taken; raise `SignalingError` when the room expires or the server goes away."""
        await asyncio.shield(self._arrived)

    async def send(self, description: Description) -> None:
        """Pass a session description to the other peer."""
        try:
            await self._websocket.send(serialise(description))
        except ConnectionClosed:
            await asyncio.shield(self._ended)

    async def description(self) -> Description:
        """Wait for the other peer's session description; raise `PeerLeft` when it goes before."""
        gone = asyncio.create_task(self.peer_gone.wait())
        awaited: set[asyncio.Future[Any]] = {self._description, gone}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if self._description.done():
            return self._description.result()
        raise PeerLeft("the peer has left before the call was set up")

    async def close(self) -> None:
        """Leave the room."""
        await self._websocket.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def _read(self) -> None:
        failure = SignalingError(
            f"the rendezvous server at {self._server} has gone: start it again with `nerfcall serve`, or try another"
        )
        ended_there = True
        try:
            async for text in self._websocket:
                try:
                    self._take(parse(text))
                except MessageError as error:
                    failure = SignalingError(f"the rendezvous server at {self._server} breaks the protocol: {error}")
                    break
                except SignalingError as error:
                    failure = error
                    break
        except ConnectionClosed as closed:
            ended_there = closed.sent is None or closed.sent.code != CloseCode.INTERNAL_ERROR
        for future in (self._joined, self._arrived, self._description, self._ended):
            if not future.done():
                future.set_exception(failure)
        # The code with which this side gives up a connection over which no ping is answered.
        if ended_there:
            self.server_gone.set()
        await self._websocket.close()

    def _take(self, message: object) -> None:
        match message:
            case Joined(first=first) if not self._joined.done():
                self._joined.set_result(first)
            case PeerArrived() if not self._arrived.done():
                self._arrived.set_result(None)
            case Description() if not self._description.done():
                self._description.set_result(message)
            case PeerGone():
                self.peer_gone.set()
            case Refused(code=code):
                raise SignalingError(_refusal(code, self._room, self._server))
            case _:
                raise MessageError("it sent a message out of turn")


def is_loopback(server: str) -> bool:
    """Return whether the address of a server names this very machine."""
    try:
        return urlsplit(server).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False


def _mark_retrieved(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


def _refusal(code: str, room: str, server: str) -> str:
    return {
        "unknown-room": f"there is no room {room} on {server}: check the code, or start `nerfcall send {room}` first",
        "full-room": f"room {room} on {server} already has its two peers: choose another room code",
        "expired": f"room {room} on {server} has expired, as nobody came: start again when the other side is ready",
        "server-busy": f"the rendezvous server at {server} is full: try again later or use another with --server",
        "too-fast": f"the rendezvous server at {server} had too many requests from here: wait a minute and try again",
        "version": f"the rendezvous server at {server} speaks another version: update nerfcall on both ends",
        "bad-message": f"the rendezvous server at {server} does not understand this version: update nerfcall on both",
    }[code]
