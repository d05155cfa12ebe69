"""What is unusual now, against what is usual at this hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from math import expm1, log1p
from typing import Final

import msgspec

from twikit_pool.analytics.anomalies import FLOORS, HARMLESS, SIZE
from twikit_pool.analytics.recording import Hour
from twikit_pool.analytics.seasonal import HourlyValue, Usual
from twikit_pool.analytics.service_level import moment
from twikit_pool.analytics.statistics import normal_distance, spread
from twikit_pool.analytics.trends import FIGURES, values_of
from twikit_pool.metrics.history.figures import Point
from twikit_pool.metrics.pool_metrics import PoolMetrics

SPAN: Final = 900.0
"""Seconds that are looked at together: shorter ones scatter too much to be compared with hours."""

LEAST: Final = 72
"""Hours that must be known."""

CHANCE: Final = 0.0001
"""How often a figure may be called unusual by chance: at one look in 15 minutes, once in a hundred days."""

HEAVY: Final = 1.8
"""By how much farther than a normal value it must be."""


class Unusual(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is not as usual: as it was over the last quarter of an hour, and what is usual."""

    figure: str
    unit: str
    at: datetime
    seen: float
    usual: float
    score: float


class _Profile:
    def __init__(self, usual: Usual, deviation: float) -> None:
        self.usual = usual
        self.deviation = deviation


class Live:
    """Learns what is usual from a report's hours, and looks at each interval with that."""

    def __init__(self) -> None:
        self._profiles: dict[str, dict[str, _Profile]] = {}
        self._lately: dict[str, deque[Point]] = {}

    def learn(self, pool_id: str, hours: Sequence[Hour]) -> None:
        """What is usual of a pool."""
        profiles: dict[str, _Profile] = {}
        for figure in FIGURES:
            floor = FLOORS[figure.name]
            logs = [HourlyValue(at, log1p(value / floor)) for at, value in values_of(figure, hours)]
            if len(logs) >= LEAST:
                usual = Usual(logs)
                profiles[figure.name] = _Profile(usual, max(spread(usual.left(logs)), SIZE / 3))
        self._profiles[pool_id] = profiles

    def add(self, metrics: PoolMetrics) -> None:
        """An interval has ended."""
        lately = self._lately.setdefault(metrics.pool_id, deque())
        lately.append(Point.of(metrics))
        while lately and lately[0].ended <= lately[-1].ended - SPAN:
            lately.popleft()

    def unusual(self, pool_id: str) -> list[Unusual]:
        """What is not as usual; empty while too little is known, or before a report was made."""
        lately, profiles = self._lately.get(pool_id), self._profiles.get(pool_id)
        if not lately or not profiles or sum(each.seconds for each in lately) < SPAN / 2:
            return []
        point = Point.merged(list(lately))
        hour = Hour(point.ended, point)
        tolerated = normal_distance(CHANCE) * HEAVY
        found: list[Unusual] = []
        for figure in FIGURES:
            profile, value = profiles.get(figure.name), figure.of(hour)
            if profile is None or value is None:
                continue
            floor = FLOORS[figure.name]
            expected = profile.usual.at(point.ended)
            score = (log1p(value / floor) - expected) / profile.deviation
            if score > tolerated or (score < -tolerated and figure.name not in HARMLESS):
                found.append(
                    Unusual(
                        figure=figure.name,
                        unit=figure.unit,
                        at=moment(point.ended),
                        seen=value,
                        usual=floor * expm1(expected),
                        score=score,
                    )
                )
        return found
