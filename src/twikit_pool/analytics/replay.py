"""The recorded load once more, with other settings: the scaling engine itself, over a model of its pool.

Each minute of a day brings the requests that it brought, which hold connections for as long as they did
(`pool_model`). What the engine sees of a minute has its chance, which depends on the day alone: equal
recordings give equal answers, and two settings meet the same.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from twikit_pool.analytics.pool_model import MinuteLoad, ModelPool
from twikit_pool.analytics.recording import Hour, Minute, Recorded
from twikit_pool.analytics.seasonal import DAY
from twikit_pool.analytics.service_level import load_of
from twikit_pool.analytics.sizing import usual_service, window_floors
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.scaling.engine import ScalingEngine
from twikit_pool.scaling.forecast import OnlineForecaster, Prediction
from twikit_pool.scaling.quality import flaps, waste

BUCKET: Final = 300.0
"""Seconds of the forecast's buckets."""

HORIZONS: Final = (300.0, 900.0, 3600.0)
"""Seconds ahead that it says something of; those of a pool's."""

WHOLE: Final = 12 * 60
"""Minutes that a day must have to be replayed."""


class DayPlayed(NamedTuple):
    """What a day came to.

    Attributes:
        begins: when, in seconds since 1970.
        requests: that came; `late` of them waited too long, and `timed_out` in vain.
        hours: connection-hours; `needed` of them by somebody who knows each minute's load.
        steps: changes of size; `taken_back` of them within 15 minutes.
        largest: the most connections at a time.
    """

    begins: float
    requests: float
    late: float
    timed_out: float
    hours: float
    needed: float
    steps: int
    taken_back: int
    largest: int


def late_share_of(days: Iterable[DayPlayed]) -> float:
    """Share of the requests that waited too long."""
    every = tuple(days)
    requests = sum(each.requests for each in every)
    return sum(each.late for each in every) / requests if requests else 0.0


def waste_of(days: Iterable[DayPlayed]) -> float:
    """Connection-hours over those that were needed, less one."""
    every = tuple(days)
    return waste(sum(each.hours for each in every), sum(each.needed for each in every)) or 0.0


def flaps_of(days: Iterable[DayPlayed]) -> float:
    """Steps that were taken back, a day."""
    every = tuple(days)
    return sum(each.taken_back for each in every) / len(every) if every else 0.0


def hours_of(days: Iterable[DayPlayed]) -> float:
    """Connection-hours a day."""
    every = tuple(days)
    return sum(each.hours for each in every) / len(every) if every else 0.0


class _Played:
    """Repeats what a forecaster said after each bucket: it learns the same, whatever is tried."""

    def __init__(self, said: Mapping[float, Mapping[float, Prediction]]) -> None:
        self._said = said
        self._now: Mapping[float, Prediction] = {}

    def learn(self, moment: float, load: float | None) -> None:
        del load
        self._now = self._said.get(moment // BUCKET * BUCKET, {})

    def predict(self) -> Mapping[float, Prediction]:
        return self._now


class _Day(NamedTuple):
    """The minutes of a day, and the connection-hours that they needed."""

    loads: Sequence[MinuteLoad]
    needed: float


class Replay:
    """The recorded load of a pool, ready to be played with any settings.

    Args:
        recorded: what was recorded.
        needed: the connections that each of its minutes needed.
    """

    def __init__(self, recorded: Recorded, needed: Sequence[int]) -> None:
        usual = usual_service(recorded.minutes)
        floors = window_floors(recorded)
        by_day: defaultdict[float, list[tuple[Minute, int, int]]] = defaultdict(list)
        for minute, floor, each in zip(recorded.minutes, floors, needed, strict=True):
            by_day[minute.at // DAY * DAY].append((minute, floor, each))
        self._days: Final[dict[float, _Day]] = {}
        for day, minutes in by_day.items():
            if len(minutes) >= WHOLE:
                chance = random.Random(day)  # noqa: S311 - it repeats
                loads = [MinuteLoad.of(minute, usual, floor, chance) for minute, floor, _ in minutes]
                self._days[day] = _Day(
                    loads, sum(each * minute.seconds for minute, _, each in minutes) / 3600
                )
        self._before: Final = recorded.before
        self._opening: Final = recorded.facts.opening
        self._accounts: Final = recorded.facts.accounts
        self._said: Mapping[float, Mapping[float, Prediction]] | None = None

    @property
    def days(self) -> Sequence[float]:
        """When the days begin that can be replayed: those of which at least half was recorded."""
        return tuple(self._days)

    def play(
        self,
        config: ConnectionPoolConfig,
        days: Iterable[float] | None = None,
        *,
        fewer_accounts: int = 0,
    ) -> list[DayPlayed]:
        """Play the days, each by itself, from the size that it began with.

        Args:
            config: the settings.
            days: when those begin that are played; all if not given.
            fewer_accounts: how many of the accounts are left out.
        """
        chosen = self.days if days is None else days
        return [self._play(config, day, fewer_accounts) for day in chosen]

    def _play(self, config: ConnectionPoolConfig, day: float, fewer_accounts: int) -> DayPlayed:
        loads, needed = self._days[day]
        usable = None if self._accounts is None else max(1, self._accounts - fewer_accounts)
        forecaster = None
        if config.enable_predictive_scaling and "forecast" in config.scaling_rules:
            forecaster = _Played(self._predictions())
        pool = ModelPool(config, self._opening, usable, round(loads[0].minute.total))
        engine = ScalingEngine(config, forecaster, bucket=BUCKET) if scales(config) else None
        for load in loads:
            pool.pass_minute(load, engine)
        return DayPlayed(
            begins=day,
            requests=pool.requests,
            late=pool.late,
            timed_out=pool.timed_out,
            hours=pool.seconds / 3600,
            needed=needed,
            steps=len(pool.steps),
            taken_back=flaps(pool.steps),
            largest=pool.largest,
        )

    def _predictions(self) -> Mapping[float, Mapping[float, Prediction]]:
        """What the forecaster says after each bucket."""
        if self._said is None:
            loads = [load for day in self._days.values() for load in day.loads]
            self._said = _predictions(self._before, loads, self._opening)
        return self._said


def scales(config: ConnectionPoolConfig) -> bool:
    """Whether the engine resizes a pool with these settings."""
    return config.enable_auto_scaling and not config.scaling_dry_run


def _predictions(
    before: Sequence[Hour], loads: Iterable[MinuteLoad], opening: float
) -> Mapping[float, Mapping[float, Prediction]]:
    # The engine asks for the first horizon by which a connection is open; others are learned apart from it.
    horizons = (BUCKET,) if opening <= BUCKET else HORIZONS
    forecaster = OnlineForecaster(BUCKET, horizons)
    forecaster.warm_up([], hours=[(each.at, load_of(each.point)) for each in before])
    said: dict[float, Mapping[float, Prediction]] = {}
    for bucket, group in groupby(loads, key=lambda each: each.minute.at // BUCKET * BUCKET):
        values = [each.offered for each in group]
        forecaster.learn(bucket, sum(values) / len(values))
        said[bucket] = forecaster.predict()
    return said
