"""The ``.face`` recording of a stream of face states.

Layout, all integers little-endian::

    magic      6 bytes  b"NCFACE"
    version    u16      3
    rate       u32      frames per second times 10**6
    avatar     u8 length (0: tracked, bound to nobody), then the identity of the avatar that embedded the expression
    size       u8       coefficients of the expression
    torso      u8       numbers of the torso's motion
    frames     u32
    start      i64      timestamp of the first frame, microseconds
    steps      6 x u32  of rotation, picture-plane offset, log depth, displacement of the torso, its modes of
                        deformation, expression, in units of 2**-20
    models     (6 + torso + size) x (i32 centre, i16 a1, i16 a2), the predictor of each parameter
    symbols    the range coder's bytes
    checksum   u32      CRC-32 of everything before it

Where torsos have 6 numbers it is version 2, and does not say so.

Each parameter is predicted from its two values before, ``centre + a1 (q1 - centre) + a2 (q2 - centre)`` with a1 and a2
in units of 2**-12, and the residual coded under an adaptive table. While no face is seen no parameters are coded.
"""

import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import AdaptiveResidual
from codec.entropy import EntropyError, SymbolDecoder, SymbolEncoder
from codec.errors import CodecError, RecordingError
from codec.face_state import EMBEDDED_SIZE, EXPRESSION_SIZE, MIN_TORSO_SIZE, FaceState
from codec.files import read_bounded, write_atomic
from codec.parameters import POSE_SIZE, ParameterLayout, state_from_parameters, state_parameters
from codec.quantiser import STEP_SCALE, Quantiser

MAGIC = b"NCFACE"
VERSION = 3
_VERSION_OF_SIX, _SIX = 2, 6
MAX_FILE_SIZE = 16 << 20
MAX_FRAMES = 100_000
"""More than an hour at 25 fps; bounds what a small file can grow to in memory."""

_HEAD = struct.Struct("<6sHIB")
_SIZES = struct.Struct("<BB")
_BODY = struct.Struct("<Iq6I")
_MODEL = struct.Struct("<ihh")
_PREDICTOR_BITS = 12
_MAX_TIME = 1 << 52
_REMEDY = "make one with `nerfcall track`, or name a .face file"

# Steps in units of 2**-20: 0.05 degrees, an eighth of a pixel at 256 x 256 (about; it depends on the focal length),
# 1/8 % of the face's size; an eighth of a pixel of the torso, also a quarter of the frame away from its centre. Tracked
# coefficients are in [0, 1]. Embedded ones have about unit variance, and tracking makes them tremble by more than this
# step from frame to frame.
_MOTION_STEPS = (915, 340, 1311, 512, 2048)
_TRACKED_STEP = STEP_SCALE // 256
_EMBEDDED_STEP = STEP_SCALE // 6


def _sizes(of_avatar: bool) -> tuple[int, ...]:
    """Return how many coefficients an expression may have; an avatar without embedding takes all."""
    return (EMBEDDED_SIZE, EXPRESSION_SIZE) if of_avatar else (EXPRESSION_SIZE,)


