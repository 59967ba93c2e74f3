"""A recording without a network: its states in time, embedded for an avatar, rendered."""

import bisect
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.demonstration import is_demonstration, refuse_driving
from app.errors import UserError
from app.inspection import read_meta
from app.mailbox import Mailbox
from app.session import Rights
from codec.avatar_file import AvatarFile
from codec.face_state import FaceState
from codec.parameters import torso_parameters
from codec.recording import Recording
from codec.tables import CodecTables

Render = Callable[[FaceState, int, int], NDArray[np.uint8]]
"""An embedded state, width and height to a picture (H, W, 3), RGB."""
Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""An expression (79,) to its embedding (30,)."""


class PlaybackError(UserError):
    """The recording and the avatar do not belong together."""


@dataclass(frozen=True, slots=True, eq=False)
class PlayedFrame:
    """A rendered frame of a recording."""

    image: NDArray[np.uint8]
    """(H, W, 3), RGB."""
    index: int
    """Of the recording's frame."""


def embedded_states(
    path: Path, recording: Recording, avatar_path: Path, avatar: AvatarFile, embed: Embed
) -> list[FaceState]:
    """Return the recording's states as this avatar takes them, if it may play them: with embedded expressions (30,).

    Raises:
        FaceStateError: the recording knows more of a torso than the avatar.
        TablesError: the avatar's coding tables are damaged.
        PlaybackError: the recording was embedded by another avatar.
        DemonstrationError: the avatar is a demonstration, and this recording did not come with it.
    """
    if recording.avatar_id is None:
        refuse_driving(avatar, avatar_path, str(path))
        return _fitted([replace(state, expression=embed(state.expression)) for state in recording.states], avatar)
    if avatar.digest.startswith(recording.avatar_id) and not is_demonstration(avatar):
        return _fitted(recording.states, avatar)
    if hashlib.sha256(path.read_bytes()).digest() in rights_of(avatar).recordings:
        return _fitted(recording.states, avatar)
    refuse_driving(avatar, avatar_path, str(path))
    raise PlaybackError(
        f"{path} was made for another avatar than {avatar_path}: name that one, or track the clip again with "
        "`nerfcall track`"
    )


def _fitted(states: list[FaceState], avatar: AvatarFile) -> list[FaceState]:
    """Return states whose torsos have as many numbers as the avatar's: what was tracked without it knows no modes."""
    size = CodecTables.parse(avatar["tables"]).layout.torso_size
    return [replace(state, torso=torso_parameters(state.torso, size).astype(np.float32)) for state in states]


def rights_of(avatar: AvatarFile) -> Rights:
    """Return who may drive an avatar, as its description says; whoever it says nothing about has no rights."""
    return Rights.of(read_meta(avatar))


class Playhead:
    """Where a recording is at a time; it begins again at its end."""

    def __init__(self, states: list[FaceState], fps: float) -> None:
        start = states[0].timestamp
        self._times = [state.timestamp - start for state in states]
        self.duration = self._times[-1] + 1.0 / fps
        """Seconds until it begins again."""

    def index_at(self, seconds: float) -> int:
        """Return the frame that is shown ``seconds`` after the beginning."""
        return max(0, bisect.bisect_right(self._times, seconds % self.duration) - 1)

    def until_next(self, seconds: float) -> float:
        """Return how long that frame is still shown, in seconds."""
        within = seconds % self.duration
        following = bisect.bisect_right(self._times, within)
        return (self._times[following] if following < len(self._times) else self.duration) - within


class Playback:
    """Renders a recording in real time in a thread of its own; what the machine cannot keep up with is skipped."""

    def __init__(self, states: list[FaceState], fps: float, render: Render, side: int) -> None:
        self.mailbox: Mailbox[PlayedFrame] = Mailbox()
        self._states, self._render = states, render
        self._playhead = Playhead(states, fps)
        self._size = (side, side)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="playback", daemon=True)
        self.error: BaseException | None = None

    def set_size(self, width: int, height: int) -> None:
        """Render at another size from the next frame on, in pixels."""
        self._size = (width, height)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the frame that is being rendered."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._play()
        except BaseException as error:
            self.error = error
        finally:
            self.mailbox.close()

    def _play(self) -> None:
        started = time.monotonic()
        shown: tuple[int, tuple[int, int]] | None = None
        while not self._stop.is_set():
            seconds = time.monotonic() - started
            wanted = (self._playhead.index_at(seconds), self._size)
            if wanted == shown:
                self._stop.wait(self._playhead.until_next(seconds))
                continue
            shown = wanted
            index, (width, height) = wanted
            self.mailbox.put(PlayedFrame(self._render(self._states[index], width, height), index))
