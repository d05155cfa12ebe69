"""What happens in one pool, counted.

The hot path pays nothing for it: how many leases there were and how long they lasted, each connection knows
by itself, and a collection adds it up. Only requests that had to wait are counted one by one, which costs
little beside waiting. Calls and all that is rarer come as events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.events import (
    AccountLoggedIn,
    AcquireTimedOut,
    CallFinished,
    ConnectionChecked,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionOpenFailed,
    Event,
    PoolResized,
    ResourcesOptimized,
    ScalingDecided,
)
from twikit_pool.metrics.accounts import AccountTally, AccountTotals
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.pool_metrics import PoolMetrics
from twikit_pool.metrics.rates import Rate
from twikit_pool.pool.request import ConnectionPriority
from twikit_pool.pool.usage import use_of
from twikit_pool.resources.figures import Usage

if TYPE_CHECKING:
    from twikit_pool.pool.pool import TwikitConnectionPool

COUNTED: Final = (
    AccountLoggedIn,
    AcquireTimedOut,
    CallFinished,
    ConnectionChecked,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionOpenFailed,
    PoolResized,
    ResourcesOptimized,
    ScalingDecided,
)
"""The events that a tally hears."""

MOST_ACTIONS: Final = 256
"""Actions that are told apart: the table's, and names that callers give their calls; the rest is `OTHER`."""

OTHER: Final = "other"

PRIORITIES: Final = tuple(int(each) for each in ConnectionPriority)


class PoolTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a pool since its collection began; only ever more.

    Attributes:
        acquisition_times: of requests that had a connection.
        queue_times: of requests that waited, by priority.
        response_times: of calls, by action.
        calls: by action and outcome.
        timed_out: by priority.
        decisions: of the scaling engine that differed from the one before, by action.
        optimized: what the optimizer did, by kind of action.
        busy_time: seconds that connections were leased.
        dropped_events: as in `PoolMetrics`.
        happened: by name: connections opened and closed, openings that failed, checks passed and failed,
            scale-ups and scale-downs.
    """

    acquisition_times: Histogram
    queue_times: Mapping[int, Histogram]
    response_times: Mapping[str, Histogram]
    calls: Mapping[tuple[str, str], int]
    timed_out: Mapping[int, int]
    decisions: Mapping[str, int]
    optimized: Mapping[str, int]
    busy_time: float
    dropped_events: int
    happened: Mapping[str, int]


NOTHING: Final = PoolTotals(
    acquisition_times=Histogram(),
    queue_times={each: Histogram() for each in PRIORITIES},
    response_times={},
    calls={},
    timed_out=dict.fromkeys(PRIORITIES, 0),
    decisions={},
    optimized={},
    busy_time=0.0,
    dropped_events=0,
    happened=dict.fromkeys(
        (
            "opened",
            "closed",
            "open_failures",
            "checks_passed",
            "checks_failed",
            "logins",
            "scale_ups",
            "scale_downs",
        ),
        0,
    ),
)


class _Interval:
    """What is counted until the next collection."""

    __slots__ = ("began", "calls", "decisions", "happened", "late", "optimized", "response_times", "served")

    def __init__(self, began: float) -> None:
        self.began = began
        self.served = {each: Histogram() for each in PRIORITIES}
        self.late = {each: Histogram() for each in PRIORITIES}
        self.response_times: dict[str, Histogram] = {}
        self.calls: Counter[tuple[str, str]] = Counter()
        self.decisions: Counter[str] = Counter()
        self.optimized: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()


class Tally:
    """Counts for one pool, from now until `close`."""

    def __init__(self, pool: TwikitConnectionPool) -> None:
        self.pool = pool
        self.totals = NOTHING
        """All there was until the latest collection."""
        self.accounts: Mapping[str, AccountTotals] = {}
        """The same by account; empty unless it is asked for."""
        self._by_account: AccountTally | None = None
        now = pool.clock.monotonic()
        self._arrivals, self._calls = Rate(now), Rate(now)
        self._scaled_at: datetime | None = None
        self._decided: ScalingDecided | None = None
        self._leases, self._seconds, _, _ = use_of(pool.matching, now)
        self._interval = _Interval(now)
        pool.matching.waiting.listeners += (self._served,)

    def tell_accounts(self) -> None:
        """Count by account from now on, too."""
        self._by_account = self._by_account or AccountTally()

    def close(self) -> None:
        """Count no more."""
        waiting = self.pool.matching.waiting
        waiting.listeners = tuple(each for each in waiting.listeners if each != self._served)

    def _served(self, priority: int, seconds: float) -> None:
        self._interval.served[priority].add(seconds)

    def hear(self, event: Event) -> None:
        """Count an event of this pool."""
        happened = self._interval.happened
        match event:
            case CallFinished():
                self._call(event)
            case AcquireTimedOut():
                self._interval.late[event.priority].add(event.waited)
            case ConnectionChecked():
                happened["checks_passed" if event.well else "checks_failed"] += 1
            case ConnectionCreated():
                happened["opened"] += 1
            case ConnectionClosed():
                happened["closed"] += 1
            case ConnectionOpenFailed():
                happened["open_failures"] += 1
            case PoolResized() if event.size != event.before:
                happened["scale_ups" if event.size > event.before else "scale_downs"] += 1
                self._scaled_at = event.at
            case ScalingDecided():
                self._interval.decisions[event.action] += 1
                self._decided = event
            case AccountLoggedIn():
                happened["logins"] += 1
            case ResourcesOptimized() if not event.result["dry_run"]:
                self._interval.optimized.update(each["kind"] for each in event.result["actions"])
            case _:
                pass

    def _call(self, event: CallFinished) -> None:
        times, action = self._interval.response_times, event.action
        histogram = times.get(action)
        if histogram is None:
            known = self.totals.response_times
            if action not in known and len(known.keys() | times.keys()) >= MOST_ACTIONS:
                action = OTHER
            histogram = times.setdefault(action, Histogram())
        histogram.add(event.latency)
        self._interval.calls[action, event.outcome] += 1
        if self._by_account is not None:
            self._by_account.hear(event)

    def collect(self, usage: Usage, dropped: int) -> PoolMetrics:
        """The numbers of the interval that ends now; the next one begins.

        Args:
            usage: what the pool costs.
            dropped: events that nobody could count.
        """
        pool, matching = self.pool, self.pool.matching
        now = pool.clock.monotonic()
        leases, seconds, states, unhealthy = use_of(matching, now)
        acquired, self._leases = leases - self._leases, leases
        busy_time, self._seconds = max(seconds - self._seconds, 0.0), seconds
        interval, self._interval = self._interval, _Interval(now)
        acquisition_times = Histogram.merged(interval.served.values())
        acquisition_times.add(0.0, acquired - acquisition_times.count)
        self._add(interval, acquisition_times, busy_time, dropped)
        if self._by_account is not None:
            self.accounts = self._by_account.totals(pool, now)
        timed_out = sum(each.count for each in interval.late.values())
        calls: Counter[str] = Counter()
        for (_, outcome), times in interval.calls.items():
            calls[outcome] += times
        self._arrivals.update(acquired + timed_out, now)
        self._calls.update(calls.total(), now)
        happened = interval.happened
        return PoolMetrics.of(
            pool_id=pool.pool_id,
            timestamp=pool.clock.now(),
            interval=now - interval.began,
            connections_by_state=states,
            unhealthy_connections=unhealthy,
            max_connections=pool.config.max_connections,
            queued_by_priority={each: matching.waiting.of_priority(each) for each in PRIORITIES},
            longest_wait=matching.waiting.longest(now),
            acquired=acquired,
            timed_out=timed_out,
            busy_time=busy_time,
            calls_by_outcome=dict(calls),
            arrival_rate=self._arrivals.per_second,
            throughput=self._calls.per_second,
            memory_usage=usage.memory,
            cpu_usage=usage.cpu,
            network_usage=usage.network,
            scale_up_events=happened["scale_ups"],
            scale_down_events=happened["scale_downs"],
            last_scaling_event=self._scaled_at,
            target_connections=None if self._decided is None else self._decided.target_size,
            wanted_connections=None if self._decided is None else self._decided.wanted_size,
            health_checks_passed=happened["checks_passed"],
            health_checks_failed=happened["checks_failed"],
            dropped_events=dropped,
            acquisition_times=acquisition_times,
            queue_times=Histogram.merged([*interval.served.values(), *interval.late.values()]),
            response_times=Histogram.merged(interval.response_times.values()),
        )

    def _add(self, interval: _Interval, acquisition_times: Histogram, busy_time: float, dropped: int) -> None:
        before = self.totals
        self.totals = PoolTotals(
            acquisition_times=Histogram.merged([before.acquisition_times, acquisition_times]),
            queue_times={
                each: Histogram.merged([waited, interval.served[each], interval.late[each]])
                for each, waited in before.queue_times.items()
            },
            response_times={
                **before.response_times,
                **{
                    action: Histogram.merged([before.response_times.get(action, Histogram()), times])
                    for action, times in interval.response_times.items()
                },
            },
            calls=Counter(before.calls) + interval.calls,
            decisions=Counter(before.decisions) + interval.decisions,
            optimized=Counter(before.optimized) + interval.optimized,
            timed_out={each: before.timed_out[each] + interval.late[each].count for each in PRIORITIES},
            busy_time=before.busy_time + busy_time,
            dropped_events=before.dropped_events + dropped,
            happened={what: times + interval.happened[what] for what, times in before.happened.items()},
        )
