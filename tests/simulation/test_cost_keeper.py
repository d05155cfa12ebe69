"""The cost keeper in virtual time: what it counts, whom it holds back, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.simulation.__main__ import ORDERS
from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    EPOCH,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, ConfigError, PoolError
from twikit_pool.events import Event, LowWorkLimited
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.redaction import Secret
from twikit_pool.scaling import (
    Consumption,
    Cost,
    CostKeeper,
    CostLimits,
    CostModel,
    LowWork,
    Reading,
)
from twikit_pool.sessions.manager import TwikitSessionManager

HOUR = 3600.0
DAY = 24 * HOUR
CALM: dict[str, Any] = {
    "min_connections": 4,
    "initial_connections": 4,
    "max_connections": 10,
    "acquire_timeout": None,
    "max_idle_time": None,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
}
LOW = ConnectionRequest(priority=ConnectionPriority.LOW)
NORMAL = ConnectionRequest()
HALF = CostLimits(carbon_above={250: 0.5, 400: 0})


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{**CALM, **changes})


def no_cpu() -> float:
    return 0.0


def limit_of(pool: TwikitConnectionPool) -> int | None:
    return pool.matching.deferral.most


class Feed:
    """Both feeds in one: a value for each half-hour, unless it is to fail or to hang."""

    def __init__(self, loop: SimulatedLoop, value: float = 300.0) -> None:
        self.loop = loop
        self.value = value
        self.failure: BaseException | None = None
        self.hangs = False
        self.answer: object = None
        """What it says instead, if anything."""
        self.asked: list[float] = []

    async def carbon(self) -> Reading:
        self.asked.append(self.loop.time())
        await asyncio.sleep(grid(self.loop.rng, 0.1))
        if self.hangs:
            await self.loop.create_future()
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            return self.answer  # type: ignore[return-value]
        length = timedelta(minutes=30)
        ends = EPOCH + ((self.loop.clock.now() - EPOCH) // length + 1) * length
        return Reading(value=self.value, unit="", renewed_at=ends, valid_until=ends + length)

    price = carbon


async def hold(pool: TwikitConnectionPool, request: ConnectionRequest, seconds: float) -> None:
    async with pool.acquire(request):
        await asyncio.sleep(seconds)


def limited(events: list[Event]) -> list[tuple[str, float]]:
    return [(each.pool_id, each.share) for each in events if isinstance(each, LowWorkLimited)]


# ---------------------------------------------------------------- what is counted


def test_what_is_used_is_counted_and_costed() -> None:
    async def main(loop: SimulatedLoop) -> None:
        accounts = [account("a0", proxy=Secret("http://localhost:1")), account("a1")]
        async with pool_of(SimulatedX(loop), accounts, settings()) as pool:
            await asyncio.sleep(1)
            for each in pool.connections():
                assert each.session is not None
                each.session.traffic.sent += 10**9  # before the keeper comes
            model = CostModel(per_account_hour=1, per_gb=3, per_cpu_hour=2)
            async with CostKeeper(pool, model, cpu=lambda: loop.time() / 10) as keeper:
                for each in pool.connections():
                    assert each.session is not None
                    each.session.traffic.sent += 10**9
                    each.session.traffic.received += 10**9
                await asyncio.sleep(HOUR)
                keeper.measure()
                used = keeper.used_today
                assert used.account_hours == pytest.approx(2)
                assert used.cpu_seconds == pytest.approx(HOUR / 10)
                assert used.traffic == 2 * 10**9, "of the account that has a proxy, and from now on"
                assert keeper.today.traffic == 6
                assert keeper.today.total == pytest.approx(2 + 6 + 0.2)
                await asyncio.sleep(30)
            assert keeper.used_today.account_hours == pytest.approx(2 + 60 / HOUR), "the last bit counts, too"

    every_seed(main, range(3))


def test_an_account_counts_while_it_has_a_connection_and_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = settings(min_connections=0, initial_connections=0, max_connections_per_account=3)
        async with pool_of(SimulatedX(loop), 2, config) as pool, CostKeeper(pool, cpu=no_cpu) as keeper:
            await asyncio.sleep(10 * 60)
            assert keeper.used_today.account_hours == 0
            one = ConnectionRequest(account_id="a0")
            leases = [await pool.acquire(one) for _ in range(3)]
            assert pool.size == 3
            await asyncio.sleep(HOUR)
            for lease in leases:
                lease.release()
            pool.reconfigure(max_idle_time=1.0)
            await asyncio.sleep(HOUR)
            assert pool.size == 0
            assert keeper.used_today.account_hours == pytest.approx(1, abs=1.01 / 60)

    simulate(main)


def test_what_happens_between_two_looks_is_taken_for_half() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 4, settings()) as pool:
            await asyncio.sleep(1)
            async with CostKeeper(pool, interval=HOUR, cpu=no_cpu) as keeper:
                await asyncio.sleep(100)
                await pool.drain(0)
                await asyncio.sleep(2 * HOUR)
                assert keeper.used_today.account_hours == pytest.approx(2), "4 for half an hour"

    simulate(main)


def test_bytes_outlive_connections_and_accounts() -> None:
    async def main(loop: SimulatedLoop) -> None:
        accounts = [account(f"a{number}", proxy=Secret("http://localhost:1")) for number in range(4)]
        source = MemoryAccounts(accounts)
        async with pool_of(SimulatedX(loop), accounts, settings(), source) as pool:
            await asyncio.sleep(1)
            async with CostKeeper(pool, cpu=no_cpu) as keeper:
                lease = await pool.acquire(ConnectionRequest(account_id="a0"))
                for each in pool.connections():
                    assert each.session is not None
                    each.session.traffic.received += 1000
                pool.quarantine("a1", "rest", 10)
                for account_id in ("a0", "a2"):
                    del source._accounts[account_id]
                await pool.refresh()
                assert set(pool.account_ids) == {"a1", "a3"}
                keeper.measure()
                keeper.measure()
                assert keeper.used_today.traffic == 4000
                lease.session.traffic.received += 500
                lease.release()
                keeper.measure()
                keeper.measure()
                assert keeper.used_today.traffic == 4500, "of who has left while it was leased, and once"
                assert keeper._counting is not None
                assert {each.id for each in keeper._counting.meter._traffic} == {"a1", "a3"}, (
                    "no other is kept"
                )

    every_seed(main, range(3))


def test_what_pools_share_counts_once_and_those_that_are_gone_are_counted_to_their_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        accounts = [account(f"a{number}", proxy=Secret("http://localhost:1")) for number in range(4)]
        sessions = TwikitSessionManager(
            MemoryAccounts(accounts), backend=SimulatedX(loop), clock=loop.clock, rng=loop.rng
        )
        async with (
            TwikitConnectionPoolManager(sessions, automation=None) as manager,
            CostKeeper(manager, cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(90)
            assert keeper.used_today == Consumption()
            for name in ("one", "two"):
                await manager.create_pool(name, settings(), shared=True)
            await asyncio.sleep(HOUR)
            assert manager.pool("one").size == manager.pool("two").size == 4
            keeper.measure()
            assert keeper.used_today.account_hours == pytest.approx(4, abs=4.1 / 60), "the first one by half"
            await manager.shutdown_pool("two")
            brief = await manager.create_pool("brief", settings(), shared=True)
            await asyncio.sleep(1)
            for each in brief.connections():
                assert each.session is not None
                each.session.traffic.sent += 10
            await manager.shutdown_pool("brief")
            await asyncio.sleep(60)
            assert keeper.used_today.traffic == 40
            assert [each.pool.pool_id for each in keeper._limits] == ["one"], "those that are gone are let go"

    every_seed(main, range(3))


def test_a_cpu_meter_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        def cpu() -> float:
            if 100 < loop.time() < 400:
                raise RuntimeError("canary")
            return loop.time()

        async with pool_of(SimulatedX(loop), 1) as pool, CostKeeper(pool, cpu=cpu) as keeper:
            await asyncio.sleep(600)
        assert keeper.used_today.cpu_seconds == pytest.approx(600), "nothing is lost"

    simulate(main)
    assert [each.getMessage() for each in caplog.records] == [
        "reading the seconds of CPU failed: RuntimeError"
    ]


# ---------------------------------------------------------------- who waits


@pytest.mark.parametrize("order", ORDERS)
def test_low_work_waits_others_go_on_and_the_limit_is_lifted(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, feed = SimulatedX(loop), Feed(loop)
        async with pool_of(x, 4, settings()) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            with pool.events.subscribe(LowWorkLimited) as heard:
                async with CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper:
                    await asyncio.sleep(61)
                    assert keeper.low_work == LowWork(
                        share=0.5, reason="carbon intensity is 300 gCO2/kWh, above 250"
                    )
                    low = [loop.create_task(hold(pool, LOW, 600)) for _ in range(4)]
                    await asyncio.sleep(1)
                    assert pool.waiting == 2
                    assert "LOW work is held back: carbon intensity is 300" in str(pool.explain(LOW))
                    async with asyncio.timeout(0.5):
                        leases = [await pool.acquire(NORMAL) for _ in range(2)]
                    for lease in leases:
                        lease.release()
                    feed.value = 320
                    await asyncio.sleep(HOUR)
                    assert "intensity is 320" in keeper.low_work.reason
                    assert all(each.done() for each in low), "running leases and their successors ended"
                    low = [loop.create_task(hold(pool, LOW, 2)) for _ in range(3)]
                    await asyncio.sleep(1)
                    assert "intensity is 320" in str(pool.explain(LOW)), "who waits is told how it is now"
                    feed.value = 500
                    await asyncio.sleep(HOUR)
                    assert limit_of(pool) == 0
                    assert all(each.done() for each in low)
                    with pytest.raises(AcquireTimeoutError, match="carbon intensity is 500"):
                        await pool.acquire(ConnectionRequest(priority=ConnectionPriority.LOW, timeout=1))
                    await hold(pool, NORMAL, 1)
                    feed.value = 100
                    waiting = loop.create_task(hold(pool, LOW, 1))
                    await asyncio.sleep(HOUR)
                    assert waiting.done()
                    assert (limit_of(pool), keeper.low_work) == (None, LowWork())
                    feed.value = 500
                    await asyncio.sleep(HOUR)
                    assert limit_of(pool) == 0
                assert (limit_of(pool), keeper.low_work) == (None, LowWork())
                assert not pool.matching.watchers
            assert limited(heard.take()) == [("default", share) for share in (0.5, 0.5, 0, 1, 0, 1)]
            await asyncio.sleep(1)
            watch.at_rest()
            loop.watch = None

    every_seed(main, range(3), order=order)


def test_the_limit_follows_the_size_that_the_pool_may_have() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 20, settings()) as pool:
            with pool.events.subscribe(LowWorkLimited) as heard:
                async with CostKeeper(pool, limits=HALF, carbon=Feed(loop), cpu=no_cpu):
                    await asyncio.sleep(61)
                    assert limit_of(pool) == 5
                    pool.reconfigure(max_connections=7)
                    await asyncio.sleep(60)
                    assert limit_of(pool) == 4
            assert limited(heard.take()) == [("default", 0.5), ("default", 1)], "the decision was the same"

    simulate(main)


def test_a_budget_holds_back_until_midnight_utc() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 4, settings()) as pool:
            model, limits = CostModel(per_account_hour=1), CostLimits(budget_per_day=40)
            async with CostKeeper(pool, model, limits, interval=700, cpu=no_cpu) as keeper:
                await asyncio.sleep(4.9 * HOUR)
                assert keeper.low_work == LowWork()
                await asyncio.sleep(2 * HOUR)
                assert limit_of(pool) == 3, "of 4, with a good two thirds spent"
                assert keeper.low_work.reason == "most of the day's budget of 40 is used up"
                await asyncio.sleep(4 * HOUR)
                assert limit_of(pool) == 0
                waiting = loop.create_task(hold(pool, LOW, 1))
                before = DAY - loop.time()
                await asyncio.sleep(before - 0.5)
                assert keeper.today.total == pytest.approx(4 * 24, rel=0.01), "others went on all day"
                assert not waiting.done()
                await asyncio.sleep(2)
                assert waiting.done(), "it begins in the second in which the day does"
                assert keeper.today.total < 0.01
                assert keeper.used_today.account_hours < 0.01
                await asyncio.sleep(HOUR)
                assert keeper.today.total == pytest.approx(4, rel=0.25)

    every_seed(main, range(3))


def test_the_price_of_electricity_is_in_the_days_cost() -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop, value=-100.0)
        async with pool_of(SimulatedX(loop), 1, settings()) as pool:
            model = CostModel(watts_per_core=1e6)
            async with CostKeeper(pool, model, carbon=feed, price=feed, cpu=loop.time) as keeper:
                assert keeper.readings == {}
                await asyncio.sleep(HOUR)
                assert keeper.readings.keys() == {"carbon", "price"}
                assert keeper.today.electricity == pytest.approx(-100)
                assert keeper.today.carbon == pytest.approx(-100_000)
                assert keeper.today.total == keeper.today.electricity
            assert keeper.readings == {}

    simulate(main)


# ---------------------------------------------------------------- limits that were set by hand


def test_a_limit_that_was_set_by_hand_holds_until_it_is_lifted_by_hand() -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        async with pool_of(SimulatedX(loop), 10, settings()) as pool:
            pool.limit_low(7, "by hand")
            with pool.events.subscribe(LowWorkLimited) as heard:
                async with CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper:
                    await asyncio.sleep(61)
                    assert (limit_of(pool), keeper.low_work.share) == (7, 0.5)
                    pool.limit_low(None)
                    await asyncio.sleep(60)
                    assert limit_of(pool) == 5, "the keeper's"
                    pool.limit_low(None)
                    await asyncio.sleep(60)
                    assert limit_of(pool) == 5, "lifting the keeper's own lasts an interval"
                    pool.limit_low(2, "by hand")
                    feed.value = 100
                    await asyncio.sleep(HOUR)
                    assert (limit_of(pool), keeper.low_work.share) == (2, 1)
                    feed.value = 300
                    await asyncio.sleep(HOUR)
                    pool.limit_low(5, "by hand, as many as the keeper would")
                    await asyncio.sleep(60)
                assert limit_of(pool) == 5, "what was set by hand stays when the keeper is left"
            assert [share for _, share in limited(heard.take())] == [0.5, 1]

    simulate(main)


def test_two_keepers_do_not_fight() -> None:
    async def main(loop: SimulatedLoop) -> None:
        none = CostLimits(budget_per_day=0)
        async with (
            pool_of(SimulatedX(loop), 10, settings()) as pool,
            CostKeeper(pool, limits=HALF, carbon=Feed(loop), interval=7, cpu=no_cpu),
        ):
            async with CostKeeper(pool, limits=none, interval=11, cpu=no_cpu):
                await asyncio.sleep(100)
                assert limit_of(pool) == 5, "whose limit was there first"
            assert limit_of(pool) == 5
            await asyncio.sleep(10)
        assert limit_of(pool) is None

    simulate(main)


# ---------------------------------------------------------------- feeds that fail


def test_an_outage_of_a_feed_is_bridged_for_a_while_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        async with (
            pool_of(SimulatedX(loop), 4, settings()) as pool,
            CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(600)
            assert len(feed.asked) == 1, "a newer reading is due after half an hour"
            feed.failure = OSError("canary")
            await asyncio.sleep(HOUR - 601)
            assert (limit_of(pool), keeper.readings["carbon"].value) == (2, 300), "it holds for an hour"
            await asyncio.sleep(62)
            assert (limit_of(pool), dict(keeper.readings)) == (None, {})
            feed.asked.clear()
            await asyncio.sleep(DAY)
            assert 40 <= len(feed.asked) <= 50, "each half-hour, in the end"
            feed.failure = None
            await asyncio.sleep(HOUR)
            assert limit_of(pool) == 2
            feed.failure = ValueError("canary")
            await asyncio.sleep(HOUR)

    simulate(main)
    assert [each.getMessage() for each in caplog.records] == [
        "asking the carbon feed failed: OSError",
        "asking the carbon feed failed: ValueError",
    ]
    assert all(each.exc_info is None for each in caplog.records)


def test_pauses_grow_and_begin_anew_when_it_works_again() -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        feed.failure = RuntimeError()
        async with pool_of(SimulatedX(loop), 1, settings()) as pool, CostKeeper(pool, carbon=feed):
            await asyncio.sleep(30 + 60 + 120 + 240 + 480 + 1)
            pauses = [round(b - a) for a, b in zip(feed.asked, feed.asked[1:], strict=False)]
            assert pauses == [30, 60, 120, 240, 480]
            feed.failure = None
            await asyncio.sleep(HOUR)
            feed.failure = RuntimeError()
            feed.asked.clear()
            await asyncio.sleep(HOUR)
            assert [round(b - a) for a, b in zip(feed.asked, feed.asked[1:], strict=False)][:2] == [30, 60]

    simulate(main)


@pytest.mark.parametrize(
    "failure", [asyncio.CancelledError(), TimeoutError(), ExceptionGroup("g", [OSError()])]
)
def test_whatever_a_feed_raises_it_is_asked_again(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        feed.failure = failure
        async with (
            pool_of(SimulatedX(loop), 4, settings()) as pool,
            CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu),
        ):
            await asyncio.sleep(200)
            feed.failure = None
            await asyncio.sleep(200)
            assert limit_of(pool) == 2

    simulate(main)
    [record] = caplog.records
    assert record.getMessage() == f"asking the carbon feed failed: {type(failure).__name__}"


@pytest.mark.parametrize("answer", ["300", 300.0, {}, datetime(2026, 1, 1)])  # noqa: DTZ001 - it is no reading
def test_an_answer_that_is_no_reading_is_a_failure(answer: object) -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        feed.answer = answer
        async with (
            pool_of(SimulatedX(loop), 4, settings()) as pool,
            CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(200)
            assert (limit_of(pool), dict(keeper.readings)) == (None, {})
            feed.answer = None
            await asyncio.sleep(200)
            assert limit_of(pool) == 2

    simulate(main)


def test_a_reading_that_is_due_already_does_not_make_it_ask_without_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        feed.answer = Reading(
            value=300.0, unit="", renewed_at=EPOCH, valid_until=EPOCH + timedelta(seconds=500)
        )
        async with (
            pool_of(SimulatedX(loop), 4, settings()) as pool,
            CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(499)
            assert keeper.readings.keys() == {"carbon"}
            await asyncio.sleep(HOUR)
            assert keeper.readings == {}
            assert len(feed.asked) < 10

    simulate(main)


def test_a_feed_is_not_asked_more_often_than_each_half_minute() -> None:
    class Eager(Feed):
        async def carbon(self) -> Reading:
            self.asked.append(self.loop.time())
            now = self.loop.clock.now()
            soon, later = (now + timedelta(seconds=each) for each in (0.01, 60))
            return Reading(value=300.0, unit="", renewed_at=soon, valid_until=later)

    async def main(loop: SimulatedLoop) -> None:
        feed = Eager(loop)
        async with (
            pool_of(SimulatedX(loop), 4, settings()) as pool,
            CostKeeper(pool, carbon=feed, cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(299)
            assert keeper.readings.keys() == {"carbon"}
            assert len(feed.asked) == 10

    simulate(main)


def test_a_wall_clock_that_jumps_does_not_keep_a_reading_alive() -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed = Feed(loop)
        async with pool_of(SimulatedX(loop), 4, settings()) as pool:
            back, now = timedelta(0), loop.clock.now

            class Clock:
                monotonic = staticmethod(loop.clock.monotonic)

                def now(self) -> datetime:
                    return now() - back

            pool.clock = Clock()
            async with CostKeeper(pool, limits=HALF, carbon=feed, cpu=no_cpu) as keeper:
                await asyncio.sleep(10)
                feed.failure = OSError()
                back = timedelta(days=3)
                await asyncio.sleep(10)
                assert keeper.readings.keys() == {"carbon"}
                await asyncio.sleep(HOUR)
                assert keeper.readings == {}
                feed.failure, back = None, timedelta(0)
                await asyncio.sleep(HOUR)
                assert keeper.readings.keys() == {"carbon"}
                back = timedelta(days=-3)
                assert keeper.readings == {}, "nor does one that is put forward, after a sleep of the machine"

    simulate(main)


def test_a_feed_that_hangs_for_ever_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        feed, other = Feed(loop), Feed(loop)
        feed.hangs = True
        limits = CostLimits(carbon_above={250: 0.5}, price_above={250: 0.2})
        async with pool_of(SimulatedX(loop), 10, settings()) as pool:
            async with CostKeeper(pool, limits=limits, carbon=feed, price=other, cpu=no_cpu) as keeper:
                await asyncio.sleep(DAY / 2)
                assert (limit_of(pool), keeper.readings.keys()) == (2, {"price"})
                assert 10 < len(feed.asked) < 40
                left = loop.time()
            assert loop.time() == left, "leaving does not wait for it"

    simulate(main)
    assert [each.getMessage() for each in caplog.records] == ["asking the carbon feed failed: TimeoutError"]


def test_a_feed_that_ignores_being_cancelled_holds_up_leaving_for_seconds_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn:
        async def carbon(self) -> Reading:
            ends = asyncio.get_running_loop().time() + 20
            while (left := ends - asyncio.get_running_loop().time()) > 0:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(left)
            raise OSError

    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, settings()) as pool:
            async with CostKeeper(pool, carbon=Stubborn()):
                await asyncio.sleep(1)
            assert 4 < loop.time() - 1 < 6
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if task.get_name() == "carbon feed":
                    await asyncio.sleep(20)
                    task.cancel()
                    await asyncio.wait([task])

    simulate(main)
    assert "following the carbon feed does not let itself be cancelled" in caplog.messages


# ---------------------------------------------------------------- what is left behind


async def cancelled(loop: SimulatedLoop, inside: Callable[[CostKeeper], Awaitable[None]]) -> None:
    """One who keeps the costs of a pool, and may be cancelled anywhere; LOW work is done in the end."""
    x, feed = SimulatedX(loop, slowest=0.05), Feed(loop, value=500.0)
    async with pool_of(x, 4, settings()) as pool:

        async def keep() -> None:
            async with CostKeeper(
                pool, limits=HALF, carbon=feed, price=feed, interval=0.1, cpu=no_cpu
            ) as keeper:
                await inside(keeper)

        victim = loop.create_task(keep(), name="victim")
        low = loop.create_task(hold(pool, LOW, 0.1))
        later = loop.create_task(pool.execute("like_tweet", tweet_id="1"))
        await asyncio.wait([victim])
        assert limit_of(pool) is None, "in the very step in which it ended"
        assert not pool.matching.watchers
        if not victim.cancelled() and (error := victim.exception()) is not None:
            raise error
        async with asyncio.timeout(5):
            await hold(pool, LOW, 0.1)
            await low
            await later
        assert limit_of(pool) is None


def test_i4_cancelled_at_any_step_no_task_and_no_limit_is_left() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        async def inside(keeper: CostKeeper) -> None:
            for _ in range(5):
                await asyncio.sleep(0.1)
            keeper.measure()
            assert keeper.low_work.share == 0
            await asyncio.sleep(0.1)

        await cancelled(loop, inside)

    assert cancel_at_every_step(scene) >= 7


@pytest.mark.parametrize("order", ORDERS)
def test_cancelled_at_any_time_in_every_order(order: Order) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        async def inside(_keeper: CostKeeper) -> None:
            loop.call_later(grid(loop.rng, 1), asyncio.current_task().cancel)  # type: ignore[union-attr]
            await asyncio.sleep(10)

        await cancelled(loop, inside)

    every_seed(scene, range(10), order=order)


def test_a_failure_inside_lifts_the_limit_and_comes_out() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 4, settings()) as pool:

            async def fail() -> None:
                async with CostKeeper(pool, limits=CostLimits(budget_per_day=0), cpu=no_cpu):
                    await asyncio.sleep(61)
                    assert limit_of(pool) == 0
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()
            assert limit_of(pool) is None

    simulate(main)


def test_should_the_keeper_itself_fail_nothing_is_held_back_and_it_is_told() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 4, settings()) as pool:

            def fail() -> None:
                raise ValueError("it cannot measure")

            async def keep() -> None:
                async with CostKeeper(pool, limits=CostLimits(budget_per_day=0), cpu=no_cpu) as keeper:
                    await asyncio.sleep(61)
                    assert limit_of(pool) == 0
                    keeper.measure = fail  # type: ignore[method-assign]
                    await asyncio.sleep(60)
                    found.append(limit_of(pool))  # an assertion here would not come out

            found: list[int | None] = []
            with pytest.raises(ValueError, match="cannot measure"):
                await keep()
            assert found == [None]

    simulate(main)


def test_a_pool_that_is_shut_down_first_is_let_go() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), 4, settings())
        async with CostKeeper(pool, limits=CostLimits(budget_per_day=0), cpu=no_cpu) as keeper:
            await asyncio.sleep(61)
            assert limit_of(pool) is None, "it is not open yet"
            await pool.open()
            await asyncio.sleep(60)
            assert limit_of(pool) == 0
            await pool.shutdown()
            await asyncio.sleep(120)
            hours = keeper.used_today.account_hours
            await asyncio.sleep(HOUR)
            assert keeper.used_today.account_hours == hours
        assert limit_of(pool) is None

    simulate(main)


@pytest.mark.parametrize("order", ORDERS)
def test_pools_come_and_go_under_a_manager(order: Order) -> None:
    def few(each: Account) -> bool:
        return each.id < "a3"

    async def main(loop: SimulatedLoop) -> None:
        accounts = [account(f"a{number}") for number in range(12)]
        sessions = TwikitSessionManager(
            MemoryAccounts(accounts), backend=SimulatedX(loop), clock=loop.clock, rng=loop.rng
        )
        async with TwikitConnectionPoolManager(sessions, automation=None) as manager:
            with manager.events.subscribe(LowWorkLimited) as heard:
                async with CostKeeper(manager, limits=HALF, carbon=Feed(loop), cpu=no_cpu) as keeper:
                    keeper.measure()
                    assert keeper.low_work == LowWork()
                    await asyncio.sleep(grid(loop.rng, 60))
                    one = await manager.create_pool("one", settings(), accept=few)
                    await asyncio.sleep(61)
                    assert limit_of(one) == 3, "of 5 accounts: a0, a1, a10, a11, a2"
                    other = await manager.create_pool("other", settings(), accept=lambda each: not few(each))
                    assert limit_of(other) is None, "until the end of the interval"
                    await asyncio.sleep(60)
                    assert limit_of(other) == 4
                    await manager.shutdown_pool("one")
                    await asyncio.sleep(grid(loop.rng, 60))
                    again = await manager.create_pool("one", settings(max_connections=4))
                    await asyncio.sleep(61)
                    assert limit_of(again) == 2
                assert [limit_of(each) for each in (other, again)] == [None, None]
                assert manager.on_pool == []
            told = limited(heard.take())
            assert told.count(("other", 0.5)) == told.count(("other", 1)) == 1
            assert told.count(("one", 0.5)) == 2

    every_seed(main, range(4), order=order)


def test_it_is_entered_once_at_a_time_and_goes_on_with_its_day() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, settings()) as pool:
            await asyncio.sleep(1)
            with pytest.raises(ConfigError, match="interval"):
                CostKeeper(pool, interval=0)
            keeper = CostKeeper(pool, CostModel(per_account_hour=1), cpu=no_cpu)
            with pytest.raises(PoolError, match="enter it"):
                keeper.measure()
            for _ in range(2):
                async with keeper:
                    with pytest.raises(PoolError, match="runs already"):
                        await keeper.__aenter__()
                    await asyncio.sleep(HOUR)
                await asyncio.sleep(HOUR)
            assert keeper.today.total == pytest.approx(2)
            await asyncio.sleep(DAY)
            async with keeper:
                assert keeper.today == Cost()

    simulate(main)


def test_a_pool_that_nobody_watches_is_told_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with (
            pool_of(SimulatedX(loop), 1, settings()) as pool,
            CostKeeper(pool, limits=CostLimits(budget_per_day=0), cpu=no_cpu) as keeper,
        ):
            await asyncio.sleep(61)
            assert keeper.low_work.share == 0
            assert not pool.events.heard

    simulate(main)
