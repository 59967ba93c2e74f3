"""What is behind a person changes while the person is being rendered: over a few frames, so that nothing flickers."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.portrait import Portrait

FRAMES = 10
"""A third of a second at 30 frames a second."""


class BackdropFade:
    """Moves a portrait's background on to another one, step by step between its frames."""

    def __init__(self, portrait: Portrait, enrolled: Tensor, difference: Tensor, frames: int = FRAMES) -> None:
        """Prepare to show the ``enrolled`` background (S, S, 3) and a ``difference`` (D, D, 3) in ``frames`` steps."""
        side = len(enrolled)
        image = difference.permute(2, 0, 1)[None].to(enrolled)
        spread = F.interpolate(image, (side, side), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
        self._portrait, self._target = portrait, (enrolled + spread).clamp(0.0, 1.0)
        self._left = frames

    @torch.no_grad()
    def step(self) -> bool:
        """Move on by a frame and return whether the background is reached."""
        self._portrait.background.lerp_(self._target, 1.0 / self._left)
        self._portrait.forget_view()
        self._left -= 1
        return self._left == 0
