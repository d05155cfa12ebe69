"""A forecast that begins with what was kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping

from _pytest.logging import LogCaptureFixture

from tests.unit.metrics.history.made import NOON, SetClock, eventually, point
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.manager import Automation, TwikitConnectionPoolManager
from twikit_pool.metrics.history import DatabaseStore, ForecastMemory, History
from twikit_pool.metrics.history.batch import Batch
from twikit_pool.metrics.history.figures import DAY, HOUR
from twikit_pool.scaling import OnlineForecaster, Prediction
from twikit_pool.scaling.forecast import Forecaster
from twikit_pool.sessions import TwikitSessionManager

BEGAN = NOON - 9 * DAY
NOW = NOON + 137.0


def demand_at(moment: float) -> float:
    """Erlangs: much by day, little by night."""
    return 6 + 5 * math.sin(2 * math.pi * (moment % DAY) / DAY)


async def filled(url: str) -> None:
    store = DatabaseStore(url)
    made = [
        ("news", point(at + 300.0, seconds=300.0, acquired=300, busy_time=300 * demand_at(at)))
        for at in range(BEGAN, NOON, 300)
    ]
    for number, first in enumerate(range(0, len(made), 100), start=1):
        await store.write(Batch(writer="w", number=number, at=NOON, points=made[first : first + 100]))
    await store.aclose()


class Recorded:
    """A forecaster that tells what it was taught."""

    def __init__(self, everyone: list[Recorded]) -> None:
        self.buckets: list[tuple[float, float | None]] = []
        self.hours: list[tuple[float, float]] = []
        self.learned: list[tuple[float, float | None]] = []
        everyone.append(self)

    def learn(self, moment: float, load: float | None) -> None:
        self.learned.append((moment, load))

    def predict(self) -> Mapping[float, Prediction]:
        return {}

    def warm_up(
        self, history: Iterable[tuple[float, float | None]], *, hours: Iterable[tuple[float, float]] = ()
    ) -> None:
        self.buckets, self.hours = list(history), list(hours)


async def test_a_forecaster_knows_the_week_and_misses_nothing_meanwhile(url: str) -> None:
    await filled(url)
    history = History(url, clock=SetClock(NOW))
    demand = await history.demand("news", days=7, weeks=11)
    assert len(demand.buckets) >= 7 * 288 - 24
    for moment, load in (demand.buckets[0], demand.buckets[700], demand.buckets[-1]):
        assert load is not None
        assert abs(load / demand_at(moment) - 1) < 0.05, moment
    assert demand.hours[0][0] == BEGAN - BEGAN % HOUR
    assert demand.hours[-1][0] < demand.buckets[0][0]

    warmed = OnlineForecaster()
    warmed.warm_up(demand.buckets, hours=demand.hours)
    warmed.learn(NOON + 300, 9.0)

    memory = ForecastMemory(history, lambda _pool: OnlineForecaster())
    forecaster = memory.forecaster("news")
    async with memory:
        forecaster.learn(NOON + 300, 9.0)
        assert forecaster.predict() != warmed.predict(), "it has not been taught yet"
        await eventually(lambda: forecaster.predict() == warmed.predict())
    await history.aclose()


async def test_a_managers_pools_begin_with_the_past(url: str) -> None:
    await filled(url)
    made: list[Recorded] = []

    def make(_pool_id: str) -> Forecaster:
        return Recorded(made)

    history = History(url, clock=SetClock(NOW))
    async with (
        TwikitSessionManager(MemoryAccounts([])) as sessions,
        TwikitConnectionPoolManager(
            sessions, automation=Automation(history=history, forecaster=make)
        ) as manager,
    ):
        await manager.create_pool("news")
        await eventually(lambda: any(each.buckets for each in made))
    first, taught = made
    assert first.buckets == []
    assert len(taught.buckets) >= 7 * 288 - 24
    assert taught.hours
    await history.aclose()


async def test_a_pool_without_a_past_or_a_database_begins_empty(url: str, caplog: LogCaptureFixture) -> None:
    gone = "postgresql+psycopg://u@127.0.0.1:1/x"
    for where in (url, gone):
        history = History(where, clock=SetClock(NOW))
        made: list[Recorded] = []
        memory = ForecastMemory(history, lambda _pool, made=made: Recorded(made))
        forecaster = memory.forecaster("news")
        async with memory:
            await asyncio.sleep(1)
            forecaster.learn(NOON, 1.0)
        assert len(made) == 1
        assert made[0].learned == [(NOON, 1.0)]
        await history.aclose()
    assert "begins without the past" in caplog.text
