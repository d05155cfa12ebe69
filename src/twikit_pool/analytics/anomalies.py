"""Hours that are not as usual, and levels that changed: few, so that each is worth a look.

An hour is an outlier when it is farther from what is usual at that hour than chance brings about in one of a
hundred clean reports. A change is where the sum of what is left of the hours, when the usual is taken away,
leaves the bridge that chance keeps it on (a CUSUM test; Ploberger and Krämer, Econometrica 60, 1992), with
the variance that autocorrelation gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import expm1, log1p, sqrt
from statistics import fmean, median
from typing import Final, NamedTuple

from twikit_pool.analytics.recording import Hour
from twikit_pool.analytics.report import Anomaly
from twikit_pool.analytics.seasonal import DAY, HOUR, HourlyValue, Usual
from twikit_pool.analytics.service_level import moment
from twikit_pool.analytics.statistics import bridge_tail, inflation, normal_distance, spread
from twikit_pool.analytics.trends import FIGURES, Figured, values_of

CHANCE: Final = 0.01
"""How often a figure of a clean report may have an outlier; and, again, a change."""

HEAVY: Final = 1.5
"""By how much farther than a normal value an outlier must be: what is measured has heavier tails."""

SEASON: Final = 1.2
"""Of that, for what is usual is itself a median of few days."""

LEAST: Final = 72
"""Hours below which nobody can say what is usual."""

SEGMENT: Final = 24
"""Hours that a level must last."""

MOST: Final = 3
"""Changes of a figure that are told."""

SIZE: Final = 0.15
"""Change in logarithms (about the share) that is worth a word; of an error rate, in points of a hundred."""

STEP: Final = 0.01
"""What an error rate is counted in before its logarithm: 1% to 2% is a change, 0.01% to 0.02% none."""

LEAST_SPREAD: Final = 0.05
"""Standard deviation in logarithms that every figure is taken to have: what hardly moves is not far
from what is usual when it moves by a third."""

HARMLESS: Final = frozenset({"error rate", "response p95", "acquisition p95"})
"""Figures of which an hour with less is nothing to look at."""

FLOORS: Final = {"error rate": STEP, "acquisition p95": 0.01, "response p95": 0.01, "load": 0.1, "calls": 0.1}
"""Below which differences of a figure do not count."""


def anomalies(hours: Sequence[Hour], before: Sequence[Hour] = ()) -> list[Anomaly]:
    """Those of all figures, in order of their beginning."""
    found = [
        each
        for figure in FIGURES
        for each in _of_figure(figure, values_of(figure, hours), values_of(figure, before))
    ]
    return sorted(found, key=lambda each: (each.since, each.figure))


def _of_figure(
    figure: Figured, values: Sequence[HourlyValue], before: Sequence[HourlyValue]
) -> Iterator[Anomaly]:
    if len(values) < LEAST:
        return
    floor = FLOORS[figure.name]
    logs = [_log(each, floor) for each in values]
    usual = Usual([*(_log(each, floor) for each in before), *logs])
    left = usual.left(logs)
    changes = list(_changes(left))
    yield from (_change(figure, values, each) for each in changes)
    levelled = _without(left, changes)
    yield from _outliers(figure, values, levelled, usual, floor)


def _log(value: HourlyValue, floor: float) -> HourlyValue:
    return HourlyValue(value.at, log1p(value.value / floor))


# ---------------------------------------------------------------- outliers


def _outliers(
    figure: Figured, values: Sequence[HourlyValue], left: Sequence[float], usual: Usual, floor: float
) -> Iterator[Anomaly]:
    deviation = max(spread(left), LEAST_SPREAD)
    tolerated = normal_distance(CHANCE / len(left)) * HEAVY * SEASON
    reach = tolerated * deviation
    far = [
        n for n, each in enumerate(left) if each > reach or (each < -reach and figure.name not in HARMLESS)
    ]
    for run in _runs(far, values):
        some = [values[n] for n in run]
        seen = fmean(each.value for each in some)
        expected = fmean(floor * expm1(usual.at(each.at)) for each in some)
        score = max((left[n] / deviation for n in run), key=abs)
        since, until = moment(some[0].at), moment(some[-1].at + HOUR)
        yield Anomaly(
            kind="outlier",
            figure=figure.name,
            since=since,
            until=until,
            usual=expected,
            seen=seen,
            score=score,
            sentence=(
                f"{figure.name} was {seen:.3g} {figure.unit} from {since:%a %d %b %H:%M} to {until:%H:%M}"
                f" UTC, where {expected:.3g} is usual"
            ),
        )


def _runs(numbers: Sequence[int], values: Sequence[HourlyValue]) -> Iterator[list[int]]:
    """Those that follow each other, hour by hour, together."""
    run: list[int] = []
    for each in numbers:
        if run and values[each].at - values[run[-1]].at > HOUR:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


# ---------------------------------------------------------------- changes


class _Split(NamedTuple):
    begin: int
    at: int
    end: int
    score: float


def _changes(left: Sequence[float]) -> Iterator[_Split]:
    """Where the level changes, the clearest first."""
    waiting = [(0, len(left))]
    found = 0
    while waiting and found < MOST:
        begin, end = waiting.pop(0)
        split = _split(left, begin, end)
        if split is not None:
            found += 1
            yield split
            waiting += [(begin, split.at), (split.at, end)]


def _split(left: Sequence[float], begin: int, end: int) -> _Split | None:
    """The best place to split, if what is on both sides differs beyond chance, and by a size that matters."""
    count = end - begin
    if count < 2 * SEGMENT:
        return None
    part = _winsorised(left[begin:end])
    mean = fmean(part)
    best, height, total = 0, 0.0, 0.0
    for number, value in enumerate(part[: count - SEGMENT], 1):
        total += value - mean
        if number >= SEGMENT and abs(total) > height:
            best, height = number, abs(total)
    if not best:
        return None
    below, above = fmean(part[:best]), fmean(part[best:])
    rest = [each - below for each in part[:best]] + [each - above for each in part[best:]]
    variance = fmean(each * each for each in rest) * inflation(rest)
    if variance <= 0:
        variance = 1e-12
    reached = height / sqrt(count * variance)
    if bridge_tail(reached) > CHANCE or abs(above - below) < SIZE:
        return None
    return _Split(begin, begin + best, end, reached)


def _winsorised(values: Sequence[float]) -> list[float]:
    """With outliers brought to where they move no mean."""
    middle, reach = median(values), 3 * max(spread(values), 1e-9)
    return [min(max(each, middle - reach), middle + reach) for each in values]


def _change(figure: Figured, values: Sequence[HourlyValue], split: _Split) -> Anomaly:
    before = median(each.value for each in values[split.begin : split.at])
    after = median(each.value for each in values[split.at : split.end])
    since = moment(values[split.at].at)
    days = (values[split.end - 1].at + HOUR - values[split.at].at) / DAY
    return Anomaly(
        kind="change",
        figure=figure.name,
        since=since,
        until=moment(values[split.end - 1].at + HOUR),
        usual=before,
        seen=after,
        score=split.score,
        sentence=(
            f"{figure.name} went from {before:.3g} to {after:.3g} {figure.unit} on {since:%a %d %b %H:%M} UTC"
            f", and stayed there for {days:.1f} days"
        ),
    )


def _without(left: Sequence[float], changes: Sequence[_Split]) -> list[float]:
    """What is left when each level is taken away, too."""
    cuts = sorted({0, len(left), *(each.at for each in changes)})
    levelled: list[float] = []
    for begin, end in pairwise(cuts):
        level = median(left[begin:end])
        levelled += [each - level for each in left[begin:end]]
    return levelled
