"""What measuring costs: a lease with a collector and without, and a collection at 10,000 connections.

Two pools of the same size over connections that do nothing, one with a collector, take turns of acquiring and
releasing; nobody else hears the events, as in a program without a dashboard. *Alone*, a connection is always
free. *Waiting*, 100 tasks share 10. The ratio is that of the medians of CPU time. *Collection* is one of the
collector's while half of 10,000 connections are leased, with 1,000 calls to count; *exposition* is the text
for Prometheus of 100 pools with 40 actions each, and how long the event loop stood still meanwhile at most.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks import Bar, Report
from benchmarks._silent_pool import account, silent_pool
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.events import CallFinished
from twikit_pool.metrics import PoolCollector
from twikit_pool.metrics.prometheus import PrometheusExporter
from twikit_pool.pool import TwikitConnectionPool

TURNS: Final = 31
LEASES: Final = 20_000
REQUESTERS: Final = 100
SHARED: Final = 10
CONNECTIONS: Final = 10_000
COLLECTIONS: Final = 25
POOLS: Final = 100
ACTIONS: Final = 40

Load = Callable[[TwikitConnectionPool], Awaitable[None]]


def run() -> Report:
    alone = asyncio.run(_race(_alone))
    waiting = asyncio.run(_race(_waiting))
    collection = asyncio.run(_collection())
    size, seconds, held_up = asyncio.run(_exposition())
    figures: dict[str, float | int | str] = {}
    for name, (bare, measured) in {"alone": alone, "waiting": waiting}.items():
        figures[f"{name}: a lease without a collector, µs"] = bare
        figures[f"{name}: a lease with one, µs"] = measured
    figures |= {
        "exposition of 100 pools, bytes": size,
        "exposition of 100 pools, ms": seconds * 1e3,
        "exposition: the loop held up at most, ms": held_up * 1e3,
    }
    return Report(
        figures=figures,
        bars=[
            Bar("alone: CPU with a collector, times without", alone[1] / alone[0], 1.15, "lower"),
            Bar("waiting: CPU with a collector, times without", waiting[1] / waiting[0], 1.15, "lower"),
            Bar("collection at 10,000 connections, ms", collection * 1e3, 5, "lower"),
        ],
    )


# ---------------------------------------------------------------- acquire and release


async def _alone(pool: TwikitConnectionPool) -> None:
    for _ in range(LEASES):
        (await pool.acquire()).release()


async def _waiting(pool: TwikitConnectionPool) -> None:
    async def use() -> None:
        for _ in range(LEASES // REQUESTERS):
            lease = await pool.acquire()
            await asyncio.sleep(0)
            lease.release()

    await asyncio.gather(*[use() for _ in range(REQUESTERS)])


@contextmanager
def _without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _race(load: Load) -> tuple[float, float]:
    """Microseconds of CPU that a lease takes: without a collector, and with one."""
    accounts = [account(number) for number in range(SHARED)]
    async with (
        silent_pool(accounts, heard=False) as bare,
        silent_pool(accounts, heard=False) as measured,
        PoolCollector(measured, interval=0.05),
    ):
        times: dict[TwikitConnectionPool, list[float]] = {bare: [], measured: []}
        for turn in range(TURNS):
            for pool in (bare, measured) if turn % 2 else (measured, bare):
                with _without_gc():
                    began = time.process_time()
                    await load(pool)
                    await asyncio.sleep(0)  # so that a collection that is due is made, and paid for
                    times[pool].append(time.process_time() - began)
        return (
            statistics.median(times[bare]) / LEASES * 1e6,
            statistics.median(times[measured]) / LEASES * 1e6,
        )


# ---------------------------------------------------------------- collecting


async def _collection() -> float:
    accounts = [account(number) for number in range(CONNECTIONS)]
    async with (
        silent_pool(accounts, leak_warning=None) as pool,
        PoolCollector(pool, interval=3600) as collector,
    ):
        leases = [await pool.acquire() for _ in range(CONNECTIONS // 2)]
        times: list[float] = []
        for _ in range(COLLECTIONS):
            _tell_calls(pool)
            began = time.process_time()
            collector.collect()
            times.append(time.process_time() - began)
        for lease in leases:
            lease.release()
        return statistics.median(times)


def _tell_calls(pool: TwikitConnectionPool) -> None:
    for number in range(1_000):
        pool.events.publish(
            CallFinished(
                pool_id=pool.pool_id,
                at=SYSTEM_CLOCK.now(),
                account_id="a",
                action=f"action_{number % ACTIONS}",
                outcome="ok",
                latency=0.1 + number / 1_000,
                status=200,
                code=None,
            )
        )


async def _exposition() -> tuple[int, float, float]:
    """Bytes of the text, seconds to make it, and seconds that the loop was held up at most meanwhile."""
    async with (
        silent_pool([account(number) for number in range(POOLS)]) as pool,
        PoolCollector(pool) as collector,
    ):
        _tell_calls(pool)
        collector.collect()
        [one] = collector.latest.values()
        collector.latest = {f"pool_{number}": one for number in range(POOLS)}
        rendering = asyncio.create_task(PrometheusExporter(collector).render())
        began = last = time.perf_counter()
        gaps: list[float] = []
        while not rendering.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now
        return len(rendering.result()), last - began, max(gaps)
