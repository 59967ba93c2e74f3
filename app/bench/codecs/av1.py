"""AV1 by SVT-AV1, low delay, one pass, constant rate factor."""

import os

from app.bench.codecs.libav import LibavCodec
from app.bench.codecs.payload import Av1Units

PRESET = "2"
_PARAMETERS = {
    "pred-struct": 1,
    "lookahead": 0,
    "keyint": -1,
    "scd": 0,
    "enable-overlays": 0,
    "lp": 1,
    "tile-columns": 0,
    "tile-rows": 0,
}


def av1(crf: int) -> LibavCodec:
    """Return AV1 at a CRF of 1 to 70; from 64 on the quantiser stays at its coarsest and only decisions change."""
    # Else the library writes its settings to the terminal at every start.
    os.environ.setdefault("SVT_LOG", "1")
    parameters = ":".join(f"{key}={value}" for key, value in {**_PARAMETERS, "crf": crf}.items())
    return LibavCodec(
        name="av1",
        label="AV1 (SVT-AV1)",
        point_setting="crf",
        point=crf,
        encoder="libsvtav1",
        decoder="libdav1d",
        pixel_format="yuv420p10le",
        options={"preset": PRESET, "svtav1-params": parameters},
        file_format="obu",
        library="libSvtAv1Enc",
        payload=Av1Units(),
    )
