"""Finding the operating point of a rate, and the rate of a quality."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.bjontegaard import CurveError
from app.bench.codec import Coded, Frames, Settings
from app.bench.operating_point import OperatingPointError, RateAt, Reach, lowest_rate_above, rate_at

CURVE = [(2.0, 26.0), (4.0, 29.0), (10.0, 32.0), (40.0, 36.0)]


@dataclass(frozen=True)
class Footage:
    frames: Frames
    fps: float


@dataclass(frozen=True)
class PretendedCodec:
    """Codes every frame as a fixed number of bytes."""

    point: int
    bytes_a_frame: int
    calls: list[int]
    name: str = "pretended"
    label: str = "Pretended"

    @property
    def settings(self) -> Settings:
        return {"qp": self.point}

    def encode(self, frames: Frames, fps: float) -> Coded:
        self.calls.append(self.point)
        return Coded((bytes(self.bytes_a_frame),) * len(frames))

    def decode(self, coded: Coded, size: int) -> Frames:
        raise NotImplementedError

    def versions(self) -> Mapping[str, str]:
        return {}


FOOTAGE = Footage(np.zeros((5, 8, 8, 3), np.uint8), 25.0)


def pretended(sizes: Mapping[int, int]) -> tuple[Callable[[int], PretendedCodec], list[int]]:
    calls: list[int] = []
    return lambda point: PretendedCodec(point, sizes[point], calls), calls


@given(
    st.lists(st.integers(1, 2000), min_size=2, max_size=64, unique=True),
    st.integers(1, 2000).map(lambda count: count - 0.5),
)
def test_bisection_finds_the_lowest_rate_that_is_not_below(sizes: list[int], wanted: float) -> None:
    table = dict(enumerate(sorted(sizes, reverse=True)))
    codec_at, calls = pretended(table)
    fitting = [point for point, size in table.items() if size >= wanted]
    if not fitting:
        with pytest.raises(OperatingPointError, match="finer operating points"):
            lowest_rate_above(codec_at, (0, len(table) - 1), FOOTAGE, wanted * 0.2)
        return
    point, coded = lowest_rate_above(codec_at, (0, len(table) - 1), FOOTAGE, wanted * 0.2)
    assert point == max(fitting)
    assert coded.kbps(25) == pytest.approx(table[point] * 0.2)
    assert len(calls) == len(set(calls)) <= 2 + math.ceil(math.log2(len(table))) + 2


def test_a_codec_that_cannot_go_as_low_gives_its_lowest_rate() -> None:
    codec_at, calls = pretended({30: 50, 40: 40, 51: 20})
    point, coded = lowest_rate_above(codec_at, (30, 40, 51), FOOTAGE, 2.0)
    assert (point, coded.kbps(25), calls) == (51, 4.0, [51])


def test_a_point_behind_a_dip_is_found() -> None:
    codec_at, _ = pretended({0: 100, 1: 90, 2: 80, 3: 60, 4: 75, 5: 30, 6: 20, 7: 10, 8: 5})
    assert lowest_rate_above(codec_at, (0, 8), FOOTAGE, 70 * 0.2)[0] == 4


def test_measured_points_are_reached_at_their_own_rates() -> None:
    for rate, value in CURVE:
        assert rate_at(CURVE, value) == RateAt(pytest.approx(rate), Reach.EXACT)


def test_a_straight_line_over_the_logarithm() -> None:
    line = [(2.0**octave, 20 + 3 * octave) for octave in range(5)]
    assert rate_at(line, 24.5).kbps == pytest.approx(2**1.5)


@given(st.floats(26, 36), st.floats(26, 36))
def test_more_quality_never_takes_less_rate(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert rate_at(CURVE, low).kbps <= rate_at(CURVE, high).kbps * (1 + 1e-12)


def test_beyond_what_was_measured_nothing_is_extrapolated() -> None:
    below, above = rate_at(CURVE, 20.0), rate_at(CURVE, 40.0)
    assert below == RateAt(2.0, Reach.AT_MOST)
    assert above == RateAt(40.0, Reach.MORE_THAN)
    assert str(below) == "<= 2.0 kbit/s (beyond the measured range)"
    assert str(above) == "> 40.0 kbit/s (beyond the measured range)"
    assert str(rate_at(CURVE, 29.0)) == "4.0 kbit/s"


def test_a_distance_falls_with_the_rate() -> None:
    distances = [(2.0, 0.4), (4.0, 0.2), (10.0, 0.1)]
    assert rate_at(distances, 0.2, higher_is_better=False).kbps == pytest.approx(4.0)
    assert rate_at(distances, 0.5, higher_is_better=False).reach is Reach.AT_MOST
    assert rate_at(distances, 0.05, higher_is_better=False).reach is Reach.MORE_THAN
    assert 4 < rate_at(distances, 0.15, higher_is_better=False).kbps < 10


def test_curves_that_are_none() -> None:
    assert rate_at([(3.0, 30.0)], 30.0) == RateAt(3.0, Reach.EXACT)
    with pytest.raises(ValueError, match="at least one point"):
        rate_at([], 30.0)
    with pytest.raises(CurveError):
        rate_at([(0.0, 30.0)], 30.0)
