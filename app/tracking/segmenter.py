"""What belongs to a person's head and what to the body, by MediaPipe's multiclass selfie segmenter."""

import os
from pathlib import Path
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
