"""Scaling in the running program: the load is measured, the engine decides, and the pool is resized."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self, TypeVar

import msgspec

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolError
from twikit_pool.events import ScalingDecided, ScalingExecuted
from twikit_pool.pool.control import Mode
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.rounds import Rounds, wait_for_round
from twikit_pool.redaction import without_frames
from twikit_pool.scaling.engine import ScalingDecision, ScalingEngine
from twikit_pool.scaling.forecast import Forecaster, OnlineForecaster, Prediction
from twikit_pool.scaling.load import Ceiling, Load
from twikit_pool.scaling.meter import LoadMeter

if TYPE_CHECKING:
    Forecasters = Callable[[str], Forecaster]

T = TypeVar("T")

logger = logging.getLogger(__name__)

KEPT: Final = 1_000
"""Decisions of each pool that are remembered."""

IDLE: Final = 1.0
"""Seconds between two looks while there is no pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolNeed:
    """What a pool needs, for those who share out what there is.

    Attributes:
        load: as it was just measured.
        config: its settings.
        size: connections that there are, those being opened included.
        queue: requests that wait.
        wanted: connections that the engine's rules asked for last, before anything held them back; `size`
            before they were asked.
    """

    load: Load
    config: ConnectionPoolConfig
    size: int
    queue: int
    wanted: int


class CeilingSource(Protocol):
    """Who bounds the sizes of pools."""

    def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
        """The bound of each pool, by name; a pool that is not among them has none.

        Asked before each decision, with the pools that are decided about, and when there is another pool. It
        may bound others too: those that autoscaling leaves alone. It must not block.
        """
        ...


class Decided(NamedTuple):
    """A decision, and when it was made, in UTC."""

    at: datetime
    decision: ScalingDecision


def online_forecaster(_pool_id: str) -> Forecaster:
    """A forecaster that has learned nothing yet."""
    return OnlineForecaster()


