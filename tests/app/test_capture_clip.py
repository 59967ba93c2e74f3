"""Clips: colour, orientation, time, loops, and what is said about files that are no clips."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from app.capture.source import SourceError, open_source

COLOURS = np.array([(255, 255, 255), (0, 0, 0), (200, 40, 30), (40, 180, 60), (30, 60, 200)], np.uint8)
BT601, BT709 = 5, 1


def bars(width: int = 160, height: int = 96) -> NDArray[np.uint8]:
    """Vertical bars of known colours."""
    image: NDArray[np.uint8] = np.repeat(COLOURS[None], height, axis=0).repeat(width // len(COLOURS), axis=1)
    return image


def write_clip(
    path: Path,
    images: list[NDArray[np.uint8]],
    times: list[float] | None = None,
    full_range: bool = False,
    matrix: int = BT601,
    tagged: bool = True,
    aspect: Fraction | None = None,
) -> Path:
    """Write ``images`` as nearly lossless H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "1", "bf": "0"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if full_range else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        wanted_range = ColorRange.JPEG if full_range else ColorRange.MPEG
        if tagged:
            stream.codec_context.color_range = wanted_range
            stream.codec_context.colorspace = matrix
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=stream.pix_fmt,
                dst_colorspace=Colorspace(matrix),
                dst_color_range=wanted_range,
            )
            frame.pts = round(1000 * (times[index] if times else index / 25))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def middle_colours(image: NDArray[np.uint8]) -> NDArray[np.int_]:
    """Return the colour in the middle of each bar."""
    step = image.shape[1] // len(COLOURS)
    return image[image.shape[0] // 2, step // 2 :: step].astype(int)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [BT601, BT709])
def test_colours_survive_range_and_matrix(tmp_path: Path, full_range: bool, matrix: int) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [bars()] * 3, full_range=full_range, matrix=matrix)
    with open_source(str(clip)) as source:
        for frame in source.frames():
            assert np.abs(middle_colours(frame.image) - COLOURS).max() <= 5


@pytest.mark.parametrize(("height", "matrix"), [(96, BT601), (720, BT709)])
def test_untagged_clips_get_the_matrix_of_their_size(tmp_path: Path, height: int, matrix: int) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [bars(height=height)], matrix=matrix, tagged=False)
    with open_source(str(clip)) as source:
        frame = next(source.frames())
    assert np.abs(middle_colours(frame.image) - COLOURS).max() <= 5


def rotate_in_header(path: Path, quarter_turns_clockwise: int) -> None:
    """Patch the display matrix in the track header of an MP4 file, as a phone held upright writes it."""
    data = bytearray(path.read_bytes())
    one = 1 << 16
    a, b, c, d = [(one, 0, 0, one), (0, one, -one, 0), (-one, 0, 0, -one), (0, -one, one, 0)][quarter_turns_clockwise]
    # ISO 14496-12, 8.3.2: in a version 0 track header 40 bytes stand between the box type and the matrix.
    start = data.index(b"tkhd") + 4 + 40
    values = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(data)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotated_clips_are_put_upright(tmp_path: Path, turns: int) -> None:
    stored = np.zeros((96, 160, 3), np.uint8)
    stored[:48, :80] = (250, 20, 20)
    clip = write_clip(tmp_path / "clip.mp4", [stored] * 2)
    rotate_in_header(clip, turns)
    upright = np.rot90(stored, -turns)
    with open_source(str(clip)) as source:
        image = next(source.frames()).image
        assert (source.height, source.width) == upright.shape[:2] == image.shape[:2]
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - upright).mean() < 4


def test_pixels_are_made_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [bars()] * 2, aspect=Fraction(3, 2))
    with open_source(str(clip)) as source:
        assert (source.width, source.height) == (240, 96)
        assert next(source.frames()).image.shape == (96, 240, 3)


def test_timestamps_of_a_variable_frame_rate_are_kept(tmp_path: Path) -> None:
    times = [0.5, 0.54, 0.6, 0.9, 0.91, 2.0]
    clip = write_clip(tmp_path / "clip.mkv", [bars()] * len(times), times=times)
    with open_source(str(clip)) as source:
        frames = list(source.frames())
    assert [frame.timestamp for frame in frames] == pytest.approx([time - 0.5 for time in times], abs=1e-3)
    assert [frame.index for frame in frames] == list(range(len(times)))


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [bars()] * 50)
    with open_source(str(clip)) as source:
        assert (source.frame_count, source.fps, source.duration) == (50, 25.0, pytest.approx(2.0, abs=0.05))
        assert len(list(source.frames())) == 50
        assert len(list(source.frames())) == 50, "a second reading starts at the beginning"


def test_a_loop_goes_on_counting(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [bars()] * 4)
    with open_source(str(clip), loop=True) as source:
        assert source.duration is None
        frames = [frame for frame, _ in zip(source.frames(), range(10), strict=False)]
    assert [frame.index for frame in frames] == list(range(10))
    assert np.diff([frame.timestamp for frame in frames]) == pytest.approx(np.full(9, 0.04), abs=2e-3)


def broken_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield paths that are no clips and what must be said of each."""
    whole = write_clip(folder / "whole.mp4", [bars()] * 10).read_bytes()
    contents = {"empty.mp4": b"", "noise.mp4": bytes(range(256)) * 40, "cut.mp4": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield name, "no video that can be read"
    with av.open(str(folder / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
    yield "sound.wav", "holds no video"
    yield "missing.mp4", "does not exist"
    yield ".", "is no file"


def test_files_that_are_no_clips_are_named(tmp_path: Path) -> None:
    for name, complaint in broken_files(tmp_path):
        path = str(tmp_path / name) if name != "." else str(tmp_path)
        with pytest.raises(SourceError, match=complaint) as raised:
            open_source(path)
        assert path in str(raised.value)


def test_a_damaged_place_is_told_with_its_time(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    images = [generator.integers(0, 255, (96, 160, 3), np.uint8) for _ in range(30)]
    clip = write_clip(tmp_path / "clip.mp4", images)
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat")
    half = start + (len(data) - start) // 3
    data[half : half + len(data) // 3] = bytes(len(data) // 3)
    clip.write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged after 0\.\d s"), open_source(str(clip)) as source:
        list(source.frames())


def test_a_camera_is_named_by_its_number() -> None:
    with pytest.raises(SourceError, match="camera:0"):
        open_source("camera:front")
    with pytest.raises(SourceError, match="no camera:987"):
        open_source("camera:987")
