"""The autoscaler in virtual time: what it measures, decides and does, in any order, cancelled anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from math import nan
from typing import Any, cast

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    CancelRandomly,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import LeaseLost, PoolError
from twikit_pool.events import ConnectionClosed, PoolResized, ScalingDecided, ScalingExecuted
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.scaling import AutoScaler, Ceiling, Load, LoadMeter, PoolNeed, Prediction, connections_for
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed

SERVICE = 0.4
CALM: dict[str, Any] = {
    "min_connections": 2,
    "initial_connections": 2,
    "max_connections": 120,
    "acquire_timeout": 1000.0,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
}


ONE = {"min_connections": 1, "initial_connections": 1, "max_connections": 1}


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{**CALM, **changes})


class Callers:
    """Those who come at random, so many a second, and hold a connection for a while each."""

    def __init__(self, loop: SimulatedLoop, pool: TwikitConnectionPool) -> None:
        self.loop = loop
        self.pool = pool
        self.rate = 0.0
        self.service = SERVICE
        self._under_way: set[asyncio.Task[None]] = set()

    async def come(self, seconds: float, erlangs: float | None = None) -> None:
        """So many erlangs for so long."""
        rate = self.rate if erlangs is None else erlangs / SERVICE
        ends = self.loop.time() + seconds
        while True:
            gap = self.loop.rng.expovariate(rate) if rate else seconds
            if self.loop.time() + gap >= ends:
                await asyncio.sleep(max(ends - self.loop.time(), 0.0))
                return
            await asyncio.sleep(gap)
            task = self.loop.create_task(self._use())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _use(self) -> None:
        async with self.pool.acquire():
            await asyncio.sleep(self.loop.rng.lognormvariate(-0.125, 0.5) * self.service)

    async def leave(self) -> None:
        """All of them end."""
        if self._under_way:
            await asyncio.wait(self._under_way)


# ---------------------------------------------------------------- what is measured


def test_the_load_is_what_it_was() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 60, settings(initial_connections=60)) as pool:
            meter, callers = LoadMeter(pool), Callers(loop, pool)
            await callers.come(300, 20.0)
            load = meter.measure()
            await callers.leave()
            meter.close()
        assert load.active == pytest.approx(20, rel=0.05)
        assert load.offered == pytest.approx(20, rel=0.05)
        assert load.service == pytest.approx(SERVICE, rel=0.02)
        assert load.acquisition == 0
        assert (load.reserved, load.unhealthy, load.accounts_usable) == (0, 0, 60)
        assert (load.error_rate, load.limited_rate, load.demand) == (None, None, ())
        assert load.opening is not None
        assert pool.matching.waiting.listeners == ()

    simulate(main)


def test_who_leaves_unserved_came_all_the_same() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 1, settings(**ONE, max_waiting=2)) as pool:
            await asyncio.sleep(1)
            async with pool.acquire():
                meter = LoadMeter(pool)
                request = ConnectionRequest(action="like_tweet", timeout=2.0)
                asked = [asyncio.ensure_future(pool.acquire(request)) for _ in range(3)]
                await asyncio.sleep(1)
                asked[0].cancel()
                assert isinstance(asked[2].exception(), PoolError), "there is room for two to wait"
                with suppress(PoolError):
                    await asked[1]
                with suppress(PoolError):
                    await pool.acquire(ConnectionRequest(action="like_tweet", timeout=0))
                waiting = loop.create_task(pool.execute("like_tweet", tweet_id="1"))
                await asyncio.sleep(8)
                load = meter.measure()
            await waiting
            later = meter.measure()
            meter.close()
        seconds = load.moment - later.moment
        assert load.arrivals == pytest.approx(5 / 10, rel=0.05)
        assert (load.service, load.acquisition) == (None, None), "nobody was served"
        assert load.active == pytest.approx(1)
        [demand] = load.demand
        assert (demand.endpoint, demand.sustained) == ("FavoriteTweet", None)
        assert demand.rate == pytest.approx(5 / 10, rel=0.05)
        assert later.arrivals == pytest.approx(5 / (10 - seconds), rel=0.05), "who waited is no other later"
        assert later.demand[0].rate == pytest.approx(5 / (10 - seconds), rel=0.05)
        assert later.acquisition == pytest.approx(8, rel=0.05)

    simulate(main, order="fifo")


def test_what_fails_and_what_an_account_sustains() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=3, slowest=0.1)
        async with pool_of(x, 2, settings(max_attempts=1)) as pool:
            meter = LoadMeter(pool)
            for _ in range(5):
                await pool.execute("search_tweet", query="cats")
            x.codes["a0"] = x.codes["a1"] = [131]
            with pytest.raises(CallFailed):
                await pool.execute("like_tweet", tweet_id="1")
            load = meter.measure()
            meter.close()
        demand = {each.endpoint: each for each in load.demand}
        assert load.error_rate == pytest.approx(1 / 6)
        assert load.limited_rate == 0
        assert demand["SearchTimeline"].sustained == pytest.approx(3 / 900, rel=0.01)
        assert demand["SearchTimeline"].window == pytest.approx(900, rel=0.01)

    simulate(main, order="fifo")


@pytest.mark.parametrize("interval", [0.1, 1.0, 5.0])
def test_a_jump_is_measured_at_once_and_a_constant_load_is_averaged(interval: float) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 120, settings(initial_connections=120)) as pool:
            meter, callers = LoadMeter(pool), Callers(loop, pool)
            found: dict[str, list[Load]] = {}
            for name, erlangs in (("low", 5.0), ("high", 80.0), ("none", 0.0)):
                found[name] = []
                for _ in range(round(60 / interval)):
                    await callers.come(interval, erlangs)
                    found[name].append(meter.measure())
            await callers.leave()
            meter.close()
        skipped = round(15 / interval)
        for name, erlangs in (("low", 5.0), ("high", 80.0)):
            seen = [each.offered or 0.0 for each in found[name][skipped:]]
            chance = 5 * (erlangs / 15 * SERVICE) ** 0.5  # of the mean of 15 s: Poisson arrivals
            assert all(abs(each - erlangs) < chance + 0.1 * erlangs for each in seen), (name, seen)
        looks = max(2, round(1 / interval))
        assert found["high"][looks - 1].offered == pytest.approx(80, rel=0.25)
        assert (found["none"][looks - 1].offered or 0.0) < 5

    every_seed(main, range(3))


# ---------------------------------------------------------------- what is decided and done


def test_a_step_from_5_to_95_percent_has_its_connections_within_two_seconds() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 120, settings()) as pool:
            needed = connections_for(95.0, SERVICE)
            callers = Callers(loop, pool)
            async with AutoScaler(pool):
                await callers.come(30 + loop.rng.random(), 5.0)
                assert pool.size < 25
                await callers.come(2.0, 95.0)
                assert pool.size >= 0.9 * needed, "each second's arrivals scatter by some 7%"
                await callers.come(10.0, 95.0)
                assert pool.size >= needed
                assert pool.waiting == 0
            await callers.leave()

    every_seed(main, range(10))


def test_a_constant_load_does_not_oscillate() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 120, settings()) as pool:
            callers = Callers(loop, pool)
            async with AutoScaler(pool):
                await callers.come(60, 20.0)
                with pool.events.subscribe(ScalingExecuted, PoolResized) as heard:
                    await callers.come(1200, 20.0)
                told = heard.take()
            sizes = [each.size for each in told if isinstance(each, ScalingExecuted)]
            grown = [b > a for a, b in pairwise(sizes)]
            turns = sum(a != b for a, b in pairwise(grown))
            assert len(sizes) <= 8, sizes
            assert turns <= 2, sizes
            assert sum(isinstance(each, PoolResized) for each in told) == len(sizes), "one tells what is done"
            crest = 20.0 + 5 * 20.0**0.5  # of those in use at once, within minutes: a Poisson number's
            assert connections_for(20.0, SERVICE) <= pool.size <= crest
            await callers.leave()

    every_seed(main, range(3))


def test_a_load_that_falls_as_in_an_outage_is_held_and_one_that_ebbs_is_followed() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 60, settings(scaling_stabilisation=60.0, scaling_cooldown=10.0)) as pool:
            callers = Callers(loop, pool)
            async with AutoScaler(pool) as scaler:
                await callers.come(120, 20.0)
                before = pool.size
                await callers.come(300, 0.0)
                assert pool.size == before, "an idle one is not even closed for being idle"
                assert "outage" in scaler.decisions["default"].constraints
                await callers.come(600, 0.0)
                assert pool.size == pool.config.min_connections
                assert [each.decision.action for each in scaler.history("default")][-1] == "hold"
                for erlangs in range(20, 2, -2):
                    await callers.come(40, float(erlangs))
                    assert "outage" not in scaler.decisions["default"].constraints
                await callers.come(100, 2.0)
                assert pool.size <= 10
            await callers.leave()

    every_seed(main, range(2))


# ---------------------------------------------------------------- nobody is disturbed


async def up_and_down(loop: SimulatedLoop) -> None:
    """Callers who come and go in waves, over a pool that follows them as fast as it can."""
    x = SimulatedX(loop)
    config = settings(
        min_connections=0,
        initial_connections=1,
        max_connections=12,
        scaling_interval=0.5,
        scaling_cooldown=0.0,
        scaling_stabilisation=0.0,
        scaling_tolerance=0.0,
        scaling_rules=("utilisation", "demand"),
        max_idle_time=2.0,
    )
    pool, closed = pool_of(x, 12, config), 0
    watch = Watch(x, [pool])
    async with pool, AutoScaler(pool):
        loop.watch = watch.look
        kept = pool.reserve("a0", "owner", duration=1000.0)
        heard = pool.events.subscribe(ConnectionClosed, ScalingExecuted)

        async def use() -> None:
            with suppress(CallFailed):
                async with pool.acquire() as lease:
                    watch.got(lease)
                    await lease.execute("like_tweet", tweet_id="1")
                    await asyncio.sleep(loop.rng.random())
                    assert lease.held, "scaling takes nothing from anybody"

        work: list[asyncio.Task[None]] = []
        for wave in range(4):
            names = [f"caller-{wave}-{number}" for number in range(loop.rng.randint(5, 20))]
            work += [loop.create_task(use(), name=name) for name in names]
            await asyncio.sleep(1 + 5 * loop.rng.random())
        await asyncio.wait(work)
        for each in work:
            if not each.cancelled() and (error := each.exception()) is not None:
                assert not isinstance(error, LeaseLost)
                raise error
        await asyncio.sleep(700)  # the load fell as in an outage
        told = heard.take()
        heard.close()
        assert kept.connection is not None, "a reserved connection is kept"
        kept.release()
        shrunk = [each for each in told if isinstance(each, ScalingExecuted) and each.size < each.before]
        assert shrunk, "it must have shrunk, or this proves nothing"
        closed = sum(isinstance(each, ConnectionClosed) for each in told)
        assert closed
        assert pool.size <= 2
        loop.watch = None
        watch.at_rest()
    watch.after_shutdown()


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i2_scaling_down_disturbs_no_lease_in_any_order(order: Order) -> None:
    every_seed(up_and_down, range(8), order=order)


def test_i4_callers_that_are_cancelled_while_the_pool_shrinks() -> None:
    every_seed(up_and_down, range(12), cancel=CancelRandomly("caller", 0.05))


def test_i4_cancelled_at_any_step_no_task_is_left_and_nothing_listens() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, settings(scaling_interval=0.1, initial_connections=4)) as pool:

            async def scale() -> None:
                async with AutoScaler(pool) as scaler:
                    await asyncio.sleep(0.35)
                    scaler.decide_now()

            victim = loop.create_task(scale(), name="victim")
            for _ in range(4):
                await pool.execute("like_tweet", tweet_id="1")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            await asyncio.sleep(1)
            assert pool.matching.waiting.listeners == ()

    assert cancel_at_every_step(scene) >= 2


# ---------------------------------------------------------------- pools that come, go, and rest


def test_a_dry_run_tells_and_changes_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        config = settings(scaling_dry_run=True, initial_connections=40, max_idle_time=30.0)
        async with pool_of(x, 60, config) as pool:
            with pool.events.subscribe(ScalingDecided, ScalingExecuted, PoolResized) as heard:
                callers = Callers(loop, pool)
                async with AutoScaler(pool):
                    await callers.come(20, 20.0)
                await callers.leave()
            told = heard.take()
            assert told
            assert all(isinstance(each, ScalingDecided) for each in told)
            assert all("dry_run" in each.constraints for each in told if isinstance(each, ScalingDecided))
            await asyncio.sleep(100)
            assert pool.size == 2, "idle ones are closed as they always were"

    simulate(main)


def test_an_interval_that_is_made_shorter_holds_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = settings(scaling_interval=3600.0)
        async with pool_of(SimulatedX(loop), 3, config) as pool, AutoScaler(pool) as scaler:
            await asyncio.sleep(10)
            assert scaler.decisions == {}
            pool.reconfigure(scaling_interval=1.0)
            await asyncio.sleep(3)
            assert set(scaler.decisions) == {"default"}

    simulate(main)


def test_a_pool_that_serves_nobody_is_left_alone() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 20, settings(initial_connections=20, scaling_stabilisation=0.0))
        async with AutoScaler(pool) as scaler:
            await asyncio.sleep(3)
            assert scaler.decisions == {}, "it is not open yet"
            await pool.open()
            pool.suspend()
            await asyncio.sleep(100)
            assert (pool.size, scaler.decisions) == (20, {})
            pool.resume()
            pool.emergency_stop("drill", pause=100)
            await asyncio.sleep(90)
            pool.reconfigure(enable_auto_scaling=False)
            await asyncio.sleep(100)
            assert (pool.size, scaler.decisions) == (20, {})
            pool.reconfigure(enable_auto_scaling=True, min_connections=4, initial_connections=20)
            await asyncio.sleep(3)
            assert pool.size == 4
            await pool.drain(0)
            size = pool.size
            await asyncio.sleep(10)
            assert pool.size == size == 0
            await pool.shutdown()
            await asyncio.sleep(10)

    simulate(main)


def test_pools_come_and_go() -> None:
    async def main(loop: SimulatedLoop) -> None:
        accounts = [account(f"a{number}") for number in range(12)]
        sessions = TwikitSessionManager(
            MemoryAccounts(accounts), backend=SimulatedX(loop), clock=loop.clock, rng=loop.rng
        )
        config = settings(scaling_stabilisation=0.0, min_connections=1, initial_connections=4)
        async with (
            TwikitConnectionPoolManager(sessions, automation=None) as manager,
            AutoScaler(manager) as scaler,
        ):
            await asyncio.sleep(3.5)
            one = await manager.create_pool("one", config, accept=lambda each: each.id < "a3")
            await asyncio.sleep(3.5)
            other = await manager.create_pool("other", config)
            await asyncio.sleep(3.5)
            assert set(scaler.decisions) == {"one", "other"}
            assert (one.size, other.size) == (1, 1)
            await manager.shutdown_pool("one")
            await asyncio.sleep(1.5)
            assert set(scaler.decisions) == {"other"}
            again = await manager.create_pool("one", config)
            await asyncio.sleep(3.5)
            assert again.size == 1
            assert len(scaler.history("one")) >= 1
            assert one.matching.waiting.listeners == ()

    every_seed(main, range(5))


# ---------------------------------------------------------------- what belongs to others


class Bounds:
    """A source of ceilings that says what it is told to."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.asked: list[Mapping[str, PoolNeed]] = []

    def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
        self.asked.append(needs)
        if self.size is None:
            raise RuntimeError("canary")
        return {
            pool_id: Ceiling(kind="shared", size=self.size, reason="others need more") for pool_id in needs
        }


