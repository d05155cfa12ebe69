"""The history's recorder in virtual time: nothing is lost unseen, or counted twice; nobody waits for it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_loop import (
    CancelRandomly,
    Order,
    SimulatedClock,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import HistoryDamaged, HistoryError
from twikit_pool.events import HistoryFailed, HistoryResumed
from twikit_pool.metrics import PoolCollector
from twikit_pool.metrics.history import recorder as recorder_module
from twikit_pool.metrics.history.batch import Batch
from twikit_pool.metrics.history.buffer import Buffer
from twikit_pool.metrics.history.recent import Recent
from twikit_pool.metrics.history.recorder import LAST, LONGEST_PAUSE, PATIENCE, Recorder
from twikit_pool.pool import TwikitConnectionPool

CALM: dict[str, Any] = {
    "acquire_timeout": 1000.0,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
    "min_connections": 1,
    "initial_connections": 1,
    "metrics_interval": 10.0,
}


@dataclass
class SimulatedStore:
    """A store that takes its time, fails now and then, and may do what it says it has failed at."""

    rng: random.Random
    slowest: float = 0.0
    failing: float = 0.0
    """Share of the batches that fail."""
    gone_until: float = 0.0
    hangs: bool = False
    damaged: bool = False
    kept: dict[tuple[str, int], Batch] = field(default_factory=dict[tuple[str, int], Batch])
    tried: int = 0
    pruned: list[float] = field(default_factory=list[float])
    settled: int = 0
    closed: int = 0

    async def write(self, batch: Batch) -> None:
        self.tried += 1
        loop = asyncio.get_running_loop()
        if self.hangs:
            await asyncio.sleep(1e6)
        if self.damaged:
            raise HistoryDamaged("the history x.db failed (malformed): restore it")
        if loop.time() < self.gone_until:
            raise HistoryError("the history failed (connection refused)")
        if self.slowest:
            await asyncio.sleep(self.rng.random() * self.slowest)
        fails = self.rng.random() < self.failing
        if not fails or self.rng.random() < 0.5:
            self.kept.setdefault((batch.writer, batch.number), batch)
        if self.slowest:
            await asyncio.sleep(self.rng.random() * self.slowest)
        if fails:
            raise HistoryError("the history failed (nobody knows whether it was done)")

    async def settle(self) -> None:
        self.settled += 1

    async def prune(self, now: float) -> bool:
        self.pruned.append(now)
        return False

    async def set_aside(self) -> str:
        self.damaged = False
        return "x.db.damaged"

    async def aclose(self) -> None:
        self.closed += 1

    def batches(self) -> Iterator[Batch]:
        return iter(self.kept.values())

    @property
    def calls(self) -> int:
        return sum(point.calls for batch in self.batches() for _, point in batch.points)

    @property
    def ends(self) -> list[float]:
        return [point.ended for batch in self.batches() for _, point in batch.points]


class JumpingClock(SimulatedClock):
    """A clock that is set while it runs."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


def measured(
    loop: SimulatedLoop, store: SimulatedStore, clock: SimulatedClock | None = None, **settings: Any
) -> tuple[TwikitConnectionPool, Recorder, PoolCollector]:
    pool = pool_of(SimulatedX(loop), 2, ConnectionPoolConfig(**{**CALM, **settings}))
    collector = PoolCollector(pool)
    return pool, Recorder(pool, collector, Recent(), store, clock=clock or loop.clock), collector


async def like(pool: TwikitConnectionPool, times: int, pause: float) -> None:
    for _ in range(times):
        await pool.execute("like_tweet", tweet_id="1")
        await asyncio.sleep(pause)


def test_each_interval_and_each_event_is_written_once_within_seconds() -> None:
    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng)
        pool, recorder, collector = measured(loop, store)
        async with pool, recorder, collector:
            await like(pool, 30, 2.0)
            await asyncio.sleep(12)
            assert recorder.waiting <= 2, "but for what accounts do, which is added up for a minute"
            assert store.calls == 30
        assert len(store.ends) == len(set(store.ends))
        accounts = Counter[str]()
        for batch in store.batches():
            for key, did in batch.accounts.items():
                accounts[key.account_id] += did.calls
        assert accounts.total() == 30
        types = Counter(event.type for batch in store.batches() for event in batch.events)
        assert types["connection_created"] >= 1
        assert store.settled >= 5
        assert store.closed == 1
        assert (recorder.lost, recorder.waiting, recorder.failing) == (0, 0, None)

    simulate(main)


def test_i14_a_store_that_is_gone_stops_nobody_and_loses_nothing_that_fits(caplog: LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, gone_until=loop.time() + 60)
        pool, recorder, collector = measured(loop, store)
        with pool.events.subscribe(HistoryFailed, HistoryResumed) as told:
            async with pool, recorder, collector:
                began = loop.time()
                await like(pool, 20, 1.0)
                assert loop.time() - began < 20 + 20 * 0.7, "calls take as long as always"
                assert recorder.failing is not None
                await asyncio.sleep(60 + LONGEST_PAUSE)
                assert recorder.failing is None
            assert store.calls == 20
            events = [type(each) for each in told.take()]
        assert events == [HistoryFailed, HistoryResumed]
        assert store.tried < 30, "it is asked less and less often"

    simulate(main)
    assert len([each for each in caplog.messages if "waits in memory" in each]) == 1
    assert "written again after" in caplog.text


