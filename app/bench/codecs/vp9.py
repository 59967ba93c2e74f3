"""VP9 by libvpx, low delay, one pass, constant quality."""

from app.bench.codecs.libav import LibavCodec


def vp9(crf: int) -> LibavCodec:
    """Return VP9 in profile 0 at a CRF of 0 to 63."""
    return LibavCodec(
        name="vp9",
        label="VP9 (libvpx)",
        point_setting="crf",
        point=crf,
        encoder="libvpx-vp9",
        decoder="vp9",
        pixel_format="yuv420p",
        options={
            "deadline": "good",
            "cpu-used": "0",
            # Without lag the encoder sees no later frame and hides none.
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "g": "999999",
            "b": "0",
            "crf": str(crf),
            "error-resilient": "0",
            "frame-parallel": "0",
            "tile-columns": "0",
            "row-mt": "0",
        },
        file_format="ivf",
        library="libvpx",
    )
