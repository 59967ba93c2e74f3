"""H.264 by x264, low delay, one pass, constant QP."""

from app.bench.codecs.libav import LibavCodec
from app.bench.codecs.payload import NalUnits

PRESET = "veryslow"
SEI = 6
"""The NAL unit in which x264 writes its name and all its settings."""
_PARAMETERS = {
    "keyint": "infinite",
    "scenecut": 0,
    "bframes": 0,
    "rc-lookahead": 0,
    # The zero-latency tuning would cut the picture into slices for its threads.
    "sliced-threads": 0,
    "threads": 1,
    "aud": 0,
}


def h264(qp: int) -> LibavCodec:
    """Return H.264 in its High profile at a QP of 0 (lossless) to 51."""
    parameters = ":".join(f"{key}={value}" for key, value in {**_PARAMETERS, "qp": qp}.items())
    return LibavCodec(
        name="h264",
        label="H.264 (x264)",
        point_setting="qp",
        point=qp,
        encoder="libx264",
        decoder="h264",
        # Decoders in browsers and in hardware know eight bits alone.
        pixel_format="yuv420p",
        options={"preset": PRESET, "tune": "zerolatency", "x264-params": parameters},
        file_format="h264",
        library="libx264",
        payload=NalUnits(dropped_h264_types=frozenset({SEI})),
        extra_arguments=f"-bsf:v filter_units=remove_types={SEI}",
    )