def test_i14_what_does_not_fit_is_dropped_counted_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: LogCaptureFixture
) -> None:
    monkeypatch.setattr("twikit_pool.metrics.history.buffer.MOST_POINTS", 10)

    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, gone_until=loop.time() + 1000)
        pool, recorder, collector = measured(loop, store)
        with pool.events.subscribe(HistoryFailed, HistoryResumed) as told:
            async with pool, recorder, collector:
                await asyncio.sleep(1100)
                lost = recorder.lost
                assert 80 <= lost <= 110
            events = told.take()
        failed = [each for each in events if isinstance(each, HistoryFailed)]
        resumed = [each for each in events if isinstance(each, HistoryResumed)]
        assert sum(each.lost for each in failed) + sum(each.lost for each in resumed) == recorder.lost
        assert len(failed) < 25, "once a minute"
        assert len(store.ends) + recorder.lost >= 109

    simulate(main)
    assert "lost to the history" in caplog.text


def test_a_store_that_hangs_is_given_up_for_a_while_and_on_leaving(caplog: LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, hangs=True)
        pool, recorder, collector = measured(loop, store)
        async with pool, recorder, collector:
            await asyncio.sleep(3 * PATIENCE)
            assert recorder.failing is not None
            assert "did not take" in recorder.failing
            left = loop.time()
        assert loop.time() - left <= LAST + 2
        assert store.closed == 1

    simulate(main)
    assert "were not written" in caplog.text


def test_a_damaged_store_is_set_aside_and_begun_anew(caplog: LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, damaged=True)
        pool, recorder, collector = measured(loop, store)
        with pool.events.subscribe(HistoryFailed) as told:
            async with pool, recorder, collector:
                await like(pool, 5, 1.0)
            [failed] = told.take()
        assert isinstance(failed, HistoryFailed)
        assert "x.db.damaged" in failed.reason
        assert store.calls == 5

    simulate(main)
    assert "kept as x.db.damaged, and a new one was begun" in caplog.text


def test_a_clock_that_jumps_ahead_deletes_nothing_for_a_day() -> None:
    async def main(loop: SimulatedLoop) -> None:
        store, clock = SimulatedStore(loop.rng), JumpingClock(loop)
        pool, recorder, collector = measured(loop, store, clock, metrics_interval=600.0)
        async with pool, recorder, collector:
            await asyncio.sleep(600)
            assert store.pruned == [], "the clock of a machine that has just begun may be wrong"
            await asyncio.sleep(1200)
            before = len(store.pruned)
            assert 5 <= before <= 30
            clock.ahead = 30 * 86_400.0
            await asyncio.sleep(80_000)
            assert len(store.pruned) == before
            await asyncio.sleep(8_000)
            assert len(store.pruned) > before
            before = len(store.pruned)
            clock.ahead = 0.0
            await asyncio.sleep(600)
            assert len(store.pruned) > before, "back is no danger"

    simulate(main)


async def unsure(loop: SimulatedLoop) -> None:
    """A slow store that fails often, and often has done what it failed at."""
    store = SimulatedStore(loop.rng, slowest=2.0, failing=0.4)
    pool, recorder, collector = measured(loop, store, metrics_interval=3.0)
    async with pool:
        async with recorder, collector:
            work = [loop.create_task(like(pool, 10, loop.rng.random()), name=f"caller-{n}") for n in range(3)]
            await asyncio.wait(work)
            done = sum(10 for each in work if not each.cancelled())
            store.failing = 0.0
            await asyncio.sleep(2 * LONGEST_PAUSE)
        counted = store.calls
        assert counted >= done
        assert len(store.ends) == len(set(store.ends))
        numbers = sorted(number for _, number in store.kept)
        assert numbers == list(range(1, len(numbers) + 1)), "each batch, and each once"
        accounts = sum(did.calls for batch in store.batches() for did in batch.accounts.values())
        assert accounts == counted
        assert recorder.lost == 0


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_each_batch_counts_once_in_any_order(order: Order) -> None:
    every_seed(unsure, range(5), order=order)


def test_callers_that_are_cancelled_change_nothing_about_that() -> None:
    every_seed(unsure, range(5), cancel=CancelRandomly("caller", 0.02))


def test_i4_a_recorder_that_is_cancelled_at_any_step_leaves_no_task_and_writes_nothing_twice() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, slowest=0.5)
        pool, recorder, collector = measured(loop, store, metrics_interval=1.0)
        async with pool:

            async def record() -> None:
                async with recorder, collector:
                    await like(pool, 3, 0.7)

            victim = loop.create_task(record(), name="victim")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            assert not any(each.get_name().startswith("history") for each in asyncio.all_tasks())
            assert collector.listeners == []
            assert len(store.ends) == len(set(store.ends))

    assert cancel_at_every_step(scene) >= 5


def test_a_buffer_drops_the_oldest_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_POINTS", "MOST_EVENTS", "MOST_ACCOUNTS"):
        monkeypatch.setattr(f"twikit_pool.metrics.history.buffer.{name}", 5)
    assert recorder_module.FLUSH == 1.0

    async def main(loop: SimulatedLoop) -> None:
        store = SimulatedStore(loop.rng, gone_until=1e9)
        pool, recorder, collector = measured(loop, store, metrics_interval=1.0)
        async with pool, recorder, collector:
            await like(pool, 10, 1.0)
            assert recorder.waiting <= 15 + 5
            assert recorder.lost >= 5
            store.gone_until = 0.0
            await asyncio.sleep(LONGEST_PAUSE)
        assert max(store.ends) == store.ends[-1]

    simulate(main)
    assert len(Buffer()) == 0
