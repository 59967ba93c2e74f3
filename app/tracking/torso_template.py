"""What the torso of one person looks like, to be found again in each picture: a section of the avatar.

Layout, all integers little-endian::

    magic    4 bytes  b"NCTO"
    version  u8       3
    camera   3 x f32  focal length and principal point of the avatar's frame, in sides of the frame
    mix      3 x f32  shares of red, green and blue in a tone
    count    u8       M, modes
    modes    f16      M x 2 x KNOTS x KNOTS of `renderer.torso_modes`
    content  zlib     of SIDE x SIDE bytes of tones, then as many of the mask, 0 or 1

Version 1 had no modes: there a torso moves by a linear part. Version 2 had four, and no count.
"""

import math
import struct
import zlib
from dataclasses import astuple, dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from app.errors import UserError
from renderer.torso_modes import KNOTS, MAX_MODES, displacements, linear_modes

MAGIC = b"NCTO"
VERSION = 3
_FOUR_MODES_VERSION, _LINEAR_VERSION = 2, 1
SIDE = 128
"""Pixels of the frame's side when its torso is aligned: shoulders are smooth, and a fit of 3000 pixels takes 1 ms."""
BLUR = 1.0
"""Standard deviation in those pixels: an edge is then seen from some pixels away."""
_HEAD = struct.Struct("<4sB6f")
_MODE_SHAPE = (2, KNOTS, KNOTS)
_LIMIT = 100.0
"""Bound on the camera's numbers."""

Tones = NDArray[np.float32]
Extent = tuple[int, int, int, int]
"""First and last column + 1, first and last row + 1 of what a picture covers of the frame."""


class TorsoTemplateError(UserError):
    """A stored template is damaged."""


@dataclass(frozen=True, slots=True)
class FrameCamera:
    """Pinhole camera of the square frame, in sides of the frame: see `renderer.camera.Camera`."""

    focal: float
    cx: float
    cy: float

    def square(self, focal: float, width: int, height: int) -> tuple[int, int, int]:
        """Return left, top and side in pixels of the frame within a picture taken with ``focal`` (picture heights)."""
        side = focal * height / self.focal
        return round(width / 2 - self.cx * side), round(height / 2 - self.cy * side), max(round(side), 1)


