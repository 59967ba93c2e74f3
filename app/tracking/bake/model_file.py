"""Writes the baked model: half-precision arrays in an npz without pickle, the same bytes for the same model."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.tracking.morphable_model import MorphableModel

HALF = ("identity_basis", "expression_basis", "landmark_barycentrics", "landmark_slide")
"""Arrays of which half precision keeps a thousandth part: a hundredth of a millimetre."""


def write_model(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write ``arrays`` (named as in `MorphableModel`) to ``path`` once the reader has accepted them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            array = arrays[name].astype(np.float16) if name in HALF else arrays[name]
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            # A fixed date: the file's digest names the model, not the hour it was baked.
            entry = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
    MorphableModel.parse(buffer.getvalue())
    path.write_bytes(buffer.getvalue())