@dataclass(frozen=True)
class Recording:
    """Face states in the order of time; ``bytes(recording)`` is the file and ``parse`` its inverse up to rounding."""

    fps: float
    """Nominal frames per second, above 0 and at most 1000."""
    states: list[FaceState] = field(repr=False)
    """At least one; all expressions of one size: 79 as tracked, 30 (79 without embedding) as an avatar takes them."""
    avatar_id: bytes | None = None
    """Identity of the avatar whose embedding made the expressions (at most 32 bytes); None: as tracked."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.fps <= 1000:
            raise RecordingError(f"A recording has 0.001 to 1000 frames a second, not {self.fps}.")
        if not 1 <= len(self.states) <= MAX_FRAMES:
            raise RecordingError(f"A recording has 1 to {MAX_FRAMES} frames, not {len(self.states)}: record in parts.")
        size = len(self.states[0].expression)
        if size not in _sizes(self.avatar_id is not None) or any(s.expression.shape != (size,) for s in self.states):
            kind = "as tracked" if self.avatar_id is None else "embedded by an avatar"
            sizes = " or all ".join(str(size) for size in _sizes(self.avatar_id is not None))
            raise RecordingError(f"The expressions of a recording {kind} all have {sizes} coefficients.")
        if any(len(state.torso) != len(self.states[0].torso) for state in self.states):
            raise RecordingError("The torsos of a recording are all of one size.")
        if self.avatar_id is not None and not 1 <= len(self.avatar_id) <= 32:
            raise RecordingError("An avatar's identity has 1 to 32 bytes.")

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return self.states[-1].timestamp - self.states[0].timestamp + 1 / self.fps

    def __str__(self) -> str:
        kind = "as tracked" if self.avatar_id is None else f"of avatar {self.avatar_id[:2].hex()}"
        return f"recording {kind}: {len(self.states)} frames, {self.duration:.1f} s at {self.fps:.2f} fps"

    def __bytes__(self) -> bytes:
        rate = round(self.fps * 1e6)
        layout = ParameterLayout.of(self.states[0])
        steps = (*_MOTION_STEPS, _TRACKED_STEP if self.avatar_id is None else _EMBEDDED_STEP)
        quantiser = _quantiser(steps, layout)
        present = [state.present for state in self.states]
        symbols = _hold(quantiser.quantise(np.stack([state_parameters(s, layout) for s in self.states])), present)
        times = [round(state.timestamp * 1e6) for state in self.states]
        if any(abs(time) > _MAX_TIME for time in times):
            raise RecordingError("A recording's timestamps are seconds within a century of zero.")
        predictor = _Predictor.fit(symbols[np.array(present)], quantiser)
        avatar = self.avatar_id or b""
        version = _VERSION_OF_SIX if layout.torso_size == _SIX else VERSION
        head = _HEAD.pack(MAGIC, version, rate, len(avatar)) + avatar
        sizes = bytes(
            [layout.expression_size] if version == _VERSION_OF_SIX else [layout.expression_size, layout.torso_size]
        )
        data = (
            head
            + sizes
            + _BODY.pack(len(self.states), times[0], *steps)
            + bytes(predictor)
            + _encode(symbols, present, times, rate, predictor)
        )
        return data + zlib.crc32(data).to_bytes(4, "little")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the recording in the bytes of a file; :class:`RecordingError` for anything but an intact one."""
        if len(data) > MAX_FILE_SIZE:
            raise RecordingError(f"This is larger than any recording ({MAX_FILE_SIZE >> 20} MiB): {_REMEDY}.")
        if data[: len(MAGIC)] != MAGIC:
            raise RecordingError(f"This is not a recording: {_REMEDY}.")
        try:
            _, version, rate, id_length = _HEAD.unpack_from(data)
            if version not in (_VERSION_OF_SIX, VERSION):
                raise RecordingError(
                    f"This recording has format {version} and this program reads {VERSION}: update the older one."
                )
            body_at = _HEAD.size + id_length
            size, torso_size = _SIZES.unpack_from(data, body_at)
            rest_at = body_at + _SIZES.size
            if version == _VERSION_OF_SIX:
                torso_size, rest_at = _SIX, body_at + 1
            count, start, *steps = _BODY.unpack_from(data, rest_at)
        except struct.error:
            raise RecordingError("This recording is cut off: copy it again, or record it again.") from None
        predictor_at = rest_at + _BODY.size
        payload_at = predictor_at + _MODEL.size * (POSE_SIZE + torso_size + size)
        if len(data) < payload_at + 4:
            raise RecordingError("This recording is cut off: copy it again, or record it again.")
        if zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:]:
            raise RecordingError("This recording is damaged (wrong checksum): copy it again, or record it again.")
        if size not in _sizes(id_length > 0):
            raise RecordingError(f"This recording's expressions have {size} coefficients: record it again.")
        if id_length > 32 or not 1 <= count <= MAX_FRAMES or abs(start) > _MAX_TIME or not 1000 <= rate <= 10**9:
            raise RecordingError("This recording's head holds numbers out of range: record it again.")
        try:
            layout = ParameterLayout(torso_size, size)
            quantiser, predictor = _quantiser(steps, layout), _Predictor.parse(data[predictor_at:payload_at])
            symbols, present, times = _decode(data[payload_at:-4], count, start, rate, predictor, quantiser)
        except CodecError as error:
            raise RecordingError(f"This recording is damaged: {error}") from None
        parameters = quantiser.dequantise(symbols)
        states = [
            state_from_parameters(row, layout, time / 1e6, seen)
            for row, time, seen in zip(parameters, times, present, strict=True)
        ]
        return cls(rate / 1e6, states, data[_HEAD.size : body_at] or None)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Return the recording at ``path``; :class:`RecordingError` names the path and what is wrong with it."""
        data = read_bounded(path, MAX_FILE_SIZE, RecordingError, "recording", _REMEDY)
        try:
            return cls.parse(data)
        except RecordingError as error:
            raise RecordingError(f"{path}: {error}") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file so that ``path`` holds either what it held before or all of this."""
        write_atomic(path, bytes(self), RecordingError, "recording")


