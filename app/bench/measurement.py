"""Measures codecs on the held-out frames of one clip, each once."""

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec, held_out, segment
from app.bench.codec import BenchCodec, Coded, Frames
from app.bench.environment import environment
from app.bench.lossless import write_lossless
from app.bench.metrics.video import VideoMetrics
from app.bench.neck import neck_masks, neck_psnr
from app.bench.options import MeasuringOptions
from app.bench.ours import avatar_framing
from app.bench.results import Clip, CodecUsed, Rate, Result, find, result_path, write
from app.tracking.calibration_record import Calibration
from renderer.training.dataset import HEAD


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a measurement leaves besides its file."""

    result: Result
    coded: Coded | None
    """None where the result was there already."""


class ClipMeasurement:
    """The held-out frames of a clip at one size, with everything about them that is measured once."""

    def __init__(self, bench: str, spec: ClipSpec, avatar: LoadedAvatar, size: int, options: MeasuringOptions):
        """Read the frames.

        Args:
            bench: the bench whose results they are.
            spec: the clip.
            avatar: of the clip's person: it says which square of the picture is shown.
            size: side of the pictures.
            options: how to measure.

        Raises:
            SourceError, ClipError: the clip does not serve.
        """
        self.bench = bench
        self.spec = spec
        self.size = size
        self.options = options
        self._avatar = avatar
        self.footage = held_out(spec, avatar_framing(avatar), size, options.seconds)
        self.clip = Clip(spec.name, round(self.footage.start, 3), len(self.footage.frames), self.footage.fps)

    def measure(
        self, codec: BenchCodec, point: str | int | None = None, coded: Coded | None = None, video: Path | None = None
    ) -> Outcome:
        """Code, decode and compare, unless the result is there already.

        Args:
            codec: at its operating point.
            point: what tells its operating points apart.
            coded: bits that were made before; None to code the frames now.
            video: where to keep the decoded frames.
        """
        options = self.options
        there = find(
            options.folder, self.bench, self.clip, codec.name, point, self.size, codec.settings, options.measuring()
        )
        if there is not None and (video is None or video.exists()):
            print(f"{self._title(codec, point)}: there already")
            return Outcome(there, coded)
        seconds = {}
        if coded is None:
            began = time.perf_counter()
            coded = codec.encode(self.footage.frames, self.footage.fps)
            seconds["encode"] = round(time.perf_counter() - began, 3)
        began = time.perf_counter()
        decoded = codec.decode(coded, self.size)
        seconds["decode"] = round(time.perf_counter() - began, 3)
        began = time.perf_counter()
        metrics = self.compare(decoded)
        seconds["measure"] = round(time.perf_counter() - began, 3)
        if video is not None:
            self._keep(video, decoded)
        result = Result(
            self.bench,
            self.clip,
            self.size,
            CodecUsed(codec.name, codec.label, dict(codec.settings)),
            environment(versions=codec.versions()),
            Rate(
                round(coded.kbps(self.footage.fps), 4), sum(len(packet) for packet in coded.packets), coded.side_bytes
            ),
            hashlib.sha256(b"".join(coded.packets)).hexdigest(),
            metrics,
            seconds,
            options.measuring(),
        )
        write(result_path(options.folder, self.bench, self.clip.name, codec.name, point, self.size), result)
        full = metrics["full"]
        print(
            f"{self._title(codec, point)}: {coded.kbps(self.footage.fps):.2f} kbit/s, PSNR {full['psnr']:.2f} dB, "
            f"LPIPS {full['lpips']:.3f}"
        )
        return Outcome(result, coded)

    def compare(self, decoded: Frames) -> dict[str, dict[str, float]]:
        """Return the metrics of decoded frames by group, as `Result.metrics` has them."""
        stride = self.options.stride
        neck = neck_psnr(self.footage.frames[::stride], decoded[::stride], self._necks)
        return {**self._metrics.measure(decoded), "neck": {"psnr": neck}}

    def keep_original(self, video: Path) -> None:
        """Write the held-out frames themselves."""
        if not video.exists():
            self._keep(video, self.footage.frames)

    def _keep(self, video: Path, frames: Frames) -> None:
        video.parent.mkdir(parents=True, exist_ok=True)
        write_lossless(video, frames, self.footage.fps)

    def _title(self, codec: BenchCodec, point: str | int | None) -> str:
        return f"{self.spec.name} {self.size}² {codec.label}" + ("" if point is None else f" at {point}")

    @cached_property
    def _classes(self) -> NDArray[np.uint8]:
        return segment(self.footage.frames, self.options.stride)

    @cached_property
    def _necks(self) -> NDArray[np.bool_]:
        return neck_masks(self._classes[:: self.options.stride])

    @cached_property
    def _metrics(self) -> VideoMetrics:
        calibration, framing = self._avatar.calibration, avatar_framing(self._avatar)
        focal, _, _ = framing.camera(calibration.focal)
        square = Calibration(calibration.identity, focal, calibration.landmark_offsets, calibration.model_digest)
        return VideoMetrics(self.footage.frames, self._classes == HEAD, square, self.footage.fps, self.options.stride)
