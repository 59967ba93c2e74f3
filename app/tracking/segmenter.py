"""What belongs to a person's head and what to the body, by MediaPipe's multiclass selfie segmenter."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.assets import asset_path
from app.errors import UserError
from renderer.training.dataset import BACKGROUND, BODY, HEAD

SEGMENTER_ASSET = "selfie_multiclass_256x256.tflite"
_CLASSES = np.array([BACKGROUND, HEAD, BODY, HEAD, BODY, BODY], np.uint8)
"""Of the model's background, hair, body skin, face skin, clothes, and others (what is worn or held)."""


class PersonSegmenter:
    """Splits pictures into background, body (neck, clothes, hands) and head (face, hair)."""

    def __init__(self, model: Path) -> None:
        """Load the segmenter's model file.

        Raises:
            UserError: the file is missing or is no segmenter model.
        """
        os.environ.setdefault("GLOG_minloglevel", "2")
        import mediapipe
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions, RunningMode

        self._image_type = mediapipe.Image
        self._rgb = mediapipe.ImageFormat.SRGB
        options = ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            running_mode=RunningMode.IMAGE,
            output_category_mask=True,
            output_confidence_masks=False,
        )
        try:
            self._segmenter = ImageSegmenter.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(
                f"the segmenter's model file {model} is missing or damaged; delete it and run `nerfcall doctor`"
            ) from error

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return BACKGROUND, BODY or HEAD for each pixel (H, W) of an RGB picture (H, W, 3)."""
        picture = self._image_type(image_format=self._rgb, data=np.ascontiguousarray(image))
        mask = self._segmenter.segment(picture).category_mask.numpy_view()
        classes: NDArray[np.uint8] = _CLASSES[np.minimum(mask.reshape(image.shape[:2]), len(_CLASSES) - 1)]
        return classes

    def close(self) -> None:
        """Free the model; the segmenter cannot be used afterwards."""
        self._segmenter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_segmenter() -> PersonSegmenter:
    """Load the segmenter's model file from the user's cache, bringing it there first if need be.

    Raises:
        AssetError: the file cannot be had.
    """
    return PersonSegmenter(asset_path(SEGMENTER_ASSET))


def segment_all(pictures: Iterable[NDArray[np.uint8]], workers: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the classes (H, W) of RGB pictures (H, W, 3), in their order, so many of which are looked at side by side.

    Raises:
        AssetError: the model file cannot be had.
    """
    with ExitStack() as stack:
        idle: SimpleQueue[PersonSegmenter] = SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(open_segmenter()))
        # Ended before the segmenters are closed.
        pool = stack.enter_context(ThreadPoolExecutor(workers, "segment"))

        def segment(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
            segmenter = idle.get()
            try:
                return segmenter.segment(picture)
            finally:
                idle.put(segmenter)

        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        for picture in pictures:
            waiting.append(pool.submit(segment, picture))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
