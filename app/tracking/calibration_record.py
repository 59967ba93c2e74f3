"""What is known of one person and one camera before tracking: shape, focal length, landmark offsets."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.tracking.landmarker import LANDMARK_COUNT

MAGIC = b"NFCC"
VERSION = 1
_HEADER = struct.Struct("<4sBB2x8sf")
DEFAULT_FOCAL = 1.5
"""Picture heights: a webcam or portrait of about 37 degrees of vertical view."""
MAX_IDENTITY = 200
FOCAL_RANGE = (0.3, 30.0)
MAX_COEFFICIENT = 100.0
"""No identity coefficient (standard deviations) and no offset (cm) is ever as large."""


class CalibrationError(UserError):
    """A stored calibration is damaged or belongs to another morphable model."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """One person before one camera."""

    identity: NDArray[np.float64]
    """(K,) standard deviations along the model's identity directions."""
    focal: float
    """Focal length in picture heights. The principal point is the picture's centre."""
    landmark_offsets: NDArray[np.float64]
    """(478, 3) centimetres in head space: where this person's landmarks lie off the model's."""
    model_digest: bytes
    """8 bytes that name the morphable model (`MorphableModel.digest`)."""

    @classmethod
    def mean_face(cls, identity_size: int, model_digest: bytes) -> "Calibration":
        """Return the average person before an average camera: to start from, and to track strangers with."""
        return cls(np.zeros(identity_size), DEFAULT_FOCAL, np.zeros((LANDMARK_COUNT, 3)), model_digest)

    def __bytes__(self) -> bytes:
        """Serialise: header, identity as float32, offsets as float16, little endian."""
        header = _HEADER.pack(MAGIC, VERSION, len(self.identity), self.model_digest, self.focal)
        return header + self.identity.astype("<f4").tobytes() + self.landmark_offsets.astype("<f2").tobytes()

    @classmethod
    def parse(cls, data: bytes) -> "Calibration":
        """Read what ``bytes(calibration)`` wrote.

        Raises:
            CalibrationError: ``data`` is anything else.
        """
        damaged = "the tracker's calibration is damaged; enrol again"
        if len(data) < _HEADER.size:
            raise CalibrationError(damaged)
        magic, version, count, digest, focal = _HEADER.unpack_from(data)
        if magic != MAGIC or count > MAX_IDENTITY:
            raise CalibrationError(damaged)
        if version != VERSION:
            raise CalibrationError(f"the tracker's calibration has version {version}, not {VERSION}; enrol again")
        if len(data) != _HEADER.size + 4 * count + 2 * 3 * LANDMARK_COUNT:
            raise CalibrationError(damaged)
        identity = np.frombuffer(data, "<f4", count, _HEADER.size).astype(np.float64)
        offsets = np.frombuffer(data, "<f2", 3 * LANDMARK_COUNT, _HEADER.size + 4 * count).astype(np.float64)
        values = np.concatenate([identity, offsets])
        if not (FOCAL_RANGE[0] <= focal <= FOCAL_RANGE[1]) or not np.all(np.abs(values) < MAX_COEFFICIENT):
            raise CalibrationError(damaged)
        return cls(identity, float(focal), offsets.reshape(LANDMARK_COUNT, 3), bytes(digest))
