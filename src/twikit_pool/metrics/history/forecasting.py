"""A forecaster that knows the last weeks when its pool begins.

A pool is sized from its first moment on, and reading the history takes a while, so its forecaster begins
empty. When one that has learned what was kept is ready, it takes its place, with what came meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, runtime_checkable

from twikit_pool.errors import HistoryError
from twikit_pool.metrics.history.demand import Demand
from twikit_pool.pool.rounds import Rounds
from twikit_pool.redaction import without_frames
from twikit_pool.scaling.forecast import Forecaster, Prediction

if TYPE_CHECKING:
    from twikit_pool.metrics.history.history import History

logger = logging.getLogger(__name__)

DAYS: Final = 7
"""Of buckets that are learned; a forecaster's memory is not longer."""

WEEKS: Final = 11
"""Of hours before those, for the course of the week."""


@runtime_checkable
class WarmedUp(Protocol):
    """A forecaster that can learn the hours of weeks beside its buckets; as `OnlineForecaster`."""

    def warm_up(
        self, history: Iterable[tuple[float, float | None]], *, hours: Iterable[tuple[float, float]] = ()
    ) -> None:
        """Learn what was kept."""
        ...


class RememberingForecaster:
    """A `Forecaster` that may be replaced by one that has learned more.

    Args:
        forecaster: the first.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._meanwhile: list[tuple[float, float | None]] | None = []
        """What came since; None when nobody takes its place any more."""

    def learn(self, moment: float, load: float | None) -> None:
        """See a finished bucket."""
        if self._meanwhile is not None:
            self._meanwhile.append((moment, load))
        self._forecaster.learn(moment, load)

    def predict(self) -> Mapping[float, Prediction]:
        """What is expected."""
        return self._forecaster.predict()

    def replace(self, forecaster: Forecaster | None) -> None:
        """Go on with this one, or with the first for good."""
        meanwhile, self._meanwhile = self._meanwhile or [], None
        if forecaster is not None:
            for moment, load in meanwhile:
                forecaster.learn(moment, load)
            self._forecaster = forecaster


class ForecastMemory:
    """Teaches the forecasters of pools what the history has, while it is entered.

    Args:
        history: whose.
        make: makes the forecaster of a pool by its name.
    """

    def __init__(self, history: History, make: Callable[[str], Forecaster]) -> None:
        self._history = history
        self._make = make
        self._rounds = Rounds("forecast memory")
        self._to_teach: asyncio.Queue[tuple[str, RememberingForecaster]] = asyncio.Queue()

    def forecaster(self, pool_id: str) -> Forecaster:
        """The forecaster of a pool that begins now."""
        made = RememberingForecaster(self._make(pool_id))
        self._to_teach.put_nowait((pool_id, made))
        return made

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        self._rounds.begin(self._teach_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rounds.end()

    async def _teach_all(self) -> None:
        while True:
            pool_id, forecaster = await self._to_teach.get()
            taught: Forecaster | None = None
            try:
                demand = await self._history.demand(pool_id, days=DAYS, weeks=WEEKS)
                if demand.buckets or demand.hours:
                    taught = self._make(pool_id)
                    await asyncio.to_thread(_teach, taught, demand)
                    logger.info("the forecast of pool %s knows %s", pool_id, _in_words(demand))
            except HistoryError as error:
                logger.warning("the forecast of pool %s begins without the past: %s", pool_id, error)
            except Exception as error:  # noqa: BLE001 - a boundary: forecasters are the operator's own code
                logger.warning(
                    "teaching the forecast of pool %s failed: %s",
                    pool_id,
                    type(without_frames(error)).__name__,
                )
                taught = None
            forecaster.replace(taught)


def _teach(forecaster: Any, demand: Demand) -> None:
    if isinstance(forecaster, WarmedUp):
        forecaster.warm_up(demand.buckets, hours=demand.hours)
    else:
        for moment, load in demand.buckets:
            forecaster.learn(moment, load)


def _in_words(demand: Demand) -> str:
    return f"{len(demand.buckets)} buckets and {len(demand.hours)} hours before them"
