"""What is behind a person changes while the person is being rendered: over a few frames, so that nothing flickers."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.portrait import Portrait

FRAMES = 10
"""A third of a second at 30 frames a second."""


class BackdropFade:
    """Moves a portrait's background on to another one, step by step between its frames."""

    def __init__(
        self, portrait: Portrait, enrolled: Tensor, difference: Tensor, motion: Tensor, frames: int = FRAMES
    ) -> None:
        """Prepare to show another background in ``frames`` steps.

        Args:
            portrait: whose background.
            enrolled: (S, S, 3) the one to begin with.
            difference: (D, D, 3) from that one, once it has moved.
            motion: (2, 3), by how much farther on each place of the new background is found in the enrolled one, as an
                affine function of where it is: sides of the frame, from its middle.
            frames: steps.
        """
        side = len(enrolled)
        image = difference.permute(2, 0, 1)[None].to(enrolled)
        spread = F.interpolate(image, (side, side), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
        self._portrait, self._target = portrait, (moved(enrolled, motion) + spread).clamp(0.0, 1.0)
        self._left = frames

    @torch.no_grad()
    def step(self) -> bool:
        """Move on by a frame and return whether the background is reached."""
        self._portrait.background.lerp_(self._target, 1.0 / self._left)
        self._portrait.forget_view()
        self._left -= 1
        return self._left == 0


def moved(background: Tensor, motion: Tensor) -> Tensor:
    """Return a background (S, S, 3) that has moved by (2, 3), with its border going on beyond it."""
    if not motion.any():
        return background
    # The middle of the frame is 0 here, too, but half of its side is 1.
    place = (torch.eye(2, 3) + motion.cpu() * torch.tensor([1.0, 1.0, 2.0])).to(background)
    grid = F.affine_grid(place[None], [1, 3, *background.shape[:2]], align_corners=False)
    image = F.grid_sample(background.permute(2, 0, 1)[None], grid, padding_mode="border", align_corners=False)
    return image[0].permute(1, 2, 0)
