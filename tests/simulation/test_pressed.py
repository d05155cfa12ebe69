"""The pool under pressure: refusals that lie, stores that hang, calls that poison, users in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import Account, AccountState, MemoryAccounts, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AccountUnavailable,
    AcquireTimeoutError,
    LeaseLost,
    PoolClosed,
    PoolError,
    StoreError,
)
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest, ConnectionState
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken
from twikit_pool.sessions.responses import RawResponse, XError

REFUSED = (XError(code=88, message="Rate limit exceeded."),)


class Refusing(SimulatedX):
    """Refuses every call, with a reset that is this far from now, and a `Date` or none."""

    ahead = 0.0
    dated = True

    def answer(self, account_id: str, endpoint: str) -> RawResponse:
        told = super().answer(account_id, endpoint)
        now = 1_700_000_000 + self.loop.time()
        return replace(
            told,
            status=429,
            errors=REFUSED,
            remaining=0,
            reset=int(now + self.ahead),
            date=now if self.dated else None,
        )


@pytest.mark.parametrize("ahead", [-5.0, 0.0, 1.0])
@pytest.mark.parametrize("dated", [True, False])
def test_i7_a_refusal_that_names_no_honest_end_is_not_met_by_hammering(ahead: float, dated: bool) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Refusing(loop)
        x.ahead, x.dated = ahead, dated
        async with pool_of(x, 1, ConnectionPoolConfig(acquire_timeout=None)) as pool:
            call = loop.create_task(pool.execute("get_user_by_id", user_id="1"))
            await asyncio.sleep(900)
            assert x.calls["UserByRestId"] <= 8
            call.cancel()
            await asyncio.wait([call])

    simulate(main)


def test_i7_a_lease_cannot_spend_more_than_the_window_has() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=20)
        async with pool_of(x, 1) as pool, pool.acquire() as lease:
            for _ in range(20):
                await lease.execute("get_user_by_id", user_id="1")
            for _ in range(30):
                with pytest.raises(CallFailed, match="nothing was sent") as failed:
                    await lease.execute("get_user_by_id", user_id="1")
                assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
                assert failed.value.verdict.taken is Taken.NO
            assert (x.calls["UserByRestId"], x.over_limit) == (20, 0)

    simulate(main)


def test_one_call_that_poisons_accounts_is_stopped_after_three() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={f"a{number}": [226] for number in range(10)})
        async with pool_of(x, 10) as pool:
            with pytest.raises(CallFailed) as failed:
                await pool.execute("post_tweet", content="buy now")
            assert failed.value.verdict.code == 226
            assert failed.value.attempts == 3
            assert pool.status().quarantined == 3

    simulate(main)


class SlowSource(MemoryAccounts):
    """Takes its time to list the accounts, and for ever to keep anything."""

    async def accounts(self) -> Sequence[Account]:
        await asyncio.sleep(0.1)
        return await super().accounts()

    async def set_standing(self, account_id: str, standing: Standing) -> None:
        await asyncio.sleep(1e9)

    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        await asyncio.sleep(1e9)


def slow_source(accounts: int) -> SlowSource:
    return SlowSource([account(f"a{number}") for number in range(accounts)])


def test_i1_pools_that_open_at_once_share_no_account() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), source=slow_source(4))
        async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
            made = await asyncio.gather(
                manager.create_pool("one"), manager.create_pool("two"), return_exceptions=True
            )
            held = [each.account_id for one in manager.pools.values() for each in one.connections()]
            assert sorted(held) == ["a0", "a1", "a2", "a3"]
            assert sum(isinstance(each, PoolError) for each in made) == 1

    simulate(main)


def test_i1_a_pool_opened_twice_has_each_connection_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), source=slow_source(2))
        await asyncio.gather(pool.open(), pool.open())
        assert pool.size == 2
        first = await pool.acquire(ConnectionRequest(account_id="a0"))
        with pytest.raises(AcquireTimeoutError):
            await pool.acquire(ConnectionRequest(account_id="a0", timeout=1))
        first.release()
        await pool.shutdown()

    simulate(main)


def test_a_pool_shut_down_while_it_opens_opens_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), source=slow_source(2))
        opening = loop.create_task(pool.open())
        await asyncio.sleep(0.05)
        await pool.shutdown()
        with pytest.raises(PoolClosed):
            await opening
        assert pool.size == 0

    simulate(main)


def test_a_pool_that_could_not_open_keeps_no_name() -> None:
    class Broken(MemoryAccounts):
        async def accounts(self) -> Sequence[Account]:
            raise StoreError("the disk is gone")

    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), source=Broken())
        async with TwikitConnectionPoolManager(pool.sessions, automation=None) as manager:
            for _ in range(2):
                with pytest.raises(StoreError):
                    await manager.create_pool("one")

    simulate(main)


def test_i14_i9_a_store_that_hangs_holds_no_call_and_no_shutdown() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [326]})
        pool = pool_of(x, source=slow_source(2))
        await pool.open()
        with pytest.raises(CallFailed, match="locked"):
            await pool.execute("like_tweet", account="a0", tweet_id="1")
        assert loop.time() < 7
        began = loop.time()
        hanging = loop.create_task(pool.execute("like_tweet", account="a1", tweet_id="2"))
        await asyncio.sleep(0.01)
        await pool.shutdown(grace=1)
        assert loop.time() - began < 10
        await asyncio.gather(hanging, return_exceptions=True)

    simulate(main)


def test_i14_a_state_that_could_not_be_saved_is_saved_with_the_next() -> None:
    class Mending(MemoryAccounts):
        broken = True

        async def set_standing(self, account_id: str, standing: Standing) -> None:
            if self.broken:
                raise RuntimeError("a user's own source raises anything")
            await super().set_standing(account_id, standing)

    async def main(loop: SimulatedLoop) -> None:
        source = Mending([account(f"a{number}") for number in range(3)])
        x = SimulatedX(loop, codes={"a0": [326], "a1": [64]})
        async with pool_of(x, source=source) as pool:
            with suppress(CallFailed):
                await pool.execute("like_tweet", account="a0", tweet_id="1")
            source.broken = False
            with suppress(CallFailed):
                await pool.execute("like_tweet", account="a1", tweet_id="1")
        states = [each.standing.state for each in await source.accounts()]
        assert states == [AccountState.LOCKED, AccountState.SUSPENDED, AccountState.ACTIVE]

    simulate(main)


def test_what_a_check_finds_counts_for_the_pool_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [326]})
        async with pool_of(x, 1) as pool:
            with suppress(CallFailed):
                await pool.execute("like_tweet", account="a0", tweet_id="1")
            assert pool.status().quarantined == 1
            assert (await pool.sessions.check("a0")).state is AccountState.ACTIVE
            await pool.execute("like_tweet", tweet_id="2")
            x.codes["a0"] = [326]
            assert (await pool.sessions.check("a0")).state is AccountState.LOCKED
            with pytest.raises(AccountUnavailable):
                await pool.execute("like_tweet", account="a0", tweet_id="3")
            assert x.done.count(("a0", "3")) == 0

    simulate(main)


def test_nothing_is_opened_anew_by_a_call_that_the_shutdown_cut() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=30.0, codes={"a0": [226]})
        pool = pool_of(x, 1)
        await pool.open()
        call = loop.create_task(pool.execute("like_tweet", tweet_id="1"))
        await asyncio.sleep(0.5)
        await pool.shutdown(grace=0.1)
        await asyncio.gather(call, return_exceptions=True)
        assert len(x.links) == 1
        assert x.links[0].closed

    simulate(main)


def test_i1_one_lease_is_one_acquisition() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 2) as pool:
            holders = [await pool.acquire() for _ in range(2)]
            lease = pool.acquire()

            async def enter() -> None:
                await lease

            both = [loop.create_task(enter()) for _ in range(2)]
            await asyncio.sleep(0.1)
            for each in holders:
                each.release()
            results = await asyncio.gather(*both, return_exceptions=True)
            assert [type(each) for each in results if each is not None] == [LeaseLost]
            lease.release()
            assert pool.counts()[ConnectionState.IDLE] == 2

    simulate(main)


def test_cancelled_deadlines_do_not_pile_up() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(acquire_timeout=86_400.0)
        async with pool_of(SimulatedX(loop), 1, config) as pool:

            async def borrow() -> None:
                async with pool.acquire():
                    await asyncio.sleep(0)

            for _ in range(50):
                await asyncio.gather(*(borrow() for _ in range(40)))
            assert sum(map(len, pool.matching.deadlines._slots.values())) < 10

    simulate(main)
