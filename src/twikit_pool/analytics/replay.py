"""The recorded load once more, with other settings: the scaling engine itself, over a model of its pool.

Each minute of a day brings the requests that it brought, which hold connections for as long as they did. The
engine sees them a quarter of a minute later, as it does in a pool: `scaling.meter` averages over 15 seconds,
of which chance makes more or less than a quarter of the minute. That chance repeats: it depends on the day
alone, so equal recordings give equal answers, and two settings meet the same. What is decided holds for the
rest of the minute. While there are connections enough the share of late requests is Erlang-C's, and what
comes beyond them is a queue that fills and drains like water (the fluid limit of M/M/c; Newell, Applications
of Queueing Theory, 1971).

A pool opens a connection for who waits, too, without being told, up to `max_connections`; so does this.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import ceil, exp, sqrt
from typing import Final, NamedTuple

from twikit_pool.analytics.recording import MINUTE, Hour, Minute, Recorded
from twikit_pool.analytics.seasonal import DAY
from twikit_pool.analytics.service_level import load_of
from twikit_pool.analytics.sizing import usual_service, window_floors
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.scaling.engine import ScalingEngine
from twikit_pool.scaling.erlang import connections_for, late_share
from twikit_pool.scaling.forecast import OnlineForecaster, Prediction
from twikit_pool.scaling.load import EndpointDemand, Load
from twikit_pool.scaling.quality import SizeStep, flaps, waste

SEEN_AFTER: Final = 15.0
"""Seconds of a minute after which the engine has seen its load; as `scaling.meter.SPAN`."""

SCATTER: Final = 0.5
"""By how much the times for which requests hold a connection scatter, as a share of their mean."""

BUCKET: Final = 300.0
"""Seconds of the forecast's buckets."""

WHOLE: Final = 12 * 60
"""Minutes that a day must have to be replayed."""

WIDE: Final = 1e6
"""Calls that a window allows, where only the accounts it takes are known: chance scatters nothing then."""


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


@dataclass(frozen=True, slots=True)
class _MinuteLoad:
    """A minute, and what follows from it: erlangs, and connections that cannot serve."""

    minute: Minute
    arrivals: float
    service: float
    floor: int
    offered: float
    away: int

    @classmethod
    def of(cls, minute: Minute, usual: float, floor: int) -> _MinuteLoad:
        arrivals, service = minute.came / minute.seconds, minute.service or usual
        away = round(minute.reserved + minute.unhealthy)
        return cls(minute, arrivals, service, floor, arrivals * service, away)


