"""The rendezvous server: a thin WebSocket shell around `Rooms`.

It sees two session descriptions per call and nothing of the call itself.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import socket
import time
from collections.abc import Iterable
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from signaling.errors import SignalingError
from signaling.messages import MAX_MESSAGE_BYTES, serialise
from signaling.rooms import Close, Effect, RoomLimits, Rooms

DEFAULT_PORT = 8765
"""Port of `nerfcall serve` unless told otherwise."""

OUTBOX_MESSAGES = 32
"""Messages that may wait for a slow reader before its connection is dropped."""


class RendezvousServer:
    """Serve rooms until closed: ``async with RendezvousServer(host, port) as server``."""

    def __init__(self, host: str = "127.0.0.1", port: int = DEFAULT_PORT, limits: RoomLimits | None = None) -> None:
        self._host, self._port = host, port
        self._rooms = Rooms(limits)
        self._outboxes: dict[int, asyncio.Queue[str | None]] = {}
        self._numbers = itertools.count()
        self._server: Server | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def rooms(self) -> Rooms:
        """The state behind the sockets, for display."""
        return self._rooms

    @property
    def port(self) -> int:
        """The port that is listened on: the one asked for, or the system's choice when that was 0."""
        if self._server is None:
            raise SignalingError("the rendezvous server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """Address that a client on this machine can use."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"ws://{host}:{self.port}"

    async def start(self) -> None:
        """Listen; raise `SignalingError` when the port is taken or the host is not ours."""
        try:
            self._server = await serve(
                self._serve_connection,
                self._host,
                self._port,
                process_request=_only_websockets,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=4,
                open_timeout=5,
                close_timeout=2,
                ping_interval=10,
                ping_timeout=10,
                server_header=None,
            )
        except OSError as error:
            raise SignalingError(_listen_failure(error, self._host, self._port)) from error
        self._ticker = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> "RendezvousServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve_connection(self, websocket: ServerConnection) -> None:
        number = next(self._numbers)
        outbox: asyncio.Queue[str | None] = asyncio.Queue(OUTBOX_MESSAGES)
        self._outboxes[number] = outbox
        address = websocket.remote_address
        writer = asyncio.create_task(_write(websocket, outbox))
        try:
            self._carry_out(self._rooms.connected(number, str(address[0]) if address else "", time.monotonic()))
            async for text in websocket:
                self._carry_out(self._rooms.received(number, text, time.monotonic()))
        except ConnectionClosed:
            pass
        finally:
            self._outboxes.pop(number, None)
            self._carry_out(self._rooms.disconnected(number, time.monotonic()))
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            outbox = self._outboxes.get(effect.connection)
            if outbox is None:
                continue
            try:
                outbox.put_nowait(None if isinstance(effect, Close) else serialise(effect.message))
            except asyncio.QueueFull:
                # It does not read: let it go. What is queued is lost, its closing included, so make room for that.
                outbox.get_nowait()
                outbox.put_nowait(None)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._carry_out(self._rooms.tick(time.monotonic()))


async def _write(websocket: ServerConnection, outbox: asyncio.Queue[str | None]) -> None:
    while (text := await outbox.get()) is not None:
        await websocket.send(text)
    await websocket.close()


def _only_websockets(connection: ServerConnection, request: Request) -> Response | None:
    """Answer a browser or a health check in words; let WebSocket requests pass."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    return connection.respond(HTTPStatus.OK, "a nerfcall rendezvous: use `nerfcall send` or `nerfcall receive`\n")


def _listen_failure(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is already taken: stop the program that uses it or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is not an address of this machine: use --host 127.0.0.1 or, for the whole network, 0.0.0.0"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"port {port} on {host} cannot be opened ({reason}): choose another with --port"
