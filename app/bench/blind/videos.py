"""The pictures of a pair, read ahead while the pair before is looked at."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from app.bench.blind.stimuli import ORIGINAL, Material, StimulusError
from app.bench.blind.study import Pair
from app.bench.lossless import lossless_shape, read_lossless

SECONDS = 10.0
"""Of each video, from its beginning: ITU-T P.910 asks for about as much."""
MEMORY = 3 << 29
"""Bytes for the pictures of two pairs of three videos each: the one that is shown and the one that is read ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class PairVideos:
    """What a pair shows: three videos of as many frames and one size."""

    left: NDArray[np.uint8]
    """(N, S, S, 3), RGB."""
    original: NDArray[np.uint8]
    right: NDArray[np.uint8]
    fps: float

    def __len__(self) -> int:
        return len(self.original)


def load_pair(material: Material, pair: Pair, seconds: float = SECONDS, memory: int = MEMORY) -> PairVideos:
    """Read the beginning of a pair's videos: ``seconds``, or fewer where they would not fit into ``memory`` bytes.

    Raises:
        LosslessError: a video cannot be read.
        StimulusError: they differ in size, length or rate.
    """
    paths = [material.stimuli[pair.clip, codec].path for codec in (pair.left, ORIGINAL, pair.right)]
    shape = lossless_shape(paths[1])
    most = max(1, min(round(seconds * shape.fps), memory // (6 * 3 * shape.height * shape.width)))
    read: dict[Path, tuple[NDArray[np.uint8], float]] = {}
    for path in paths:
        if path not in read:
            read[path] = read_lossless(path, max_frames=most)
        frames, fps = read[path]
        if (frames.shape, fps) != (read[paths[0]][0].shape, read[paths[0]][1]):
            raise StimulusError(
                f"{path} has {frames.shape[2]}x{frames.shape[1]} pixels, {len(frames)} frames, {fps:g} fps and "
                f"{paths[0].name} has not: delete {path.parent} and run nerfcall bench quality again"
            )
    left, original, right = (read[path][0] for path in paths)
    return PairVideos(left, original, right, shape.fps)


class PairLoader:
    """Reads the pairs of a session in another thread, each once, the next one ahead."""

    def __init__(self, material: Material, seconds: float = SECONDS) -> None:
        self._material = material
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "pairs")
        self._ahead: tuple[Pair, Future[PairVideos]] | None = None

    def load(self, pair: Pair) -> "Future[PairVideos]":
        """Return what a pair shows, now or later; raises there what :func:`load_pair` raises."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == pair:
            return ahead[1]
        return self._thread.submit(load_pair, self._material, pair, self._seconds)

    def read_ahead(self, pair: Pair) -> None:
        """Begin to read what will be asked for next."""
        self._ahead = (pair, self.load(pair))

    def close(self) -> None:
        """Wait for what is being read and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    def __enter__(self) -> "PairLoader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
