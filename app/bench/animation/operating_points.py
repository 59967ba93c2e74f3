"""Operating points of the animation codec: how soon a reference is replaced, and how finely it is coded."""

from pathlib import Path

from app.bench.animation.animation_codec import AnimationCodec

OPERATING_POINTS: dict[str, tuple[float, int]] = {
    "20dB-qp40": (20.0, 40),
    "24dB-qp37": (24.0, 37),
    "26dB-qp34": (26.0, 34),
    "28dB-qp31": (28.0, 31),
    "30dB-qp28": (30.0, 28),
}
"""By name, coarse to fine: PSNR in dB below which the reference is replaced, and the reference's QP."""


def animation_codec(network: Path, point: str) -> AnimationCodec:
    """Return the codec with the network file ``network`` at a point of `OPERATING_POINTS`. Raises UserError."""
    threshold, reference_qp = OPERATING_POINTS[point]
    return AnimationCodec(network, threshold, reference_qp)
