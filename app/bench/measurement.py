"""Measures codecs on the held-out frames of one clip, each once."""

import hashlib
import time
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.clips import ClipSpec, held_out, segment
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
        self,
        codec: BenchCodec,
        point: str | int | None = None,
        *,
        coded: Coded | None = None,
        keep: bool = False,
        measuring: Settings | None = None,
    ) -> Result:
        """Code, decode and compare, unless the result is there already.

        Args:
            codec: at its operating point.
            point: what tells its operating points apart.
            coded: bits that were made before; None to code the frames now.
            keep: whether to keep the decoded frames as a lossless video.
            measuring: what else than the stride decided about the measurement.
        """
        options = self.options
        measuring = {"stride": options.stride, **(measuring or {})}
        where = (options.folder, self.bench)
        there = find(*where, self.clip, codec.name, point, self.size, codec.settings, measuring)
        if there is not None and (not keep or self.video(codec.name).exists()):
            print(f"{self._title(codec, point)}: there already")
            return there
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
        if keep:
            self._keep(codec.name, decoded)
        kbps = coded.kbps(self.footage.fps)
        result = Result(
            self.bench,
            self.clip,
            self.size,
            CodecUsed(codec.name, codec.label, dict(codec.settings)),
            environment(versions=codec.versions()),
            Rate(round(kbps, 4), sum(map(len, coded.packets)), coded.side_bytes),
            hashlib.sha256(b"".join(coded.packets)).hexdigest(),
            metrics,
            seconds,
            measuring,
        )
        write(result_path(*where, self.clip.name, codec.name, point, self.size), result)
        psnr, lpips = metrics["full"]["psnr"], metrics["full"]["lpips"]
        print(f"{self._title(codec, point)}: {kbps:.2f} kbit/s, PSNR {psnr:.2f} dB, LPIPS {lpips:.3f}")
        return result

    def there(self, codec: str, measuring: Settings) -> Result | None:
        """Return the kept result of a codec whose operating point was chosen by what ``measuring`` says, if any."""
        path = result_path(self.options.folder, self.bench, self.clip.name, codec, None, self.size)
        try:
            result = read(path)
        except ResultError:
            return None
        same = (result.clip, dict(result.measuring)) == (self.clip, {"stride": self.options.stride, **measuring})
        return result if same and self.video(codec).exists() else None

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
        calibration, framing = self._avatar.calibration, avatar_framing(self._avatar)
        focal, _, _ = framing.camera(calibration.focal)
        square = Calibration(calibration.identity, focal, calibration.landmark_offsets, calibration.model_digest)
        return VideoMetrics(self.footage.frames, self._classes == HEAD, square, self.footage.fps, self.options.stride)