@dataclass(frozen=True)
class _Predictor:
    """Second-order prediction of each parameter, in integers."""

    models: list[tuple[int, int, int]]
    """(centre, a1, a2) of each parameter; a1 and a2 in units of 2**-12."""

    @classmethod
    def fit(cls, symbols: NDArray[np.int64], quantiser: Quantiser) -> Self:
        """Return the least-squares predictor of ``symbols`` (frames, parameters)."""
        if len(symbols) < 8:
            centres = symbols[0] if len(symbols) else np.maximum(quantiser.lowest, 0)
            return cls([(int(centre), 1 << _PREDICTOR_BITS, 0) for centre in centres])
        models = []
        for column in symbols.T.astype(np.float64):
            centre = int(np.median(column))
            series = column - centre
            past = np.stack([series[1:-1], series[:-2]], 1)
            weights = np.linalg.solve(past.T @ past + np.eye(2), past.T @ series[2:])
            a1, a2 = np.clip(np.rint(weights * (1 << _PREDICTOR_BITS)), -(1 << 15), (1 << 15) - 1).astype(int)
            models.append((centre, int(a1), int(a2)))
        return cls(models)

    def __bytes__(self) -> bytes:
        return b"".join(_MODEL.pack(*model) for model in self.models)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        return cls(list(_MODEL.iter_unpack(data)))

    def predict(self, index: int, last: int, before: int) -> int:
        centre, a1, a2 = self.models[index]
        half = 1 << (_PREDICTOR_BITS - 1)
        return centre + ((a1 * (last - centre) + a2 * (before - centre) + half) >> _PREDICTOR_BITS)


def _quantiser(steps: tuple[int, ...] | list[int], layout: ParameterLayout) -> Quantiser:
    rotation, plane, depth, displacement, mode, expression = steps
    pose = [rotation] * 3 + [plane] * 2 + [depth]
    torso = [displacement] * MIN_TORSO_SIZE + [mode] * (layout.torso_size - MIN_TORSO_SIZE)
    return Quantiser(layout, np.array(pose + torso + [expression] * layout.expression_size, np.int64))


def _hold(symbols: NDArray[np.int64], present: list[bool]) -> NDArray[np.int64]:
    """Return ``symbols`` with each frame without a face replaced by the last one before it that has one."""
    held = symbols.copy()
    for index in range(1, len(held)):
        if not present[index]:
            held[index] = held[index - 1]
    return held


def _tick(index: int, rate: int) -> int:
    """Return the nominal time of frame ``index`` after the first, in microseconds."""
    return (index * 10**12 + rate // 2) // rate


def _encode(
    symbols: NDArray[np.int64], present: list[bool], times: list[int], rate: int, predictor: _Predictor
) -> bytes:
    encoder = SymbolEncoder()
    count = symbols.shape[1]
    time_state, present_state = AdaptiveResidual(), AdaptiveResidual()
    states = [AdaptiveResidual() for _ in range(count)]
    last = before = [centre for centre, _, _ in predictor.models]
    drift, seen = 0, True

    def put(state: AdaptiveResidual, residual: int) -> None:
        encoder.put(state.table, residual)
        state.update(residual)

    for index, row in enumerate(symbols.tolist()):
        offset = times[index] - times[0] - _tick(index, rate)
        put(time_state, offset - drift)
        put(present_state, int(present[index] != seen))
        drift, seen = offset, present[index]
        if not seen:
            continue
        for k in range(count):
            put(states[k], row[k] - predictor.predict(k, last[k], before[k]))
        last, before = row, last
    return encoder.finish()


def _decode(
    payload: bytes, frames: int, start: int, rate: int, predictor: _Predictor, quantiser: Quantiser
) -> tuple[NDArray[np.int64], list[bool], list[int]]:
    decoder = SymbolDecoder(payload)
    count = len(predictor.models)
    time_state, present_state = AdaptiveResidual(), AdaptiveResidual()
    states = [AdaptiveResidual() for _ in range(count)]
    last = before = [centre for centre, _, _ in predictor.models]
    lowest, highest = quantiser.lowest.tolist(), quantiser.highest.tolist()
    if any(not low <= centre <= high for low, centre, high in zip(lowest, last, highest, strict=True)):
        raise EntropyError("a predictor's centre is out of range.")
    drift, seen = 0, True
    rows = np.empty((frames, count), np.int64)
    present, times = [], []

    def get(state: AdaptiveResidual) -> int:
        residual = decoder.get(state.table)
        state.update(residual)
        return residual

    for index in range(frames):
        drift += get(time_state)
        time = start + drift + _tick(index, rate)
        change = get(present_state)
        if change not in (0, 1) or abs(time) > _MAX_TIME:
            raise EntropyError("a frame's time or presence is out of range.")
        seen = seen != bool(change)
        times.append(time)
        present.append(seen)
        if seen:
            row = [predictor.predict(k, last[k], before[k]) + get(states[k]) for k in range(count)]
            if any(not low <= value <= high for low, value, high in zip(lowest, row, highest, strict=True)):
                raise EntropyError("a parameter is out of range.")
            last, before = row, last
        rows[index] = last
    return rows, present, times
