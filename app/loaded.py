"""What a call needs of an avatar: structural types, so that a call can be tested with any avatar."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codec.backdrop import Backdrop
from codec.face_state import FaceState
from codec.prediction import PredictionTables
from codec.tables import CodecTables


class CallAvatar(Protocol):
    """What both sides compare."""

    @property
    def tables(self) -> CodecTables:
        """Coding tables."""

    @property
    def prediction(self) -> PredictionTables | None:
        """What frames are predicted with; None: each is coded alone."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the avatar file, 32 bytes."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """The avatar's description of itself."""


class RenderedAvatar(CallAvatar, Protocol):
    """What a receiver needs."""

    @property
    def refining(self) -> bool:
        """Whether the next picture of the same face will be another one: finer, or before another background."""

    def show_backdrop(self, backdrop: Backdrop) -> None:
        """Let the next pictures fade to a background that differs so from the enrolled one."""

    def prepare(self) -> None:
        """Make rendering as fast as this machine can. That may take seconds, while it renders slower."""

    def render(self, state: FaceState, width: int, height: int, *, smooth: bool = True) -> NDArray[np.uint8]:
        """Return the picture (height, width, 3), RGB, of a state whose expression is embedded.

        Unless it is to be ``smooth``, the outline of the head may jag, for less time.
        """
