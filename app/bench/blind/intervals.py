"""Intervals and tests for what people say of pictures."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

from scipy.special import stdtrit

CONFIDENCE = 0.95


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the score interval of a share, both ends in [0, 1]; None without trials.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). Unlike the
    normal approximation it stays within [0, 1] and is honest for few trials and for shares near 0 and 1.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} trials")
    if trials == 0:
        return None
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(share * (1 - share) * z2 / trials + (z2 / (2 * trials)) ** 2) / (1 + z2 / trials)
    # At the ends rounding would leave 1e-17 where the formula has 0 and 1.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)


def sign_test(one: int, other: int) -> float | None:
    """Return the two-sided exact p-value of ``one`` against ``other`` preferences if both were equally likely.

    Answers without a preference are left out, as the sign test asks (W. J. Dixon, A. M. Mood, "The statistical sign
    test", JASA 41 (1946)). None where nobody preferred anything.
    """
    if min(one, other) < 0:
        raise ValueError(f"{one} against {other}")
    trials = one + other
    if trials == 0:
        return None
    tail = sum(math.comb(trials, count) for count in range(min(one, other) + 1))
    # Whole numbers until the last step: exact for any count of answers.
    return min(1.0, float(2 * tail / 2**trials))


def mean_interval(
    values: Sequence[float], confidence: float = CONFIDENCE, limits: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[float, float] | None:
    """Return Student's t interval of the mean, cut off at ``limits``, the ends of the scale; None for fewer than two.

    Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    if len(values) < 2:
        return None
    mean = fmean(values)
    half = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * stdev(values) / math.sqrt(len(values))
    return max(limits[0], mean - half), min(limits[1], mean + half)