class Broken:
    """A forecaster that does not work."""

    def learn(self, moment: float, load: float | None) -> None:
        raise RuntimeError("canary")

    def predict(self) -> Mapping[float, Prediction]:
        raise RuntimeError("canary")


def test_ceilings_bound_the_size_and_are_told_what_is_wanted() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, bounds = SimulatedX(loop), Bounds(9)
        async with pool_of(x, 60, settings(initial_connections=20)) as pool:
            callers = Callers(loop, pool)
            async with AutoScaler(pool, ceilings=[bounds, Bounds(30)]) as scaler:
                await callers.come(10, 20.0)
                decision = scaler.decide_now()["default"]
                assert decision.target_size == 9
                assert decision.constraints == ("shared",)
                assert decision.reason.endswith("; but others need more")
                assert decision.wanted_size >= 20
                need = bounds.asked[-1]["default"]
                assert need.wanted >= 20
                assert need.config is pool.config
                assert need.load.offered == pytest.approx(20, rel=0.4)
            await callers.leave()

    simulate(main)


def test_i14_what_fails_that_is_not_ours_is_logged_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 60, settings()) as pool:
            callers = Callers(loop, pool)
            ill = Bounds(None)
            async with AutoScaler(pool, forecaster=lambda _: Broken(), ceilings=[ill, Bounds(25)]):
                await callers.come(400, 20.0)
                assert pool.size == 25
                ill.size = 24
                await callers.come(2, 20.0)
                ill.size = None
                await callers.come(2, 20.0)
            async with AutoScaler(pool, forecaster=lambda _: 1 / 0):  # type: ignore[arg-type,return-value]
                await callers.come(5, 30.0)
            assert pool.size > 30
            await callers.leave()

    simulate(main)
    told = [each.getMessage() for each in caplog.records]
    assert told == [
        "asking ceiling source 1 (Bounds) failed: RuntimeError",
        "asking the forecaster of pool default failed: RuntimeError",
        "teaching the forecaster of pool default failed: RuntimeError",
        "asking ceiling source 1 (Bounds) failed: RuntimeError",
        "making a forecaster for pool default failed: ZeroDivisionError",
    ]


