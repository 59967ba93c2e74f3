"""Other operating points of our stream: the same avatar with finer or coarser steps."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec
from app.bench.ours import OurCodec
from app.capture.source import Frame, open_source
from app.enrolment.sensitivity import picture_metric
from app.errors import UserError
from app.owner_tracker import OwnerTracker
from app.progress import Progress
from app.tracking.tracker import track_frames
from codec.face_state import FaceState
from codec.parameters import state_parameters
from codec.prediction import PredictionTables
from codec.prediction_fitting import fit_prediction
from codec.quantiser import STEP_SCALE

COARSENESS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the steps, against those that the avatar came with; 1 is what a call sends."""


def training_states(spec: ClipSpec, avatar: LoadedAvatar) -> list[FaceState]:
    """Track what the avatar was enrolled from, as a call does; frames without a face are left out."""
    stop = spec.held_out_from()
    with open_source(str(spec.path)) as source, Progress(stop, "tracking what was enrolled") as progress:

        def enrolled() -> Iterator[Frame]:
            for frame in source.frames():
                if frame.timestamp >= stop:
                    return
                progress.update(frame.timestamp)
                yield frame

        return [state for state in track_frames(enrolled(), OwnerTracker(avatar)) if state.present]


def enrolled_parameters(states: list[FaceState], avatar: LoadedAvatar) -> NDArray[np.float64]:
    """Return the parameters (N, D), as prediction tables are fitted to, of embedded ``states``."""
    return np.stack([state_parameters(state, avatar.tables.layout) for state in states])


def coarser(
    avatar: LoadedAvatar, states: Callable[[], list[FaceState]], coarseness: float, name: str, label: str
) -> OurCodec:
    """Return our codec with steps ``coarseness`` times as large, its prediction fitted as enrolment fits it.

    Args:
        avatar: of the person, with prediction tables.
        states: gives those of the enrolled part, embedded. It is called when the tables are needed.
        coarseness: above 0.
        name: of the codec.
        label: of the codec.
    """
    if coarseness == 1.0:
        return OurCodec(avatar, name, label)

    def prediction() -> PredictionTables:
        if avatar.prediction is None:
            raise UserError(f"{avatar.path} is of before frames were predicted: enrol it again")
        parameters = enrolled_parameters(states(), avatar)
        steps = avatar.prediction.quantiser.steps * (coarseness / STEP_SCALE)
        layout = avatar.tables.layout
        return fit_prediction(parameters, layout, steps, picture_metric(avatar.field, parameters, layout))

    return OurCodec(avatar, name, label, prediction, coarseness)
