"""Health checks come one by one: spread over their interval, a few at a time, each connection in its turn."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.simulation.simulated_loop import Order, SimulatedLoop, cancel_at_every_step, simulate
from tests.simulation.simulated_x import SimulatedLink, SimulatedX, pool_of
from twikit_pool.accounts import Account
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.events import EndpointCooling
from twikit_pool.pool import ConnectionRequest, ConnectionState, TwikitConnectionPool

INTERVAL = 60.0
FLEET = 1000
AT_ONCE = 5


class Asked(SimulatedX):
    """Notes when each account is checked, and how many are at a time."""

    def __init__(self, loop: SimulatedLoop, slowest: float) -> None:
        super().__init__(loop, slowest=slowest)
        self.times: list[float] = []
        self.checked: Counter[str] = Counter()
        self.running = self.most = 0

    def open(self, account: Account) -> SimulatedLink:
        link = super().open(account)
        check = link.check

        async def noted() -> None:
            self.times.append(self.loop.time())
            self.checked[account.id] += 1
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await check()
            finally:
                self.running -= 1

        link.check = noted  # type: ignore[method-assign]
        return link

    def within(self, seconds: float) -> list[int]:
        """How many checks began within so many seconds from each of them on."""
        return [bisect_left(self.times, at + seconds) - n for n, at in enumerate(self.times)]


def settings(size: int, **others: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(
        **{
            "max_connections": size,
            "min_connections": size,
            "health_check_interval": INTERVAL,
            "health_checks_at_once": AT_ONCE,
            "max_lifetime": None,
            "max_idle_time": None,
            "leak_warning": None,
            "acquire_timeout": None,
            **others,
        }
    )


@pytest.mark.parametrize("order", ["fifo", "tasks"])
@pytest.mark.parametrize("used_at_once", [False, True])
def test_a_thousand_that_were_opened_or_used_at_once_are_checked_one_by_one(
    order: Order, used_at_once: bool
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=0.1)
        async with pool_of(x, FLEET, settings(FLEET)) as pool:
            await asyncio.sleep(1)
            if used_at_once:
                for lease in [await pool.acquire() for _ in range(FLEET)]:
                    lease.release()
            await asyncio.sleep(5 * INTERVAL)
        even = FLEET / INTERVAL
        assert max(x.within(1.0)) <= 3 * even
        settled = [n for n, at in zip(x.within(10.0), x.times, strict=True) if at < 4.5 * INTERVAL]
        assert min(settled) >= 10 * even / 3
        assert len(x.times) == pytest.approx(4.5 * FLEET, rel=0.1)
        assert x.most <= AT_ONCE
        assert len(x.checked) == FLEET

    simulate(main, order=order)


def test_when_x_is_slow_each_has_its_turn_all_the_same() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=1.0)  # five a second at most, with seventeen due
        async with pool_of(x, FLEET, settings(FLEET)) as pool:
            await asyncio.sleep(10 * INTERVAL)
            assert x.most == AT_ONCE
            assert len(x.checked) == FLEET
            assert max(x.checked.values()) <= min(x.checked.values()) + 2
            assert loop.steps < 50 * len(x.times) + 20 * FLEET, "nobody looks whether it is his turn"
            assert pool.counts()[ConnectionState.IDLE] >= FLEET - AT_ONCE

    simulate(main, order="fifo", max_steps=2_000_000)


def test_who_is_used_while_it_stands_in_line_is_not_checked() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=0.1)
        config = settings(3, health_checks_at_once=1, health_check_timeout=500.0)
        async with pool_of(x, 3, config) as pool:
            await asyncio.sleep(1)
            hold = asyncio.Event()

            async def hang() -> None:
                x.checked["hangs"] += 1
                await hold.wait()

            for link in x.links:
                link.check = hang  # type: ignore[method-assign]
            await asyncio.sleep(2 * INTERVAL)
            assert x.checked["hangs"] == 1
            assert pool.counts()[ConnectionState.IDLE] == 2, "who stands in line can be had"
            for lease in [await pool.acquire() for _ in range(2)]:
                lease.release()
            hold.set()
            await asyncio.sleep(0.3 * INTERVAL)
            assert x.checked["hangs"] == 1
            await asyncio.sleep(1.5 * INTERVAL)
            assert x.checked["hangs"] >= 3

    simulate(main)


def test_who_stands_in_line_has_its_turn_as_soon_as_a_check_ends() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=0.0)
        async with pool_of(x, 4, settings(4, health_checks_at_once=1, health_check_timeout=500.0)):
            await asyncio.sleep(1)
            hold = asyncio.Event()
            for link in x.links:
                check = link.check

                async def held(check: Any = check) -> None:
                    await hold.wait()
                    await check()

                link.check = held  # type: ignore[method-assign]
            await asyncio.sleep(2 * INTERVAL)  # all are due by now, and one is being checked
            assert not x.checked
            hold.set()
            await asyncio.sleep(1)
            assert set(x.checked) == {"a0", "a1", "a2", "a3"}

    simulate(main)


def test_a_used_up_window_is_not_asked_and_holds_nobody_up() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=0.1)
        async with pool_of(x, 2, settings(2, health_checks_at_once=1)) as pool:
            pool.sessions.windows("a0").rest("account/settings", 10 * INTERVAL)
            with pool.events.subscribe(EndpointCooling) as heard:
                await asyncio.sleep(9 * INTERVAL)
                assert not heard.take(), "it is not even tried"
            assert x.checked["a0"] == 0
            assert x.checked["a1"] >= 6
            await asyncio.sleep(3 * INTERVAL)
            assert x.checked["a0"] >= 1

    simulate(main)


def test_i4_a_check_cancelled_at_any_step_leaves_room_for_the_next() -> None:
    def name_its_tasks(pool: TwikitConnectionPool, loop: SimulatedLoop) -> None:
        def own(work: Coroutine[Any, Any, None]) -> None:
            pool._own(work)
            task = next(each for each in pool._tasks if each.get_coro() is work)
            if not any(each.get_name() == "victim" for each in pool._tasks):
                loop.call_soon(task.set_name, "victim")  # from its first step on, as a shutdown finds it

        pool._upkeep._checks._own = own

    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=0.1)
        async with pool_of(x, 3, settings(3, health_checks_at_once=1)) as pool:
            await asyncio.sleep(1)
            name_its_tasks(pool, loop)
            waiting = loop.create_task(use_all(pool))
            await asyncio.sleep(3 * INTERVAL)
            await waiting
            assert all(x.checked[each] >= 1 for each in ("a0", "a1", "a2"))
            await asyncio.sleep(1)
            assert pool.counts()[ConnectionState.IDLE] == 3
        assert not x.misuses
        assert all(link.closed for link in x.links)

    async def use_all(pool: TwikitConnectionPool) -> None:
        for _ in range(30):
            for account_id in ("a0", "a1", "a2"):
                request = ConnectionRequest(account_id=account_id, timeout=5.0)
                async with pool.acquire(request) as lease:
                    await lease.execute("like_tweet", tweet_id="1")
            await asyncio.sleep(1.5)

    assert cancel_at_every_step(main) >= 3


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("order", ["tasks", "all"])
def test_i9_shutting_down_among_checks_ends_and_closes_everything(seed: int, order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Asked(loop, slowest=1.0)
        config = settings(20, health_checks_at_once=3, health_check_interval=2.0)
        async with pool_of(x, 20, config) as pool:
            await asyncio.sleep(loop.rng.uniform(1, 5))
            await pool.shutdown(0.5)
            assert pool.size == 0
        assert not x.misuses
        assert all(link.closed for link in x.links)

    simulate(main, seed, order=order)
