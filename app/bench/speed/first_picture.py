"""How long a person who has an avatar waits for the first picture after starting ``nerfcall receive``."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.bench.speed.job import Job, JobError
from app.bench.speed.page_cache import evict
from app.bench.speed.states import load_states
from app.bench.speed.timing import rounded
from codec.avatar_file import AvatarFile
from codec.face_state import FaceState
from codec.prediction import prediction_of
from codec.tables import CodecTables

WARM_RUNS: Final = 3
CALL_SECONDS: Final = 1.0
"""Of call, after the first packet."""

MakeJob = Callable[[list[str], bool], Job]
"""Makes a "call" job from a command line, and whether it is to list its files."""


class SentAvatar:
    """What a sender needs of an avatar whose states are embedded already, without the libraries that render it."""

    def __init__(self, path: Path) -> None:
        """Read an avatar file. Raises what `AvatarFile` and `CodecTables` raise."""
        from app.inspection import read_meta

        file = AvatarFile.read(path)
        self.tables = CodecTables.parse(file["tables"])
        self.prediction = prediction_of(file)
        self.digest = file.digest
        self.meta: Mapping[str, Any] = read_meta(file)

    def embed(self, expression: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an embedded expression (30,) as it is."""
        return expression


def measure_first_picture(
    avatar: Path, states_path: Path, size: int, threads: int, device: str, make_job: MakeJob
) -> dict[str, Any]:
    """Receive several times from a sender in this process; return the seconds to the first picture, warm and cold.

    The sender waits in its room when the receiver is started. Cold: the receiver's files are not in the page cache,
    as after the machine was started. The sender plays the states that were decoded from the clip: it must not load
    what the receiver is to load cold.

    Raises:
        JobError: a call did not come about.
    """
    from app.progress import Progress

    states, fps, digest = load_states(states_path)
    face = Face(states, fps, digest)
    runs: list[dict[str, Any]] = []

    def receive(progress: Progress, files: bool = False) -> dict[str, Any]:
        # Otherwise the first picture that counts would be one that happened to be ready.
        run = asyncio.run(_receive(avatar, face, size, threads, device, lambda words: make_job(words, files)))
        runs.append(run)
        progress.update(len(runs))
        return run

    with Progress(WARM_RUNS + 2, "first picture of `nerfcall receive`") as progress:
        files = receive(progress, files=True).pop("files")
        cold = [receive(progress)] if evict([*files, str(avatar)]) else []
        warm = sorted((receive(progress) for _ in range(WARM_RUNS)), key=lambda run: float(run["seconds"]))
    return {
        "warm": {"seconds": warm[len(warm) // 2]["seconds"], "runs": warm},
        "cold": {"seconds": cold[0]["seconds"], "runs": cold} if cold else None,
    }


class Face:
    """The states that the sender plays."""

    def __init__(self, states: Sequence[FaceState], fps: float, digest: bytes) -> None:
        self.states, self.fps, self.digest = states, fps, digest


async def _receive(
    avatar: Path, face: Face, size: int, threads: int, device: str, make_job: Callable[[list[str]], Job]
) -> dict[str, Any]:
    """Send until one receiver has come and gone; return what it noted."""
    from app.call_options import CallOptions
    from app.face_source import RecordedFace
    from app.owner_keys import read_owner_key
    from app.sender import Sender
    from app.session import Rights
    from signaling.messages import make_room_code
    from signaling.server import RendezvousServer

    sent = SentAvatar(avatar)
    rights = Rights.of(sent.meta)
    key = read_owner_key(rights.owner) if rights.owner and not rights.demo else None
    sender = Sender(sent, RecordedFace(face.states, face.fps, face.digest, loop=True), key)
    async with RendezvousServer("127.0.0.1", 0) as server:
        room = make_room_code()
        opened = asyncio.Event()
        sending = asyncio.create_task(sender.run(CallOptions(room, server.url), None, lambda first: opened.set()))
        try:
            opening = asyncio.create_task(opened.wait())
            await asyncio.wait({opening, sending}, return_when=asyncio.FIRST_COMPLETED)
            opening.cancel()
            if sending.done():
                raise JobError(f"the sender stopped before the call: {sending.result().reason}")
            words = ["receive", room, "--server", server.url, "--avatar", str(avatar), "--headless"]
            words += ["--seconds", str(CALL_SECONDS), "--fps", "1", "--width", str(size), "--height", str(size)]
            job = make_job([*words, "--threads", str(threads), "--device", device])
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *job.command,
                env=job.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
            moments = job.read(await process.wait())
        finally:
            sender.stop()
            with contextlib.suppress(Exception):
                await sending
    return first_picture(moments, started)


def first_picture(moments: Mapping[str, Any], started: float) -> dict[str, Any]:
    """Return the seconds from ``started`` to the first painted picture and to what comes before it.

    Raises:
        JobError: there was none.
    """
    if not moments["painted"]:
        raise JobError("the receiver painted no picture: try `nerfcall receive` with this avatar")
    marks = {
        "interpreter": moments["interpreter"],
        "avatar": moments["avatar"],
        "first_packet": moments["received"][0][0],
        "first_rendered": moments["rendered"][0][0],
        "first_painted": moments["painted"][0][0],
    }
    figures: dict[str, Any] = {
        "seconds": rounded(marks["first_painted"] - started),
        "marks": {name: rounded(when - started) for name, when in marks.items()},
        "read_mb": moments["read_mb"],
    }
    if "files" in moments:
        figures["files"] = moments["files"]
    return figures
