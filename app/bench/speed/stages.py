"""Looks into the rendering of a frame from outside: how long each stage takes, and how much each is given to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

    from renderer.avatar import Avatar

Around = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Calls a function of a stage: ``around(stage, function, arguments, keywords)`` returns what the function returns."""

METHODS: Final = {
    "blend": ("head", "blend"),
    "search": ("grid", "propose"),
    "read planes": ("head", "features"),
    "decoder": ("head", "decode"),
    "torso": ("torso", "forward"),
}
"""Stages that are a method of a part of the avatar."""

FUNCTIONS: Final = {"quadrature": ("render_weights", "composite")}
"""Stages that are functions in renderer.stages."""

REST: Final = "assemble"
"""What lies in between: rays, choice of pixels, putting them together, 8-bit colours."""

STAGES: Final = (*METHODS, *FUNCTIONS, REST)
"""Of a picture that torch renders."""

COMPILED: Final = {
    "search": ("search",),
    "march": ("read planes", "decoder", "quadrature"),
    "finish": ("torso", REST),
}
"""Stages that are functions in renderer.kernels.cpu_picture, by their names, and which of the others each is in one."""

BLENDED: Final = "blend"
"""The other stage there; it does what the method does."""

OUTLINE: Final = "sample_outline"
"""A search and a march once more; elsewhere they count as such."""

FUSED: Final = ("locate", BLENDED, "search", "march", OUTLINE, "finish")
"""Stages that are functions in renderer.kernels.gpu_picture; ``locate`` finds pose, window and the torso's warp."""


@contextmanager
def looked_into(avatar: "Avatar", around: Around) -> Iterator[None]:
    """Within the block, have every stage of ``avatar`` called through ``around``."""
    import renderer.kernels.cpu_picture as compiled
    import renderer.kernels.gpu_picture as fused
    import renderer.stages as plain

    def through(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            return around(stage, function, arguments, keywords)

        return call

    parts = [(stage, getattr(avatar, part), method) for stage, (part, method) in METHODS.items()]
    functions = [(stage, plain, name) for stage, names in FUNCTIONS.items() for name in names]
    functions += [(stage, compiled, stage) for stage in (BLENDED, *COMPILED)]
    functions += [(stage, fused, stage) for stage in FUSED]
    originals = [(module, name, getattr(module, name)) for _, module, name in functions]
    for stage, part, method in parts:
        setattr(part, method, through(stage, getattr(part, method)))
    for stage, module, name in functions:
        setattr(module, name, through(stage, getattr(module, name)))
    try:
        yield
    finally:
        for _, part, method in parts:
            # The instance's attribute goes, and the class's method is seen again.
            delattr(part, method)
        for module, name, function in originals:
            setattr(module, name, function)


class StageClock:
    """Adds up the seconds spent in each stage; what a stage within a stage takes counts for the inner one alone."""

    def __init__(self, synchronise: Callable[[], None], now: Callable[[], float] = time.perf_counter) -> None:
        """``synchronise`` waits until the device is done; ``now`` is a clock in seconds."""
        self._synchronise, self._now = synchronise, now
        self._inner = [0.0]
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    def __call__(
        self, stage: str, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call the function of a stage (`Around`)."""
        self._synchronise()
        started = self._now()
        self._inner.append(0.0)
        result = function(*arguments, **keywords)
        self._synchronise()
        elapsed = self._now() - started
        self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed - self._inner.pop()
        self.calls[stage] = self.calls.get(stage, 0) + 1
        self._inner[-1] += elapsed
        return result


@dataclass(slots=True)
class Counts:
    """How much work the stages were given."""

    frames: float = 0.0
    pixels: float = 0.0
    """Of the pictures."""
    search_rays: float = 0.0
    """Rays that are searched in the density grid."""
    grid_lookups: float = 0.0
    """Points at which the density grid is read."""
    intervals: float = 0.0
    """Into which the search splits its rays."""
    head_rays: float = 0.0
    """Rays along which the head's field is evaluated."""
    head_samples: float = 0.0
    """Points at which the head's field is evaluated."""
    head_colours: float = 0.0
    """Of them, those whose colour is evaluated."""
    torso_pixels: float = 0.0
    """Pixels at which the torso's field is evaluated."""

    def a_frame(self) -> "Counts":
        """Return the mean over the frames."""
        return Counts(*(getattr(self, name) / self.frames for name in self.__slots__))


class StageCounter:
    """Counts the work of each stage from what its function is given (`Around`)."""

    def __init__(self) -> None:
        self.counts = Counts()

    def __call__(
        self, stage: str, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call the function of a stage."""
        import inspect

        parameters = inspect.signature(function).parameters
        if "counts" in parameters:
            of_a_kind = self._fused if "frame" in parameters else self._compiled
            return of_a_kind(stage, function, arguments, keywords)
        given = inspect.signature(function).bind(*arguments, **keywords)
        given.apply_defaults()
        counts, values = self.counts, given.arguments
        match stage:
            case "search":
                rays = len(values["rays_d"])
                counts.search_rays += rays
                counts.grid_lookups += rays * values["bins"]
                counts.intervals += rays * values["samples"]
            case "read planes":
                counts.head_samples += len(values["points"])
                counts.head_colours += len(values["points"])
            case "torso":
                counts.torso_pixels += len(values["uv"])
            case "quadrature" if "sigma" in values:
                counts.head_rays += len(values["sigma"])
        return function(*arguments, **keywords)

    def _compiled(
        self, stage: str, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call a compiled stage, which counts for itself."""
        import numpy as np

        done = np.zeros(5, np.int64)
        result = function(*arguments, **keywords, counts=done)
        if stage == "search":
            edges, _ = result
            self._searched(len(edges), edges.shape[1] - 1)
        self._add(done.tolist())
        return result

    def _fused(
        self, stage: str, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call a fused stage, which counts on the device."""
        import inspect

        import torch

        from renderer.outline import PLACES

        given = inspect.signature(function).bind(*arguments, **keywords).arguments
        window = given["frame"].window
        done = torch.zeros(5, dtype=torch.int64, device=window.device)
        result = function(*arguments, **keywords, counts=done)
        if stage == "search":
            _, _, height, width = window.tolist()
            block = given["block"]
            self._searched(-(-height // block) * -(-width // block), given["samples"])
        elif stage == OUTLINE:
            self._searched(int(result) * len(PLACES), given["samples"])
        self._add(done.tolist())
        return result

    def _searched(self, rays: int, samples: int) -> None:
        self.counts.search_rays += rays
        self.counts.intervals += rays * samples

    def _add(self, done: list[int]) -> None:
        """Add what kernels count (`renderer.kernels.cpu_launch.Counts`)."""
        counts = self.counts
        lookups, rays, samples, colours, pixels = done
        counts.grid_lookups += lookups
        counts.head_rays += rays
        counts.head_samples += samples
        counts.head_colours += colours
        counts.torso_pixels += pixels

    def frame(self, picture: "Tensor") -> None:
        """Count a finished picture (height, width, 3)."""
        self.counts.frames += 1
        self.counts.pixels += picture.shape[0] * picture.shape[1]
