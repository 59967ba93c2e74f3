"""Measures a rival at the rate of ours: the lowest that it has and that is not below."""

from collections.abc import Callable

from app.bench.codec import BenchCodec
from app.bench.measurement import ClipMeasurement
from app.bench.operating_point import lowest_rate_above
from app.bench.results import Result


def measure_at_equal_rate(
    measurement: ClipMeasurement, name: str, codec_at: Callable[[int], BenchCodec], points: range, kbps: float
) -> Result:
    """Find a codec's operating point for a rate and measure it, unless both was done before.

    Args:
        measurement: of the clip.
        name: of the codec.
        codec_at: the codec by its point.
        points: to choose from, finer ones first.
        kbps: that the codec's rate must reach.

    Raises:
        OperatingPointError: even the finest point has a lower rate.
    """
    wanted = {"not_below_kbps": round(kbps, 4)}
    there = measurement.there(name, wanted)
    if there is not None and any(codec_at(point).settings == there.codec.settings for point in points):
        print(f"{measurement.spec.name} {there.codec.label}: there already")
        return there
    point, coded = lowest_rate_above(codec_at, points, measurement.footage, kbps)
    return measurement.measure(codec_at(point), coded=lambda: coded, keep=True, measuring=wanted)