@dataclass(frozen=True, slots=True)
class ColourMix:
    """What makes one number of a colour: a grey shirt before a blue wall has no outline in grey, and one in blue."""

    red: float
    green: float
    blue: float

    @classmethod
    def of_direction(cls, direction: NDArray[np.floating]) -> "ColourMix":
        """Return the mix along a direction (3,) in colour space, so that tones lie between 0 and 255."""
        shares = direction / max(float(np.abs(direction).sum()), 1e-9)
        return cls(*(float(share) for share in shares))

    def tones(self, image: NDArray[np.uint8]) -> Tones:
        """Return the tones (H, W), 0 to 255, of an RGB picture (H, W, 3)."""
        shares = self.red, self.green, self.blue
        mixed = cv2.transform(image.astype(np.float32), np.array([shares], np.float32))
        return np.asarray(mixed - 255.0 * sum(min(share, 0.0) for share in shares), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TorsoTemplate:
    """The torso at rest: the mean of the enrolment's pictures, each aligned to the others."""

    camera: FrameCamera
    """Of the frame that the template lies in."""
    mix: ColourMix
    """What its tones are made of."""
    tones: Tones
    """(SIDE, SIDE) 0 to 255, blurred."""
    mask: NDArray[np.bool_]
    """(SIDE, SIDE) where the torso is, and nothing else ever."""
    modes: NDArray[np.float32]
    """(M, 2, KNOTS, KNOTS) how it deforms, see `renderer.torso_modes`."""

    @classmethod
    def moving_linearly(
        cls, camera: FrameCamera, mix: ColourMix, tones: Tones, mask: NDArray[np.bool_]
    ) -> "TorsoTemplate":
        """Return the template of a torso of which no other deformation is known than a linear part."""
        centre = torch.from_numpy(_middle(mask)).float()
        return cls(camera, mix, tones, mask, linear_modes(centre).numpy())

    def displacements(self) -> NDArray[np.float32]:
        """Return (M, 2, SIDE, SIDE): where each mode moves the template's pixels, in sides of the frame."""
        middles = (torch.arange(SIDE) + 0.5) / SIDE
        return displacements(torch.from_numpy(self.modes), middles, middles).numpy()

    def __bytes__(self) -> bytes:
        tones = np.clip(np.rint(self.tones), 0, 255).astype(np.uint8)
        content = zlib.compress(tones.tobytes() + self.mask.astype(np.uint8).tobytes(), 9)
        head = _HEAD.pack(MAGIC, VERSION, *astuple(self.camera), *astuple(self.mix))
        return head + bytes([len(self.modes)]) + self.modes.astype("<f2").tobytes() + content

    @classmethod
    def parse(cls, data: bytes) -> "TorsoTemplate":
        """Read what ``bytes(template)`` wrote.

        Raises:
            TorsoTemplateError: ``data`` is anything else; nothing larger than a template is ever decompressed.
        """
        damaged = "the avatar's picture of the torso is damaged; get the file again or enrol again"
        if len(data) < _HEAD.size:
            raise TorsoTemplateError(damaged)
        magic, version, *numbers = _HEAD.unpack_from(data)
        if magic != MAGIC:
            raise TorsoTemplateError(damaged)
        if version not in (_LINEAR_VERSION, _FOUR_MODES_VERSION, VERSION):
            raise TorsoTemplateError(
                f"the avatar's picture of the torso has version {version}, not {VERSION}; enrol again"
            )
        modes, rest = None, data[_HEAD.size :]
        if version != _LINEAR_VERSION:
            count = 4
            if version == VERSION:
                count, rest = rest[0] if rest else 0, rest[1:]
            size = 2 * count * math.prod(_MODE_SHAPE)
            if not 1 <= count <= MAX_MODES or len(rest) < size:
                raise TorsoTemplateError(damaged)
            modes = np.frombuffer(rest[:size], "<f2").reshape(count, *_MODE_SHAPE).astype(np.float32)
            rest = rest[size:]
            if not (np.abs(modes) < _LIMIT).all():
                raise TorsoTemplateError(damaged)
        pixels = SIDE * SIDE
        decompressor = zlib.decompressobj()
        try:
            content = decompressor.decompress(rest, 2 * pixels + 1)
        except zlib.error as error:
            raise TorsoTemplateError(damaged) from error
        if len(content) != 2 * pixels or not decompressor.eof or decompressor.unused_data:
            raise TorsoTemplateError(damaged)
        camera, mix = FrameCamera(*numbers[:3]), ColourMix(*numbers[3:])
        # Written so that a NaN fails as well.
        if not (all(abs(value) < _LIMIT for value in numbers[:3]) and camera.focal > 1.0 / _LIMIT):
            raise TorsoTemplateError(damaged)
        if not all(abs(share) <= 1.0 for share in numbers[3:]):
            raise TorsoTemplateError(damaged)
        tones, mask = np.frombuffer(content, np.uint8).reshape(2, SIDE, SIDE)
        if mask.max() > 1:
            raise TorsoTemplateError(damaged)
        parts = camera, mix, tones.astype(np.float32), mask.astype(bool)
        return cls.moving_linearly(*parts) if modes is None else cls(*parts, modes)


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the middle (2,) of a mask, column and row, in sides of the frame; the frame's where it is empty."""
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return np.array([0.5, 0.5])
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / SIDE


def frame_picture(
    image: NDArray[np.uint8], square: tuple[int, int, int], size: int = SIDE
) -> tuple[NDArray[np.uint8], Extent]:
    """Return the frame of a picture, small.

    Args:
        image: (H, W, 3) RGB.
        square: left, top and side of the frame in the picture's pixels; it may reach beyond the picture.
        size: pixels of the side of what is returned.

    Returns:
        (size, size, 3) RGB, black where the picture ends, and what the picture covers of it.
    """
    left, top, side = square
    height, width = image.shape[:2]
    inside = image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    scale = size / side
    columns = [min(max(round((edge - left) * scale), 0), size) for edge in (0, width)]
    rows = [min(max(round((edge - top) * scale), 0), size) for edge in (0, height)]
    covered = columns[1] - columns[0], rows[1] - rows[0]
    frame = np.zeros((size, size, 3), np.uint8)
    if min(covered) <= 0 or inside.size == 0:
        return frame, (0, 0, 0, 0)
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    frame[rows[0] : rows[1], columns[0] : columns[1]] = cv2.resize(inside, covered, interpolation=method)
    return frame, (columns[0], columns[1], rows[0], rows[1])


def frame_tones(frame: NDArray[np.uint8], mix: ColourMix) -> Tones:
    """Return the blurred tones (SIDE, SIDE) of a `frame_picture` (SIDE, SIDE, 3)."""
    return np.asarray(cv2.GaussianBlur(mix.tones(frame), (0, 0), BLUR), np.float32)
