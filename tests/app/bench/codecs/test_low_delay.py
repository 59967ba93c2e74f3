"""Every conventional codec can be used in a call: no frame waits for a later one, on either side."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from app.bench.codec import BenchCodec, Coded, Frames
from app.bench.codecs.decoding import pictures
from app.bench.codecs.errors import VideoCodecError
from app.bench.codecs.h264 import h264
from app.bench.codecs.hevc import hevc
from app.bench.codecs.libav import LibavCodec
from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
from app.bench.codecs.vvc import PAYLOAD, VvcCodec
from tests.app.bench.codecs.talking_blob import FPS, FRAMES, SIZE, talking_blob

NAMES = sorted(OPERATING_POINTS)


def codec(name: str) -> BenchCodec:
    points = OPERATING_POINTS[name]
    return conventional_codecs()[name](points[len(points) // 3])


@cache
def coded(name: str) -> Coded:
    return codec(name).encode(talking_blob(), FPS)


@cache
def decoded(name: str) -> Frames:
    return codec(name).decode(coded(name), SIZE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 9, 14])
def test_a_packet_depends_on_no_later_frame(name: str, count: int) -> None:
    """The bits of the first frames are the same when the video ends after them, and when it goes on otherwise."""
    assert codec(name).encode(talking_blob()[:count], FPS).packets == coded(name).packets[:count]
    changed = talking_blob()
    changed[count:] = 255 - changed[count:, ::-1]
    packets = codec(name).encode(changed, FPS).packets
    assert packets[:count] == coded(name).packets[:count]
    assert packets[count:] != coded(name).packets[count:]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 13])
def test_a_frame_is_decoded_from_the_packets_up_to_its_own(name: str, count: int) -> None:
    first = Coded(coded(name).packets[:count])
    np.testing.assert_array_equal(codec(name).decode(first, SIZE), decoded(name)[:count])


@pytest.mark.parametrize("name", NAMES)
def test_a_decoder_gives_each_frame_at_once(name: str) -> None:
    given = 0

    def packets() -> list[bytes]:
        nonlocal given
        used = codec(name)
        restore = used.payload.restore if isinstance(used, LibavCodec) else PAYLOAD.restore
        for packet in coded(name).packets:
            given += 1
            yield restore(packet)

    used = codec(name)
    decoder = used.decoder if isinstance(used, LibavCodec) else "vvc"
    for index, _ in enumerate(pictures(decoder, packets()), 1):
        assert given == index


@pytest.mark.parametrize("name", NAMES)
def test_the_first_frame_is_the_only_one_that_needs_no_other(name: str) -> None:
    video = np.concatenate([talking_blob(FRAMES), 255 - talking_blob(6, seed=1)])
    used = codec(name)
    packets = used.encode(video, FPS).packets
    restore = used.payload.restore if isinstance(used, LibavCodec) else PAYLOAD.restore
    decoder = used.decoder if isinstance(used, LibavCodec) else "vvc"
    keys = [picture.key_frame for picture in pictures(decoder, map(restore, packets))]
    assert keys == [True] + [False] * (len(video) - 1), "the cut after the first part must not bring another key frame"


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_falls_with_the_point_and_counts_every_bit(name: str) -> None:
    points = OPERATING_POINTS[name]
    rates = [conventional_codecs()[name](point).encode(talking_blob(10), FPS).kbps(FPS) for point in points[::4]]
    assert rates == sorted(rates, reverse=True)
    assert coded(name).kbps(FPS) == pytest.approx(sum(map(len, coded(name).packets)) * 8 / (FRAMES / FPS) / 1000)
    assert all(coded(name).packets)
    assert coded(name).side_bytes == 0


@pytest.mark.parametrize(
    ("base", "option", "change"),
    [
        (h264(40), "x264-params", "bframes=3"),
        (hevc(40), "x265-params", "rc-lookahead=10"),
    ],
    ids=["H.264 with B frames", "HEVC with lookahead"],
)
def test_an_encoder_that_holds_frames_back_is_refused(base: LibavCodec, option: str, change: str) -> None:
    """So that the tests above are known to notice."""
    options = {
        **base.options,
        "tune": "psnr",
        option: base.options[option].replace(change.split("=")[0] + "=0", change),
    }
    assert options[option] != base.options[option]
    with pytest.raises(VideoCodecError, match="not coding without delay"):
        replace(base, options=options).encode(talking_blob(), FPS)


def test_vvenc_in_its_usual_structure_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random access, where frames wait for later ones: the bits of the first frames are others when the video ends."""
    monkeypatch.setattr("app.bench.codecs.vvc.PARAMETERS", {"verbosity": 1})
    whole = VvcCodec(40).encode(talking_blob(), FPS).packets
    assert VvcCodec(40).encode(talking_blob()[:9], FPS).packets != whole[:9]
