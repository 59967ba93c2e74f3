"""The conventional codecs of the comparison."""

from collections.abc import Callable

from app.bench.codec import BenchCodec
from app.bench.codecs.av1 import av1
from app.bench.codecs.h264 import h264
from app.bench.codecs.hevc import hevc
from app.bench.codecs.vp9 import vp9
from app.bench.codecs.vvc import VvcCodec

CodecAt = Callable[[int], BenchCodec]
"""A codec by its operating point: QP or CRF, coarser the higher it is."""

OPERATING_POINTS: dict[str, tuple[int, ...]] = {
    "hevc": (26, 29, 32, 35, 38, 41, 44, 47, 51),
    "h264": (27, 30, 33, 36, 39, 42, 45, 48, 51),
    "vp9": (28, 34, 40, 45, 50, 55, 59, 63),
    "av1": (28, 35, 41, 47, 53, 58, 63, 70),
    "vvc": (24, 28, 32, 36, 40, 44, 48, 54, 63),
}
"""By codec, coarser and coarser."""


def conventional_codecs() -> dict[str, CodecAt]:
    """Return the codecs by name, each as a function of its operating point."""
    return {"hevc": hevc, "h264": h264, "vp9": vp9, "av1": av1, "vvc": VvcCodec}
