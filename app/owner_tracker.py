"""The tracker of an avatar's owner: it knows the owner's face, the torso, and how the other side renders both."""

from dataclasses import replace
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from app.tracking.face_alignment import SIDE, ExpressionRange, FaceAligner, RenderedHead
from app.tracking.tracker import FaceTracker
from codec.face_state import FaceState

if TYPE_CHECKING:
    from app.avatar import LoadedAvatar


LIVE_BUDGET: Final = 0.01
"""Seconds a picture that a call has for comparing it with its rendering, on average."""


class OwnerTracker:
    """Tracks the face that an avatar shows, as the avatar takes it: with embedded expressions."""

    def __init__(self, avatar: "LoadedAvatar", budget: float = inf) -> None:
        """Load the models; ``budget`` is that of the `FaceAligner`.

        It waits until the avatar can be rendered fast enough to align the face with it. Where it never can, as with the
        paper's field, the face is that of the landmarks.

        Raises:
            AssetError, AvatarError, CalibrationError, TorsoTemplateError: a model cannot be had, or the avatar is
                damaged.
        """
        self._avatar = avatar
        avatar.prepare()
        rest = avatar.tables.rest_state(0.0)
        expressions = ExpressionRange(rest, np.ones_like(rest.expression), *avatar.expression_bounds)
        # It renders, for which the field is unpacked: a call that has begun would stand still meanwhile.
        self._aligner = FaceAligner(self._rendered, expressions, avatar.torso.camera, avatar.calibration.focal, budget)
        self._tracker = FaceTracker(avatar.calibration, torso=avatar.torso)

    def track(self, image: NDArray[np.uint8], timestamp: float) -> FaceState:
        """Return the embedded state of the face in the RGB picture (H, W, 3); see `FaceTracker.track`."""
        tracked = self._tracker.track(image, timestamp)
        state = replace(tracked, expression=self._avatar.embed(tracked.expression))
        return self._aligner.align(image, state)

    def close(self) -> None:
        """Free the models."""
        self._tracker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rendered(self, state: FaceState) -> RenderedHead | None:
        if not self._avatar.fast:
            return None
        picture = self._avatar.render(state, SIDE, SIDE, smooth=False)
        return RenderedHead(picture, self._avatar.head_distance(state, SIDE, SIDE))
