"""CSIM: cosine similarity of identity embeddings. The embedding is dlib's, **not ArcFace**.

dlib's network gives 128 numbers for an aligned face (King 2017, "High Quality Face Recognition with Deep Metric
Learning"; a ResNet of 29 convolutions). It was trained for Euclidean distances and keeps all pictures in a narrow cone:
two different people, or a face and a grey picture, still reach 0.81 to 0.88, and two frames of one person 0.95 to 1.
Talking-head papers take ArcFace, whose similarities spread further: the figures of both must not be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.assets import cached
from app.bench.metrics.assets import FACE_ALIGNMENT, FACE_EMBEDDING
from app.errors import UserError

EMBEDDING_SIZE = 128
CHIP_SIDE = 150
"""Pixels of the aligned face that goes into the network."""
CHIP_PADDING = 0.25
"""What the network was trained with, in parts of the face."""
DETECTION_SIDE = 512
"""The detector, whose smallest face measures 80 pixels, looks at pictures whose shorter side is this long."""


class IdentityError(UserError):
    """The library that computes identity embeddings is not installed."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """Where a face is, in parts of the picture's width and height; it may reach beyond the picture."""

    left: float
    top: float
    right: float
    bottom: float


class IdentityEmbedder:
    """dlib's face detector, five-point alignment and embedding."""

    def __init__(self) -> None:
        """Load the models.

        Raises:
            IdentityError: dlib is missing.
            AssetError: a model file cannot be brought.
        """
        try:
            import dlib
        except ImportError as error:
            raise IdentityError(
                "the identity metric needs dlib: install what the benchmark needs with `pip install 'nerfcall[bench]'`"
            ) from error
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._alignment = dlib.shape_predictor(str(cached(FACE_ALIGNMENT)))
        self._network = dlib.face_recognition_model_v1(str(cached(FACE_EMBEDDING)))

    def find(self, picture: NDArray[np.uint8]) -> FaceBox | None:
        """Return the box of the surest face in the RGB picture (H, W, 3), None where there is none."""
        height, width = picture.shape[:2]
        scale = DETECTION_SIDE / min(height, width)
        interpolation = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=interpolation) if scale != 1.0 else picture
        found, scores, _ = self._detector.run(np.ascontiguousarray(small), 0, 0.0)
        if not found:
            return None
        box = found[int(np.argmax(scores))]
        # dlib counts the last pixel in.
        rows, columns = small.shape[:2]
        return FaceBox(box.left() / columns, box.top() / rows, (box.right() + 1) / columns, (box.bottom() + 1) / rows)

    def embed(self, pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[FaceBox]) -> NDArray[np.float64]:
        """Return the embeddings (N, 128) of the faces in ``boxes`` of RGB pictures (H, W, 3), of unit length.

        In each picture the five points (eye corners and base of the nose) are found within the box anew.
        """
        if not pictures:
            return np.empty((0, EMBEDDING_SIZE))
        chips = []
        for picture, box in zip(pictures, boxes, strict=True):
            picture = np.ascontiguousarray(picture)
            shape = self._alignment(picture, self._rectangle(box, *picture.shape[:2]))
            chips.append(self._dlib.get_face_chip(picture, shape, size=CHIP_SIDE, padding=CHIP_PADDING))
        embeddings = np.array(self._network.compute_face_descriptor(chips), np.float64).reshape(-1, EMBEDDING_SIZE)
        unit: NDArray[np.float64] = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        return unit

    def _rectangle(self, box: FaceBox, height: int, width: int) -> Any:
        return self._dlib.rectangle(
            round(box.left * width),
            round(box.top * height),
            round(box.right * width) - 1,
            round(box.bottom * height) - 1,
        )


def cosine_similarities(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine similarity (N,) of each pair of rows (N, D)."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    similarities: NDArray[np.float64] = (first * second).sum(axis=1) / lengths
    return similarities


class IdentityReference:
    """The faces of the reference frames, embedded once."""

    def __init__(self, frames: NDArray[np.uint8], embedder: IdentityEmbedder | None = None) -> None:
        """Find and embed the face in each of the RGB frames (N, H, W, 3). Errors as of `IdentityEmbedder`."""
        self._embedder = embedder or IdentityEmbedder()
        boxes = [self._embedder.find(frame) for frame in frames]
        self.found = np.array([box is not None for box in boxes], bool)
        """(N,) whether the frame has a face."""
        self._boxes = [box for box in boxes if box is not None]
        self._embeddings = self._embedder.embed(list(frames[self.found]), self._boxes)

    def csim(self, decoded: NDArray[np.uint8]) -> float:
        """Return the mean cosine similarity to the decoded frames (N, H, W, 3); NaN where no reference has a face.

        The face is looked for where the reference has it, so that every such frame counts, even where nothing of the
        face is left.
        """
        if not self._boxes:
            return float("nan")
        embeddings = self._embedder.embed(list(decoded[self.found]), self._boxes)
        return float(cosine_similarities(self._embeddings, embeddings).mean())
