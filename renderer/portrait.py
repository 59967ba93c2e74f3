"""What renders one person, whichever field it holds."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from renderer.camera import Camera
from renderer.view import View

EXTENT = 64
"""Rows and columns of a torso's extent."""


Backend = Literal["auto", "torch", "compiled", "triton"]
"""Which implementation renders."""


class Portrait(nn.Module, ABC):
    """A person before a still background, seen by a still camera.

    What a call, a benchmark or an enrolment does with an avatar it does through this class; what field is inside
    matters only to what trains it and to its bytes.
    """

    KIND: ClassVar[str]
    """What the field is called where an avatar describes itself."""
    PROBE_SIDE: ClassVar[int]
    """Of the pictures by which enrolment finds out how much each number of a frame shows: some five hundred of them
    must not take longer than the training."""

    background: Tensor
    torso_extent: Tensor

    def __init__(self, background: Tensor, camera: Camera):
        """Take what every person has.

        Args:
            background: (S, S, 3) float in [0, 1], the frame without the person.
            camera: the camera of the frame.
        """
        super().__init__()
        self.register_buffer("background", background)
        self.camera = camera
        self.register_buffer("torso_extent", torch.ones(EXTENT, EXTENT))
        """Where in the frame the torso may be seen: (rows, columns), 0 or 1."""
        self._view: View | None = None

    @abstractmethod
    def render(
        self, expression: Tensor, rotation: Tensor, translation: Tensor, torso: Tensor, width: int, height: int
    ) -> Tensor:
        """Render one frame.

        Args:
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            torso: (T,) its motion, see `renderer.torso_field.TorsoField.forward`.
            width: pixels; the frame fills the smaller side and lies in the middle of the larger one.
            height: pixels.

        Returns:
            (height, width, 3) uint8 RGB on the portrait's device.
        """

    def fastest(self) -> Backend:
        """Return the fastest backend that is ready here."""
        return "torch"

    @abstractmethod
    def rescale_expression(self, shift: Tensor, scale: Tensor) -> None:
        """Let the field take expressions in new units: ``old = shift + scale * new``, (E,) each; pictures stay."""

    def forget(self) -> None:
        """Drop all that is kept from frame to frame; needed after the field was trained or changed otherwise."""
        self.forget_view()

    def forget_view(self) -> None:
        """Drop what is kept of a size of picture; needed after the background or the extent changed, and they alone."""
        self._view = None

    def view(self, width: int, height: int) -> View:
        """Return what of a picture depends on its size alone, kept for the size that was asked for last."""
        view = self._view
        if view is None or (view.width, view.height) != (width, height):
            view = self._view = View.of(self, width, height)
        return view
