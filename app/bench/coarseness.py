"""Other operating points of our stream: the same avatar with finer or coarser steps."""

from collections.abc import Callable, Iterator

import numpy as np

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec
from app.bench.ours import OurCodec
from app.capture.source import Frame, open_source
from app.progress import Progress
from app.tracking.tracker import track_frames
from codec.face_state import FaceState
from codec.quantiser import MOTION_SIZE, STEP_SCALE
from codec.tables import PICTURE_STEP, ROTATION_STEP, CodecTables

COARSENESS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the steps, against those that the avatar came with; 1 is what a call sends."""


def training_states(spec: ClipSpec, avatar: LoadedAvatar) -> list[FaceState]:
    """Track the part of a clip that the avatar was enrolled from; frames without a face are left out."""
    stop = spec.held_out_from()
    with open_source(str(spec.path)) as source, Progress(stop, "tracking what was enrolled") as progress:

        def enrolled() -> Iterator[Frame]:
            for frame in source.frames():
                if frame.timestamp >= stop:
                    return
                progress.update(frame.timestamp)
                yield frame

        return [state for state in track_frames(enrolled(), avatar.calibration, avatar.torso) if state.present]


def coarser(
    avatar: LoadedAvatar, states: Callable[[], list[FaceState]], coarseness: float, name: str, label: str
) -> OurCodec:
    """Return our codec with steps ``coarseness`` times as large, its tables fitted as enrolment fits them.

    Args:
        avatar: of the person.
        states: gives those of the enrolled part, tracked (79 coefficients). It is called when the tables are needed.
        coarseness: above 0.
        name: of the codec.
        label: of the codec.
    """
    if coarseness == 1.0:
        return OurCodec(avatar, name, label)

    def tables() -> CodecTables:
        enrolled = states()
        return CodecTables.fit(
            np.stack([avatar.embed(state.expression) for state in enrolled]),
            [state.pose for state in enrolled],
            np.stack([state.torso for state in enrolled]),
            expression_step=avatar.tables.quantiser.steps[MOTION_SIZE:] * (coarseness / STEP_SCALE),
            rotation_step=ROTATION_STEP * coarseness,
            picture_step=PICTURE_STEP * coarseness,
            focal=avatar.field.camera.focal,
        )

    return OurCodec(avatar, name, label, tables, coarseness)
