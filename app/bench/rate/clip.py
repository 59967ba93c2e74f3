"""Measures our stream at every operating point on one clip."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.avatar import LoadedAvatar
from app.bench.avatars import bench_avatar
from app.bench.clips import ClipSpec, held_out
from app.bench.coarseness import enrolled_parameters, training_states
from app.bench.codec import Frames, Settings
from app.bench.environment import environment
from app.bench.metrics.fidelity import psnr
from app.bench.metrics.lpips import Lpips, layer_distances, lpips
from app.bench.options import MeasuringOptions
from app.bench.ours import avatar_framing
from app.bench.rate.bits import PARTS, other_rates
from app.bench.rate.exchange import Exchanged, exchange
from app.bench.results import Clip, CodecUsed, Rate, Result, result_path, write
from app.capture.source import Frame, open_source
from app.enrolment.sensitivity import person_prediction, picture_metric
from app.owner_tracker import OwnerTracker
from app.progress import Progress
from app.tracking.tracker import track_frames
from codec.face_state import FaceState
from codec.operating_point import NORMAL, OPERATING_POINTS
from codec.parameters import ParameterLayout, state_parameters
from codec.prediction import PredictionTables
from codec.quantiser import STEP_SCALE

BENCH = "rate"
SIZE = 256
ALONE = "alone"
"""The point at which every frame is coded alone."""


def results_of(spec: ClipSpec, options: MeasuringOptions, delay: float) -> list[Result]:
    """Measure every operating point on a clip's held-out frames, and write a result for each.

    Args:
        spec: the clip.
        options: what to measure on.
        delay: seconds from sending a frame to knowing that it was decoded.

    Raises:
        UserError: the clip does not serve, or a result cannot be written.
    """
    avatar = bench_avatar(spec, options)
    footage = held_out(spec, avatar_framing(avatar), SIZE, options.seconds)
    states = _held_out_states(spec, avatar, footage.start, len(footage.frames))
    prediction = _prediction(spec, avatar)
    clip = Clip(spec.name, round(footage.start, 3), len(states), footage.fps)
    # Without the first frames, of which none was acknowledged yet: they are counted, but look better than the rest.
    chosen = np.arange(min(10, len(states) - 1), len(states), options.stride)
    judge = _Judge(avatar, footage.frames[chosen])
    unquantised = judge.figures([states[index] for index in chosen])
    steps = prediction.quantiser.steps / STEP_SCALE
    rivals = other_rates(_parameters(states), steps, footage.fps)
    results = []
    for name, tables, point in [
        *((point.name, prediction, point) for point in OPERATING_POINTS),
        (ALONE, None, NORMAL),
    ]:
        began = time.perf_counter()
        sent = exchange(states, footage.fps, avatar.tables, tables, point, delay)
        coded = time.perf_counter()
        shown = judge.figures([sent.states[index] for index in chosen])
        payload = b"".join(sent.messages)
        result = Result(
            BENCH,
            clip,
            SIZE,
            CodecUsed("ours", f"nerfcall, {name}", _settings(avatar, name, delay)),
            environment(),
            Rate(8 * len(payload) * footage.fps / 1000 / len(states), len(payload), len(bytes(avatar.file))),
            hashlib.sha256(payload).hexdigest(),
            {
                "full": shown,
                "loss": {key: shown[key] - unquantised[key] for key in shown},
                "bits_a_packet": _split(sent),
                "others_kbps": rivals,
            },
            {"encode": round(coded - began, 3), "measure": round(time.perf_counter() - coded, 3)},
            {"stride": options.stride},
        )
        write(result_path(options.folder, BENCH, clip.name, "ours", name, SIZE), result)
        results.append(result)
    return results


def _settings(avatar: LoadedAvatar, name: str, delay: float) -> Settings:
    return {"avatar": avatar.digest.hex()[:16], "point": name, "delay_ms": round(1000 * delay, 3)}


def _split(sent: Exchanged) -> dict[str, float]:
    """Return the mean bits of each part of a packet, and how many packets there are for a frame."""
    means = {part: round(float(value), 3) for part, value in zip(PARTS, sent.bits.mean(axis=0), strict=True)}
    packets = len(sent.messages)
    return {
        **means,
        "packets_a_frame": round(packets / len(sent.states), 4),
        "alone_share": round(sent.alone / packets, 4),
    }


def _prediction(spec: ClipSpec, avatar: LoadedAvatar) -> PredictionTables:
    """Return the avatar's tables; one of before there was prediction gets those that it would have."""
    if avatar.prediction is not None:
        return avatar.prediction
    parameters = enrolled_parameters(training_states(spec, avatar), avatar)
    field_psnr = float(avatar.meta["training"]["held_out_psnr_db"])
    layout = avatar.tables.layout
    return person_prediction(parameters, layout, picture_metric(avatar.field, parameters, layout), field_psnr)


def _held_out_states(spec: ClipSpec, avatar: LoadedAvatar, start: float, count: int) -> list[FaceState]:
    """Return the embedded states of the held-out frames; where no face is seen, the last one holds."""
    with open_source(str(spec.path)) as source, Progress(count, "tracking what is held out") as progress:
        frames: Iterator[Frame] = (frame for frame in source.frames() if frame.timestamp >= start)
        states = track_frames(islice(frames, count), OwnerTracker(avatar), progress.update)
    return [replace(state, present=True) for state in states]


def _parameters(states: Sequence[FaceState]) -> NDArray[np.float64]:
    return np.stack([state_parameters(state, ParameterLayout.of(state)) for state in states])


class _Judge:
    """Compares renderings with real frames."""

    def __init__(self, avatar: LoadedAvatar, real: Frames) -> None:
        self._avatar, self._real = avatar, real
        self._lpips = Lpips()
        self._features = self._lpips.features(real)

    def figures(self, states: Sequence[FaceState]) -> dict[str, float]:
        """Return "psnr" (dB) and "lpips" of the renderings of ``states``, means over frames."""
        with Progress(len(states), f"rendering at {SIZE}²") as progress:
            pictures = np.empty_like(self._real)
            for index, state in enumerate(states):
                pictures[index] = self._avatar.render(state, SIZE, SIZE)
                progress.update(index + 1)
        distances = zip(self._features, self._lpips.features(pictures), strict=True)
        return {
            "psnr": float(np.mean([psnr(real, picture) for real, picture in zip(self._real, pictures, strict=True)])),
            "lpips": float(np.mean([lpips(layer_distances(real, shown)) for real, shown in distances])),
        }
