"""The codecs as the runners get them, and what goes into their result files."""

import re
import shlex
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from app.bench.codec import Coded
from app.bench.codecs.decoding import decoded
from app.bench.codecs.errors import VideoCodecError
from app.bench.codecs.payload import START_CODE
from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
from app.bench.codecs.vvc import VvcCodec, ffmpeg_program
from app.bench.lossless import write_lossless
from tests.app.bench.codecs.talking_blob import FPS, psnr, talking_blob

COARSEST = {"hevc": 51, "h264": 51, "vp9": 63, "av1": 70, "vvc": 63}
NAMES = sorted(COARSEST)


def test_every_codec_has_points_from_fine_to_its_coarsest() -> None:
    assert set(conventional_codecs()) == set(OPERATING_POINTS) == set(COARSEST)
    for name, points in OPERATING_POINTS.items():
        assert 7 <= len(points) <= 9
        assert list(points) == sorted(set(points))
        assert points[-1] == COARSEST[name]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_result_file_says(name: str) -> None:
    codec = conventional_codecs()[name](40)
    assert codec.name == name
    assert re.fullmatch(r"[a-z0-9-]+", codec.name)
    assert 40 in (codec.settings.get("qp"), codec.settings.get("crf"))
    versions = codec.versions()
    assert versions
    assert all(re.match(r"n?\d", version) for version in versions.values()), versions
    assert "ffmpeg" in versions


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_the_result_file_does_the_same(name: str, tmp_path: Path) -> None:
    """Another build of the same encoders gives the same quality for the same bytes."""
    video = talking_blob(16, 128)
    codec = conventional_codecs()[name](OPERATING_POINTS[name][2])
    coded = codec.encode(video, FPS)
    write_lossless(tmp_path / "original.mkv", video, FPS)
    command = shlex.split(str(codec.settings["command"]))
    assert command[0] == "ffmpeg"
    subprocess.run(
        [ffmpeg_program(), "-loglevel", "error", *command[1:]], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL
    )
    with av.open(str(tmp_path / command[-1])) as container:
        decoder = container.streams.video[0].codec_context.name
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    # Start codes, sizes and delimiters that a call does not send.
    framing = len(START_CODE) * (len(packets) + 2)
    assert sum(map(len, packets)) == pytest.approx(sum(map(len, coded.packets)), rel=0.02, abs=framing)
    assert psnr(video, decoded(decoder, packets, 128)) == pytest.approx(psnr(video, codec.decode(coded, 128)), abs=0.3)


def test_packets_of_another_codec_or_size_are_refused() -> None:
    codec = conventional_codecs()["h264"](30)
    coded = codec.encode(talking_blob(3), FPS)
    with pytest.raises(VideoCodecError, match="128x128"):
        codec.decode(coded, 64)
    with pytest.raises(VideoCodecError):
        conventional_codecs()["hevc"](30).decode(coded, 128)
    with pytest.raises(VideoCodecError):
        codec.decode(Coded(coded.packets[1:]), 128)


def test_an_encoder_that_fails_is_named_with_its_words() -> None:
    with pytest.raises(VideoCodecError, match=r"VVC \(vvenc\) coded 0 of 2 frames"):
        VvcCodec(40, preset="none-such").encode(talking_blob(2), FPS)


def test_a_missing_program_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(VideoCodecError, match="make bench"):
        VvcCodec(40).encode(np.zeros((1, 64, 64, 3), np.uint8), FPS)
