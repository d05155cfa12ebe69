"""A pool in discrete events: random calls, one line, connections that come and go as an engine decides.

Every call is simulated: it comes at a random moment (Poisson, at the trace's rate), holds a connection for a
lognormal time, and waits in the order of arrival while none is free. Between two looks of the engine the
connections are known, so a call's start is `max(arrival, first connection free)`, exactly; calls that
would start later stay in line until the next look.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import cycle
from math import log
from typing import Final

from twikit_pool.scaling import Load, ScalingEngine

SERVICE: Final = 0.4
"""Mean seconds that a call holds its connection."""
SPREAD: Final = 0.5
"""Of the logarithm of that time."""
LATE: Final = 0.1
"""Seconds after which a caller has waited too long."""
TICK: Final = 15.0
"""Seconds between two looks of the engine."""
MINUTE: Final = 60.0
DAY: Final = 86_400.0
KEPT_PARKED: Final = DAY
"""Seconds that a parked session stays loaded."""
REOPENING: Final = 0.005
"""Seconds that opening a parked session takes."""


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        hours: connection-hours, from when a connection is ordered to when it is gone.
        calls: calls that started.
        late: those that had waited too long.
        opened: connections opened.
        logins: those of them that no parked session served.
    """

    hours: float = 0.0
    calls: int = 0
    late: int = 0
    opened: int = 0
    logins: int = 0


@dataclass(slots=True)
class Parked:
    """Sessions that were scaled down and stay loaded; the one parked last is reopened first."""

    since: list[float] = field(default_factory=list)

    def park(self, now: float) -> None:
        self.since.append(now)

    def reopen(self, now: float) -> bool:
        """Whether there was one; those parked for too long are gone."""
        if not self.since or now - self.since.pop() > KEPT_PARKED:
            self.since.clear()
            return False
        return True


def simulate(
    rates: Sequence[float],
    engine: ScalingEngine,
    size: int,
    opening: tuple[float, float],
    *,
    seed: int,
    parking: bool = False,
    epoch: float = 0.0,
) -> Outcome:
    """Run a pool through a day or more.

    Args:
        rates: calls a second, tick by tick.
        engine: it decides after each tick.
        size: connections to begin with.
        opening: the least and the most seconds that opening a connection takes.
        seed: chance.
        parking: whether connections that go are parked.
        epoch: when it begins, in epoch seconds.
    """
    rng = random.Random(seed)  # noqa: S311 - chance that repeats
    outcome, parked = Outcome(), Parked()
    free = [0.0] * size  # when each connection is free; those being opened from when they are open
    heapify(free)
    waiting: list[float] = []
    chances = Chances(rng)
    mean_opening = sum(opening) / 2
    for number, rate in enumerate(rates):
        begins, ends = number * TICK, (number + 1) * TICK
        before = len(waiting)
        waiting += chances.arrivals(rate, begins, ends)
        came = len(waiting) - before
        started, late, busy, waited = _serve(waiting, free, ends, chances.services)
        del waiting[:started]
        outcome.calls += started
        outcome.late += late
        outcome.hours += len(free) * TICK / 3600
        opens = mean_opening if not parking or not parked.since else REOPENING
        load = Load(
            moment=ends,
            epoch=epoch + ends,
            active=min(busy / TICK, len(free)),
            arrivals=came / TICK,
            service=busy / started if started else None,
            acquisition=waited / started if started else None,
            error_rate=0.0,
            limited_rate=0.0,
            opening=opens,
        )
        target = engine.analyze_scaling_needs(load, len(free), len(waiting)).target_size
        for _ in range(target - len(free)):
            outcome.opened += 1
            if parking and parked.reopen(ends):
                heappush(free, ends + REOPENING)
            else:
                outcome.logins += 1
                heappush(free, ends + rng.uniform(*opening))
        for _ in range(len(free) - target):
            heappop(free)  # the one that is free first; it ends its call
            parked.park(ends)
    return outcome


class Chances:
    """What is left to chance, drawn beforehand: two primes of numbers, so that no pair comes back soon."""

    def __init__(self, rng: random.Random) -> None:
        middle = log(SERVICE) - SPREAD**2 / 2
        self.services: Final[Iterator[float]] = cycle(
            [rng.lognormvariate(middle, SPREAD) for _ in range(65_521)]
        )
        self._gaps: Final[Iterator[float]] = cycle([rng.expovariate(1.0) for _ in range(65_537)])

    def arrivals(self, rate: float, begins: float, ends: float) -> list[float]:
        """The moments at which calls come, so many a second."""
        came: list[float] = []
        if rate <= 0:
            return came
        mean, now = 1 / rate, begins
        for gap in self._gaps:
            now += gap * mean
            if now >= ends:
                break
            came.append(now)
        return came


def _serve(
    waiting: list[float], free: list[float], ends: float, services: Iterator[float]
) -> tuple[int, int, float, float]:
    """Start what can start before `ends`.

    Returns:
        The calls started, those of them that were late, and their seconds of service and of waiting.
    """
    started = late = 0
    busy = waited = 0.0
    for came, service in zip(waiting, services, strict=False):
        start = free[0]
        if start <= came:
            start = came
        elif start >= ends:
            break
        else:
            waited += start - came
            late += start - came > LATE
        heapreplace(free, start + service)
        busy += service
        started += 1
    return started, late, busy, waited
