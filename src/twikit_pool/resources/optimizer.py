"""Frees what connections waste: looks at them from time to time, does what the rules advise, and says so."""

from __future__ import annotations

import gc
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from statistics import fmean
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from twikit_pool.events import ResourcesOptimized
from twikit_pool.pool.connection import CLOSED, IDLE
from twikit_pool.pool.control import Mode
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.rounds import Rounds, wait_for_round
from twikit_pool.resources.figures import ConnectionFigures
from twikit_pool.resources.result import OptimizationAction, ResourceOptimizationResult
from twikit_pool.resources.rules import Seen, advise, quality_of, wants_collection

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.pool import TwikitConnectionPool
    from twikit_pool.resources.monitor import ResourceMonitor

KEPT: Final = 100
"""Results of each pool that are remembered, of those in which something was done."""

FRESH: Final = 600.0
"""Seconds after a connection's last use in which its latency still tells how it is."""

IDLE_LOOK: Final = 1.0
"""Seconds between two looks while there is no pool."""

NOTHING: Final = ConnectionFigures()
"""Of a connection that nobody measures."""


class ResourceOptimizer:
    """Looks after the resources of a pool, or of all pools of a manager, while it is entered.

    Every `resource_check_interval` it looks at each pool that is open, unless
    `enable_resource_optimization` is off. What it did is undone when its cause is gone, and when it is
    left. No lease is touched.

        async with ResourceMonitor(pool) as monitor, ResourceOptimizer(pool, monitor) as optimizer:
            ...
            for action in optimizer.results["default"].actions:
                print(action.kind, action.what, action.reason)

    Args:
        source: the pool, or the manager whose pools are looked after, those made later included.
        monitor: measures the same pools, and is entered.
        collect: collects garbage and returns how many objects it found.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        monitor: ResourceMonitor,
        *,
        collect: Callable[[], int] = gc.collect,
    ) -> None:
        self._source = source
        self._monitor = monitor
        self._collect = collect
        self._looked_after: dict[str, _LookedAfter] = {}
        self._rounds = Rounds("resource optimizer")

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        self._follow_pools()
        self._rounds.begin(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._rounds.end()
        finally:
            for each in self._looked_after.values():
                each.undo()

    @property
    def results(self) -> Mapping[str, ResourceOptimizationResult]:
        """What the latest look at each pool came to, by name."""
        found = {name: each.latest for name, each in self._looked_after.items() if each.latest is not None}
        return MappingProxyType(found)

    def history(self, pool_id: str) -> Sequence[ResourceOptimizationResult]:
        """The last 100 looks at a pool in which something was done, the latest at the end."""
        found = self._looked_after.get(pool_id)
        return () if found is None else tuple(found.told)

    def optimize_resources(self, *, dry_run: bool | None = None) -> Mapping[str, ResourceOptimizationResult]:
        """Look at all pools now, and do what is to be done.

        Args:
            dry_run: tell what would be done, and do nothing; the setting `optimize_dry_run` when not given.

        Returns:
            What it came to, by pool; without those that are not open, or do not want it.
        """
        self._follow_pools()
        return {
            name: each.look(self._monitor, self._collect, dry_run=dry_run)
            for name, each in self._looked_after.items()
            if each.wanted
        }

    async def _run(self) -> None:
        while True:
            await wait_for_round(self._interval)
            self.optimize_resources()

    def _interval(self) -> float:
        """Seconds between two looks: the shortest that a pool asks for."""
        pools = pools_of(self._source).values()
        return min((each.config.resource_check_interval for each in pools), default=IDLE_LOOK)

    def _follow_pools(self) -> None:
        pools = pools_of(self._source)
        for name, each in list(self._looked_after.items()):
            if pools.get(name) is not each.pool:
                del self._looked_after[name]
        for name, pool in pools.items():
            if name not in self._looked_after:
                self._looked_after[name] = _LookedAfter(pool)


class _LookedAfter:
    """One pool that is looked after."""

    def __init__(self, pool: TwikitConnectionPool) -> None:
        self.pool: Final = pool
        self.latest: ResourceOptimizationResult | None = None
        self.told: Final = deque[ResourceOptimizationResult](maxlen=KEPT)
        self._lowered: set[PooledTwikitConnection] = set()
        self._paused: set[PooledTwikitConnection] = set()

    @property
    def wanted(self) -> bool:
        """Whether it is to be looked after now; what was done is undone otherwise."""
        wanted = self.pool.mode is Mode.OPEN and self.pool.config.enable_resource_optimization
        if not wanted:
            self.undo()
        return wanted

    def undo(self) -> None:
        """Let all connections be as they were."""
        for each in self._lowered:
            self.pool.tuning.restore(each)
        for each in self._paused:
            self.pool.tuning.end_pause(each)
        self._lowered.clear()
        self._paused.clear()

    def look(
        self, monitor: ResourceMonitor, collect: Callable[[], int], *, dry_run: bool | None
    ) -> ResourceOptimizationResult:
        """See what connections cost, and do what is to be done."""
        pool, config, began = self.pool, self.pool.config, time.perf_counter()
        dry = config.optimize_dry_run if dry_run is None else dry_run
        size, usage, before = pool.size, monitor.usage(pool), monitor.resident()
        connections = {each.id: each for each in pool.connections()}
        figures = monitor.connections(pool)
        seen = [self._seen(each, figures.get(name, NOTHING)) for name, each in connections.items()]
        actions = [*self._expire(dry=dry), *self._resumed(), *self._advised(seen, connections, dry=dry)]
        collected = 0
        if why := wants_collection(seen, config, before, monitor.process.memory_limit):
            collected = 0 if dry else collect()
            actions.append(OptimizationAction(kind="collect", cause="memory", what="process", reason=why))
        after = monitor.resident() if collected else before
        shrunk = max(before - after, 0) if before is not None and after is not None else 0
        kinds = Counter(each.kind for each in actions)
        qualities = [quality_of(each.latency, config) for each in seen if each.latency is not None]
        self.latest = result = ResourceOptimizationResult(
            pool_id=pool.pool_id,
            timestamp=pool.clock.now(),
            duration=time.perf_counter() - began,
            dry_run=dry,
            actions=tuple(actions),
            connections_before=size,
            connections_after=pool.size,
            connections_closed=kinds["close"],
            connections_lowered=kinds["lower"],
            connections_paused=kinds["pause"],
            connections_restored=kinds["restore"] + kinds["resume"],
            lowered=sum(each.lowered for each in pool.connections()),
            paused=sum(each.pause is not None for each in pool.connections()),
            reservations_expired=kinds["expire"],
            objects_collected=collected,
            memory_before=before,
            memory_after=after,
            memory_freed=sum(each.memory for each in actions) + shrunk,
            memory_usage=usage.memory,
            cpu_usage=usage.cpu,
            network_usage=usage.network,
            network_quality=fmean(qualities) if qualities else None,
        )
        if actions:
            self._tell(result)
        return result

    def _seen(self, connection: PooledTwikitConnection, figures: ConnectionFigures) -> Seen:
        now = self.pool.clock.monotonic()
        used = max(connection.last_used or -inf, connection.checked_at)
        return Seen(
            id=connection.id,
            account_id=connection.account_id,
            idle_for=now - connection.idle_since if connection.state is IDLE else None,
            cpu=figures.cpu,
            memory=figures.memory,
            latency=connection.health.lately if now - used < FRESH else None,
            lowered=connection.lowered,
            paused=connection.pause is not None,
            kept=connection.reservation is not None,
            replaceable=connection.member.replacements.may_go_on(now),
        )

    def _expire(self, *, dry: bool) -> Iterator[OptimizationAction]:
        """End reservations that have expired, should their deadline be late."""
        for each in self.pool.reservations():
            if each.expires <= self.pool.clock.monotonic():
                if not dry:
                    each.release()
                yield OptimizationAction(
                    kind="expire",
                    cause="expired",
                    what=each.account_id,
                    reason=f"what was reserved for {each.reserved_for} has expired",
                )

    def _resumed(self) -> Iterator[OptimizationAction]:
        """Whose pause is over; those that are closed are only forgotten."""
        for each in [each for each in self._paused if each.pause is None or each.state is CLOSED]:
            self._paused.discard(each)
            if each.state is not CLOSED:
                reason = "its pause is over"
                yield OptimizationAction(kind="resume", cause="relief", what=each.id, reason=reason)

    def _advised(
        self, seen: Sequence[Seen], connections: Mapping[str, PooledTwikitConnection], *, dry: bool
    ) -> Iterator[OptimizationAction]:
        """Do what the rules advise, as far as it can be done."""
        self._lowered = {each for each in self._lowered if each.state is not CLOSED}
        for action in advise(seen, self.pool.config, self.pool.floor):
            if dry or self._carry_out(action, connections[action.what]):
                yield action

    def _carry_out(self, action: OptimizationAction, connection: PooledTwikitConnection) -> bool:
        tuning = self.pool.tuning
        match action.kind:
            case "close":
                return tuning.close(connection, action.reason, serves_badly=action.cause == "network")
            case "pause":
                paused = tuning.pause(connection, self.pool.config.optimize_pause)
                if paused:
                    self._paused.add(connection)
                return paused
            case "lower":
                self._lowered.add(connection)
                tuning.lower(connection)
            case _:
                self._lowered.discard(connection)
                tuning.restore(connection)
        return True

    def _tell(self, result: ResourceOptimizationResult) -> None:
        self.told.append(result)
        if self.pool.events.heard:
            self.pool.events.publish(
                ResourcesOptimized(pool_id=result.pool_id, at=result.timestamp, result=result.plain())
            )
