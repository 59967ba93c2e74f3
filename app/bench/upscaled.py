"""Our codec rendered at one size and upscaled to another: what rendering at the larger size is worth more than."""

from collections.abc import Mapping

import cv2
import numpy as np

from app.bench.codec import Coded, Frames, Settings
from app.bench.ours import OurCodec


class UpscaledCodec:
    """Sends what ours sends, renders it at one size, whatever is asked for, and upscales the pictures (Lanczos)."""

    def __init__(self, ours: OurCodec, size: int) -> None:
        """Upscale what ``ours`` renders at ``size``², pixels."""
        self._ours, self._size = ours, size
        self.name = f"{ours.name}-upscaled"
        self.label = f"{ours.label}, {size}² upscaled"

    @property
    def settings(self) -> Settings:
        """Those of ours, and from which size it is upscaled."""
        return {**self._ours.settings, "rendered_at": self._size}

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Do what ours does."""
        return self._ours.encode(frames, fps)

    def decode(self, coded: Coded, size: int) -> Frames:
        """Return as many frames as were coded, (N, size, size, 3)."""
        rendered = self._ours.decode(coded, self._size)
        upscaled = [cv2.resize(frame, (size, size), interpolation=cv2.INTER_LANCZOS4) for frame in rendered]
        return np.stack(upscaled).astype(np.uint8, copy=False)

    def versions(self) -> Mapping[str, str]:
        """Return the versions of ours, and of what upscales."""
        return {**self._ours.versions(), "opencv": cv2.__version__}