class AutoScaler:
    """Resizes a pool, or all pools of a manager, while it is entered.

    Every `scaling_interval` the load of each pool is measured and its size decided. It decides alone: a size
    that was asked for with `resize` is where it begins. A pool that is not open, or whose
    `enable_auto_scaling` is off, is left alone.

    Ceilings are no mere advice: each pool is held to the lowest (`limit_size`), whatever asks for more, but
    not while it is in a dry run. When the autoscaler is left, each pool keeps its last size, and is held to
    its settings alone.

        async with AutoScaler(pool) as scaler:
            ...
            print(scaler.decisions["default"].reason)

    Args:
        source: the pool, or the manager whose pools are scaled, those made later included.
        forecaster: makes the forecaster of a pool by its name; None forecasts nothing.
        ceilings: who bounds the sizes besides the settings. One that fails is logged, and bounds nothing
            until it works again.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        *,
        forecaster: Forecasters | None = online_forecaster,
        ceilings: Sequence[CeilingSource] = (),
    ) -> None:
        self._source = source
        self._forecaster = forecaster
        self._sources = tuple(ceilings)
        self._scaled: dict[str, Scaled] = {}
        self._needs: dict[str, PoolNeed] = {}
        """As last measured."""
        self._careful = Careful()
        self._rounds = Rounds("autoscaler")

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        self._refuse_two()
        self._scaled.clear()  # what an earlier time has left to look at
        self._follow_pools()
        for each in self._scaled.values():
            each.need()  # measuring begins
        self._needs = {}
        self._hold(self._ceilings_of({}))
        if not isinstance(self._source, TwikitConnectionPool):
            self._source.on_pool.append(self._another)
        self._rounds.begin(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(self._source, TwikitConnectionPool):
            self._source.on_pool.remove(self._another)
        try:
            await self._rounds.end()
        finally:
            for each in self._scaled.values():
                each.leave()

    def _refuse_two(self) -> None:
        for pool_id, pool in pools_of(self._source).items():
            if pool.sized_by is not None:
                raise PoolError(
                    f"another autoscaler sizes pool {pool_id!r} already: a manager has one "
                    "(manager.attendants.scaler) unless it is made with automation=None"
                )

    @property
    def decisions(self) -> Mapping[str, ScalingDecision]:
        """The latest decision about each pool that there is, by name."""
        return MappingProxyType(
            {pool_id: each.latest for pool_id, each in self._scaled.items() if each.latest is not None}
        )

    def history(self, pool_id: str) -> Sequence[Decided]:
        """The last 1,000 decisions about a pool that differed from the one before, the latest at the end."""
        scaled = self._scaled.get(pool_id)
        return () if scaled is None else tuple(scaled.told)

    def decide_now(self) -> Mapping[str, ScalingDecision]:
        """Measure, decide and carry out now, as at the end of an interval. Returns `decisions`.

        Raises:
            PoolError: the autoscaler is not entered.
        """
        if not self._rounds.running:
            raise PoolError("the autoscaler does not run: enter it with `async with AutoScaler(pool)`")
        self._follow_pools()
        needs: dict[str, PoolNeed] = {}
        for pool_id, each in self._scaled.items():
            need = self._careful(f"measuring the load of pool {pool_id}", each.need, None)
            if need is not None:
                needs[pool_id] = need
        self._needs = needs
        ceilings = self._ceilings_of(needs)
        for pool_id, need in needs.items():
            load = replace(need.load, ceilings=tuple(ceilings[pool_id]))
            self._careful(f"scaling pool {pool_id}", partial(self._scaled[pool_id].decide, load), None)
        self._hold(ceilings)
        return self.decisions

    # ------------------------------------------------------------ by itself

    async def _run(self) -> None:
        while True:
            await wait_for_round(self._interval)
            self.decide_now()

    def _interval(self) -> float:
        """Seconds between two looks: the shortest that a pool asks for."""
        pools = [each.pool for each in self._scaled.values()]
        return min((each.config.scaling_interval for each in pools), default=IDLE)

    def _ceilings_of(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Sequence[Ceiling]]:
        found: dict[str, list[Ceiling]] = {pool_id: [] for pool_id in self._scaled}
        for number, source in enumerate(self._sources, start=1):
            what = f"asking ceiling source {number} ({type(source).__name__})"
            ceilings: Mapping[str, Ceiling] = self._careful(what, partial(_asked, source, needs), {})
            for pool_id in found.keys() & ceilings.keys():
                found[pool_id].append(ceilings[pool_id])
        return found

    def _hold(self, ceilings: Mapping[str, Sequence[Ceiling]]) -> None:
        """Hold the pools to these."""
        for pool_id, each in self._scaled.items():
            each.hold(ceilings[pool_id])

    def _another(self, _pool: TwikitConnectionPool) -> None:
        """A pool is made, and is held to its ceiling before it opens anything."""
        self._follow_pools()
        pools = {pool_id: each.pool for pool_id, each in self._scaled.items()}
        needs = {
            pool_id: replace(need, size=pools[pool_id].size, queue=pools[pool_id].waiting)
            for pool_id, need in self._needs.items()
            if pool_id in pools
        }
        self._hold(self._ceilings_of(needs))

    def _follow_pools(self) -> None:
        """Forget the pools that are gone, and take in those that are new."""
        pools = pools_of(self._source)
        for pool_id, each in list(self._scaled.items()):
            if pools.get(pool_id) is not each.pool:
                each.leave()
                del self._scaled[pool_id]
                self._needs.pop(pool_id, None)
        for pool_id, pool in pools.items():
            if pool_id not in self._scaled and pool.sized_by is None:
                self._scaled[pool_id] = Scaled(pool, self._forecaster_of(pool_id))

    def _forecaster_of(self, pool_id: str) -> Forecaster | None:
        if self._forecaster is None:
            return None
        made = self._careful(
            f"making a forecaster for pool {pool_id}", partial(self._forecaster, pool_id), None
        )
        return None if made is None else CarefulForecaster(made, self._careful, pool_id)


class Scaled:
    """One pool that is scaled: measured while it can be, and decided about, until it is left."""

    def __init__(self, pool: TwikitConnectionPool, forecaster: Forecaster | None) -> None:
        self.pool: Final = pool
        pool.sized_by = self
        self.latest: ScalingDecision | None = None
        self.told: Final = deque[Decided](maxlen=KEPT)
        self._engine: Final = ScalingEngine(pool.config, forecaster)
        self._meter: LoadMeter | None = None
        self._executed: int | None = None
        """The size of the last decision that was carried out."""
        self._held = False
        """Whether it is held to a ceiling."""

    def leave(self) -> None:
        """Leave it to others, as it is."""
        self.rest()
        self.hold(())
        self.pool.sized_by = None

    def rest(self) -> None:
        """Measure nothing until it is asked for again."""
        if self._meter is not None:
            self._meter.close()
            self._meter = None

    def need(self) -> PoolNeed | None:
        """What it needs now; None while it is to be left alone, and at first, when measuring begins."""
        pool = self.pool
        if pool.mode is not Mode.OPEN or not pool.config.enable_auto_scaling:
            self.rest()  # its load says nothing
            return None
        if self._meter is None:
            self._meter = LoadMeter(pool)
            return None
        return PoolNeed(
            load=self._meter.measure(),
            config=pool.config,
            size=pool.size,
            queue=pool.waiting,
            wanted=pool.size if self.latest is None else self.latest.wanted_size,
        )

    def hold(self, ceilings: Sequence[Ceiling]) -> None:
        """Let nothing make it larger than the lowest of these, until the next time."""
        lowest = min(ceilings, key=self._most, default=None)
        if lowest is not None and not self.pool.config.scaling_dry_run:
            self._held = True
            self.pool.limit_size(self._most(lowest), lowest.reason)
        elif self._held:
            self._held = False
            self.pool.limit_size(None)

    def _most(self, ceiling: Ceiling) -> int:
        """What a ceiling leaves. What pools share is counted exactly, what each keeps for itself with it.

        All else is an estimate, and must not close a pool for good: one without connections gives no measure.
        """
        least = 0 if ceiling.kind == "shared" else max(self.pool.config.min_connections, 1)
        return max(ceiling.size, least)

    def decide(self, load: Load) -> None:
        """Decide for this load, tell what is new in it, and carry it out."""
        pool, before = self.pool, self.latest
        self._engine.config = pool.config
        self.latest = decision = self._engine.analyze_scaling_needs(load, pool.size, pool.waiting)
        if before is None or _gist(before) != _gist(decision):
            self._tell(decision)
        if not pool.config.scaling_dry_run:
            self._execute(decision)

    def _tell(self, decision: ScalingDecision) -> None:
        pool, at = self.pool, self.pool.clock.now()
        self.told.append(Decided(at, decision))
        if pool.events.heard:
            pool.events.publish(
                ScalingDecided(
                    pool_id=pool.pool_id, at=at, size=pool.size, **msgspec.structs.asdict(decision)
                )
            )

    def _execute(self, decision: ScalingDecision) -> None:
        """Resize the pool. To hold is to keep what there is, also what came because somebody waited."""
        pool, before, size = self.pool, self.pool.size, decision.target_size
        pool.resize(size)
        if size == before or (size == self._executed and pool.size == before):
            return  # nothing came of it, as when accounts are missing
        self._executed = size
        if pool.events.heard:
            pool.events.publish(
                ScalingExecuted(
                    pool_id=pool.pool_id,
                    at=pool.clock.now(),
                    before=before,
                    size=size,
                    reason=decision.reason,
                    confidence=decision.confidence,
                )
            )


def _asked(source: CeilingSource, needs: Mapping[str, PoolNeed]) -> dict[str, Ceiling]:
    """The bounds of a source, or an error where it gives something else: it is the operator's own code."""
    return {pool_id: replace(each, size=int(each.size)) for pool_id, each in source.ceilings(needs).items()}


