"""Trying again: how often, where, and until when, in every order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.simulation.simulated_loop import (
    CancelRandomly,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedLink, SimulatedX, account, pool_of
from twikit_pool.accounts import Account
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, ConfigError
from twikit_pool.pool import ConnectionRequest, PoolHooks, TwikitConnectionPool
from twikit_pool.pool.execution import RetryBudget
from twikit_pool.sessions.actions import parse_action
from twikit_pool.sessions.outcomes import CallFailed, Outcome
from twikit_pool.sessions.responses import RawResponse

READ = parse_action("get_user_by_id", {"user_id": "1"})
CALM: dict[str, Any] = {"enable_health_checks": False, "leak_warning": None, "enable_circuits": False}


class Moody(SimulatedX):
    """Fails some share of all calls for a passing reason, and remembers who was asked."""

    share = 0.3

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(loop)
        self.asked: list[tuple[float, str]] = []

    def answer(self, account_id: str, endpoint: str) -> RawResponse:
        self.asked.append((self.loop.time(), account_id))
        if self.loop.rng.random() < self.share:
            self.codes[account_id] = [131]
        return super().answer(account_id, endpoint)


async def much_trouble(loop: SimulatedLoop) -> None:
    x = Moody(loop)
    x.share = loop.rng.choice((0.05, 0.3, 1.0))
    began = retries = 0
    async with pool_of(x, 6, ConnectionPoolConfig(**CALM, acquire_timeout=None)) as pool:

        async def caller() -> None:
            nonlocal began, retries
            for _ in range(12):
                await asyncio.sleep(grid(loop.rng, 2.0))
                began += 1
                attempts = 1
                try:
                    attempts = (await pool.perform(READ)).attempts
                except CallFailed as failure:
                    attempts = failure.attempts
                retries += attempts - 1
                assert retries <= RetryBudget.SHARE * began + RetryBudget.FIRST
                assert len(x.asked) <= (1 + RetryBudget.SHARE) * began + RetryBudget.FIRST

        work = [loop.create_task(caller(), name=f"caller-{number}") for number in range(20)]
        await asyncio.wait(work)
        for each in work:
            if not each.cancelled() and each.exception() is not None:
                raise each.exception() or AssertionError
        assert x.share < 1 or retries > RetryBudget.FIRST / 2  # it did try again


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i12_retries_stay_under_a_tenth_of_the_calls(order: Order) -> None:
    every_seed(much_trouble, range(6), order=order)


def test_i12_also_when_callers_are_cancelled() -> None:
    every_seed(much_trouble, range(6), cancel=CancelRandomly("caller", 0.01))


def test_pauses_are_drawn_and_never_short() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Moody(
            loop,
        )
        x.share, x.slowest = 1.0, 0.0
        async with pool_of(x, 1, ConnectionPoolConfig(**CALM, max_attempts=6)) as pool:
            with pytest.raises(CallFailed) as failed:
                await pool.perform(READ)
            assert failed.value.attempts == len(x.asked) == 6
            gaps = [later - sooner for (sooner, _), (later, _) in pairwise(x.asked)]
            assert all(0.2 <= each <= 10.1 for each in gaps)
            assert len(set(gaps)) == len(gaps)

    every_seed(main, range(5))


# ---------------------------------------------------------------- on another account


def test_a_read_that_failed_is_tried_on_another_account_that_is_free() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Moody(loop)
        x.share = 0.0
        async with pool_of(x, 4, ConnectionPoolConfig(**CALM)) as pool:
            await asyncio.sleep(1)
            for each in pool.account_ids:
                x.codes[each] = [131] * 3
            with pytest.raises(CallFailed):
                await pool.perform(READ)
            asked = [account_id for _, account_id in x.asked]
            assert all(one != other for one, other in pairwise(asked))
            x.asked.clear()
            x.codes = {"a1": [131]}
            await pool.execute(READ, account="a1")
            assert [account_id for _, account_id in x.asked] == ["a1", "a1"]

    every_seed(main, range(5))


def test_who_is_to_be_avoided_serves_when_nobody_else_can() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 2, ConnectionPoolConfig(**CALM)) as pool:
            await asyncio.sleep(1)
            rather = ConnectionRequest(avoid="a1", timeout=1)
            for _ in range(3):
                async with pool.acquire(rather) as lease:
                    assert lease.account_id == "a0"
                    async with pool.acquire(rather) as other:
                        assert other.account_id == "a1"
            own = ConnectionRequest(account_id="a1", avoid="a1", timeout=1)
            assert await _take(pool, own) == "a1"
            # One that has to wait is served by whoever comes free.
            a0, a1 = [await pool.acquire(ConnectionRequest(account_id=each)) for each in ("a0", "a1")]
            waiting = loop.create_task(_take(pool, rather))
            await asyncio.sleep(0.1)
            a1.release()
            await asyncio.sleep(0)
            assert (await waiting) == "a1"
            a0.release()

    simulate(main)


async def _take(pool: TwikitConnectionPool, request: ConnectionRequest) -> str:
    async with pool.acquire(request) as lease:
        return lease.account_id


def test_a_reservation_counts_more_than_whom_to_avoid() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 2, ConnectionPoolConfig(**CALM)) as pool:
            await asyncio.sleep(1)
            pool.reserve("a1", "spring", duration=60)
            request = ConnectionRequest(avoid="a1", reserved_for="spring", timeout=1)
            assert await _take(pool, request) == "a1"
            assert await _take(pool, ConnectionRequest(avoid="a1", timeout=1)) == "a0"

    simulate(main)


# ---------------------------------------------------------------- until a deadline


def test_a_deadline_ends_pauses_waits_and_calls() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Moody(loop)
        x.share = 1.0
        async with pool_of(x, 2, ConnectionPoolConfig(**CALM, max_attempts=50)) as pool:
            began = loop.time()
            with pytest.raises(CallFailed) as failed:
                await pool.execute(READ, deadline=3.0)
            assert loop.time() - began <= 3.0
            assert failed.value.verdict.outcome is Outcome.TRANSIENT
            assert failed.value.attempts >= 2

            async def hang(self: SimulatedLink, endpoint: str, target: str) -> None:
                await asyncio.sleep(1e6)

            for each in x.links:
                each.request = hang.__get__(each)  # type: ignore[method-assign]
            began = loop.time()
            with pytest.raises(CallFailed, match="no complete answer"):
                await pool.execute(READ, deadline=2.0)
            assert loop.time() - began == pytest.approx(2.0, abs=0.03)

    every_seed(main, range(10))


def test_a_deadline_that_ends_the_first_wait_tells_why_it_waited() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(**CALM)) as pool, pool.acquire():
            began = loop.time()
            with pytest.raises(AcquireTimeoutError, match="1 leased"):
                await pool.execute(READ, deadline=1.5)
            assert loop.time() - began == pytest.approx(1.5, abs=0.03)

    simulate(main)


def test_a_failure_is_told_when_the_wait_after_it_lasts_beyond_the_deadline() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=0, slowest=0.1)
        async with pool_of(x, 2, ConnectionPoolConfig(**CALM, acquire_timeout=None)) as pool:
            began = loop.time()
            with pytest.raises(CallFailed) as failed:
                await pool.execute(READ, deadline=20)
            assert loop.time() - began == pytest.approx(20, abs=0.03)
            assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
            assert isinstance(failed.value.__cause__, AcquireTimeoutError)

    every_seed(main, range(5))


def test_a_deadline_that_passes_in_a_hook_sends_nothing() -> None:
    async def slow(_: object) -> None:
        await asyncio.sleep(5)

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 1, ConnectionPoolConfig(**CALM), hooks=PoolHooks(on_acquire=slow)) as pool:
            with pytest.raises(AcquireTimeoutError, match="the deadline of 2 s for get_user_by_id was over"):
                await pool.execute(READ, deadline=2)
            assert not x.sent
            with pytest.raises(ConfigError, match="deadline must be more than 0 seconds"):
                await pool.execute(READ, deadline=0)

    simulate(main)


def test_i4_with_a_deadline_it_is_cancelled_at_any_step() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Moody(loop)
        accounts: list[Account] = [account("a0"), account("a1")]
        async with pool_of(x, accounts, ConnectionPoolConfig(**CALM)) as pool:
            x.share = 1.0
            victim = loop.create_task(pool.execute(READ, deadline=5.0), name="victim")
            await asyncio.wait([victim])
            assert victim.cancelled() or isinstance(victim.exception(), CallFailed)
            x.share = 0.0
            x.codes.clear()
            await pool.execute(READ)
            assert (pool.brake().fleet.in_flight, pool.status().active, pool.waiting) == (0, 0, 0)

    assert cancel_at_every_step(main) >= 5
