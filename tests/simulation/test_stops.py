"""I8, I9, I12 and I14: stops hold at once, ends come in time, and what is lost costs nobody a lease."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.simulation.__main__ import ORDERS
from tests.simulation.simulated_loop import Order, SimulatedLoop, every_seed, grid
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import MemoryAccounts, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped, LeaseLost, PoolClosed, StoreError
from twikit_pool.events import CircuitHalfOpened
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, PoolHooks, TwikitConnectionPool
from twikit_pool.pool.pool import CLOSING_PATIENCE
from twikit_pool.sessions.outcomes import CallFailed

FOR_EVER = ConnectionPoolConfig(acquire_timeout=None)
CRITICAL = ConnectionPriority.CRITICAL

in_every_order = pytest.mark.parametrize("order", ORDERS)


async def caller(pool: TwikitConnectionPool, priority: ConnectionPriority, by_hand: bool) -> None:
    """Call again and again on one lease."""
    async with pool.acquire(ConnectionRequest(priority=priority)) as lease:
        while True:
            if by_hand:
                await lease.call("by hand", lambda client: client.request("FavoriteTweet", "1"))
            else:
                await lease.execute("like_tweet", tweet_id="1")


@in_every_order
def test_i8_when_an_emergency_stop_returns_nothing_more_is_sent(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 5, FOR_EVER) as pool:
            await asyncio.sleep(1)
            callers = [
                loop.create_task(caller(pool, priority, by_hand=loop.rng.random() < 0.5))
                for priority in ConnectionPriority
            ]
            await asyncio.sleep(1)
            waiting = [
                loop.create_task(pool.acquire(ConnectionRequest(priority=priority)).__aenter__())
                for priority in ConnectionPriority
            ]
            await asyncio.sleep(1 + grid(loop.rng, 1))
            urgent = {
                each.account_id
                for each in pool.connections()
                if each.request is not None and each.request.priority >= CRITICAL
            }
            pool.emergency_stop("drill", pause=10)
            x.sent.clear()
            assert pool.waiting == sum(each >= CRITICAL for each in ConnectionPriority)
            with pytest.raises(EmergencyStopped):
                await pool.acquire()
            await asyncio.sleep(5)
            assert set(x.sent) == urgent
            for each in (*callers[:3], *waiting[:3]):
                assert isinstance(each.exception(), EmergencyStopped)
            for each in callers[3:]:
                each.cancel()
            for each in waiting[3:]:
                (await each).release()
            with pytest.raises(EmergencyStopped):
                await pool.execute("like_tweet", tweet_id="1")
            await asyncio.sleep(6)  # it recovers by itself
            await pool.execute("like_tweet", tweet_id="1")
            await asyncio.gather(*callers, return_exceptions=True)

    every_seed(main, range(25), order=order)


@in_every_order
@pytest.mark.parametrize("hook", ["before_open", "after_open", "on_acquire", "on_release", "on_close"])
def test_i9_an_end_comes_by_its_deadline_whatever_hangs(order: Order, hook: str) -> None:
    async def hang(_: object) -> None:
        await asyncio.sleep(1e6)

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 3, FOR_EVER, hooks=PoolHooks(**{hook: hang}))
        await pool.open()
        users = [loop.create_task(pool.acquire().__aenter__()) for _ in range(5)]
        await asyncio.sleep(1 + grid(loop.rng, 1))
        for each in users[:2]:
            if each.done() and not each.exception():
                each.result().release()
        grace, began = grid(loop.rng, 2), loop.time()
        await pool.drain(grace)
        assert loop.time() <= began + grace + 0.01
        assert pool.size == pool.waiting == 0
        pool.resume()
        await asyncio.sleep(grid(loop.rng, 1))
        began = loop.time()
        await pool.shutdown(grace)
        assert loop.time() <= began + grace + CLOSING_PATIENCE + 0.01
        await asyncio.wait(users)
        for each in users:
            if each.exception() is None:
                with pytest.raises(LeaseLost):
                    await each.result().execute("like_tweet", tweet_id="1")
            else:
                assert isinstance(each.exception(), PoolClosed | LeaseLost)
        assert all(link.closed for link in x.links)

    every_seed(main, range(8), order=order)


@in_every_order
@pytest.mark.parametrize("circuits", [False, True])
def test_i12_retries_stay_under_a_tenth_of_the_traffic_of_a_crowd(order: Order, *, circuits: bool) -> None:
    """Besides them there are a circuit's trials, which it rations by itself."""

    async def main(loop: SimulatedLoop) -> None:
        ids = [f"a{number}" for number in range(3)]
        x = SimulatedX(loop, slowest=0.02, codes={each: [131] * 5000 for each in ids})
        config = ConnectionPoolConfig(acquire_timeout=20, enable_circuits=circuits)
        called = 0
        async with pool_of(x, 3, config) as pool:
            with pool.events.subscribe(CircuitHalfOpened, maxlen=10_000) as told:

                async def keep_calling() -> None:
                    nonlocal called
                    for _ in range(60):
                        with suppress(CallFailed, AcquireTimeoutError):
                            await pool.execute("get_user_by_id", user_id="1")
                        called += 1

                await asyncio.gather(*(keep_calling() for _ in range(5)))
                trials = len(told.take())
        assert x.calls["UserByRestId"] <= called * 1.1 + 10 + trials
        assert circuits == bool(trials)
        assert circuits or x.calls["UserByRestId"] > called

    every_seed(main, range(2), order=order)


class BrokenStore(MemoryAccounts):
    async def set_standing(self, account_id: str, standing: Standing) -> None:
        raise StoreError("the disk is full")


class Deaf:
    """A broadcaster that hangs and a sink that raises."""

    async def broadcast(self, topic: str, message: object) -> None:
        await asyncio.sleep(1e6)

    async def process_real_time_pool_metrics(self, metrics: Any) -> None:
        raise RuntimeError("nobody listens")


@in_every_order
def test_i14_what_is_lost_around_a_pool_stops_no_lease(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a1": [326], "a2": [326]})
        sessions = pool_of(x, source=BrokenStore([account(f"a{number}") for number in range(3)])).sessions
        async with TwikitConnectionPoolManager(sessions, automation=None) as manager:
            pool = await manager.create_pool("one", FOR_EVER, integrations=[Deaf()])
            with pool.events.subscribe(maxlen=2) as unread:
                async with pool.acquire(ConnectionRequest(account_id="a0")) as lease:
                    for number in range(10):
                        await lease.execute("like_tweet", tweet_id=str(number))
                        await asyncio.sleep(2)
                for number in range(5):
                    await pool.execute("like_tweet", tweet_id=str(number))
                assert unread.dropped > 0
            assert {who for who, _ in x.done} == {"a0"}
            assert len(x.done) == 15

    every_seed(main, range(10), order=order)
