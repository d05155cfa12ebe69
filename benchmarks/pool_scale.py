"""Our pool with 10,000 connections: a waiter's cost among 100,000 and among 1,000, and how long it all takes.

**Costs** are CPU time a waiter, each a task of its own, with the garbage collector off, as in `timeit`, after
a collection; medians over turns that take both sizes. The accounts have one of four sets of capabilities; a
waiter names one of 68 endpoints and one of these sets, and every tenth names an account. All connections are
held while they enqueue. Then one connection is released for every ten waiters, and given back at once by each
who gets it; or all waiters are cancelled in random order; or all time out at once. Metrics and events are on;
the subscriber never reads. *Bare* is what the same costs for tasks that wait for a future each and no pool:
that grows as well, for 100,000 tasks are more than the processor's caches hold.

**Bytes** a waiter are the pool's own: what `tracemalloc` counts, less that of the bare tasks.

**Times** are by the wall clock with the garbage collector on; medians over turns. *Acquire* is the time
inside `await pool.acquire()` of 1,000 tasks that share 2,000 connections, so that there always is one: it
never waits, and the turn that a task waits for from the event loop is not counted. *Hand-over* is from just
before `release()` until the task of the waiter that got this connection runs with it, while 1,000 others wait
and 10 connections go round, so it includes the event loop's other work of that moment.

Everything is repeated with uvloop where it is installed; the bars are for asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from benchmarks import Bar, Report
from benchmarks._crowds import CAPABILITIES, ENDPOINTS, LONG, SOON, BareCrowd, Crowd, PoolCrowd
from benchmarks._silent_pool import account, silent_pool
from twikit_pool.pool import ConnectionRequest, ConnectionState

FEW: Final = 1_000
MANY: Final = 100_000
CONNECTIONS: Final = 10_000
TURNS: Final = 3
FEW_IN_TURN: Final = 10
"""Measurements of `FEW` waiters for each of `MANY`."""
STEPS: Final = ("enqueue", "drain", "cancel", "time out")

REQUESTERS: Final = 1_000
SAMPLES: Final = 10_000
TIMED_TURNS: Final = 5
GOING_ROUND: Final = 10

Costs = dict[tuple[str, str, int], list[float]]
"""Microseconds of CPU a waiter: whose ("pool" or "bare"), of what, and among how many."""


def run() -> Report:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if find_spec("uvloop"):
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    figures: dict[str, float | int | str] = {}
    bars: list[Bar] = []
    for name, new_loop in loops.items():
        with asyncio.Runner(loop_factory=new_loop) as runner:
            costs, size = runner.run(_crowds())
            acquire = _percentiles([runner.run(_acquire_times()) for _ in range(TIMED_TURNS)])
            hand_over = _percentiles([runner.run(_hand_over_times()) for _ in range(TIMED_TURNS)])
        cost = {what: statistics.median(turns) for what, turns in costs.items()}
        for (whose, step, count), value in cost.items():
            figures[f"{name}: {whose}, {step} of {count:,}, µs each"] = value
        for step in STEPS:
            own = [cost["pool", step, count] - cost["bare", step, count] for count in (FEW, MANY)]
            figures[f"{name}: pool less bare, {step} of {MANY:,}, times of {FEW:,}"] = own[1] / own[0]
        figures[f"{name}: bytes a waiter"] = size
        for what, times in (("acquire", acquire), ("hand-over", hand_over)):
            for percent, value in times.items():
                figures[f"{name}: {what}, p{percent} ms"] = value
        bars = bars or [
            *(
                Bar(
                    f"{step} of {MANY:,}, times that of {FEW:,}",
                    cost["pool", step, MANY] / cost["pool", step, FEW],
                    1.4,
                    "lower",
                )
                for step in STEPS
            ),
            Bar("bytes a waiter", size, 2048, "lower"),
            Bar("acquire of an available connection, p99 ms", acquire[99], 1, "lower"),
            Bar("hand-over to the first of 1,000 waiters, p99 ms", hand_over[99], 5, "lower"),
        ]
    return Report(figures=figures, bars=bars)


def _percentiles(turns: list[list[int]]) -> dict[int, float]:
    """The 50th and the 99th in milliseconds, each the median over the turns; of nanoseconds."""
    return {
        percent: statistics.median(sorted(times)[len(times) * percent // 100] / 1e6 for times in turns)
        for percent in (50, 99)
    }


# ---------------------------------------------------------------- costs and bytes


async def _crowds() -> tuple[Costs, float]:
    """What waiters cost, and the bytes that each takes."""
    accounts = [account(number, CAPABILITIES[number % len(CAPABILITIES)]) for number in range(CONNECTIONS)]
    costs: Costs = {}
    chance = random.Random(1)  # noqa: S311 - the same crowds each time
    async with silent_pool(accounts, leak_warning=LONG) as pool:
        held = [await pool.acquire(ConnectionRequest(account_id=each.id)) for each in accounts]
        gc.collect()
        gc.freeze()  # what the pool keeps anyway need not be looked through before each measurement
        try:
            for count in ([FEW] * FEW_IN_TURN + [MANY]) * TURNS:
                await _measure(BareCrowd(count), "bare", count, costs)
                await _measure(PoolCrowd(pool, held, count, chance), "pool", count, costs)
            size = await _bytes_of(PoolCrowd(pool, held, MANY, chance)) - await _bytes_of(BareCrowd(MANY))
        finally:
            gc.unfreeze()
            for lease in held:
                lease.release()
        if pool.counts()[ConnectionState.IDLE] != CONNECTIONS:
            raise RuntimeError(f"not every connection came back: {pool.counts()}")
    return costs, size / MANY


async def _measure(crowd: Crowd, whose: str, count: int, costs: Costs) -> None:
    """Enqueue so many waiters three times, and end their waiting in each of the three ways."""
    order = random.Random(count).sample(range(count), count)  # noqa: S311 - the same order each time
    for step in STEPS[1:]:
        gc.collect()
        gc.disable()
        try:
            enqueueing, ending = await _come_and_go(crowd, step, order)
        finally:
            gc.enable()
        costs.setdefault((whose, "enqueue", count), []).append(enqueueing / count * 1e6)
        costs.setdefault((whose, step, count), []).append(ending / count * 1e6)
        if step == "drain":
            await crowd.settle()


async def _come_and_go(crowd: Crowd, step: str, order: list[int]) -> tuple[float, float]:
    """Seconds of CPU to enqueue and to end the waiting; cancelled in this order."""
    began = time.process_time()
    tasks = await crowd.enqueue(SOON if step == "time out" else LONG)
    enqueueing = time.process_time() - began
    victims = [tasks[number] for number in order]
    began = time.process_time()
    if step == "drain":
        crowd.serve()
    elif step == "cancel":
        for task in victims:
            task.cancel()
    else:
        crowd.expire()
    await asyncio.wait(tasks)
    ending = time.process_time() - began
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        ended = "cancel" if task.cancelled() else "time out" if isinstance(error, TimeoutError) else "drain"
        if ended != step:
            raise RuntimeError(f"a waiter's end should have been: {step}, not: {ended}")
        if error is not None and ended == "drain":
            raise error
    return enqueueing, ending


async def _bytes_of(crowd: Crowd) -> int:
    gc.collect()
    tracemalloc.start()
    tasks = await crowd.enqueue(LONG)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return size


# ---------------------------------------------------------------- times


def _mixed(count: int) -> list[ConnectionRequest]:
    """Requests that any connection can serve, of all endpoints."""
    return [ConnectionRequest(endpoint=ENDPOINTS[number % len(ENDPOINTS)]) for number in range(count)]


async def _acquire_times() -> list[int]:
    times: list[int] = []
    async with silent_pool([account(number) for number in range(2 * REQUESTERS)]) as pool:

        async def use(request: ConnectionRequest) -> None:
            while len(times) < SAMPLES:
                began = time.perf_counter_ns()
                lease = await pool.acquire(request)
                times.append(time.perf_counter_ns() - began)
                await asyncio.sleep(0)
                lease.release()

        await asyncio.gather(*[use(request) for request in _mixed(REQUESTERS)])
    return times


async def _hand_over_times() -> list[int]:
    times: list[int] = []
    released: dict[str, int] = {}
    async with silent_pool([account(number) for number in range(GOING_ROUND)]) as pool:

        async def use(request: ConnectionRequest) -> None:
            while len(times) < SAMPLES:
                lease = await pool.acquire(request)
                now, account_id = time.perf_counter_ns(), lease.account_id
                if account_id in released:
                    times.append(now - released[account_id])
                await asyncio.sleep(0)
                released[account_id] = time.perf_counter_ns()
                lease.release()

        await asyncio.gather(*[use(request) for request in _mixed(REQUESTERS + GOING_ROUND)])
    return times
