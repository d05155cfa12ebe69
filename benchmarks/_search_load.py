"""A load of searches on accounts that may search 50 times a window, sized by a scaling engine."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from twikit_pool.scaling import EndpointDemand, Load, ScalingEngine

CALLS: Final = 50
WINDOW: Final = 900.0
"""What X allows of SearchTimeline, and the seconds in which it does."""
SERVICE: Final = 0.4
TICK: Final = 15.0
DAY: Final = 86_400.0
MEAN: Final = 5.0
SWING: Final = 0.8
"""Searches a second, and the share by which they swing in a day."""


@dataclass(slots=True)
class Account:
    """One account's window of searches."""

    ends: float = 0.0
    left: int = CALLS

    def search(self, now: float) -> bool:
        """Search, if the window lets it."""
        if now >= self.ends:
            self.ends, self.left = now + WINDOW, CALLS
        if not self.left:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Searches:
    """What came of a day.

    Attributes:
        calls: searches.
        dry: those for which no live account had any left.
        accounts: live accounts, on the mean.
    """

    calls: int = 0
    dry: int = 0
    accounts: float = 0.0


def search_for_a_day(engine: ScalingEngine, accounts: int, size: int, *, seed: int) -> Searches:
    """Searches come at random, more by day than by night; live accounts take them in turn."""
    rng = random.Random(seed)  # noqa: S311 - chance that repeats
    resting = deque(Account() for _ in range(accounts))
    live = deque(resting.popleft() for _ in range(size))
    found, ticks = Searches(), int(DAY / TICK)
    for number in range(ticks):
        begins, ends = number * TICK, (number + 1) * TICK
        rate = MEAN * (1 + SWING * math.sin(2 * math.pi * begins / DAY))
        now, came, served = begins, 0, 0
        while (now := now + rng.expovariate(rate)) < ends:
            came += 1
            served += _search(live, now)
        found.calls += came
        found.dry += came - served
        found.accounts += len(live) / ticks
        load = Load(
            moment=ends,
            epoch=ends,
            active=min(served * SERVICE / TICK, len(live)),
            arrivals=came / TICK,
            service=SERVICE,
            acquisition=0.0,
            error_rate=0.0,
            limited_rate=0.0,
            demand=(EndpointDemand(endpoint="SearchTimeline", rate=came / TICK, sustained=CALLS / WINDOW),),
            accounts_usable=accounts,
        )
        target = engine.analyze_scaling_needs(load, len(live), 0).target_size
        for _ in range(target - len(live)):
            live.append(resting.popleft())
        for _ in range(len(live) - target):
            resting.append(live.pop())
    return found


def _search(live: deque[Account], now: float) -> bool:
    """Whether an account had a search left: each is asked in turn."""
    for _ in range(len(live)):
        live.rotate(-1)
        if live[-1].search(now):
            return True
    return False
