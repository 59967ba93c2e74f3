"""Measures codecs on the held-out frames of one clip, each once."""

import hashlib
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec, HeldOut, held_out, held_out_clip, segment
from app.bench.codec import BenchCodec, Coded, Frames, Settings
from app.bench.environment import environment
from app.bench.lossless import write_lossless
from app.bench.metrics.video import VideoMetrics
from app.bench.neck import neck_masks, neck_psnr
from app.bench.options import MeasuringOptions
from app.bench.ours import avatar_framing
from app.bench.results import Clip, CodecUsed, Rate, Result, ResultError, find, read, result_path, write
from app.tracking.calibration_record import Calibration
from renderer.training.dataset import HEAD


class ClipMeasurement:
    """The held-out frames of a clip at one size, with everything about them that is measured once."""

    def __init__(self, bench: str, spec: ClipSpec, avatar: LoadedAvatar, size: int, options: MeasuringOptions):
        """Look at the clip; its frames are read when something is to be measured.

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
        self._framing = avatar_framing(avatar)
        self._expected = held_out_clip(spec, options.seconds, self._framing)

    @cached_property
    def footage(self) -> HeldOut:
        """The held-out frames, read at the first look."""
        return held_out(self.spec, self._framing, self.size, self.options.seconds)

    @cached_property
    def clip(self) -> Clip:
        """The footage as results describe it."""
        return Clip(self.spec.name, round(self.footage.start, 3), len(self.footage.frames), self.footage.fps)

    def measure(
        self,
        codec: BenchCodec,
        point: str | int | None = None,
        *,
        ready: Callable[[], None] | None = None,
        coded: Callable[[], Coded] | None = None,
        keep: bool = False,
        measuring: Settings | None = None,
    ) -> Result:
        """Code, decode and compare, unless the result is there already.

        Args:
            codec: at its operating point.
            point: what tells its operating points apart.
            ready: makes the codec ready, before the clock runs and only where something is to be measured.
            coded: gives bits that were made before, where they are needed; None to code the frames now.
            keep: whether to keep the decoded frames as a lossless video.
            measuring: what else than the stride decided about the measurement.
        """
        options = self.options
        measuring = {"stride": options.stride, **(measuring or {})}
        there = self._find(codec, point, measuring)
        if there is not None and (not keep or self.video(codec.name).exists()):
            print(f"{self._title(codec, point)}: there already")
            return there
        seconds = {}
        fps = self.footage.fps
        if ready is not None:
            ready()
        if coded is None:
            began = time.perf_counter()
            bits = self.encode(codec)
            seconds["encode"] = round(time.perf_counter() - began, 3)
        else:
            bits = coded()
        began = time.perf_counter()
        decoded = codec.decode(bits, self.size)
        seconds["decode"] = round(time.perf_counter() - began, 3)
        began = time.perf_counter()
        metrics = self.compare(decoded)
        seconds["measure"] = round(time.perf_counter() - began, 3)
        if keep:
            self._keep(codec.name, decoded)
        kbps = bits.kbps(fps)
        result = Result(
            self.bench,
            self.clip,
            self.size,
            CodecUsed(codec.name, codec.label, dict(codec.settings)),
            environment(versions=codec.versions()),
            Rate(round(kbps, 4), len(bits.payload), bits.side_bytes),
            hashlib.sha256(bits.payload).hexdigest(),
            metrics,
            seconds,
            measuring,
        )
        write(result_path(options.folder, self.bench, self.clip.name, codec.name, point, self.size), result)
        psnr, lpips = metrics["full"]["psnr"], metrics["full"]["lpips"]
        print(f"{self._title(codec, point)}: {kbps:.2f} kbit/s, PSNR {psnr:.2f} dB, LPIPS {lpips:.3f}")
        return result

    def there(self, codec: str, measuring: Settings) -> Result | None:
        """Return the kept result of a codec whose operating point was chosen by what ``measuring`` says, if any."""
        path = result_path(self.options.folder, self.bench, self.spec.name, codec, None, self.size)
        try:
            result = read(path)
        except ResultError:
            return None
        same = dict(result.measuring) == {"stride": self.options.stride, **measuring} and self.video(codec).exists()
        return result if same and (result.clip == self._expected or result.clip == self.clip) else None

    def encode(self, codec: BenchCodec) -> Coded:
        """Return the frames as bits."""
        return codec.encode(self.footage.frames, self.footage.fps)

    def compare(self, decoded: Frames) -> dict[str, dict[str, float]]:
        """Return the metrics of decoded frames by group, as `Result.metrics` has them."""
        stride = self.options.stride
        neck = neck_psnr(self.footage.frames[::stride], decoded[::stride], self._necks)
        return {**self._metrics.measure(decoded), "neck": {"psnr": neck}}

    def keep_original(self) -> None:
        """Keep the held-out frames themselves."""
        if not self.video("original").exists():
            self._keep("original", self.footage.frames)

    def video(self, name: str) -> Path:
        """Return where the frames of a codec, or the "original", are kept."""
        return self.options.folder / self.bench / self.spec.name / f"{name}.mkv"

    def _find(self, codec: BenchCodec, point: str | int | None, measuring: Settings) -> Result | None:
        def kept(clip: Clip) -> Result | None:
            where = (self.options.folder, self.bench, clip, codec.name, point, self.size)
            return find(*where, codec.settings, measuring)

        # The frames are counted, which reads them all, only where the file's own count finds nothing.
        return kept(self._expected) or kept(self.clip)

    def _keep(self, name: str, frames: Frames) -> None:
        path = self.video(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lossless(path, frames, self.footage.fps)

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
        calibration = self._avatar.calibration
        focal, _, _ = self._framing.camera(calibration.focal)
        square = Calibration(calibration.identity, focal, calibration.landmark_offsets, calibration.model_digest)
        return VideoMetrics(self.footage.frames, self._classes == HEAD, square, self.footage.fps, self.options.stride)
