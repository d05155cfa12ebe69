"""Costs in the running program: they are measured and added up, and hold back work that can wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self

from twikit_pool.clock import Clock
from twikit_pool.errors import PoolError
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.pools import Pools, pools_of
from twikit_pool.pool.request import check_seconds
from twikit_pool.scaling.cost_meter import CostMeter
from twikit_pool.scaling.costs import Consumption, Cost, CostLimits, CostModel, LowWorkRules
from twikit_pool.scaling.feed_follower import FeedFollower
from twikit_pool.scaling.feeds import CarbonFeed, PriceFeed, Reading
from twikit_pool.scaling.low_limit import NOTHING_HELD_BACK, LowLimit

FREE: Final = CostModel()
UNLIMITED: Final = CostLimits()

CLOSING_PATIENCE: Final = 5.0
"""Seconds that feeds have to end; one that does not let itself be cancelled is left alone after that."""

logger = logging.getLogger(__name__)


class CostKeeper:
    """Adds up what a pool, or all pools of a manager, cost, and limits LOW requests by it, while entered.

    At the end of each `interval`, and of each day (UTC), what was used is added to the day's costs, and it is
    decided how much LOW work there may be. Nothing but the limit of LOW requests (`limit_low`) is ever
    touched, and when the keeper is left, its limits are lifted.

    Whose limit holds: a number that was set by hand, with `pool.limit_low`, holds, and the keeper leaves that
    pool alone until it is lifted by hand, with `pool.limit_low(None)`. A limit of the keeper's own that is
    lifted by hand is set again at the end of the interval: to let more LOW work be done than the keeper
    would, set a number. One that is the same as the keeper's at that moment counts as the keeper's.

        async with CostKeeper(pool, CostModel(per_gb=4), CostLimits(budget_per_day=20)) as keeper:
            ...
            print(keeper.today.total, keeper.low_work.reason)

    Args:
        source: the pool, or the manager whose pools are counted together, those made later included.
        model: prices.
        limits: when LOW work has to wait.
        carbon, price: what is followed; whoever made them closes them. A feed that fails, or does not answer
            within 30 s, is logged, once until it works again. Its last reading holds until its time is over.
        interval: seconds.
        cpu: seconds of CPU of the process so far; it must not block. One that fails is logged.

    Attributes:
        today: what this day (UTC) has cost so far, while the keeper was entered.
        used_today: what was used for that.
        low_work: the latest decision.

    Raises:
        ConfigError: the interval is no positive number.
    """

    def __init__(
        self,
        source: TwikitConnectionPool | Pools,
        model: CostModel = FREE,
        limits: CostLimits = UNLIMITED,
        *,
        carbon: CarbonFeed | None = None,
        price: PriceFeed | None = None,
        interval: float = 60.0,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        check_seconds("interval", interval)
        self._source = source
        self._model = model
        self._rules = LowWorkRules(limits)
        self._asked: dict[str, Callable[[], Awaitable[Reading]]] = {}
        if carbon is not None:
            self._asked["carbon"] = carbon.carbon
        if price is not None:
            self._asked["price"] = price.price
        self._interval = interval
        self._cpu = cpu
        self._limits: list[LowLimit] = []
        """One for each pool that is followed."""
        self._tasks: list[asyncio.Task[None]] | None = None
        """None while it is not entered; none are there before the first pool."""
        self._counting: Counting | None = None
        """None before the first pool."""
        self._followers: dict[str, FeedFollower] = {}
        self._day: date | None = None
        self.today = Cost()
        self.used_today = Consumption()
        self.low_work = NOTHING_HELD_BACK

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise PoolError("this cost keeper runs already: make another")
        self._tasks = []
        for pool in pools_of(self._source).values():
            self._follow(pool)
        if not isinstance(self._source, TwikitConnectionPool):
            self._source.on_pool.append(self._follow)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks, self._tasks = self._tasks, None
        assert tasks is not None  # noqa: S101 - for the type checker: it was entered
        if not isinstance(self._source, TwikitConnectionPool):
            self._source.on_pool.remove(self._follow)
        for task in tasks:
            task.cancel()
        try:
            self._count()
        finally:
            self._lift()
            self._limits, self._followers, self._counting = [], {}, None
        if tasks:
            await self._to_end(tasks)

    async def _to_end(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        done, hanging = await asyncio.wait(tasks, timeout=CLOSING_PATIENCE)
        for task in hanging:
            logger.warning("following the %s does not let itself be cancelled", task.get_name())
        for task in done:
            if not task.cancelled():
                task.result()  # it ends by itself only when it has failed

    @property
    def readings(self) -> Mapping[str, Reading]:
        """What the feeds say of now: `carbon` and `price`, as far as they are known."""
        known = {name: each.reading for name, each in self._followers.items()}
        return MappingProxyType({name: each for name, each in known.items() if each is not None})

    def measure(self) -> None:
        """Add up and decide now, as at the end of an interval.

        Raises:
            PoolError: the keeper is not entered.
        """
        if self._tasks is None:
            raise PoolError("the cost keeper does not run: enter it with `async with CostKeeper(pool)`")
        self._count()
        self._decide()

    # ------------------------------------------------------------ by itself

    def _follow(self, pool: TwikitConnectionPool) -> None:
        """Count a pool; the first one brings the clock with it."""
        self._limits.append(LowLimit(pool))
        if self._counting is None:
            self._begin(pool.clock)

    def _begin(self, clock: Clock) -> None:
        pools = pools_of(self._source).values()
        self._counting = Counting(clock, CostMeter(pools, clock.monotonic(), self._cpu))
        self._follow_day(clock.now())
        for name, ask in self._asked.items():
            self._followers[name] = follower = FeedFollower(name, ask, clock)
            self._own(follower.run(), f"{name} feed")
        self._own(self._run(clock), "costs")

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._tasks is not None:
            self._tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    async def _run(self, clock: Clock) -> None:
        try:
            while True:
                await asyncio.sleep(min(self._interval, _until_midnight(clock.now())))
                self.measure()
        finally:
            self._lift()  # should this fail, nobody else would

    def _count(self) -> None:
        """Add what was used since the last time to the day in which that was; then it may be another day."""
        if self._counting is None:
            return
        clock, meter = self._counting
        used = meter.look([each.pool for each in self._limits], clock.monotonic())
        self.used_today += used
        self.today += self._model.cost(used, price=self._value("price"), carbon=self._value("carbon"))
        self._follow_day(clock.now())
        pools = pools_of(self._source)
        self._limits = [each for each in self._limits if pools.get(each.pool.pool_id) is each.pool]

    def _follow_day(self, now: datetime) -> None:
        if now.date() != self._day:
            self._day, self.today, self.used_today = now.date(), Cost(), Consumption()

    def _decide(self) -> None:
        carbon, price = self._value("carbon"), self._value("price")
        self.low_work = self._rules.decide(carbon=carbon, price=price, spent=self.today.total)
        for each in self._limits:
            each.set(self.low_work)

    def _value(self, name: str) -> float | None:
        reading = self.readings.get(name)
        return None if reading is None else float(reading.value)

    def _lift(self) -> None:
        self.low_work = NOTHING_HELD_BACK
        for each in self._limits:
            each.lift()


class Counting(NamedTuple):
    """What costs are counted with, as soon as there is a pool."""

    clock: Clock
    meter: CostMeter


def _until_midnight(now: datetime) -> float:
    """Seconds until the next day begins, in UTC."""
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return (tomorrow - now).total_seconds()
