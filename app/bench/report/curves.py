"""Rate-distortion curves out of single results."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.bench.report.markdown import Figure
from app.bench.report.style import rank
from app.bench.results import Result

POINT_SETTINGS = ("point", "qp", "crf", "coarseness", "threshold_db", "reference_qp")
"""Settings that tell a codec's operating points apart; each codec has one or two of them."""
MEAN = "mean"
"""Stands for all clips together."""

Pairs = list[tuple[float, float]]
"""(kbit/s, value), by rising rate."""


@dataclass(frozen=True, slots=True)
class Point:
    """A codec at one rate."""

    kbps: float
    metrics: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A codec on one clip, or on the mean of all."""

    codec: str
    label: str
    points: tuple[Point, ...]
    """By rising rate."""

    def pairs(self, figure: Figure) -> Pairs:
        """Return rate and value of a figure, where it is there."""
        pairs = [(point.kbps, figure.of(point.metrics)) for point in self.points]
        return [(kbps, value) for kbps, value in pairs if not math.isnan(value)]


Curves = dict[str, Curve]
"""By codec, in the order of tables."""


def clip_curves(results: Iterable[Result]) -> dict[str, Curves]:
    """Return each clip's curves; results without a rate are left out."""
    grouped: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.rate is not None:
            grouped[result.clip.name][result.codec.name].append(result)
    return {
        clip: {name: _curve(codecs[name]) for name in sorted(codecs, key=rank)}
        for clip, codecs in sorted(grouped.items())
    }


def mean_curves(results: Iterable[Result]) -> Curves:
    """Return the curves whose points are means over all clips, of rate and figures, at the same operating point.

    An operating point that not every clip has is left out; so is a figure that not every clip has at that point.
    """
    grouped: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.rate is not None:
            grouped[result.codec.name][result.clip.name].append(result)
    clips = {clip for codec in grouped.values() for clip in codec}
    curves = {}
    for name in sorted(grouped, key=rank):
        together = _paired(list(grouped[name].values())) if grouped[name].keys() == clips else []
        points = sorted((_mean(same) for same in together), key=lambda point: point.kbps)
        if points:
            label = next(iter(grouped[name].values()))[0].codec.label
            curves[name] = Curve(name, label, tuple(points))
    return curves


def _curve(results: Sequence[Result]) -> Curve:
    points = sorted((_mean([result]) for result in results), key=lambda point: point.kbps)
    return Curve(results[0].codec.name, results[0].codec.label, tuple(points))


def _paired(clips: list[list[Result]]) -> list[list[Result]]:
    """Return for each operating point the results of all clips."""
    if all(len(results) == 1 for results in clips):
        return [[results[0] for results in clips]]
    by_point = [{_point(result): result for result in results} for results in clips]
    shared = [point for point in by_point[0] if point and all(point in clip for clip in by_point)]
    return [[clip[point] for clip in by_point] for point in shared]


def _point(result: Result) -> tuple[object, ...]:
    return tuple(result.codec.settings[name] for name in POINT_SETTINGS if name in result.codec.settings)


def _mean(results: Sequence[Result]) -> Point:
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    for group, figures in results[0].metrics.items():
        for name in figures:
            values = [result.metrics.get(group, {}).get(name, math.nan) for result in results]
            metrics[group][name] = sum(values) / len(values)
    rates = [result.rate.payload_kbps for result in results if result.rate is not None]
    return Point(sum(rates) / len(rates), dict(metrics))
