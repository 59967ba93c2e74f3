"""Operating points of the animation codec: how soon a reference is replaced, and how finely it is coded."""

from pathlib import Path

from app.bench.animation.animation_codec import AnimationCodec

OPERATING_POINTS = tuple(range(20, 31))
"""PSNR in dB below which the reference is replaced, coarse to fine."""
_COARSEST_QP = 40
_QP_PER_DB = 1.2
"""A reference is coded the finer the better the picture has to be: from QP 40 at 20 dB to 28 at 30 dB."""


def animation_codec(network: Path, threshold: int) -> AnimationCodec:
    """Return the codec with the network file ``network`` at a point of `OPERATING_POINTS`. Raises UserError."""
    reference_qp = round(_COARSEST_QP - _QP_PER_DB * (threshold - OPERATING_POINTS[0]))
    return AnimationCodec(network, float(threshold), reference_qp)
