"""Weeks of a pool, call by call: what its history would have kept, with faults planted in it or without.

Calls come at random and hold a connection for a lognormal time; the real engine looks every 15 seconds, and
the pool opens a connection for who waits, as ours does. Nothing of this is the replay's model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush, heapreplace
from math import cos, log, pi
from typing import Any

from benchmarks._sizing_model import Chances
from twikit_pool.analytics.recording import Facts, Hour, Minute, Recorded
from twikit_pool.analytics.seasonal import weekend
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import AccountFigures, Point, Times
from twikit_pool.scaling import Load, ScalingEngine

BEGINS = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday
DAY, HOUR, MINUTE, TICK = 86_400, 3_600, 60.0, 15.0
SERVICE, SPREAD = 3.0, 0.5
OPENING = 2.0

Rate = Callable[[float], float]


def usual_rate(at: float) -> float:
    """Calls a second: 1 at night, 3 in the afternoon, less at weekends."""
    hour = at % DAY / HOUR
    return (2 - cos((hour - 3) / 24 * 2 * pi)) * (0.6 if weekend(at) else 1.0)


def rate_with_noon(at: float) -> float:
    """The same with twice as many from 12 to 13 on working days."""
    noon = 12 * HOUR <= at % DAY < 13 * HOUR and not weekend(at)
    return usual_rate(at) * (2.5 if noon else 1.0)


@dataclass
class Fleet:
    """Accounts, and how often their calls fail."""

    count: int = 40
    base: float = 0.01
    bad_proxy: str | None = None
    behind: int = 6
    proxy_rate: float = 0.25
    dying: str | None = None

    def proxies(self) -> dict[str, str]:
        ways = ["a.example:3128", "b.example:3128", "c.example:3128", "d.example:3128"]
        found = {f"account_{n:02}": ways[n % 4] for n in range(self.count)}
        if self.bad_proxy is not None:
            found |= {f"account_{n:02}": self.bad_proxy for n in range(self.behind)}
        return found

    def error_rate(self, account: str, day: int, days: int) -> float:
        if account == self.dying:
            return 0.1 + 0.6 * day / max(1, days - 1)
        return self.proxy_rate if self.proxies()[account] == self.bad_proxy else self.base


@dataclass
class Week:
    """What a simulated pool did, minute by minute."""

    config: ConnectionPoolConfig
    points: list[tuple[float, Point]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    events: dict[str, list[KeptEvent]] = field(default_factory=lambda: {"scaling": [], "account": []})
    accounts: list[dict[str, AccountFigures]] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)

    def recorded(self, days: float | None = None) -> Recorded:
        points = self.points
        ends = points[-1][0] + MINUTE
        begins = points[0][0] if days is None else ends - days * DAY
        minutes = [minute_of(at, each) for at, each in points if at >= begins]
        by_hour: dict[float, list[Point]] = {}
        for at, each in points:
            by_hour.setdefault(at // HOUR * HOUR, []).append(each)
        hours = [Hour(at, Point.merged(some)) for at, some in by_hour.items()]
        return Recorded(
            pool_id="default",
            since=begins,
            until=ends,
            minutes=minutes,
            hours=[each for each in hours if each.at >= begins],
            before=[each for each in hours if each.at < begins],
            accounts=self.accounts,
            events=self.events,
            facts=Facts(
                config=self.config, accounts=self.fleet.count, proxies=self.fleet.proxies(), opening=OPENING
            ),
        )


def minute_of(at: float, point: Point) -> Minute:
    return Minute(
        at=at,
        seconds=point.seconds,
        total=point.total,
        reserved=point.reserved,
        unhealthy=point.unhealthy,
        most=point.most,
        acquired=point.acquired,
        timed_out=point.timed_out,
        busy=point.busy_time,
        calls=point.calls,
        errors=point.errors,
    )


def point_of(at: float, seconds: float, **figures: Any) -> Point:
    """A point with these figures, and nothing else."""
    plain: dict[str, Any] = dict.fromkeys(Point.__struct_fields__, 0)
    plain |= dict.fromkeys(("memory", "cpu", "network", "target", "wanted"))
    plain |= {"outcomes": {}, "acquisition": Times(), "queue": Times(), "response": Times()}
    return Point(**{**plain, "ended": at + seconds, "seconds": seconds, **figures})


def event_of(at: float, kind: str, name: str, account: str | None = None, **fields: Any) -> KeptEvent:
    return KeptEvent(
        at=datetime.fromtimestamp(at, UTC),
        kind=kind,
        type=name,
        pool_id="default",
        account_id=account,
        fields=fields,
    )


def week(
    config: ConnectionPoolConfig, rate: Rate, *, days: int = 7, seed: int = 1, fleet: Fleet | None = None
) -> Week:
    """Simulate so many days."""
    made = Week(config, fleet=fleet or Fleet())
    _Simulation(made, rate, random.Random(seed)).run(days)
    _spread_over_accounts(made, days, random.Random(seed + 1))
    return made


class _Simulation:
    def __init__(self, made: Week, rate: Rate, rng: random.Random) -> None:
        self.made, self.rate, self.config = made, rate, made.config
        self.engine = ScalingEngine(made.config)
        self.arrivals = Chances(rng).arrivals
        middle = log(SERVICE) - SPREAD**2 / 2
        self.services = [rng.lognormvariate(middle, SPREAD) for _ in range(65_521)]
        self.drawn = 0
        self.free = [BEGINS] * made.config.initial_connections
        heapify(self.free)
        self.waiting: list[float] = []
        self.error = rng

    def run(self, days: int) -> None:
        for minute in range(days * 1440):
            self.minute(BEGINS + minute * MINUTE)

    def minute(self, at: float) -> None:
        acquisition, queue, response = Histogram(), Histogram(), Histogram()
        acquired, busy, ups, downs, size = 0, 0.0, 0, 0, 0.0
        for tick in range(4):
            begins = at + tick * TICK
            ends = begins + TICK
            self.waiting += self.arrivals(self.rate(begins), begins, ends)
            came, started, held, waited = len(self.waiting), 0, 0.0, 0.0
            for arrived in self.waiting:
                start = max(arrived, self.free[0])
                if start - arrived > OPENING and len(self.free) < self.config.max_connections:
                    heappush(self.free, start := arrived + OPENING)
                if start >= ends:
                    break
                service = self.services[self.drawn % 65_521]
                self.drawn += 1
                heapreplace(self.free, start + service) if start >= self.free[0] else None
                acquisition.add(wait := start - arrived)
                if wait > 0:
                    queue.add(wait)
                self.made.waits.append(wait)
                response.add(service)
                started, held, waited = started + 1, held + service, waited + wait
            del self.waiting[:started]
            acquired, busy, size = acquired + started, busy + held, size + len(self.free) / 4
            before = len(self.free)
            load = Load(
                moment=ends,
                epoch=ends,
                active=min(held / TICK, before),
                arrivals=(came - len(self.waiting)) / TICK,
                service=held / started if started else None,
                acquisition=waited / started if started else None,
                error_rate=0.0,
                limited_rate=0.0,
                opening=OPENING,
            )
            decided = self.engine.analyze_scaling_needs(load, before, len(self.waiting))
            for _ in range(decided.target_size - before):
                heappush(self.free, ends + OPENING)
            for _ in range(before - decided.target_size):
                heappop(self.free)
            if decided.target_size != before:
                ups, downs = ups + (decided.target_size > before), downs + (decided.target_size < before)
                self.made.events["scaling"].append(
                    event_of(
                        ends,
                        "scaling",
                        "scaling_executed",
                        before=before,
                        size=decided.target_size,
                        reason=decided.reason,
                    )
                )
        errors = sum(self.error.random() < 0.01 for _ in range(acquired))
        self.made.points.append(
            (
                at,
                point_of(
                    at,
                    MINUTE,
                    total=size,
                    active=busy / MINUTE,
                    most=self.config.max_connections,
                    queued=len(self.waiting),
                    acquired=acquired,
                    busy_time=busy,
                    calls=acquired,
                    errors=errors,
                    scale_ups=ups,
                    scale_downs=downs,
                    outcomes={"ok": acquired - errors, "transient": errors},
                    acquisition=Times.of(acquisition),
                    queue=Times.of(queue),
                    response=Times.of(response),
                ),
            )
        )


def _spread_over_accounts(made: Week, days: int, rng: random.Random) -> None:
    fleet = made.fleet
    names = list(fleet.proxies())
    for day in range(days):
        since = BEGINS + day * DAY
        calls = sum(each.calls for at, each in made.points if since <= at < since + DAY)
        counts: Mapping[str, list[int]] = {name: [0, 0] for name in names}
        rates = {name: fleet.error_rate(name, day, days) for name in names}
        for _ in range(calls):
            name = names[int(rng.random() * len(names))]
            counts[name][0] += 1
            counts[name][1] += rng.random() < rates[name]
        made.accounts.append(
            {name: AccountFigures(calls=c, errors=e, response=Times()) for name, (c, e) in counts.items()}
        )
        if fleet.dying is not None:
            made.events["account"] += [
                event_of(
                    since + hour * HOUR,
                    "account",
                    "account_state_changed",
                    fleet.dying,
                    state=("quarantined", "active")[hour % 2],
                    before=("active", "quarantined")[hour % 2],
                    reason="X answered 403",
                )
                for hour in range(2, 2 + 2 * (day + 1))
            ]
