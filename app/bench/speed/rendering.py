"""Rendering alone: the clip's states one after the other, in a process of its own with its threads set at its start."""

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.bench.speed.states import load_states
from app.bench.speed.timing import rounded, spread

if TYPE_CHECKING:
    import torch

    from app.avatar import LoadedAvatar
    from codec.face_state import FaceState
    from renderer.portrait import Backend

WARM_FRAMES: Final = 5
WARM_SECONDS: Final = 1.0
"""Both must have passed before anything counts: allocators, caches and clock rates settle."""
LEAST_FRAMES: Final = 20
COMPARED: Final = 3
"""Frames that are rendered by plain torch as well."""
ALIKE: Final = 2
"""Steps of 8 bits that rounding and what cannot be seen may make between two backends."""

_COMPARED: "tuple[Backend, Backend]" = ("auto", "torch")


class FrameTimer:
    """Renders states of a face as a call does and takes the time.

    A call renders in `LoadedAvatar.render`, which hands the picture to numpy; here the two steps are timed apart.
    """

    def __init__(self, avatar: "LoadedAvatar", width: int, height: int) -> None:
        self._avatar, self._width, self._height = avatar, width, height

    def render(self, state: "FaceState") -> tuple[float, float]:
        """Render one state; return the seconds until the picture is finished, and until it is in main memory."""
        started = time.perf_counter()
        picture = self._picture(state, "auto")
        synchronise(self._avatar.device)
        finished = time.perf_counter()
        picture.cpu().numpy()
        return finished - started, time.perf_counter() - finished

    def parity(self, states: "Sequence[FaceState]") -> dict[str, float] | None:
        """Return how far the backend that renders is from plain torch; None where nothing else renders.

        Returns:
            ``frames``; the ``largest`` difference of two 8-bit values, the ``share`` of them that are more than
            `ALIKE` apart, and the root of the mean square (``rms``).
        """
        if self._avatar.field.fastest() == "torch":
            return None
        squares, apart, largest, values = 0.0, 0, 0, 0
        for state in states:
            # A pixel of which one finds that it is at the outline and the other does not would be no error.
            one, twin = (self._picture(state, backend, smooth=False) for backend in _COMPARED)
            difference = (one.int() - twin.int()).abs()
            squares += float(difference.double().square().sum())
            apart += int((difference > ALIKE).sum())
            largest = max(largest, int(difference.max()))
            values += difference.numel()
        rms = rounded((squares / values) ** 0.5)
        return {"frames": len(states), "largest": largest, "share": rounded(apart / values), "rms": rms}

    def _picture(self, state: "FaceState", backend: "Backend", *, smooth: bool = True) -> "torch.Tensor":
        import torch

        from renderer.avatar import Avatar

        field = self._avatar.field
        # Others have no backend but torch.
        assert isinstance(field, Avatar)

        def tensor(values: Any) -> "torch.Tensor":
            return torch.as_tensor(values, dtype=torch.float32).to(self._avatar.device)

        with torch.inference_mode():
            return field.render(
                tensor(state.expression),
                tensor(state.pose.rotation),
                tensor(state.pose.translation),
                tensor(state.torso),
                self._width,
                self._height,
                backend=backend,
                smooth=smooth,
            )

    def warm_up(self, states: "Sequence[FaceState]") -> None:
        """Render until times have settled."""
        started = time.monotonic()
        count = 0
        while count < WARM_FRAMES or time.monotonic() - started < WARM_SECONDS:
            self.render(states[count % len(states)])
            count += 1

    def measure(
        self, states: "Sequence[FaceState]", seconds: float, progress: Callable[[int], None] = lambda done: None
    ) -> list[tuple[float, float]]:
        """Render the states in their order, again from the first one if need be, for so long; return all times."""
        times: list[tuple[float, float]] = []
        started = time.monotonic()
        while len(times) < LEAST_FRAMES or time.monotonic() - started < seconds:
            times.append(self.render(states[len(times) % len(states)]))
            progress(len(times))
        return times


def synchronise(device: "torch.device") -> None:
    """Wait until the device has done all that it was given."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def open_avatar(path: str, device: str, threads: int) -> "LoadedAvatar":
    """Open an avatar for rendering with so many threads, on "cpu" or "cuda"."""
    from app.library_threads import limit_library_threads

    limit_library_threads(threads)

    from app.avatar import load_avatar
    from app.warm_up import limit_render_threads

    avatar = load_avatar(path, device)
    limit_render_threads(threads)
    # As in a call after its first seconds.
    avatar.prepare()
    return avatar


def job(arguments: dict[str, Any]) -> dict[str, Any]:
    """Render ``states`` with ``avatar`` at ``width`` x ``height`` on ``device`` with ``threads`` for ``seconds``."""
    from app.progress import Progress

    width, height = int(arguments["width"]), int(arguments["height"])
    threads, seconds = int(arguments["threads"]), float(arguments["seconds"])
    avatar = open_avatar(arguments["avatar"], arguments["device"], threads)
    states, _, _ = load_states(Path(arguments["states"]))
    timer = FrameTimer(avatar, width, height)
    timer.warm_up(states)
    label = f"rendering {width} x {height}, {avatar.device_name}, {threads} thread{'s' if threads > 1 else ''}"
    with Progress(None, label) as progress:
        times = timer.measure(states, seconds, progress.update)
    milliseconds = spread([1e3 * rendered for rendered, _ in times])
    return {
        "device": avatar.device_name,
        "device_type": avatar.device.type,
        "size": height,
        "width": width,
        "backend": avatar.field.fastest(),
        "parity": timer.parity(spread_out(states, COMPARED)),
        "threads": threads,
        "cores": available_cores(),
        "frames": len(times),
        "ms": milliseconds,
        "fps": rounded(1e3 / milliseconds["median"]),
        "to_host_ms": spread([1e3 * fetched for _, fetched in times]),
        "peak_rss_mb": peak_rss_mb(),
        **({"peak_gpu_mb": _peak_gpu_mb()} if avatar.device.type == "cuda" else {}),
    }


def spread_out(states: "Sequence[FaceState]", count: int) -> "list[FaceState]":
    """Return at most ``count`` of the states, evenly spread."""
    count = min(count, len(states))
    return [states[index * len(states) // count] for index in range(count)]


def available_cores() -> int:
    """Return on how many logical cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_rss_mb() -> float:
    """Return the most memory that this process has held, in MB of 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes, but on macOS bytes.
    return round(peak * (1.0 if sys.platform == "darwin" else 1024.0) / 1e6, 1)


def _peak_gpu_mb() -> float:
    """Return the most GPU memory that tensors have held, in MB of 10^6 bytes."""
    import torch

    return round(torch.cuda.max_memory_allocated() / 1e6, 1)