class Replay:
    """The recorded load of a pool, ready to be played with any settings.

    Args:
        recorded: what was recorded.
        needed: the connections that each of its minutes needed.
    """

    def __init__(self, recorded: Recorded, needed: Sequence[int]) -> None:
        usual = usual_service(recorded.minutes)
        floors = window_floors(recorded)
        loads = [
            (
                _MinuteLoad.of(minute, usual, floor),
                each * minute.seconds / 3600,
            )
            for minute, floor, each in zip(recorded.minutes, floors, needed, strict=True)
        ]
        by_day = groupby(loads, key=lambda pair: pair[0].minute.at // DAY * DAY)
        days = {day: list(group) for day, group in by_day}
        self._days: Final = {day: group for day, group in days.items() if len(group) >= WHOLE}
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
        loads = self._days[day]
        usable = None if self._accounts is None else max(1, self._accounts - fewer_accounts)
        forecaster = None
        if config.enable_predictive_scaling and "forecast" in config.scaling_rules:
            forecaster = _Played(self._predictions())
        chance = random.Random(day)  # noqa: S311 - it repeats
        pool = _Pool(config, self._opening, usable, round(loads[0][0].minute.total), chance)
        engine = ScalingEngine(config, forecaster, bucket=BUCKET) if scales(config) else None
        for load, _ in loads:
            pool.pass_minute(load, engine)
        return DayPlayed(
            begins=day,
            requests=pool.requests,
            late=pool.late,
            timed_out=pool.timed_out,
            hours=pool.seconds / 3600,
            needed=sum(each for _, each in loads),
            steps=len(pool.steps),
            taken_back=flaps(pool.steps),
            largest=pool.largest,
        )

    def _predictions(self) -> Mapping[float, Mapping[float, Prediction]]:
        """What the forecaster says after each bucket."""
        if self._said is None:
            self._said = _predictions(self._before, [load for day in self._days.values() for load, _ in day])
        return self._said


def scales(config: ConnectionPoolConfig) -> bool:
    """Whether the engine resizes a pool with these settings."""
    return config.enable_auto_scaling and not config.scaling_dry_run


def _predictions(
    before: Sequence[Hour], loads: Iterable[_MinuteLoad]
) -> Mapping[float, Mapping[float, Prediction]]:
    forecaster = OnlineForecaster(BUCKET)
    forecaster.warm_up([], hours=[(each.at, load_of(each.point)) for each in before])
    said: dict[float, Mapping[float, Prediction]] = {}
    for bucket, group in groupby(loads, key=lambda each: each.minute.at // BUCKET * BUCKET):
        values = [each.offered for each in group]
        forecaster.learn(bucket, sum(values) / len(values))
        said[bucket] = forecaster.predict()
    return said


# ---------------------------------------------------------------- the pool


class _Pool:
    """A pool as a number of connections and a queue."""

    def __init__(
        self,
        config: ConnectionPoolConfig,
        opening: float,
        usable: int | None,
        size: int,
        chance: random.Random,
    ) -> None:
        self._gauss = chance.gauss
        self._config = config
        self._opening = opening
        self._usable = usable
        most = config.max_connections
        if usable is not None:
            most = min(most, usable * config.max_connections_per_account)
        self._most = max(1, most)
        least = min(config.min_connections, self._most)
        self._size = min(max(size, least, 1), self._most)
        self._queue = 0.0
        self._waited = 0.0
        self.requests = self.late = self.timed_out = self.seconds = 0.0
        self.steps: list[SizeStep] = []
        self.largest = self._size

    def pass_minute(self, load: _MinuteLoad, engine: ScalingEngine | None) -> None:
        """A minute with this load."""
        length = load.minute.seconds
        lag = min(SEEN_AFTER, length)
        self._flow(load, lag)
        before = self._size
        if engine is not None:
            decided = engine.analyze_scaling_needs(self._load(load), self._size, int(self._queue))
            self._size = max(1, min(decided.target_size, self._most))
        serving = self._serving(load)
        if load.offered >= serving and self._size < self._most:
            self._flow(load, min(self._opening, length - lag))
            lag += min(self._opening, length - lag)
            spare = serving - self._size
            self._size = min(self._most, ceil(load.offered) + 1 - spare)  # opened for those who wait
        if self._size != before:
            self.steps.append(SizeStep(load.minute.at, before, self._size))
            self.largest = max(self.largest, self._size)
        self._flow(load, length - lag)

    def _serving(self, load: _MinuteLoad) -> int:
        return max(1, self._size - load.away)

    def _flow(self, load: _MinuteLoad, seconds: float) -> None:
        """So many seconds, in which the size does not change."""
        if seconds <= 0:
            return
        self.seconds += self._size * seconds
        came = load.arrivals * seconds
        self.requests += came
        self._waited = 0.0
        if not came and not self._queue:
            return
        serving, wait = self._serving(load), self._config.scaling_target_wait
        rate = serving / load.service
        if load.arrivals >= rate:
            grows = load.arrivals - rate
            room = wait * rate - self._queue
            on_time = min(seconds, max(0.0, room) / grows) if grows > 0 else (seconds if room > 0 else 0.0)
            self.late += load.arrivals * (seconds - on_time)
            self._queue += grows * seconds
        else:
            drains = min(seconds, self._queue / (rate - load.arrivals))
            late_for = min(drains, max(0.0, self._queue - wait * rate) / (rate - load.arrivals))
            self.late += load.arrivals * late_for
            self._queue = max(0.0, self._queue - (rate - load.arrivals) * seconds)
            waits = _waits(serving, round(load.offered, 2))
            spare = serving - load.offered
            self.late += load.arrivals * (seconds - late_for) * waits * exp(-spare * wait / load.service)
            self._waited = waits * load.service / spare
        self._give_up(rate)
        self._waited = max(self._waited, self._queue / rate)

    def _give_up(self, rate: float) -> None:
        patience = self._config.acquire_timeout
        if patience is not None and self._queue > patience * rate:
            self.timed_out += self._queue - patience * rate
            self._queue = patience * rate

    def _load(self, load: _MinuteLoad) -> Load:
        """As the engine sees it."""
        minute, serving = load.minute, self._serving(load)
        seen = min(SEEN_AFTER, minute.seconds)
        share, gauss = seen / minute.seconds, self._gauss
        scatter = sqrt(minute.came * share * (1 - share)) * gauss(0.0, 1.0)
        came = max(0.0, minute.came * share + scatter)
        service = load.service * max(0.1, 1 + SCATTER * gauss(0.0, 1.0) / sqrt(max(came, 1.0)))
        demand: tuple[EndpointDemand, ...] = ()
        if load.floor:
            rate = load.floor - 0.5  # what takes this many accounts, and not one more
            demand = (EndpointDemand(endpoint="recorded", rate=rate * WIDE, sustained=WIDE, window=1.0),)
        return Load(
            moment=minute.at + SEEN_AFTER,
            epoch=minute.at + SEEN_AFTER,
            active=min(came / seen * service, serving),
            reserved=round(minute.reserved),
            unhealthy=round(minute.unhealthy),
            arrivals=came / seen,
            service=service if came else None,
            acquisition=self._waited,
            error_rate=minute.errors / minute.calls if minute.calls else None,
            limited_rate=0.0,
            demand=demand,
            accounts_usable=self._usable,
            opening=self._opening,
        )


@lru_cache(maxsize=50_000)
def _waits(serving: int, offered: float) -> float:
    """The share of the requests that wait at all."""
    return late_share(serving, offered, 1.0, 0.0)


def needed_for(load: float, service: float, config: ConnectionPoolConfig) -> int:
    """The connections for a load in erlangs, by the pool's own objective."""
    return connections_for(load, service, config.scaling_target_wait, config.scaling_late_share)


__all__ = ["MINUTE", "DayPlayed", "Replay", "flaps_of", "hours_of", "late_share_of", "needed_for", "waste_of"]
