"""What is said of many durations: median, p95, mean; and of many moments: frames a second, the longest gap."""

import itertools
import math
import statistics
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of ``values`` that at least ``share`` of them, (0, 1], do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, p95 and mean of ``values``, of which there is at least one, to four digits."""
    figures = {"median": statistics.median(values), "p95": quantile(values, 0.95), "mean": statistics.fmean(values)}
    return {name: rounded(value) for name, value in figures.items()}


def rounded(value: float, digits: int = 4) -> float:
    """Return ``value`` to so many significant digits: the rest of a measured time is noise."""
    return float(f"{value:.{digits}g}")


def frame_rate(moments: Sequence[float], begin: float, end: float) -> dict[str, float]:
    """Return how many of the ``moments`` fall into a second, as median, p5 and mean over the whole seconds in between.

    Args:
        moments: seconds, ascending, when a frame appeared.
        begin: seconds, from where on is counted.
        end: seconds, at least one after ``begin``; what is left of the last second is not counted.

    Raises:
        ValueError: ``begin`` and ``end`` are less than a second apart.
    """
    seconds = math.floor(end - begin)
    if seconds < 1:
        raise ValueError("a frame rate needs a second at least")
    counts = [0] * seconds
    for moment in moments:
        if begin <= moment < begin + seconds:
            counts[min(int(moment - begin), seconds - 1)] += 1
    return {
        "median": float(statistics.median(counts)),
        "p5": float(quantile(counts, 0.05)),
        "mean": rounded(statistics.fmean(counts)),
    }


def longest_gap(moments: Sequence[float]) -> float:
    """Return the longest time between neighbours of the ascending ``moments``; 0 where there are fewer than two."""
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)
