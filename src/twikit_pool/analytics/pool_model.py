"""A pool as a number of connections and a queue, through which minutes of load pass.

The engine sees a minute's load a quarter into it, as it does in a pool: `scaling.meter` averages over 15
seconds, of which chance makes more or less than a quarter of the minute. What is decided holds for the rest
of the minute. While there are connections enough the share of late requests is Erlang-C's, and what comes
beyond them is a queue that fills and drains like water (the fluid limit of M/M/c; Newell, Applications of
Queueing Theory, 1971).

A pool opens a connection for who waits, too, without being told, up to `max_connections`; so does this.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, sqrt
from typing import Final

from twikit_pool.analytics.recording import Minute
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.scaling.engine import ScalingEngine
from twikit_pool.scaling.erlang import late_share
from twikit_pool.scaling.load import EndpointDemand, Load
from twikit_pool.scaling.quality import SizeStep

SEEN_AFTER: Final = 15.0
"""Seconds of a minute after which the engine has seen its load; as `scaling.meter.SPAN`."""

SCATTER: Final = 0.5
"""By how much the times for which requests hold a connection scatter, as a share of their mean."""

WIDE: Final = 1e6
"""Calls that a window allows, where only the accounts it takes are known: chance scatters nothing then."""


@dataclass(frozen=True, slots=True)
class MinuteLoad:
    """A minute, and what follows from it.

    Attributes:
        minute: as it was recorded.
        arrivals: requests a second; each holds a connection for `service` seconds; `offered` is erlangs.
        reserved, unhealthy: connections; `away` are both.
        error_rate: share of the calls that failed; None without calls.
        demand: what rate windows take.
        seen_arrivals, seen_service: the same in the 15 seconds that the engine sees.
    """

    minute: Minute
    arrivals: float
    service: float
    offered: float
    reserved: int
    unhealthy: int
    away: int
    error_rate: float | None
    demand: tuple[EndpointDemand, ...]
    seen_arrivals: float
    seen_service: float

    @classmethod
    def of(cls, minute: Minute, usual: float, floor: int, chance: random.Random) -> MinuteLoad:
        """A minute with its chance.

        Args:
            minute: as it was recorded.
            usual: seconds of service where nobody knows.
            floor: accounts that rate windows took.
            chance: what is drawn from.
        """
        arrivals, service = minute.came / minute.seconds, minute.service or usual
        reserved, unhealthy = round(minute.reserved), round(minute.unhealthy)
        seen = min(SEEN_AFTER, minute.seconds)
        share = seen / minute.seconds
        scatter = sqrt(minute.came * share * (1 - share)) * chance.gauss(0.0, 1.0)
        came = max(0.0, minute.came * share + scatter)
        longer = SCATTER * chance.gauss(0.0, 1.0) / sqrt(max(came, 1.0))
        demand: tuple[EndpointDemand, ...] = ()
        if floor:
            rate = floor - 0.5  # what takes this many accounts, and not one more
            demand = (EndpointDemand(endpoint="recorded", rate=rate * WIDE, sustained=WIDE, window=1.0),)
        return cls(
            minute=minute,
            arrivals=arrivals,
            service=service,
            offered=arrivals * service,
            reserved=reserved,
            unhealthy=unhealthy,
            away=reserved + unhealthy,
            error_rate=minute.errors / minute.calls if minute.calls else None,
            demand=demand,
            seen_arrivals=came / seen,
            seen_service=service * max(0.1, 1 + longer),
        )


class ModelPool:
    """A pool in the model.

    Args:
        config: its settings.
        opening: seconds that opening a connection takes.
        usable: accounts that it may use; None for as many as it wants.
        size: connections that it begins with.

    Attributes:
        requests: that came; `late` of them waited too long, and `timed_out` in vain.
        seconds: connection-seconds.
        steps: changes of size.
        largest: the most connections at a time.
    """

    def __init__(
        self,
        config: ConnectionPoolConfig,
        opening: float,
        usable: int | None,
        size: int,
    ) -> None:
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

    def pass_minute(self, load: MinuteLoad, engine: ScalingEngine | None) -> None:
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

    def _serving(self, load: MinuteLoad) -> int:
        return max(1, self._size - load.away)

    def _flow(self, load: MinuteLoad, seconds: float) -> None:
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

    def _load(self, load: MinuteLoad) -> Load:
        """As the engine sees it."""
        moment, serving = load.minute.at + SEEN_AFTER, self._serving(load)
        return Load(
            moment=moment,
            epoch=moment,
            active=min(load.seen_arrivals * load.seen_service, serving),
            reserved=load.reserved,
            unhealthy=load.unhealthy,
            arrivals=load.seen_arrivals,
            service=load.seen_service if load.seen_arrivals else None,
            acquisition=self._waited,
            error_rate=load.error_rate,
            limited_rate=0.0,
            demand=load.demand,
            accounts_usable=self._usable,
            opening=self._opening,
        )


@lru_cache(maxsize=50_000)
def _waits(serving: int, offered: float) -> float:
    """The share of the requests that wait at all."""
    return late_share(serving, offered, 1.0, 0.0)
