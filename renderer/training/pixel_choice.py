"""Which pixels of a training frame are looked at."""

import torch
from torch import Tensor

from renderer.camera import project
from renderer.training.dataset import BACKGROUND, HEAD, Footage, HeadSurface, dilate

FEATURE_SPREAD = 0.015
"""Standard deviation of rays about a point of eye or mouth, in frame sides."""
SHARE_AT_HEAD = 0.7
"""Of the patches; the others are about the body."""


class PixelChoice:
    """Draws pixels where they teach most: at the head, the body, and above all eyes and mouth."""

    def __init__(self, footage: Footage, surface: HeadSurface) -> None:
        """Find out where head and body are in each frame of the footage."""
        self.footage = footage
        self.features = surface.features
        self.size = footage.images.shape[1]
        margin = max(2, self.size // 64)
        self._near_head = dilate(footage.masks == HEAD, margin).flatten(1)
        self._near_body = dilate(footage.masks != BACKGROUND, margin).flatten(1) & ~self._near_head

    def scattered(self, frame: int, count: int, random: torch.Generator) -> Tensor:
        """Return about ``count`` pixels of a frame, flat indices."""
        parts = [torch.randint(self.size * self.size, (count * 15 // 100,), generator=random)]
        for near, share in ((self._near_head[frame], 45), (self._near_body[frame], 22)):
            candidates = torch.nonzero(near).squeeze(1)
            if len(candidates):
                parts.append(candidates[torch.randint(len(candidates), (count * share // 100,), generator=random)])
        parts.append(self._at_features(frame, count * 18 // 100, random))
        # In the order of the picture: neighbours read the same texels.
        return torch.cat(parts).sort().values

    def patch(self, frame: int, side: int, random: torch.Generator) -> Tensor:
        """Return the pixels (side²,) of a square about a point of head or body, flat indices, row by row."""
        at_head = torch.rand((), generator=random) < SHARE_AT_HEAD
        near = self._near_head[frame] if at_head else self._near_body[frame]
        candidates = torch.nonzero(near).squeeze(1)
        if len(candidates):
            middle = int(candidates[torch.randint(len(candidates), (1,), generator=random)])
        else:
            middle = int(torch.randint(self.size * self.size, (1,), generator=random))
        row, column = (
            min(max(place - side // 2, 0), self.size - side) for place in (middle // self.size, middle % self.size)
        )
        steps = torch.arange(side)
        return ((row + steps)[:, None] * self.size + column + steps).flatten()

    def _at_features(self, frame: int, count: int, random: torch.Generator) -> Tensor:
        """Return pixels scattered about eyes and mouth, which are small and which people look at."""
        footage = self.footage
        points = self.features[torch.randint(len(self.features), (count,), generator=random)]
        uv = project(footage.camera, points @ footage.rotations[frame].T + footage.translations[frame])
        uv = uv + torch.randn(uv.shape, generator=random) * FEATURE_SPREAD
        column, row = (uv * self.size).long().clamp(0, self.size - 1).unbind(-1)
        return row * self.size + column
