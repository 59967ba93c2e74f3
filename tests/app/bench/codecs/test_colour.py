"""Colours through 4:2:0 and through every codec at its finest: none shifted, no range mistaken."""

from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from app.bench.codecs.colour import ToRgb, to_yuv
from app.bench.codecs.errors import VideoCodecError
from app.bench.codecs.registry import conventional_codecs
from tests.app.bench.codecs.talking_blob import FPS, psnr, talking_blob

FINEST = {"hevc": 1, "h264": 1, "vp9": 1, "av1": 1, "vvc": 1}
PRIMARIES = {
    # Of ITU-R BT.601, 8 bits: 16 + 219 Y', 128 + 224 C, rounded.
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (81, 90, 240),
    (0, 255, 0): (145, 54, 34),
    (0, 0, 255): (41, 240, 110),
    (255, 255, 0): (210, 16, 146),
}


def flat(colour: tuple[int, int, int], size: int = 32) -> NDArray[np.uint8]:
    return np.full((1, size, size, 3), colour, np.uint8)


def planes(picture: VideoFrame) -> list[NDArray[np.uint8]]:
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in picture.planes
    ]


@pytest.mark.parametrize(("rgb", "expected"), PRIMARIES.items())
def test_the_matrix_and_the_range_are_those_of_bt601(rgb: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    (picture,) = to_yuv(flat(rgb), "yuv420p", Fraction(25))
    for plane, value in zip(planes(picture), expected, strict=True):
        assert plane.min() == plane.max()
        assert abs(int(plane[0, 0]) - value) <= 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_there_and_back(pixel_format: str) -> None:
    to_rgb = ToRgb()
    for colour in [*PRIMARIES, (215, 160, 130), (1, 2, 3), (128, 128, 128)]:
        (picture,) = to_yuv(flat(colour), pixel_format, Fraction(25))
        assert np.abs(to_rgb(picture).astype(int) - colour).max() <= (2 if pixel_format == "yuv420p" else 1)
    video = talking_blob(6, 128)
    back = np.stack([to_rgb(picture) for picture in to_yuv(video, pixel_format, Fraction(25))])
    assert psnr(video, back) > 44
    assert np.abs((back.astype(float) - video).mean((0, 1, 2))).max() < 0.15


@pytest.mark.parametrize("name", FINEST)
def test_a_codec_at_its_finest_keeps_the_colours(name: str) -> None:
    """Chroma at another place by half a pixel, another matrix or another range would be seen here."""
    video = talking_blob(8, 128)
    codec = conventional_codecs()[name](FINEST[name])
    decoded = codec.decode(codec.encode(video, FPS), 128)
    limit = psnr(
        video,
        np.stack(
            [ToRgb()(picture) for picture in to_yuv(video, getattr(codec, "pixel_format", "yuv420p10le"), Fraction(25))]
        ),
    )
    assert psnr(video, decoded) > min(limit - 1.5, 46)
    assert np.abs((decoded.astype(float) - video).mean((0, 1, 2))).max() < 0.2


def test_a_picture_tagged_otherwise_is_refused() -> None:
    (picture,) = to_yuv(talking_blob(1), "yuv420p", Fraction(25))
    picture.colorspace = 1
    with pytest.raises(VideoCodecError, match="matrix 1"):
        ToRgb()(picture)
