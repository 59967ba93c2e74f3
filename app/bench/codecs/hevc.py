"""HEVC by x265, low delay, one pass, constant QP."""

from app.bench.codecs.libav import LibavCodec
from app.bench.codecs.payload import NalUnits

PRESET = "veryslow"
_PARAMETERS = {
    # One intra frame, none after it, whatever the picture does.
    "keyint": -1,
    "scenecut": 0,
    "bframes": 0,
    "rc-lookahead": 0,
    # Wavefronts would put entry points into every slice header, 0.8 kbit/s of nothing.
    "wpp": 0,
    "pools": "none",
    "frame-threads": 1,
    # No text about the encoder, no delimiters, and the shortest picture order count: that of four frames is enough.
    "info": 0,
    "aud": 0,
    "hrd": 0,
    "log2-max-poc-lsb": 4,
    "log-level": "none",
}


def hevc(qp: int) -> LibavCodec:
    """Return HEVC at a QP of 0 to 51."""
    parameters = ":".join(f"{key}={value}" for key, value in {**_PARAMETERS, "qp": qp}.items())
    return LibavCodec(
        name="hevc",
        label="HEVC (x265)",
        point_setting="qp",
        point=qp,
        encoder="libx265",
        decoder="hevc",
        # Ten bits, as VVC and AV1 here: they save a few per cent of the rate even for eight-bit pictures.
        pixel_format="yuv420p10le",
        options={"preset": PRESET, "tune": "zerolatency", "x265-params": parameters},
        file_format="hevc",
        library="libx265",
        payload=NalUnits(),
    )
