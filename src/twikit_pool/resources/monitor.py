"""Measures what connections and the process cost, while the pool runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from twikit_pool.errors import PoolError
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.request import check_seconds
from twikit_pool.pool.rounds import Rounds
from twikit_pool.resources.accounting import CpuMeter, Stopwatch
from twikit_pool.resources.figures import ConnectionFigures, ProcessFigures, Usage
from twikit_pool.resources.memory import MemoryEstimates
from twikit_pool.resources.process import MeasuredProcess, OwnProcess

TICK: Final = 0.1
"""Seconds between two looks at how late the event loop is; what blocks it for less is not always seen."""


class ResourceMonitor:
    """Measures a pool, or all pools of a manager, and the process, while it is entered.

    CPU and network are those of the latest interval; memory is estimated for a few connections in each round.
    A pool is measured by one monitor at a time; one of a manager takes over what another has left.

        async with ResourceMonitor(pool) as monitor:
            ...
            print(monitor.process.memory, monitor.connections(pool)["brand_uk#1"].cpu)

    Args:
        source: the pool, or the manager whose pools are measured, those made later included.
        interval: seconds of one round.
        root: where `proc` and `sys` are, for the bounds of a container.
        own_process: where the figures of the process and the CPU of this thread come from, in place of the
            process that this runs in; `root` has no meaning then. A simulation gives its own.

    Attributes:
        process: what the process costs.

    Raises:
        ConfigError: the interval is no positive number.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        *,
        interval: float = 5.0,
        root: Path = Path("/"),
        own_process: MeasuredProcess | None = None,
    ) -> None:
        check_seconds("interval", interval)
        self._source = source
        self._interval = interval
        self._own_process = own_process or OwnProcess(root)
        self._stopwatch = Stopwatch(self._own_process.thread_cpu)
        self._measured: dict[TwikitConnectionPool, _Measured] = {}
        """By pool, not by name: one that is gone counts for its last interval, also when another has its name
        by then."""
        self._rounds = Rounds("resource monitor")
        self._began = 0.0
        """When the interval began, by the loop's clock, and the CPU that was taken by then."""
        self._cpu = self._loop_cpu = 0.0
        self._lag = 0.0
        self._turn = 0
        self.process = ProcessFigures()

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        source, loop = self._source, asyncio.get_running_loop()
        pools = pools_of(source)
        for pool in pools.values():
            if pool.calls.meter is not None:
                raise PoolError(f"another monitor measures pool {pool.pool_id!r} already: use that one")
        self._began, self._lag = loop.time(), 0.0
        self._cpu, self._loop_cpu = self._own_process.cpu(), self._own_process.thread_cpu()
        self.process = self._own_process.figures()
        for pool in pools.values():
            self._begin(pool)
        if not isinstance(source, TwikitConnectionPool):
            source.on_pool.append(self._begin)
        self._rounds.begin(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._rounds.end()
        finally:
            if not isinstance(self._source, TwikitConnectionPool):
                self._source.on_pool.remove(self._begin)
            for measured in self._measured.values():
                measured.close()
            self._measured.clear()

    @property
    def pools(self) -> Mapping[str, TwikitConnectionPool]:
        """The pools that are measured, by name."""
        return {pool.pool_id: pool for pool in self._measured}

    def connections(self, pool: TwikitConnectionPool) -> Mapping[str, ConnectionFigures]:
        """What each connection of a pool costs, by its id; nothing for a pool that is not measured."""
        measured = self._measured.get(pool)
        return {} if measured is None else measured.connections(asyncio.get_running_loop().time())

    def usage(self, pool: TwikitConnectionPool) -> Usage:
        """What a pool costs, as `PoolCollector(measure=…)` asks for it."""
        measured = self._measured.get(pool)
        return Usage() if measured is None else measured.usage

    def connection_memory(self, pool: TwikitConnectionPool) -> float | None:
        """Bytes that a connection of this pool holds on the mean, an estimate; None before one was made."""
        measured = self._measured.get(pool)
        return None if measured is None else measured.estimates.mean

    def resident(self) -> int | None:
        """Bytes of the process (RSS), read anew; None where the system does not tell."""
        return self._own_process.figures().memory

    def measure(self) -> None:
        """End the interval now, and begin another; one that has only just begun goes on.

        Raises:
            PoolError: the monitor is not entered.
        """
        if not self._rounds.running:
            raise PoolError(
                "the monitor does not measure now: enter it with `async with ResourceMonitor(pool)`"
            )
        now = asyncio.get_running_loop().time()
        cpu, loop_cpu = self._own_process.cpu(), self._own_process.thread_cpu()
        seconds = now - self._began
        if seconds <= 0:
            return
        attributed = sum(measured.end_interval(seconds) for measured in self._measured.values())
        self._follow_pools()
        every = list(self._measured.values())
        if every:  # the pools take turns, so that a round takes as long with a hundred of them
            every[self._turn % len(every)].estimate(now)
        self._turn += 1
        share = (cpu - self._cpu) / seconds
        self.process = self._own_process.figures(
            cpu=share,
            loop_cpu=(loop_cpu - self._loop_cpu) / seconds,
            unattributed_cpu=max(share - attributed, 0.0),
            loop_lag=self._lag,
        )
        self._began, self._cpu, self._loop_cpu, self._lag = now, cpu, loop_cpu, 0.0

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = min(loop.time() + TICK, self._began + self._interval)
            await asyncio.sleep(due - loop.time())
            self._lag = max(self._lag, loop.time() - due)
            if loop.time() >= self._began + self._interval:  # somebody may have called `measure` meanwhile
                self.measure()

    def _begin(self, pool: TwikitConnectionPool) -> None:
        if pool.calls.meter is None:  # else another monitor has it
            self._measured[pool] = _Measured(pool, self._stopwatch)

    def _follow_pools(self) -> None:
        """Forget the pools that are gone, and take in those that nobody measures."""
        pools = list(pools_of(self._source).values())
        for pool in self._measured.keys() - pools:
            self._measured.pop(pool).close()
        for pool in pools:
            self._begin(pool)


class _Measured:
    """One pool that is measured: its calls run under a meter until this is closed."""

    def __init__(self, pool: TwikitConnectionPool, stopwatch: Stopwatch) -> None:
        self.pool: Final = pool
        self.estimates: Final = MemoryEstimates()
        self.usage = Usage()
        self._meter: Final = CpuMeter(stopwatch)
        self._shares: Mapping[str, float] = {}
        """Share of one core that each connection took in the latest interval; none for most."""
        self._traffic = traffic_of(pool)
        pool.calls.meter = self._meter

    def close(self) -> None:
        """Measure no more."""
        self.pool.calls.meter = None
        self._meter.closed = True
        for connection in self.pool.connections():
            connection.cpu = connection.memory = None

    def end_interval(self, seconds: float) -> float:
        """Work out what the interval cost that was so long, and return the share of one core."""
        spent, self._meter.spent = self._meter.spent, {}
        self._shares = {each: taken / seconds for each, taken in spent.items()}
        before, self._traffic = self._traffic, traffic_of(self.pool)
        mean, share = self.estimates.mean, sum(self._shares.values())
        self.usage = Usage(
            memory=None if mean is None else round(mean * self.pool.size),
            cpu=share,
            network=(self._traffic - before) / seconds,
        )
        return share

    def estimate(self, now: float) -> None:
        """Estimate the memory of some connections anew."""
        self.estimates.look(self.pool.matching.connections.values(), now)

    def connections(self, now: float) -> dict[str, ConnectionFigures]:
        found: dict[str, ConnectionFigures] = {}
        for connection in self.pool.connections():
            estimate, session = self.estimates.found.get(connection.id), connection.session
            found[connection.id] = ConnectionFigures(
                cpu=self._shares.get(connection.id, 0.0),
                cpu_seconds=connection.cpu or 0.0,
                memory=None if estimate is None else estimate.size,
                memory_age=None if estimate is None else now - estimate.at,
                latency=connection.health.lately,
                sent=0 if session is None else session.traffic.sent,
                received=0 if session is None else session.traffic.received,
            )
        return found


def traffic_of(pool: TwikitConnectionPool) -> int:
    """Bytes of all requests and answers of a pool, of connections that are closed as well."""
    return pool.matching.past.traffic + sum(each.traffic for each in pool.connections())
