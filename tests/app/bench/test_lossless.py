"""What is kept comes back bit for bit; anything else is refused before it costs memory."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.bench.lossless import MAX_SIDE, LosslessError, VideoShape, lossless_shape, read_lossless, write_lossless


def noise(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)).flatmap(
        lambda shape: arrays(np.uint8, (*shape, 3))
    )
)
def test_any_pictures_come_back_bit_for_bit(frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "a.mkv"
    write_lossless(path, frames, 25)
    back, fps = read_lossless(path)
    assert back.dtype == np.uint8
    assert fps == 25
    assert np.array_equal(back, frames)


def test_noise_of_a_real_size_and_a_long_clip_keep_their_order(tmp_path):
    # Noise is what a lossy mode would change first; frames beyond the distance of two key frames come back in order.
    frames = np.concatenate([noise(3, 256, 256), np.repeat(noise(300, 16, 16, 1), 16, 1).repeat(16, 2)])
    write_lossless(tmp_path / "a.mkv", frames, 25)
    back, _ = read_lossless(tmp_path / "a.mkv")
    assert np.array_equal(back, frames)


def test_all_colours_survive(tmp_path):
    # Every value of each channel beside each value of another: a detour over Y'CbCr at 8 bit would merge some.
    ramp = np.arange(256, dtype=np.uint8)
    red, green = np.meshgrid(ramp, ramp)
    frames = np.stack([np.stack([red, green, np.full_like(red, blue)], -1) for blue in (0, 77, 255)])
    write_lossless(tmp_path / "a.mkv", frames, 25)
    assert np.array_equal(read_lossless(tmp_path / "a.mkv")[0], frames)


@pytest.mark.parametrize("fps", [10, 12.5, 23.976, 24, 25, 30000 / 1001, 50, 60])
def test_the_rate_is_kept(tmp_path, fps):
    write_lossless(tmp_path / "a.mkv", noise(5, 16, 16), fps)
    assert read_lossless(tmp_path / "a.mkv")[1] == pytest.approx(fps, rel=2e-4)


def test_the_same_pictures_give_the_same_file(tmp_path):
    for name in ("a.mkv", "b.mkv"):
        write_lossless(tmp_path / name, noise(4, 32, 32), 25)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_the_beginning_and_the_header_can_be_read_alone(tmp_path):
    frames = noise(9, 20, 30)
    write_lossless(tmp_path / "a.mkv", frames, 12.5)
    assert np.array_equal(read_lossless(tmp_path / "a.mkv", max_frames=4)[0], frames[:4])
    assert lossless_shape(tmp_path / "a.mkv") == VideoShape(20, 30, 12.5)


def test_another_file_in_its_place_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"an older file")
    write_lossless(path, noise(2, 16, 16), 25)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(LosslessError, match="cannot be written"):
        write_lossless(tmp_path / "missing" / "a.mkv", noise(2, 16, 16), 25)


@pytest.mark.parametrize(
    ("frames", "fps", "name"),
    [
        (np.zeros((0, 16, 16, 3), np.uint8), 25, "a.mkv"),
        (np.zeros((2, 16, 16, 4), np.uint8), 25, "a.mkv"),
        (np.zeros((2, 16, 16, 3), np.float32), 25, "a.mkv"),
        (np.zeros((2, 16, 16, 3), np.uint8), 0, "a.mkv"),
        (np.zeros((2, 16, 16, 3), np.uint8), float("nan"), "a.mkv"),
        (np.zeros((2, 16, 16, 3), np.uint8), 25, "a.mp4"),
        (np.zeros((1, 2, 5000, 3), np.uint8), 25, "a.mkv"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, frames, fps, name):
    with pytest.raises(ValueError, match=r"frames are|cannot be kept"):
        write_lossless(tmp_path / name, frames, fps)


def test_reading_is_bounded(tmp_path):
    write_lossless(tmp_path / "a.mkv", noise(10, 64, 64), 25)
    size = 10 * 64 * 64 * 3
    assert read_lossless(tmp_path / "a.mkv", size)[0].nbytes == size
    with pytest.raises(LosslessError, match="holds more than"):
        read_lossless(tmp_path / "a.mkv", size - 1)


def lossy(path, codec="libx264", pixel_format="yuv444p", options=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = pixel_format
        stream.options = options or {}
        for frame in noise(3, 32, 32):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def test_other_files_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "a.mkv"
    with pytest.raises(LosslessError, match="there is no video"):
        read_lossless(path)
    for content in (b"", b"\x1a\x45\xdf\xa3" + bytes(200), b"#EXTM3U\nhttp://example.org/a.mkv\n"):
        path.write_bytes(content)
        with pytest.raises(LosslessError, match="no video of the benchmark"):
            read_lossless(path)
    lossy(path)
    with pytest.raises(LosslessError, match="without loss"):
        read_lossless(path)
    lossy(path, "ffv1", "bgr0")
    with pytest.raises(LosslessError, match="no video of the benchmark"):
        read_lossless(path)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_a_damaged_file_is_an_error_of_its_own_or_still_a_video(place, value, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.mkv"
    if not whole.exists():
        write_lossless(whole, noise(4, 24, 24), 25)
    data = bytearray(whole.read_bytes())
    data[int(place * len(data))] ^= value
    (folder / "bent.mkv").write_bytes(data)
    try:
        frames, fps = read_lossless(folder / "bent.mkv")
    except LosslessError:
        return
    assert frames.ndim == 4
    assert max(frames.shape[1:3]) <= MAX_SIDE
    assert 0 < fps <= 1000
