"""The metrics as Prometheus reads them; needs the extra `metrics`.

Everything is read from what the collector found last, which never changes, so any thread may render it. There
is no label by account unless somebody asks: thousands of accounts are more series than a server should have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from twikit_pool.metrics.accounts import AccountTotals
from twikit_pool.metrics.collector import Collected, PoolCollector
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.pool_metrics import PoolMetrics
from twikit_pool.metrics.tally import PoolTotals
from twikit_pool.pool.request import ConnectionPriority

if TYPE_CHECKING:
    from twikit_pool.metrics.history import History

__all__ = ["CONTENT_TYPE_LATEST", "PrometheusExporter"]

WAITS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds up to which the buckets of waiting times count, to 1%."""

CALLS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The same for calls, of which there is a histogram for each action."""


POOL: Final = ("pool_id",)
ACCOUNT: Final = ("pool_id", "account_id")
"""Whose a series is."""


class Shown(NamedTuple):
    """A metric: its name without `twikit_pool_`, its help, and its labels besides whose it is."""

    name: str
    help: str
    labels: tuple[str, ...]


Numbers = Iterable[tuple[Sequence[str], float]]
Histograms = Iterable[tuple[Sequence[str], Histogram]]


def _one(value: float | None) -> Numbers:
    return () if value is None else (((), value),)


def _priority(number: int) -> str:
    return ConnectionPriority(number).name.lower()


GAUGES: Final[tuple[tuple[Shown, Callable[[PoolMetrics], Numbers]], ...]] = (
    (
        Shown("connections", "Connections by state.", ("state",)),
        lambda now: (((state,), count) for state, count in now.connections_by_state.items()),
    ),
    (
        Shown("connections_max", "How many connections there may be.", ()),
        lambda now: _one(now.max_connections),
    ),
    (
        Shown("connections_unhealthy", "Connections that something speaks against using.", ()),
        lambda now: _one(now.unhealthy_connections),
    ),
    (
        Shown("utilization_ratio", "Share of their time that connections were leased.", ()),
        lambda now: _one(now.utilization),
    ),
    (
        Shown("queued_requests", "Requests that wait for a connection.", ("priority",)),
        lambda now: (((_priority(each),), count) for each, count in now.queued_by_priority.items()),
    ),
    (
        Shown("longest_wait_seconds", "How long the request that came first waits by now.", ()),
        lambda now: _one(now.longest_wait),
    ),
    (
        Shown("memory_bytes", "Memory that the pool takes, where it is measured.", ()),
        lambda now: _one(now.memory_usage),
    ),
    (
        Shown("cpu_ratio", "CPU that the pool takes, as a share of a core, where it is measured.", ()),
        lambda now: _one(now.cpu_usage),
    ),
    (
        Shown("network_bytes_per_second", "Network that the pool takes, where it is measured.", ()),
        lambda now: _one(now.network_usage),
    ),
    (
        Shown("last_scaling_timestamp_seconds", "When the pool was resized last, if it was.", ()),
        lambda now: _one(None if now.last_scaling_event is None else now.last_scaling_event.timestamp()),
    ),
    (
        Shown("scaling_target_connections", "Connections that there should be, as was decided last.", ()),
        lambda now: _one(now.target_connections),
    ),
    (
        Shown("scaling_wanted_connections", "The same without the ceilings.", ()),
        lambda now: _one(now.wanted_connections),
    ),
    (
        Shown("collected_timestamp_seconds", "When these metrics were collected.", ()),
        lambda now: _one(now.timestamp.timestamp()),
    ),
)

COUNTERS: Final[tuple[tuple[Shown, Callable[[PoolTotals], Numbers]], ...]] = (
    (
        Shown("calls", "Calls that ended.", ("action", "outcome")),
        lambda all_: all_.calls.items(),
    ),
    (
        Shown("acquire_timeouts", "Requests that waited in vain.", ("priority",)),
        lambda all_: (((_priority(each),), count) for each, count in all_.timed_out.items()),
    ),
    (
        Shown("lease_seconds", "Time that connections were leased, added up.", ()),
        lambda all_: _one(all_.busy_time),
    ),
    (
        Shown("connections_opened", "Connections that were opened.", ()),
        lambda all_: _one(all_.happened["opened"]),
    ),
    (
        Shown("connections_closed", "Connections that were closed.", ()),
        lambda all_: _one(all_.happened["closed"]),
    ),
    (
        Shown("connection_open_failures", "Openings that failed.", ()),
        lambda all_: _one(all_.happened["open_failures"]),
    ),
    (
        Shown("health_checks", "Health checks that ended.", ("result",)),
        lambda all_: (((each,), all_.happened[f"checks_{each}"]) for each in ("passed", "failed")),
    ),
    (
        Shown("scalings", "Times that the pool was resized.", ("direction",)),
        lambda all_: (((each,), all_.happened[f"scale_{each}s"]) for each in ("up", "down")),
    ),
    (
        Shown("scaling_decisions", "Decisions that differed from the one before.", ("action",)),
        lambda all_: (((action,), times) for action, times in all_.decisions.items()),
    ),
    (
        Shown("optimizations", "What the resource optimizer did.", ("kind",)),
        lambda all_: (((kind,), times) for kind, times in all_.optimized.items()),
    ),
    (
        Shown("logins", "Handshakes of sessions, which X sees as log-ins.", ()),
        lambda all_: _one(all_.happened["logins"]),
    ),
    (
        Shown("dropped_events", "Events that came too fast to be counted, in the whole collector.", ()),
        lambda all_: _one(all_.dropped_events),
    ),
)

HISTOGRAMS: Final[tuple[tuple[Shown, tuple[float, ...], Callable[[PoolTotals], Histograms]], ...]] = (
    (
        Shown("acquire_seconds", "Time until a request had its connection, 0 without waiting.", ()),
        WAITS,
        lambda all_: (((), all_.acquisition_times),),
    ),
    (
        Shown("queue_seconds", "Time that requests waited, in vain or not.", ("priority",)),
        WAITS,
        lambda all_: (((_priority(each),), times) for each, times in all_.queue_times.items()),
    ),
    (
        Shown("call_seconds", "Time that calls took.", ("action",)),
        CALLS,
        lambda all_: (((action,), times) for action, times in all_.response_times.items()),
    ),
)


ACCOUNT_GAUGES: Final[tuple[tuple[Shown, Callable[[AccountTotals], Numbers]], ...]] = (
    (
        Shown("account_connections", "Connections of the account.", ()),
        lambda all_: _one(all_.connections),
    ),
)

ACCOUNT_COUNTERS: Final[tuple[tuple[Shown, Callable[[AccountTotals], Numbers]], ...]] = (
    (
        Shown("account_leases", "Times that a connection of the account was leased.", ()),
        lambda all_: _one(all_.leases),
    ),
    (
        Shown("account_lease_seconds", "Time that the account's connections were leased, added up.", ()),
        lambda all_: _one(all_.busy_time),
    ),
    (
        Shown("account_calls", "The account's calls that ended.", ("outcome",)),
        lambda all_: (((outcome,), times) for outcome, times in all_.calls.items()),
    ),
    (
        Shown("account_errors", "Those that failed for another reason than the caller's own fault.", ()),
        lambda all_: _one(all_.errors),
    ),
)


class PrometheusExporter(Collector):
    """What a collector found last, for Prometheus.

    `await exporter.render()` is the text to answer a scrape with, of the type `CONTENT_TYPE_LATEST`. Or
    register it with a `prometheus_client` registry and serve that.

    Args:
        collector: whose.
        history: what is kept of them; tells whether that works.
        accounts: add series for each account: a dozen for each, of the first thousand of a pool. The
            accounts' ids go to whoever may read the metrics.
    """

    def __init__(
        self, collector: PoolCollector, *, history: History | None = None, accounts: bool = False
    ) -> None:
        self._collector = collector
        self._history = history
        self._accounts = accounts
        if accounts:
            collector.tell_accounts()

    def collect(self) -> Iterator[Metric]:
        """The metrics as `prometheus_client` has them; in any thread."""
        latest = self._collector.latest
        yield from families(latest)
        if self._history is not None:
            yield from families_of_history(self._history)
        if self._accounts:
            yield from families_by_account(latest)

    async def render(self) -> bytes:
        """The text, made in another thread, so that the event loop goes on."""
        registry = CollectorRegistry()
        registry.register(self)
        return await asyncio.to_thread(generate_latest, registry)


def families(collected: Mapping[str, Collected]) -> Iterator[Metric]:
    """All metrics of these pools, without those by account."""
    for shown, numbers in GAUGES:
        yield _filled(
            GaugeMetricFamily,
            shown,
            POOL,
            (((pool_id,), numbers(each.metrics)) for pool_id, each in collected.items()),
        )
    for shown, numbers in COUNTERS:
        yield _filled(
            CounterMetricFamily,
            shown,
            POOL,
            (((pool_id,), numbers(each.totals)) for pool_id, each in collected.items()),
        )
    for shown, bounds, histograms in HISTOGRAMS:
        family = HistogramMetricFamily(f"twikit_pool_{shown.name}", shown.help, labels=(*POOL, *shown.labels))
        for pool_id, each in collected.items():
            for labels, times in histograms(each.totals):
                family.add_metric([pool_id, *labels], _buckets(times, bounds), times.sum)
        yield family


def families_of_history(history: History) -> Iterator[Metric]:
    """Whether what happens is kept; of all pools together."""
    works = GaugeMetricFamily("twikit_pool_history_works", "1 while the history can be written, else 0.")
    works.add_metric([], float(history.failing is None))
    lost = CounterMetricFamily(
        "twikit_pool_history_lost", "Intervals and events that the history could not keep."
    )
    lost.add_metric([], history.lost)
    yield from (works, lost)


def families_by_account(collected: Mapping[str, Collected]) -> Iterator[Metric]:
    """The metrics of each account of these pools."""
    accounts = [
        ((pool_id, account_id), totals)
        for pool_id, each in collected.items()
        for account_id, totals in each.accounts.items()
    ]
    for shown, numbers in ACCOUNT_GAUGES:
        yield _filled(
            GaugeMetricFamily, shown, ACCOUNT, ((whose, numbers(totals)) for whose, totals in accounts)
        )
    for shown, numbers in ACCOUNT_COUNTERS:
        yield _filled(
            CounterMetricFamily, shown, ACCOUNT, ((whose, numbers(totals)) for whose, totals in accounts)
        )


def _filled(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    shown: Shown,
    whose: tuple[str, ...],
    numbers: Iterable[tuple[tuple[str, ...], Numbers]],
) -> Metric:
    family = kind(f"twikit_pool_{shown.name}", shown.help, labels=(*whose, *shown.labels))
    for owner, series in numbers:
        for labels, value in series:
            family.add_metric([*owner, *labels], value)
    return family


def _buckets(times: Histogram, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    counts = zip(bounds, times.at_most(bounds), strict=True)
    return [*((str(bound), count) for bound, count in counts), ("+Inf", times.count)]
