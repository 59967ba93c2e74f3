"""Facial landmarks of video frames, by MediaPipe's face landmarker in its video mode."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.tracking.native_log import without_chatter

LANDMARK_COUNT = 478
"""Points of the landmarker's mesh: 0-467 on the skin, 468-472 the subject's right iris, 473-477 the left one."""
BLENDSHAPE_COUNT = 52
"""Scores of the landmarker: ``_neutral`` and 51 facial units."""
FACES = 2
"""Faces the landmarker looks for. With one it smooths the landmarks itself, which then come half a frame late, and
differently late at each speed; with two it reports what it sees. The second face tells bystanders from the person."""
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
"""Outer corners of the eyes: the distance between them is the unit of reprojection errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What the landmarker says of one frame."""

    points: NDArray[np.float32]
    """(478, 2) pixels: x to the right, y down, origin at the upper left corner of the picture."""
    blendshapes: NDArray[np.float32]
    """(52,) scores in [0, 1]. A diagnostic: the tracker does not use them."""
    transform: NDArray[np.float32]
    """(4, 4) MediaPipe's own pose of its canonical face. A diagnostic: the tracker does not use it."""


class FaceLandmarker:
    """Finds the 478 landmarks of the one most visible face, frame after frame.

    The landmarker keeps a crop from the last frame, so frames must come in order.
    """

    def __init__(self, model: Path, faces: int = FACES) -> None:
        """Load the landmarker's model file and look for up to ``faces`` faces (see `FACES`).

        Raises:
            UserError: the file is missing or is no landmarker model.
        """
        # mediapipe takes most of a second to import, so that only those who track pay for it.
        import mediapipe
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker as MediaPipeLandmarker
        from mediapipe.tasks.python.vision import FaceLandmarkerOptions, RunningMode

        self._image_type = mediapipe.Image
        self._rgb = mediapipe.ImageFormat.SRGB
        options = FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            running_mode=RunningMode.VIDEO,
            num_faces=faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        try:
            with without_chatter():
                self._landmarker = MediaPipeLandmarker.create_from_options(options)
                # The first picture builds the rest of the graph, which takes and says as much as the creation.
                blank = mediapipe.Image(image_format=self._rgb, data=np.zeros((64, 64, 3), np.uint8))
                self._landmarker.detect_for_video(blank, 0)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(
                f"the face landmarker's model file {model} is missing or damaged; delete it and run `nerfcall doctor`"
            ) from error
        self._last_milliseconds = 0
        self._last_points: NDArray[np.float32] | None = None

    def detect(self, image: NDArray[np.uint8], timestamp: float) -> Landmarks | None:
        """Find the face in an RGB picture (H, W, 3) taken at ``timestamp`` seconds; None where there is none."""
        height, width = image.shape[:2]
        # MediaPipe refuses a timestamp that does not grow; two frames within a millisecond are told apart here.
        milliseconds = max(round(timestamp * 1000.0), self._last_milliseconds + 1)
        self._last_milliseconds = milliseconds
        picture = self._image_type(image_format=self._rgb, data=np.ascontiguousarray(image))
        result = self._landmarker.detect_for_video(picture, milliseconds)
        if not result.face_landmarks:
            self._last_points = None
            return None
        scale = np.array([width, height], np.float32)
        faces = [np.array([(point.x, point.y) for point in face], np.float32) * scale for face in result.face_landmarks]
        index = self._person(faces)
        self._last_points = faces[index]
        blendshapes = np.array([category.score for category in result.face_blendshapes[index]], np.float32)
        transform = np.asarray(result.facial_transformation_matrixes[index], np.float32)
        return Landmarks(faces[index], blendshapes, transform)

    def _person(self, faces: list[NDArray[np.float32]]) -> int:
        """Choose the face that continues the last frame's; where there is none, the largest."""
        if self._last_points is None:
            return int(np.argmax([np.ptp(face, axis=0).prod() for face in faces]))
        return int(np.argmin([np.abs(face - self._last_points).mean() for face in faces]))

    def close(self) -> None:
        """Free the model; the landmarker cannot be used afterwards."""
        self._landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