@pytest.mark.parametrize(
    "wrong",
    [None, {"default": None}, {"default": Ceiling(kind="container", size=cast("int", nan), reason="")}],
)
def test_i14_a_source_of_ceilings_that_gives_something_else_stops_nothing(
    wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong:
        def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
            return cast("Mapping[str, Ceiling]", wrong)

    async def main(loop: SimulatedLoop) -> None:
        async with (
            pool_of(SimulatedX(loop), 3, settings()) as pool,
            AutoScaler(pool, ceilings=[Wrong()]) as scaler,
        ):
            await asyncio.sleep(5)
            assert scaler.decisions
            assert pool.matching.limit is None

    simulate(main)
    [told] = [each.getMessage() for each in caplog.records]
    assert told.startswith("asking ceiling source 1 (Wrong) failed: ")


def test_it_is_entered_once_and_asked_while_it_is() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, settings(**ONE)) as pool:
            scaler = AutoScaler(pool)
            with pytest.raises(PoolError, match="enter it"):
                scaler.decide_now()
            async with scaler:
                with pytest.raises(PoolError, match="runs already"):
                    await scaler.__aenter__()
                with pytest.raises(PoolError, match="another autoscaler sizes pool 'default' already"):
                    await AutoScaler(pool).__aenter__()
                assert scaler.history("none") == ()
                [decision] = scaler.decide_now().values()
                assert decision.action == "hold", "nothing is measured yet"

    simulate(main)
