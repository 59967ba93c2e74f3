"""A call with oneself: rendezvous and receiver in this process, the sender in another, a real connection between."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.call_options import DEFAULT_POINT, LIVE, CallOptions
from app.cli import own_command
from app.errors import UserError
from app.receiver import Receiver
from app.window.figures import Status, Tone
from signaling.errors import SignalingError
from signaling.impairment import Impairment
from signaling.messages import make_room_code
from signaling.peer import Ending
from signaling.server import RendezvousServer

START_SECONDS = 90.0
"""The sender loads its models before it opens the room; on a slow disk that takes a while."""
STOP_SECONDS = 4.0
"""How long the sender may take to say goodbye."""
MAX_COMPLAINT = 64 * 1024

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""The receiver's number of threads is not for the sender, which needs one: more would take the renderer's cores."""


class SenderError(UserError):
    """The sender's process could not do its work; the message is what it said."""


@dataclass(frozen=True, slots=True)
class SenderCommand:
    """What the sender's process is to do."""

    avatar: str
    source: str
    loop: bool = False
    share_picture: str | None = None
    point: str = DEFAULT_POINT
    """Name of the operating point."""
    backdrop: str = LIVE
    """What it tells of what is behind the person."""
    trace: str | None = None
    """Where it writes when what happened to each frame."""

    def arguments(self, room: str, server: str) -> list[str]:
        """Return its command line."""
        command = [*own_command(), "send", room, "--avatar", self.avatar, "--source", self.source]
        command += ["--server", server, "--headless"]
        if self.point != DEFAULT_POINT:
            command += ["--point", self.point]
        if self.backdrop != LIVE:
            command += ["--backdrop", self.backdrop]
        if self.loop:
            command.append("--loop")
        if self.share_picture is not None:
            command += ["--share-picture", self.share_picture]
        if self.trace is not None:
            command += ["--trace", self.trace]
        return command


def starting() -> Status:
    """The sender's process loads its models."""
    return Status("Starting", "Starting", "The sender is getting ready.", Tone.PATIENT)


async def loopback(
    receiver: Receiver, sender: SenderCommand, *, impairment: Impairment | None, seconds: float | None
) -> Ending:
    """Carry a call with oneself, over a network made as bad as ``impairment`` says, and return how it ended.

    ``seconds`` counts from the first packet; None: until the source ends or the receiver is stopped.

    Raises:
        SenderError: the sender's process complained.
        SignalingError, SessionError: the call did not come about.
    """
    async with RendezvousServer("127.0.0.1", 0) as server:
        room = make_room_code()
        options = CallOptions(room, server.url, impairment=impairment, wait=START_SECONDS)
        process = await _start(sender.arguments(room, server.url))
        # Read all along: a pipe that is full would hold the sender up.
        complaint = asyncio.create_task(_read_bounded(process))
        receiving = asyncio.create_task(receiver.run(options, seconds))
        gone = asyncio.create_task(process.wait())
        try:
            awaited: set[asyncio.Future[Any]] = {receiving, gone}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not receiving.done():
                await _after_the_sender(process, complaint, receiving, receiver)
            try:
                ending = await receiving
                if ending.farewell:
                    # It has heard the goodbye and is about to leave by itself, its files written.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(STOP_SECONDS):
                            await asyncio.shield(gone)
                return ending
            except SignalingError:
                await _say_why(gone, process, complaint)
                raise
        finally:
            receiver.stop()
            with contextlib.suppress(BaseException):
                await receiving
            await _end(process)
            gone.cancel()
            complaint.cancel()


async def _start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    # A session of its own: Ctrl-C comes to this process alone, which then says goodbye in order.
    return await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1")},
    )


async def _after_the_sender(
    process: asyncio.subprocess.Process,
    complaint: "asyncio.Task[str]",
    receiving: "asyncio.Task[Ending]",
    receiver: Receiver,
) -> None:
    """Raise what the sender complained of; otherwise let the receiver notice by itself that it has gone."""
    said = last_sentence(await complaint)
    if process.returncode and process.returncode > 0 and said:
        receiver.stop()
        raise SenderError(said)
    if receiver.meter.snapshot().fps_received is None and not receiving.done():
        receiver.stop()
        raise SenderError("the sender's process ended before the call began: run `nerfcall doctor`")


async def _say_why(
    gone: "asyncio.Task[int]", process: asyncio.subprocess.Process, complaint: "asyncio.Task[str]"
) -> None:
    """Raise what a sender that has left without a word wrote to its terminal, if it ended by itself."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await asyncio.shield(gone)
    if process.returncode and process.returncode > 0 and (said := last_sentence(await complaint)):
        raise SenderError(said)


async def _read_bounded(process: asyncio.subprocess.Process) -> str:
    """Return the end of what the process writes to its standard error."""
    assert process.stderr is not None
    tail = b""
    while chunk := await process.stderr.read(4096):
        tail = (tail + chunk)[-MAX_COMPLAINT:]
    return tail.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def last_sentence(text: str) -> str:
    """Return the last thing that the program said of itself, or else its last line.

    >>> last_sentence("a library's warning\\nnerfcall: no camera answers: plug one in\\n")
    'no camera answers: plug one in'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line.removeprefix("nerfcall: ") for line in lines if line.startswith("nerfcall: ")]
    return (own or lines or [""])[-1]
