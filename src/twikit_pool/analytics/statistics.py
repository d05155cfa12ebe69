"""Statistics of short, noisy, autocorrelated series, without a dependency.

Everything here is robust: medians, ranks, and differences between them. One wild hour moves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import erf, exp, sqrt
from statistics import NormalDist, median
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

CONSISTENT: Final = 1.4826
"""A normal sample's standard deviation by its median absolute deviation."""

RESAMPLES: Final = 2_000
"""Of a bootstrap: its bounds then move by a hundredth of their distance."""


def normal_tail(distance: float) -> float:
    """How often a normal value is farther from its mean than so many standard deviations, on either side."""
    return 1 - erf(abs(distance) / sqrt(2))


def normal_distance(probability: float) -> float:
    """The distance in standard deviations that is exceeded, on either side, with this probability."""
    return NormalDist().inv_cdf(1 - probability / 2)


def spread(values: Sequence[float]) -> float:
    """A standard deviation that outliers do not move: the median distance from the median, scaled."""
    if not values:
        return 0.0
    middle = median(values)
    return CONSISTENT * median(abs(each - middle) for each in values)


def ranks(values: Sequence[float]) -> list[float]:
    """The rank of each, from 1; equal ones share theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for place in order[at : end + 1]:
            found[place] = (at + end) / 2 + 1
        at = end + 1
    return found


def inflation(values: Sequence[float]) -> float:
    """By how much autocorrelation inflates the variance of a mean of these: at least 1.

    One plus twice the autocorrelations up to the first that is not positive (Geyer, Statistical Science 7,
    1992), each weighed by the share of the pairs that there are.
    """
    count = len(values)
    if count < 4:
        return 1.0
    mean = sum(values) / count
    away = [each - mean for each in values]
    whole = sum(each * each for each in away)
    if whole <= 0:
        return 1.0
    factor = 1.0
    for lag in range(1, count // 3):
        correlation = sum(a * b for a, b in zip(away, away[lag:], strict=False)) / whole
        if correlation <= 0:
            break
        factor += 2 * (1 - lag / count) * correlation
    return factor


class Slope(NamedTuple):
    """A trend, and whether it is more than noise.

    Attributes:
        slope: per step, the median of the slopes between all pairs (Sen, JASA 63, 1968).
        low, high: its 95% interval.
        p: how often chance alone gives as much, by Mann and Kendall's test.
    """

    slope: float
    low: float
    high: float
    p: float


def theil_sen(
    moments: Sequence[float], values: Sequence[float], groups: Sequence[object] | None = None
) -> Slope:
    """The trend of values over time; at least three, of which not all are of one moment.

    The variance of Mann and Kendall's statistic is inflated by the autocorrelation of the ranks of what the
    trend leaves (Hamed and Rao, Journal of Hydrology 204, 1998): hours that resemble each other count for
    fewer than they are.

    Args:
        moments: when each was, in any unit.
        values: one for each moment.
        groups: what each is comparable with: pairs are made within a group alone (Hirsch, Slack and Smith,
            Water Resources Research 18, 1982). All are, if not given.
    """
    slopes: list[float] = []
    score = 0
    count = len(values)
    for later in range(1, count):
        at, value = moments[later], values[later]
        for earlier in range(later):
            if groups is not None and groups[later] != groups[earlier]:
                continue
            rise = value - values[earlier]
            slopes.append(rise / (at - moments[earlier]))
            score += (rise > 0) - (rise < 0)
    slopes.sort()
    slope = _middle(slopes)
    left = [value - slope * at for at, value in zip(moments, values, strict=True)]
    parts = _parts(values, groups)
    plain = sum(len(each) * (len(each) - 1) * (2 * len(each) + 5) - _ties(each) for each in parts) / 18
    deviation = sqrt(max(plain * inflation(ranks(left)), 1e-12))
    distance = (score - (score > 0) + (score < 0)) / deviation
    reach = NormalDist().inv_cdf(0.975) * deviation
    last = len(slopes) - 1
    low = slopes[max(0, round((len(slopes) - reach) / 2) - 1)]
    high = slopes[min(last, round((len(slopes) + reach) / 2))]
    return Slope(slope, low, high, normal_tail(distance))


def _parts(values: Sequence[float], groups: Sequence[object] | None) -> list[list[float]]:
    if groups is None:
        return [list(values)]
    parts: dict[object, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        parts.setdefault(group, []).append(value)
    return list(parts.values())


def _middle(ordered: Sequence[float]) -> float:
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def _ties(values: Sequence[float]) -> int:
    """What equal values take from the variance of Mann and Kendall's statistic, times 18."""
    sizes: dict[float, int] = {}
    for each in values:
        sizes[each] = sizes.get(each, 0) + 1
    return sum(size * (size - 1) * (2 * size + 5) for size in sizes.values())


def bridge_tail(height: float) -> float:
    """How often a Brownian bridge reaches this height on either side (Kolmogorov's distribution)."""
    if height <= 0.3:
        return 1.0
    signs = (2 * (-1) ** (each + 1) * exp(-2 * (each * height) ** 2) for each in range(1, 20))
    return min(1.0, max(0.0, sum(signs)))


def binomial_tail(events: int, trials: int, rate: float) -> float:
    """About how often at least so many of the trials are events at this rate; normal, with a correction."""
    if not trials or events <= trials * rate:
        return 1.0
    deviation = sqrt(max(trials * rate * (1 - rate), 1e-12))
    return normal_tail((events - 0.5 - trials * rate) / deviation) / 2


def wilson(events: float, trials: float, distance: float = 1.96) -> tuple[float, float]:
    """The interval of a share of which so many of the trials were seen (Wilson, JASA 22, 1927)."""
    if trials <= 0:
        return 0.0, 1.0
    share, square = events / trials, distance**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    reach = distance * sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def bootstrap(
    blocks: Sequence[T], figure: Callable[[Sequence[T]], float], *, share: float = 0.9, seed: int = 1
) -> tuple[float, float]:
    """The interval in which a figure of blocks lies with this share, were others like them drawn.

    The blocks (days, say) are drawn with replacement, so what hangs together within one stays together. The
    same blocks give the same interval.
    """
    rng = random.Random(seed)  # noqa: S311 - chance that repeats
    found = sorted(figure(rng.choices(blocks, k=len(blocks))) for _ in range(RESAMPLES))
    outside = (1 - share) / 2
    return found[int(outside * RESAMPLES)], found[min(RESAMPLES - 1, int((1 - outside) * RESAMPLES))]