def _gist(decision: ScalingDecision) -> tuple[object, ...]:
    return decision.action, decision.target_size, decision.constraints


class Careful:
    """Runs what is not ours, or must not stop us: what fails is logged, once until it works again."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def __call__(self, what: str, act: Callable[[], T], otherwise: T) -> T:
        """What `act()` returns, or `otherwise` when it fails."""
        try:
            result = act()
        except Exception as error:  # noqa: BLE001 - a boundary: forecasters and sources are the operator's
            if what not in self._failing:
                self._failing.add(what)
                logger.warning("%s failed: %s", what, type(without_frames(error)).__name__)
            return otherwise
        self._failing.discard(what)
        return result


class CarefulForecaster:
    """A forecaster that expects nothing where the operator's own fails."""

    def __init__(self, forecaster: Forecaster, careful: Careful, pool_id: str) -> None:
        self._forecaster = forecaster
        self._careful = careful
        self._pool_id = pool_id

    def learn(self, moment: float, load: float | None) -> None:
        """See a finished bucket."""
        self._careful(
            f"teaching the forecaster of pool {self._pool_id}",
            lambda: self._forecaster.learn(moment, load),
            None,
        )

    def predict(self) -> Mapping[float, Prediction]:
        """What is expected; nothing when that fails."""
        return self._careful(f"asking the forecaster of pool {self._pool_id}", self._forecaster.predict, {})
