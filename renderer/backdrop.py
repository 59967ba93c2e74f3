"""What is behind a person changes while the person is being rendered: over a few frames, so that nothing flickers."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.portrait import Portrait

FRAMES = 10
"""A third of a second at 30 frames a second."""
REACH = 2
"""Pixels of a difference on either side, among which its spread tells whether an edge has come or gone there."""
MOVED = (4 / 255, 10 / 255)
"""Standard deviation of a difference from which on the enrolled detail fades, and at which it has gone."""


class BackdropFade:
    """Moves a portrait's background on to another one, step by step between its frames."""

    def __init__(self, portrait: Portrait, enrolled: Tensor, difference: Tensor, frames: int = FRAMES) -> None:
        """Prepare to show the ``enrolled`` background (S, S, 3) and a ``difference`` (D, D, 3) in ``frames`` steps."""
        image, difference = (values.permute(2, 0, 1)[None] for values in (enrolled, difference.to(enrolled)))
        detail = image - _enlarged(F.interpolate(image, difference.shape[-2:], mode="area"), len(enrolled))
        target = image + _enlarged(difference, len(enrolled)) - _enlarged(_moved(difference), len(enrolled)) * detail
        self._portrait, self._target = portrait, target[0].permute(1, 2, 0).clamp(0.0, 1.0)
        self._left = frames

    @torch.no_grad()
    def step(self) -> bool:
        """Move on by a frame and return whether the background is reached."""
        self._portrait.background.lerp_(self._target, 1.0 / self._left)
        self._portrait.forget_view()
        self._left -= 1
        return self._left == 0


def _enlarged(values: Tensor, side: int) -> Tensor:
    return F.interpolate(values, (side, side), mode="bilinear", align_corners=False)


def _moved(difference: Tensor) -> Tensor:
    """Return where something else is behind the person now (1, 1, D, D), 0 to 1, and not just another light.

    There an enrolled edge, finer than the difference can be, would stay as a ghost.
    """

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 2 * REACH + 1, stride=1, padding=REACH, count_include_pad=False)

    variance = (mean(difference.square()) - mean(difference).square()).amax(1, keepdim=True)
    low, high = MOVED
    return ((variance.clamp(min=0.0).sqrt() - low) / (high - low)).clamp(0.0, 1.0)
