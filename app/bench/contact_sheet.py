"""What an avatar shows beyond its enrolment: heads turned further, expressions exaggerated.

There is no real picture to compare with: whoever looks decides whether it is still the person.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.bench.metrics.tracked_face import euler_angles
from app.errors import UserError
from codec.face_state import FaceState, HeadPose
from codec.rotation import rotation_vector_to_matrix

SIZE: Final = 256
BEYOND: Final = 20.0
"""Degrees by which a head is turned beyond its training range."""
EXAGGERATION: Final = 1.5
COLUMNS: Final = 7
TAILS: Final = (2.0, 98.0)
"""Percentiles that bound the training range: single frames may be mistaken."""
GAP: Final = 4
JPEG: Final = {"quality": 92, "subsampling": 0, "optimize": True}

Picture = NDArray[np.uint8]


class SheetError(UserError):
    """A contact sheet cannot be drawn or written."""


class Portrait(Protocol):
    """The avatar, as far as it is needed here."""

    @property
    def expression_bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The least and the greatest (E,) that the numbers of an expression may be."""

    def render(self, state: FaceState, width: int, height: int, /) -> Picture:
        """Return the picture (height, width, 3) of an embedded state."""


def contact_sheet(avatar: Portrait, states: Sequence[FaceState]) -> Picture:
    """Return a sheet of four rows.

    Yaw from 20 degrees beyond one end of the training range to 20 beyond the other, pitch likewise, with everything
    else as in the frame in the middle of both; then the expressions furthest from each other, and the same ones
    exaggerated.

    Args:
        avatar: of the person.
        states: embedded, of the enrolled part.

    Raises:
        SheetError: too few states.
    """
    if len(states) < COLUMNS:
        raise SheetError(f"the enrolled part shows a face in {len(states)} frames, and {COLUMNS} are needed")
    angles = np.stack([euler_angles(state.pose.rotation.astype(np.float64)) for state in states])[:, :2]
    ends = np.percentile(angles, TAILS, axis=0)
    spread = np.maximum(ends[1] - ends[0], 1e-3)
    middle = int(np.abs((angles - ends.mean(axis=0)) / spread).sum(axis=1).argmin())
    rows = []
    for axis in range(2):
        low, high = ends[:, axis]
        wanted = [low - BEYOND, low - BEYOND / 2, low, (low + high) / 2, high, high + BEYOND / 2, high + BEYOND]
        rows.append([turned(states[middle], axis, angle - angles[middle, axis]) for angle in wanted])
    rows.append([states[index] for index in apart(np.stack([state.expression for state in states]), COLUMNS)])
    rows.append([replace(state, expression=EXAGGERATION * state.expression) for state in rows[-1]])
    across = np.full((SIZE, GAP, 3), 255, np.uint8)
    sheet: list[Picture] = []
    for row in rows:
        cells: list[Picture] = []
        for state in row:
            shown = replace(state, expression=np.clip(state.expression, *avatar.expression_bounds))
            cells += [*([across] if cells else []), avatar.render(shown, SIZE, SIZE)]
        line = np.concatenate(cells, axis=1)
        sheet += [*([np.full((GAP, line.shape[1], 3), 255, np.uint8)] if sheet else []), line]
    return np.concatenate(sheet)


def turned(state: FaceState, axis: int, degrees: float) -> FaceState:
    """Return a state with its head turned where it is: by yaw (axis 0) or pitch (axis 1), signs of `euler_angles`."""
    vector = np.zeros(3)
    vector[1 - axis] = np.deg2rad(degrees)
    rotation = rotation_vector_to_matrix(vector) @ state.pose.rotation
    return replace(state, pose=HeadPose(rotation.astype(np.float32), state.pose.translation))


def apart(points: NDArray[np.floating], count: int) -> list[int]:
    """Return the indices of ``count`` of the points (N, D), each the furthest from those before, from the mean on."""
    nearest = np.linalg.norm(points - points.mean(axis=0), axis=1)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        distance = np.linalg.norm(points - points[chosen[-1]], axis=1)
        nearest = distance if len(chosen) == 1 else np.minimum(nearest, distance)
    return chosen


def sheet_path(folder: Path, clip: str) -> Path:
    """Return where the sheet of a clip lies in a folder of results."""
    return folder / "views" / f"{clip}.jpg"


def write_sheet(path: Path, sheet: Picture) -> None:
    """Write a sheet as JPEG. Raises SheetError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(path, "JPEG", **JPEG)
    except OSError as error:
        raise SheetError(f"{path} cannot be written ({error.strerror}): choose another folder with -o") from None
