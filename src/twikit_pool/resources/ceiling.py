"""How many connections the container's memory and CPU have room for."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Final

from twikit_pool.resources.monitor import ResourceMonitor
from twikit_pool.scaling.autoscaler import PoolNeed
from twikit_pool.scaling.load import Ceiling

FILLED: Final = 0.9
"""Share of a bound that is used at most: the kernel kills what goes over its memory, and slows down what goes
over its CPU."""

ONE_THREAD: Final = 1.0
"""Cores that the event loop can use, however many there are."""


class ContainerCeiling:
    """Bounds the sizes of pools by what the process may still take: a source of ceilings for `AutoScaler`.

    What room there is, is shared between the pools in proportion to their sizes. Memory that is full lets
    pools shrink, down to what is leased now. CPU that is used up only ends their growth, since connections
    that are closed give none back. What was not measured yet bounds nothing.

    Args:
        monitor: measures the same pools, and is entered.
    """

    def __init__(self, monitor: ResourceMonitor) -> None:
        self._monitor = monitor

    def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
        """The bound of each pool for which there is one."""
        whole = sum(max(need.size, 1) for need in needs.values())
        found: dict[str, Ceiling] = {}
        for pool_id, need in needs.items():
            share = max(need.size, 1) / whole
            bounds = [self._by_memory(pool_id, need, share), self._by_cpu(pool_id, need, share)]
            if bound := min(filter(None, bounds), key=lambda each: each.size, default=None):
                found[pool_id] = bound
        return found

    def _by_memory(self, pool_id: str, need: PoolNeed, share: float) -> Ceiling | None:
        process, pool = self._monitor.process, self._monitor.pools.get(pool_id)
        each = None if pool is None else self._monitor.connection_memory(pool)
        if pool is None or not each or process.memory is None or process.memory_limit is None:
            return None
        room = (process.memory_limit * FILLED - process.memory) * share
        size = need.size + floor(room / each)
        if size < need.size:
            size = max(size, sum(connection.leased for connection in pool.connections()))
        used, limit = process.memory / 2**20, process.memory_limit / 2**20
        reason = (
            f"{used:,.0f} of {limit:,.0f} MB of memory are in use, and a connection takes an estimated "
            f"{each / 1024:,.0f} KB"
        )
        return Ceiling(kind="container", size=size, reason=reason)

    def _by_cpu(self, pool_id: str, need: PoolNeed, share: float) -> Ceiling | None:
        process, pool = self._monitor.process, self._monitor.pools.get(pool_id)
        taken = None if pool is None else self._monitor.usage(pool).cpu
        busy = need.load.active
        if not taken or not busy or busy < 1:
            return None
        cores = [
            (process.cpu, process.cpu_limit, "of the process's"),
            (process.loop_cpu, ONE_THREAD, "of the event loop's"),
        ]
        left = [
            (most * FILLED - used, used, most, whose)
            for used, most, whose in cores
            if used is not None and most
        ]
        if not left:
            return None
        room, used, most, whose = min(left)
        each = taken / busy
        reason = f"{used:.2f} {whose} {most:.2g} cores are in use, and a busy connection takes {each:.3f}"
        return Ceiling(kind="container", size=need.size + floor(max(room, 0.0) * share / each), reason=reason)
