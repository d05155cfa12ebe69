"""What goes on beside a manager's pools: they are measured, sized, and kept from wasting what they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from twikit_pool.metrics.collector import PoolCollector
from twikit_pool.resources.ceiling import ContainerCeiling
from twikit_pool.resources.monitor import ResourceMonitor
from twikit_pool.resources.optimizer import ResourceOptimizer
from twikit_pool.scaling.autoscaler import AutoScaler, CeilingSource, online_forecaster
from twikit_pool.scaling.cost_keeper import CostKeeper
from twikit_pool.scaling.shared_ceiling import SharedCeiling

if TYPE_CHECKING:
    from twikit_pool.metrics.history.history import History
    from twikit_pool.pool.pools import Pools
    from twikit_pool.resources.process import MeasuredProcess
    from twikit_pool.scaling.costs import CostLimits, CostModel
    from twikit_pool.scaling.feeds import CarbonFeed, PriceFeed
    from twikit_pool.scaling.forecast import Forecaster


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What is paid for, and what it may come to; as `CostKeeper` has them.

    Attributes:
        model: prices.
        limits: when LOW work has to wait.
        carbon, price: what is followed.
    """

    model: CostModel
    limits: CostLimits
    carbon: CarbonFeed | None = None
    price: PriceFeed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """What a manager does about its pools by itself. Each pool's settings can switch parts of it off.

    Attributes:
        most_connections: connections that all pools together may have; None is as many as they may by
            themselves.
        guarantees, priorities: who has how many of those, by pool; as `SharedCeiling` has them.
        forecaster: makes the forecaster of a pool by its name; None forecasts nothing.
        ceilings: further bounds on the sizes of pools.
        costs: what is paid for; None counts no costs.
        history: where it is kept what pools did, and what forecasters begin with; None keeps nothing.
        own_process: where the figures of the process come from; a simulation gives its own.
    """

    most_connections: int | None = None
    guarantees: Mapping[str, int] = field(default_factory=dict[str, int])
    priorities: Mapping[str, int] = field(default_factory=dict[str, int])
    forecaster: Callable[[str], Forecaster] | None = online_forecaster
    ceilings: Sequence[CeilingSource] = ()
    costs: Costs | None = None
    history: History | None = None
    own_process: MeasuredProcess | None = None


class Attendants:
    """Those who attend to a manager's pools, from `begin` to `end`.

    Raises:
        ConfigError: more connections are guaranteed than there may be.
    """

    def __init__(self, pools: Pools, automation: Automation) -> None:
        ceilings: list[CeilingSource] = [*automation.ceilings]
        if automation.most_connections is not None:
            ceilings.append(
                SharedCeiling(
                    pools,
                    automation.most_connections,
                    guarantees=automation.guarantees,
                    priorities=automation.priorities,
                )
            )
        self.monitor: Final = ResourceMonitor(pools, own_process=automation.own_process)
        self.collector: Final = PoolCollector(pools, measure=self.monitor.usage)
        ceilings.append(ContainerCeiling(self.monitor))
        self.history: Final = automation.history
        self._recorder = None if self.history is None else self.history.recorder(pools, self.collector)
        forecaster, self._memory = automation.forecaster, None
        if self.history is not None and forecaster is not None:
            self._memory = self.history.forecasts(forecaster)
            forecaster = self._memory.forecaster
        self.scaler: Final = AutoScaler(pools, forecaster=forecaster, ceilings=ceilings)
        self.optimizer: Final = ResourceOptimizer(pools, self.monitor)
        self.costs: Final = None if automation.costs is None else _keeper(pools, automation.costs)
        self._entered = AsyncExitStack()
        self._recording = AsyncExitStack()

    async def begin(self) -> None:
        """Attend to the pools. Who records begins first, then who measures; they end last."""
        async with AsyncExitStack() as recording, AsyncExitStack() as entered:
            if self._recorder is not None:
                await recording.enter_async_context(self._recorder)
            attendants = (self.monitor, self.collector, self._memory, self.scaler, self.optimizer, self.costs)
            for each in attendants:
                if each is not None:
                    await entered.enter_async_context(each)
            self._recording, self._entered = recording.pop_all(), entered.pop_all()

    async def end(self) -> None:
        """Leave the pools as they are, but go on to record. Harmless when nobody has begun."""
        await self._entered.aclose()

    async def end_recording(self) -> None:
        """Write the rest, that pools were shut down included, and record no more."""
        await self._recording.aclose()


def _keeper(pools: Pools, costs: Costs) -> CostKeeper:
    return CostKeeper(pools, costs.model, costs.limits, carbon=costs.carbon, price=costs.price)
