"""The tracker of an avatar's owner: it knows the owner's face, the torso, and how the other side renders both."""

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.tracking.head_alignment import SIDE, HeadAligner
from app.tracking.tracker import FaceTracker
from codec.face_state import FaceState

if TYPE_CHECKING:
    from app.avatar import LoadedAvatar


LIVE_BUDGET: Final = 0.008
"""Seconds a picture that a call has for comparing it with its rendering, on average."""


def owner_tracker(avatar: "LoadedAvatar", budget: float = inf) -> FaceTracker:
    """Return the tracker of an avatar's owner, who must close it; ``budget`` is that of its `HeadAligner`.

    It waits until the avatar can be rendered fast enough to align the head with it. Where it never can, as with the
    paper's field, the head's pose is that of the landmarks.

    Raises:
        AssetError, AvatarError, CalibrationError, TorsoTemplateError: a model cannot be had, or the avatar is damaged.
    """
    avatar.prepare()
    if avatar.fast:
        # Its field is unpacked for the first picture, for which a call that has begun would stand still.
        avatar.render(avatar.tables.rest_state(0.0), SIDE, SIDE)

    def render(state: FaceState) -> NDArray[np.uint8] | None:
        if not avatar.fast:
            return None
        return avatar.render(replace(state, expression=avatar.embed(state.expression)), SIDE, SIDE)

    head = HeadAligner(render, avatar.torso.camera, avatar.calibration.focal, budget)
    return FaceTracker(avatar.calibration, torso=avatar.torso, head=head)
