"""The face of the loss bench: a recording, and the tables that both sides of a call have of it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.results import Clip
from app.errors import UserError
from app.playback import embedded_states
from codec.avatar_file import AvatarFile
from codec.backdrop import Backdrop
from codec.face_state import FaceState
from codec.parameters import state_parameters
from codec.prediction import PredictionTables, prediction_of
from codec.prediction_fitting import fit_prediction
from codec.quantiser import STEP_SCALE
from codec.recording import Recording
from codec.tables import CodecTables

LEAST_FRAMES = 100
"""Of a recording: fewer say nothing about how a face moves."""


class FootageError(UserError):
    """The recording does not serve the bench."""


@dataclass(frozen=True, eq=False)
class Footage:
    """A call's avatar without its picture (app.loaded.RenderedAvatar), and what is sent."""

    states: list[FaceState]
    """With embedded expressions."""
    fps: float
    recording: bytes
    """SHA-256 of the recording's file."""
    tables: CodecTables
    prediction: PredictionTables | None
    meta: dict[str, Any]
    digest: bytes
    name: str
    fitted: bool
    """Whether the prediction tables were fitted to the recording itself, as its avatar has none."""

    @property
    def clip(self) -> Clip:
        """The recording, as results name it."""
        return Clip(self.name, 0.0, len(self.states), self.fps)

    @cached_property
    def steps(self) -> NDArray[np.float64]:
        """(D,) what a number is rounded by: a difference of one step in all of them can just be seen."""
        return np.asarray(self.tables.quantiser.steps / STEP_SCALE, np.float64)

    @property
    def refining(self) -> bool:
        """Nothing is shown, so that nothing becomes finer."""
        return False

    def embed(self, expression: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an expression that is embedded already."""
        return expression

    def show_backdrop(self, backdrop: Backdrop) -> None:
        """Nothing is shown, so that nothing is behind it."""

    def prepare(self) -> None:
        """There is nothing to be made ready."""

    def render(self, state: FaceState, width: int, height: int, *, smooth: bool = True) -> NDArray[np.uint8]:
        """Return a blank picture (height, width, 3): it is the stream that is measured."""
        return np.zeros((height, width, 3), np.uint8)

    def parameters(self, states: list[FaceState]) -> NDArray[np.float64]:
        """Return the numbers of states, in steps: (N, D)."""
        rows = [state_parameters(state, self.tables.layout) for state in states]
        return np.asarray(np.stack(rows) / self.steps, np.float64)


def load_footage(avatar: Path, recording: Path) -> Footage:
    """Read an avatar's tables and a recording that it may play.

    Raises:
        UserError, CodecError: a file is missing or damaged, or the two do not belong together.
    """
    file, content = AvatarFile.read(avatar), Recording.read(recording)
    states = embedded_states(recording, content, avatar, file, lambda expression: expression)
    if len(states) < LEAST_FRAMES:
        raise FootageError(f"{recording} has {len(states)} frames: name one of {LEAST_FRAMES} or more")
    if content.avatar_id is None:
        raise FootageError(f"{recording} was tracked for no avatar: name one that was embedded for {avatar}")
    tables = CodecTables.parse(file["tables"])
    prediction = prediction_of(file)
    fitted = prediction is None
    if fitted:
        rows = np.stack([state_parameters(state, tables.layout) for state in states])
        prediction = fit_prediction(rows, tables.layout, tables.quantiser.steps / STEP_SCALE)
    digest = hashlib.sha256(recording.read_bytes()).digest()
    meta = json.loads(file["meta"])
    return Footage(states, content.fps, digest, tables, prediction, meta, file.digest, recording.stem, fitted)
