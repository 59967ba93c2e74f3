"""The animation codec as the benchmark asks for one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.bench.animation.key_point_tables import JACOBIAN_STEP, PLACE_STEP, dequantise, quantise
from app.bench.animation.message import Message, MessageError
from app.bench.animation.motion import KEY_POINTS, KeyPoints
from app.bench.animation.network import PICTURE_SIZE
from app.bench.animation.network_file import AnimationModel, read_model
from app.bench.animation.still import PRESET, StillDecoder, StillEncoder
from app.bench.codec import Coded, Frames, Settings
from app.scaling import scaled

BUFFER = 8
"""References that both sides keep; a ninth takes the place of the oldest."""
GAIN = 0.5
"""dB that a new reference must bring: where it brings less, the threshold is out of reach."""

Picture = NDArray[np.uint8]


class AnimationCodec:
    """Reference pictures and ten key points a frame.

    The encoder runs the decoder. While the animated frame's PSNR reaches the threshold nothing but key points is sent.
    Below it the other references in the buffer are tried, and where none reaches it the frame itself is coded as a new
    reference, as the adaptive refresh of DAC does (Konuko et al., ICASSP 2021). Such a frame is shown as it was coded
    or as the generator, which has learnt to repair coded references, gives it: whichever is nearer.

    Pictures of other sizes are scaled to 256 x 256 before and back after, bicubically.
    """

    def __init__(self, path: Path, threshold: float = 27.0, reference_qp: int = 32, *, name: str = "animation") -> None:
        """Take the network file at ``path``.

        Args:
            path: as :func:`app.bench.animation.training.train_animation` writes it. Raises UserError.
            threshold: PSNR in dB below which the reference is replaced.
            reference_qp: quantisation parameter of the references.
            name: file-name safe, lower-case letters, digits and -.
        """
        self.name = name
        self.label = "Animation codec (FOMM/DAC)"
        self._path = path
        self._model = read_model(path)
        self._threshold = threshold
        self._reference_qp = reference_qp

    @property
    def settings(self) -> Settings:
        """Everything that decides the result."""
        return {
            "network": self._model.digest.hex(),
            "threshold_db": self._threshold,
            "reference_qp": self._reference_qp,
            "reference_codec": f"HEVC intra, x265, preset {PRESET}, 10 bits, tuned for PSNR",
            "references_kept": BUFFER,
            "refresh_gain_db": GAIN,
            "key_points": KEY_POINTS,
            "numbers_a_frame": KEY_POINTS * 6,
            "place_step": PLACE_STEP,
            "jacobian_step": JACOBIAN_STEP,
            "coded_size": PICTURE_SIZE,
            "scaling": "bicubic",
            "receiver_holds": "network trained on this person (side bytes); a generic network would count none",
            "command": f"python -m app.bench.animation CLIP --to SECONDS -o {self._path.name}",
        }

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Code frames in the order of time, each without waiting for later ones."""
        encoder = _Encoder(self._model, self._threshold, self._reference_qp)
        packets = tuple(
            bytes(encoder.encode(scaled(frame, PICTURE_SIZE, PICTURE_SIZE), index, round(1000 * index / fps)))
            for index, frame in enumerate(frames)
        )
        return Coded(packets, len(self._model.data))

    def decode(self, coded: Coded, size: int) -> Frames:
        """Return as many frames as were coded, (N, size, size, 3), from their packets and the network alone."""
        decoder = _Decoder(self._model)
        pictures = [scaled(decoder.decode(Message.parse(packet)), size, size) for packet in coded.packets]
        return np.stack(pictures) if pictures else np.empty((0, size, size, 3), np.uint8)

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the libraries that do the work."""
        return {
            "torch": torch.__version__,
            "av": av.__version__,
            "libx265 (av)": ".".join(map(str, av.library_versions["libavcodec"])),
            "constriction": version("constriction"),
        }


@dataclass(frozen=True)
class _Reference:
    picture: Tensor
    """(1, 3, 256, 256) in [0, 1], as decoded."""
    points: KeyPoints


@dataclass
class _Receiver:
    """What encoder and decoder both know after each frame."""

    references: list[_Reference] = field(default_factory=list)
    """At most :data:`BUFFER`."""
    sent: int = 0
    """References so far."""
    current: int = 0
    symbols: list[int] | None = None
    """Of the last frame."""

    def add(self, reference: _Reference) -> None:
        """Take a new reference, in place of the oldest when the buffer is full, and use it."""
        self.current = self.sent % BUFFER
        self.references[self.current : self.current + 1] = [reference]
        self.sent += 1


class _Decoder:
    def __init__(self, model: AnimationModel) -> None:
        self._model = model
        self._state = _Receiver()
        self._stills = StillDecoder()

    def decode(self, message: Message) -> Picture:
        state, model = self._state, self._model
        if message.network != model.digest[:2]:
            raise MessageError("A message was coded with another network.")
        state.symbols = model.tables.decode(message.key_points, state.symbols)
        points = _key_points(state.symbols)
        if message.reference:
            still = self._stills.decode(message.reference)
            state.add(_Reference(_tensor(still), points))
            if message.shown:
                return still
        elif message.use is not None:
            state.current = message.use
        if state.current >= len(state.references):
            raise MessageError("A message uses a reference that was never sent.")
        return animate(model, state.references[state.current], points)


class _Encoder:
    def __init__(self, model: AnimationModel, threshold: float, reference_qp: int) -> None:
        self._model = model
        self._threshold = threshold
        self._state = _Receiver()
        self._encoder = StillEncoder(PICTURE_SIZE, reference_qp)
        self._decoder = StillDecoder()

    def encode(self, picture: Picture, sequence: int, timestamp: int) -> Message:
        state, model = self._state, self._model
        with torch.no_grad():
            vector = model.network.detector(_tensor(picture)).vector()
        symbols: list[int] = quantise(vector[0].double().numpy()).tolist()
        points = _key_points(symbols)
        bits = model.tables.encode(symbols, state.symbols)
        state.symbols = symbols
        before = state.current
        quality = self._quality(before, points, picture) if state.references else -np.inf
        if quality < self._threshold:
            others = {i: self._quality(i, points, picture) for i in range(len(state.references)) if i != before}
            best = max(others, key=others.__getitem__, default=before)
            if others and others[best] > quality + GAIN:
                state.current, quality = best, others[best]
        still, shown = b"", False
        if quality < self._threshold:
            still, shown = self._refreshed(picture, points, quality)
        use = state.current if state.current != before and not still else None
        return Message(model.digest[:2], sequence, timestamp, bits, still, use, shown)

    def _refreshed(self, picture: Picture, points: KeyPoints, quality: float) -> tuple[bytes, bool]:
        """Use the picture as a reference, if it helps.

        Returns its bits, or none, and whether it is to be shown without the generator.
        """
        coded = self._encoder.encode(picture)
        still = self._decoder.decode(coded)
        reference = _Reference(_tensor(still), points)
        as_it_is, generated = psnr(still, picture), psnr(animate(self._model, reference, points), picture)
        if max(as_it_is, generated) < quality + GAIN:
            return b"", False
        self._state.add(reference)
        return coded, as_it_is > generated

    def _quality(self, index: int, points: KeyPoints, picture: Picture) -> float:
        return psnr(animate(self._model, self._state.references[index], points), picture)


@torch.no_grad()
def animate(model: AnimationModel, reference: _Reference, points: KeyPoints) -> Picture:
    """Return the picture (256, 256, 3) of a reference moved to other key points."""
    made: Tensor = model.network(reference.picture, reference.points, points)[0]
    return (made.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def psnr(picture: Picture, wanted: Picture) -> float:
    """Return the peak signal-to-noise ratio in dB of uint8 pictures, at most 100."""
    error = float(np.square(picture.astype(np.float32) - wanted.astype(np.float32)).mean())
    return 100.0 if error < 255**2 * 1e-10 else float(10 * np.log10(255**2 / error))


def _key_points(symbols: list[int]) -> KeyPoints:
    return KeyPoints.from_vector(torch.from_numpy(dequantise(np.array(symbols, np.int64)))[None])


def _tensor(picture: Picture) -> Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    return pixels.contiguous(memory_format=torch.channels_last)
