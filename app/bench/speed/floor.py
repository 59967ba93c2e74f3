"""How near the rendering comes to what the machine allows, and where its time goes, on one thread."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.bench.speed.operations import FieldSizes, Work, frame_work
from app.bench.speed.peak import Peak, measure_peak
from app.bench.speed.rendering import FrameTimer, open_avatar, spread_out, synchronise
from app.bench.speed.stages import COMPILED, FUSED, OUTLINE, REST, STAGES, Counts, StageClock, StageCounter, looked_into
from app.bench.speed.states import load_states
from app.bench.speed.timing import quantile, rounded
from app.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.avatar import LoadedAvatar
    from codec.face_state import FaceState
    from renderer.avatar import Avatar

COUNTED: Final = 10
"""Frames over which work is counted, spread over the states."""
PROFILED_SECONDS: Final = 3.0
"""Of timing, and again of profiling, at each size; less where the whole bench is short."""
OPERATOR_FRAMES: Final = 4
OPERATORS: Final = 15
"""Of the operators, those that take longest."""


def job(arguments: dict[str, Any]) -> dict[str, Any]:
    """Measure the peak of ``device``, then count, time and profile rendering at each of ``sizes`` for ``seconds``."""
    from app.progress import Progress

    # Read when torch is loaded: its profiler reports its own start and end otherwise.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    avatar = open_avatar(arguments["avatar"], arguments["device"], 1)
    states, _, _ = load_states(Path(arguments["states"]))
    device = avatar.device
    seconds = min(PROFILED_SECONDS, float(arguments["seconds"]))
    floors, profiles = [], []
    with Progress(len(arguments["sizes"]) + 1, f"floor and profile, {avatar.device_name}") as progress:
        progress.update(0)
        from renderer.avatar import SAMPLES
        from renderer.stages import RAYS_AT_ONCE

        field = fast_field(avatar)
        peak = measure_peak(device, field.head.shape.width, RAYS_AT_ONCE * SAMPLES)
        progress.update(1)
        for done, (width, height) in enumerate(arguments["sizes"], 2):
            timer = FrameTimer(avatar, width, height)
            timer.warm_up(states)
            measured = [rendered for rendered, _ in timer.measure(states, seconds)]
            counts = count_frame(avatar, states, width, height)
            where = {"device_type": device.type, "size": height, "width": width, "threads": 1}
            work = frame_work(FieldSizes.of(field), counts)
            floor = frame_floor(work, counts, peak, 1e3 * quantile(measured, 0.5))
            stages = {name: Floor.of(stage, peak).ms for name, stage in by_compiled_stage(work).items()}
            floors.append({**where, "frames": len(measured), **floor})
            profiles.append({**where, **profile_frames(avatar, timer, states, seconds, stages)})
            progress.update(done)
    return {
        "peak": {"device": avatar.device_name, "device_type": device.type, "threads": 1, **peak.figures()},
        "floor": floors,
        "profile": profiles,
    }


def fast_field(avatar: "LoadedAvatar") -> "Avatar":
    """Return the field whose stages are known here. Raises UserError: the avatar has another one."""
    from renderer.avatar import Avatar

    if not isinstance(avatar.field, Avatar):
        raise UserError(
            f"{avatar.path} holds {avatar.field.KIND}, whose stages nobody has counted: give one of the fast field"
        )
    return avatar.field


def count_frame(avatar: "LoadedAvatar", states: "Sequence[FaceState]", width: int, height: int) -> Counts:
    """Return the mean work of a frame, counted while some of the ``states`` are rendered."""
    import torch

    counter = StageCounter()
    with looked_into(fast_field(avatar), counter):
        for state in spread_out(states, COUNTED):
            counter.frame(torch.from_numpy(avatar.render(state, width, height)))
    return counter.counts.a_frame()


def by_compiled_stage(work: Mapping[str, Work]) -> dict[str, Work]:
    """Return the work of each stage, and of those that are others in one.

    ``locate`` does some of the torso's, and where the outline is a stage of its own its work is still the others'.
    """
    return {
        "locate": Work(),
        OUTLINE: Work(),
        **work,
        **{name: sum((work[part] for part in parts), Work()) for name, parts in COMPILED.items()},
    }


@dataclass(frozen=True, slots=True)
class Floor:
    """The least milliseconds that some work takes on a device: by arithmetic, by memory, by cache.

    The three can overlap, so that the largest counts (the roofline model: Williams, Waterman, Patterson, "Roofline: an
    insightful visual performance model for multicore architectures", Communications of the ACM 52(4), 2009).
    """

    compute_ms: float
    memory_ms: float
    cache_ms: float

    @classmethod
    def of(cls, work: Work, peak: Peak) -> "Floor":
        """Return that of ``work`` on a device with this peak."""
        return cls(
            1e3 * (work.dense / (1e9 * peak.gemm_gflops) + work.other / (1e9 * peak.float32_gemm_gflops)),
            1e3 * work.compulsory / (1e9 * peak.memory_gbs),
            1e3 * work.gathered / (1e9 * peak.cache_gbs),
        )

    @property
    def ms(self) -> float:
        """The largest of them."""
        return max(self.compute_ms, self.memory_ms, self.cache_ms)


def frame_floor(work: Mapping[str, Work], counts: Counts, peak: Peak, measured_ms: float) -> dict[str, Any]:
    """Return a frame's work and floor, and the share of the measured time that the floor is."""
    total = sum(work.values(), Work())
    floor = Floor.of(total, peak)
    return {
        "counts": {name: round(value, 1) for name, value in asdict(counts).items() if name != "frames"},
        "operations": {name: round(stage.operations) for name, stage in work.items()},
        "dense_operations": round(total.dense),
        "other_operations": round(total.other),
        "bytes": {"compulsory": round(total.compulsory), "gathered": round(total.gathered)},
        "gathered_bytes": {name: round(stage.gathered) for name, stage in work.items()},
        "compute_ms": rounded(floor.compute_ms),
        "memory_ms": rounded(floor.memory_ms),
        "cache_ms": rounded(floor.cache_ms),
        "floor_ms": rounded(floor.ms),
        "measured_ms": rounded(measured_ms),
        "share": rounded(floor.ms / measured_ms),
    }


def profile_frames(
    avatar: "LoadedAvatar",
    timer: FrameTimer,
    states: "Sequence[FaceState]",
    seconds: float,
    floors: Mapping[str, float],
) -> dict[str, Any]:
    """Return the mean milliseconds of each stage of a frame beside its floor, and of torch's slowest operators."""
    device = avatar.device
    clock = StageClock(lambda: synchronise(device))
    with looked_into(fast_field(avatar), clock):
        times = [rendered for rendered, _ in timer.measure(states, seconds)]
    frames, total = len(times), sum(times)
    spent = {**clock.seconds, REST: total - sum(clock.seconds.values())}
    of_backend = {"triton": (*FUSED, REST), "compiled": ("blend", *COMPILED, REST), "torch": STAGES}
    stages = of_backend[fast_field(avatar).fastest()]
    return {
        "frames": frames,
        "frame_ms": rounded(1e3 * total / frames),
        "stages": [
            {
                "name": stage,
                "ms": rounded(1e3 * spent.get(stage, 0.0) / frames),
                # Between compiled or fused stages nothing is left to do.
                "floor_ms": rounded(0.0 if stage == REST and "march" in spent else floors[stage]),
                "share": rounded(spent.get(stage, 0.0) / total),
                "calls": round(clock.calls.get(stage, frames) / frames, 1),
            }
            for stage in stages
        ],
        "operators": _operators(timer, spread_out(states, OPERATOR_FRAMES), device.type),
    }


def _operators(timer: FrameTimer, states: "list[FaceState]", device_type: str) -> list[dict[str, Any]]:
    """Return torch's operators that take longest by themselves: name, milliseconds and calls a frame."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device_type == "cuda" else [])
    with profile(activities=activities) as profiler:
        for state in states:
            timer.render(state)
    time_of = "self_device_time_total" if device_type == "cuda" else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: float(getattr(event, time_of)), reverse=True)
    return [
        {
            "name": event.key,
            "ms": rounded(getattr(event, time_of) / 1e3 / len(states)),
            "calls": round(event.count / len(states), 1),
        }
        for event in events[:OPERATORS]
    ]
