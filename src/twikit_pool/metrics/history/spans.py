"""From which tier which part of a range is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from twikit_pool.metrics.history.figures import DAY, HOUR, MINUTE, TEN_SECONDS, TIERS, slot

FINE_FOR: Final = HOUR
"""Seconds back from now that are shown as they were, where nobody says how."""

MINUTES_FOR: Final = 36 * HOUR
"""The same by the minute; what is older is shown by the hour."""


@dataclass(frozen=True, slots=True)
class Span:
    """Points of one tier whose start lies in a range.

    Attributes:
        tier: seconds of a point.
        begin, end: the first start, and the first that is not meant, in seconds since 1970.
    """

    tier: int
    begin: int
    end: int


def for_step(since: float, until: float, step: int, minutes_from: float) -> list[Span]:
    """What is read for points of `step` seconds, a multiple of ten: the largest points that fit into it.

    Before `minutes_from` there are only hours.
    """
    tier = next((each for each in reversed(TIERS) if step % each == 0), TEN_SECONDS)
    return list(_cut([(minutes_from, HOUR), (until, tier)], since, until))


def for_age(since: float, until: float, now: float, minutes_from: float) -> list[Span]:
    """What is read where nobody says how fine: the older, the coarser."""
    hours_until = max(now - MINUTES_FOR, minutes_from)
    return list(_cut([(hours_until, HOUR), (now - FINE_FOR, MINUTE), (until, TEN_SECONDS)], since, until))


def for_whole(since: float, until: float, minutes_from: float) -> list[Span]:
    """What is read of a range that becomes one: hours within, finer points at both ends."""
    begin, end = _up(since, TEN_SECONDS), _up(until, TEN_SECONDS)
    spans: list[Span] = []
    if begin < minutes_from:
        known = min(_up(minutes_from, HOUR), end)
        spans.append(Span(HOUR, slot(begin, HOUR), known))
        begin = known
    return [each for each in (*spans, *_ladder(begin, end, TIERS)) if each.begin < each.end]


def for_accounts(since: float, until: float, hours_from: float) -> list[Span]:
    """What is read of accounts: days within, hours at both ends, days alone before there are hours."""
    begin, end = slot(since, HOUR), _up(until, HOUR)
    spans: list[Span] = []
    if begin < hours_from:
        known = min(_up(hours_from, DAY), end)
        spans.append(Span(DAY, slot(begin, DAY), known))
        begin = known
    return [each for each in (*spans, *_ladder(begin, end, (HOUR, DAY))) if each.begin < each.end]


def _ladder(begin: int, end: int, tiers: tuple[int, ...]) -> list[Span]:
    tier, *larger = tiers
    first, last = (_up(begin, larger[0]), slot(end, larger[0])) if larger else (end, begin)
    if first >= last:
        return [Span(tier, begin, end)]
    return [Span(tier, begin, first), *_ladder(first, last, tuple(larger)), Span(tier, last, end)]


def _cut(parts: list[tuple[float, int]], since: float, until: float) -> Iterator[Span]:
    """The range in parts of finer and finer points, each up to a moment; it begins with a whole point."""
    begin = since
    for upto, tier in parts:
        first, end = slot(begin, tier), _up(until, tier) if upto >= until else slot(upto, tier)
        if begin < until and first < end:
            yield Span(tier, first, end)
            begin = end
        if upto >= until:
            return


def _up(moment: float, seconds: int) -> int:
    at = slot(moment, seconds)
    return at if at >= moment else at + seconds
