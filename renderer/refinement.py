"""From a coarse avatar to a fine one while it is being rendered: over a few frames, so that nobody sees it happen."""

import torch

from renderer.avatar import Avatar

FRAMES = 15
"""Half a second at 30 frames a second."""
_REFINED = ("head.static_planes", "head.wide_planes", "head.basis_planes", "torso.plane")
"""All in which an avatar of the first part of a file differs from that of the whole."""


class Refinement:
    """Moves an avatar's planes on to those of a finer one, step by step between its frames."""

    def __init__(self, avatar: Avatar, finer: Avatar, frames: int = FRAMES) -> None:
        """Prepare to reach ``finer``, on the same device, in ``frames`` steps."""
        self._pairs = [(avatar.get_parameter(name), finer.get_parameter(name)) for name in _REFINED]
        self._left = frames

    @torch.no_grad()
    def step(self) -> bool:
        """Move on by a frame and return whether the finer planes are reached."""
        for value, target in self._pairs:
            value.lerp_(target, 1.0 / self._left)
        self._left -= 1
        return self._left == 0
