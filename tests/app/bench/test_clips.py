"""What the benchmark holds out."""

from pathlib import Path

import av
import numpy as np
import pytest

from app.bench.clips import ClipError, ClipSpec, held_out, held_out_clip
from app.bench.lossless import write_lossless
from app.enrolment.framing import Framing
from app.errors import UsageError

FPS = 25.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames, each as grey as its number says, with a bright left edge."""
    path = tmp_path_factory.mktemp("clips") / "grey.mkv"
    frames = np.zeros((60, 64, 96, 3), np.uint8)
    frames += np.arange(60, dtype=np.uint8)[:, None, None, None] * 4
    frames[:, :, :8] = 255
    write_lossless(path, frames, FPS)
    return path


FRAMING = Framing(96, 64, left=16, top=0, side=64)


@pytest.mark.parametrize(("text", "path", "seconds"), [("a/b.mp4@60", "a/b.mp4", 60.0), ("b.mp4", "b.mp4", None)])
def test_a_clip_says_from_where_it_is_held_out(text: str, path: str, seconds: float | None) -> None:
    spec = ClipSpec.parse(text)
    assert (spec.path, spec.trained_to, spec.name) == (Path(path), seconds, "b")


@pytest.mark.parametrize("text", ["b.mp4@", "b.mp4@x", "b.mp4@-3", "b.mp4@nan", "@60", "b.mp4@1e9"])
def test_what_is_no_clip_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="CLIP@SECONDS"):
        ClipSpec.parse(text)


def test_nothing_before_the_second_is_held_out_and_nothing_after_it_is_missed(clip: Path) -> None:
    footage = held_out(ClipSpec(clip, 1.6), FRAMING, 64)
    assert footage.frames[:, 32, 32, 0].tolist() == [4 * frame for frame in range(40, 60)]
    assert footage.fps == FPS
    assert footage.start == 1.6


def test_it_is_the_avatars_square_at_the_size_that_is_asked_for(clip: Path) -> None:
    footage = held_out(ClipSpec(clip, 2.0), FRAMING, 32, seconds=0.2)
    assert footage.frames.shape == (5, 32, 32, 3)
    assert (footage.frames < 250).all(), "the bright edge lies outside the square"


def test_without_a_second_the_last_tenth_is_held_out(clip: Path) -> None:
    footage = held_out(ClipSpec(clip, None), FRAMING, 64)
    assert len(footage.frames) == pytest.approx(6, abs=1)
    assert held_out_clip(ClipSpec(clip, None)).frames == len(footage.frames)


def test_a_clip_with_nothing_left_is_refused(clip: Path) -> None:
    with pytest.raises(ClipError, match="nothing is held out"):
        held_out(ClipSpec(clip, 100.0), FRAMING, 64)


def test_another_clip_than_the_avatars_is_refused(clip: Path) -> None:
    with pytest.raises(ClipError, match="96x64"):
        held_out(ClipSpec(clip, 1.6), Framing(100, 64, 0, 0, 64), 64)


@pytest.fixture(scope="module", params=["mp4", "mov", "mkv", "webm"])
def reordered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that lie in the file in another order than they are shown in, the first not at 0, at an odd rate."""
    path: Path = tmp_path_factory.mktemp("reordered") / f"noise.{request.param}"
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        codec, rate = ("libvpx-vp9", 30) if request.param == "webm" else ("libx264", 26)
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(60):
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 256, (64, 96, 3), np.uint8), format="rgb24")
            frame.pts = index + 7
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("start", "seconds"), [(1.5, None), (1.0, None), (1.0, 0.5), (1.8, 5.0)])
def test_a_clip_is_described_without_decoding_as_it_is_read(
    reordered: Path, start: float, seconds: float | None
) -> None:
    spec = ClipSpec(reordered, start)
    clip, footage = held_out_clip(spec, seconds, FRAMING), held_out(spec, FRAMING, 32, seconds)
    assert (clip.name, clip.frames, clip.fps) == ("noise", len(footage.frames), footage.fps)
    assert clip.held_out_from_s == round(footage.start, 3)


def test_a_description_asks_for_the_avatars_clip_too(clip: Path) -> None:
    with pytest.raises(ClipError, match="96x64"):
        held_out_clip(ClipSpec(clip, 1.6), None, Framing(100, 64, 0, 0, 64))
    with pytest.raises(ClipError, match="nothing is held out"):
        held_out_clip(ClipSpec(clip, 100.0))
