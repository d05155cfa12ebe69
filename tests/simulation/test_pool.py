"""The pool's promises, in virtual time and every order. Each test is named after the promise it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from math import inf

import pytest

from tests.simulation.simulated_loop import (
    CancelAtHandOff,
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import Account, AccountState, MemoryAccounts, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    LeaseLost,
    NoAccountAvailable,
    PoolClosed,
    PoolOverloadedError,
    StoreError,
)
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionRequest,
    ConnectionState,
    Lease,
    TwikitConnectionPool,
)
from twikit_pool.sessions.actions import GetUser
from twikit_pool.sessions.outcomes import CallFailed, Outcome

ANY_LIKE = ConnectionRequest(action="like_tweet")


def check_states(pool: TwikitConnectionPool) -> None:
    """I2: every connection is in exactly one state, and what is free is what can be handed out."""
    counts = pool.counts()
    assert sum(counts.values()) == pool.size == len(pool.matching.connections)
    assert counts[ConnectionState.CLOSED] == 0
    assert counts[ConnectionState.LEASED] == sum(each.leased for each in pool.connections())
    free = {each.id for each in pool.connections() if each.state is ConnectionState.IDLE}
    assert free == {each.id for each in pool.matching.idle}


async def borrow(pool: TwikitConnectionPool, loop: SimulatedLoop, held: dict[str, str], who: str) -> None:
    """Take a connection, prove nobody else has it, use it, give it back."""
    rng = loop.rng
    request = ConnectionRequest(
        account_id=f"a{rng.randrange(3)}" if rng.random() < 0.3 else None,
        action="like_tweet",
        priority=ConnectionPriority(rng.randrange(1, 6)),
        timeout=grid(rng, 5) if rng.random() < 0.3 else None,
    )
    try:
        async with pool.acquire(request) as lease:
            account_id = lease.account_id
            assert account_id not in held, f"{account_id} is held by {held[account_id]} and {who}"
            held[account_id] = who
            try:
                check_states(pool)
                if rng.random() < 0.7:
                    await lease.execute("like_tweet", tweet_id="1")
                else:
                    await asyncio.sleep(grid(rng, 0.2))
            finally:
                del held[account_id]
    except AcquireTimeoutError:
        pass
    check_states(pool)


async def crowd(loop: SimulatedLoop) -> None:
    x = SimulatedX(loop)
    pool = pool_of(x, 3, ConnectionPoolConfig(acquire_timeout=None))
    held: dict[str, str] = {}
    async with pool:
        tasks = [
            loop.create_task(borrow(pool, loop, held, f"borrower-{n}"), name=f"borrower-{n}")
            for n in range(20)
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}, results
        await asyncio.sleep(1)  # a client that is being renewed comes back within this
        assert pool.waiting == 0
        assert pool.counts()[ConnectionState.IDLE] == 3
        assert not held
    assert all(link.closed for link in x.links)


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i1_i2_i3_one_holder_each_state_every_waiter_ends(order: str) -> None:
    every_seed(crowd, range(60), order=order)  # type: ignore[arg-type]


def test_i4_cancellation_in_the_hand_off_loses_nothing() -> None:
    every_seed(crowd, range(150), cancel=CancelAtHandOff("borrower"))


def test_i4_cancellation_at_random_loses_nothing() -> None:
    every_seed(crowd, range(150), cancel=CancelRandomly("borrower", 0.05))


async def holder_victim_waiter(loop: SimulatedLoop) -> None:
    """The smallest scene in which a lost hand-over shows: the waiter behind the victim would hang."""
    x = SimulatedX(loop)
    pool = pool_of(x, 1, ConnectionPoolConfig(acquire_timeout=None))
    async with pool:

        async def use(tweet_id: str) -> None:
            async with pool.acquire(ANY_LIKE) as lease:
                await lease.execute("like_tweet", tweet_id=tweet_id)

        tasks = [
            loop.create_task(use("1"), name="holder"),
            loop.create_task(use("2"), name="victim"),
            loop.create_task(use("3"), name="waiter"),
        ]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(1)  # a client that is being renewed comes back within this
        assert ("a0", "3") in x.done
        assert pool.counts()[ConnectionState.IDLE] == 1
        assert pool.waiting == 0


@pytest.mark.parametrize("victim", ["holder", "victim"])
def test_i4_cancel_acquire_and_call_at_every_step(victim: str) -> None:
    assert cancel_at_every_step(holder_victim_waiter, victim) >= 3


def test_i4_cancel_execute_at_every_step() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [131, 131]})
        pool = pool_of(x, 1, ConnectionPoolConfig(acquire_timeout=None))
        async with pool:
            victim = loop.create_task(pool.execute("get_user_by_id", user_id="1"), name="victim")
            await asyncio.wait([victim])
            await pool.execute("get_user_by_id", user_id="2")
            assert pool.counts()[ConnectionState.IDLE] == 1

    assert cancel_at_every_step(scene) >= 6


def test_i4_cancel_shutdown_at_every_step() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 2)
        await pool.open()
        use = loop.create_task(pool.execute("like_tweet", tweet_id="1"))
        await asyncio.sleep(0.01)
        stop = loop.create_task(pool.shutdown(1.0), name="victim")
        await asyncio.wait([stop, use])
        await pool.shutdown()
        assert pool.size == 0
        assert all(link.closed for link in x.links)

    assert cancel_at_every_step(scene) >= 2


def test_i1_a_stale_release_does_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            first = await pool.acquire()
            first.release()
            second = await pool.acquire()
            first.release()
            pool.release(first)
            assert second.held
            with pytest.raises(LeaseLost, match="not held"):
                await first.execute("like_tweet", tweet_id="1")
            with pytest.raises(LeaseLost, match="used already"):
                await first
            second.release()

    simulate(main)


async def served_in_order(
    loop: SimulatedLoop, arrivals: Sequence[tuple[float, ConnectionPriority]]
) -> list[int]:
    """Who is served when: requests that arrive at these times, while one connection is held for an hour."""
    order: list[int] = []
    async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(acquire_timeout=None)) as pool:

        async def come(number: int, at: float, priority: ConnectionPriority) -> None:
            await asyncio.sleep(at)
            async with pool.acquire(ConnectionRequest(priority=priority)):
                order.append(number)

        holder = await pool.acquire()
        tasks = [loop.create_task(come(n, at, priority)) for n, (at, priority) in enumerate(arrivals)]
        await asyncio.sleep(3600)
        holder.release()
        await asyncio.gather(*tasks)
    return order


def test_i5_order_is_priority_with_ageing() -> None:
    low, normal, emergency = ConnectionPriority.LOW, ConnectionPriority.NORMAL, ConnectionPriority.EMERGENCY

    async def main(loop: SimulatedLoop) -> None:
        # Equals in order of arrival; the urgent overtakes; but nobody waits behind what came later than
        # his head start (20 s for LOW): the second EMERGENCY comes 21 s after the LOW and is served after it.
        order = await served_in_order(
            loop, [(0, low), (0.5, normal), (1, normal), (2, emergency), (21, emergency)]
        )
        assert order == [3, 1, 2, 0, 4]

    simulate(main, order="fifo")


def test_i5_nobody_barges_past_a_waiter() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            order: list[str] = []

            async def use(who: str) -> None:
                async with pool.acquire():
                    order.append(who)

            holder = await pool.acquire()
            waiting = loop.create_task(use("waiter"))
            await asyncio.sleep(1)
            holder.release()
            await use("newcomer")
            await waiting
            assert order == ["waiter", "newcomer"]

    simulate(main, order="fifo")


def test_i7_every_window_is_used_up_and_no_call_is_refused() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=20)
        async with pool_of(x, 2, ConnectionPoolConfig(acquire_timeout=None)) as pool:

            async def worker() -> None:
                while True:
                    await pool.execute("get_user_by_id", user_id="1")

            workers = [loop.create_task(worker()) for _ in range(8)]
            await asyncio.sleep(3 * (900 + 30))
            for each in workers:
                each.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        assert x.over_limit == 0
        assert len(x.done) >= 2 * 20 * 3

    every_seed(main, range(5))


def test_i7_those_who_wait_for_a_window_are_served_first_when_it_opens() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=1)
        async with pool_of(x, 1, ConnectionPoolConfig(acquire_timeout=None)) as pool:
            await pool.execute("get_user_by_id", user_id="0")
            waiting = loop.create_task(pool.execute("get_user_by_id", user_id="1"))
            other = await pool.execute("like_tweet", tweet_id="9")  # another endpoint is open meanwhile
            assert other.id == "9"
            await waiting
            assert 900 <= loop.time() <= 903
        assert x.over_limit == 0

    simulate(main)


def test_i9_shutdown_ends_by_its_deadline_though_a_lease_is_kept() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), 2)
        await pool.open()
        lease = await pool.acquire()
        waiting = loop.create_task(_acquire_named(pool, lease.account_id))
        await asyncio.sleep(0.1)
        began = loop.time()
        await pool.shutdown(grace=5)
        assert loop.time() - began <= 5.01
        with pytest.raises(PoolClosed, match="shutting down"):
            await waiting
        with pytest.raises(LeaseLost):
            await lease.execute("like_tweet", tweet_id="1")
        lease.release()
        with pytest.raises(PoolClosed, match="shut down"):
            await pool.acquire()
        assert pool.size == 0

    simulate(main)


async def _acquire_named(pool: TwikitConnectionPool, account_id: str) -> Lease:
    return await pool.acquire(ConnectionRequest(account_id=account_id))


def test_i12_retries_stay_under_a_tenth_of_the_traffic() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [131] * 5000})
        config = ConnectionPoolConfig(acquire_timeout=None, enable_circuits=False)
        async with pool_of(x, 1, config) as pool:
            for _ in range(1000):
                with suppress(CallFailed):
                    await pool.execute("get_user_by_id", user_id="1")
        assert 1000 < x.calls["UserByRestId"] <= 1000 * 1.1 + 10

    simulate(main)


def test_i13_a_full_line_sheds_the_least_urgent() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(max_waiting=2, acquire_timeout=None)
        async with pool_of(SimulatedX(loop), 1, config) as pool:
            holder = await pool.acquire()

            async def ask(priority: ConnectionPriority) -> None:
                async with pool.acquire(ConnectionRequest(priority=priority)):
                    pass

            low = loop.create_task(ask(ConnectionPriority.LOW))
            normal = loop.create_task(ask(ConnectionPriority.NORMAL))
            await asyncio.sleep(0.01)
            critical = loop.create_task(ask(ConnectionPriority.CRITICAL))
            await asyncio.sleep(0.01)
            with pytest.raises(PoolOverloadedError, match="max_waiting"):
                await low
            with pytest.raises(PoolOverloadedError):
                await ask(ConnectionPriority.LOW)
            holder.release()
            await asyncio.gather(normal, critical)

    simulate(main, order="fifo")


class BrokenStore(MemoryAccounts):
    async def set_standing(self, account_id: str, standing: Standing) -> None:
        raise StoreError("the disk is full")


def test_i14_losing_the_store_or_a_subscriber_stops_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a2": [326], "a1": [326]})  # the hot ones
        accounts = [account(f"a{n}") for n in range(3)]
        async with pool_of(x, source=BrokenStore(accounts)) as pool:
            with pool.events.subscribe(maxlen=2) as unread:
                for number in range(5):
                    await pool.execute("like_tweet", tweet_id=str(number))
            assert unread.dropped > 0
            assert {who for who, _ in x.done} == {"a0"}
            assert pool.status().quarantined == 2

    simulate(main)


def test_an_ill_account_hurts_nobody_else_and_says_why() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [326]})
        async with pool_of(x, 2) as pool:
            with pytest.raises(CallFailed) as failed:
                await pool.execute("like_tweet", account="a0", tweet_id="1")
            assert failed.value.verdict.outcome is Outcome.ACCOUNT_ILL
            with pytest.raises(AccountUnavailable, match="a0 is locked: the account is locked"):
                await pool.execute("like_tweet", account="a0", tweet_id="1")
            await pool.execute("like_tweet", tweet_id="2")
            with pytest.raises(AccountNotFound, match="no account 'nobody'"):
                await pool.execute("like_tweet", account="nobody", tweet_id="1")

    simulate(main)


def test_waiters_learn_at_once_that_no_account_is_left() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [64]})
        async with pool_of(x, 1, ConnectionPoolConfig(acquire_timeout=None)) as pool:
            tasks = [loop.create_task(pool.execute("like_tweet", tweet_id=str(n))) for n in range(3)]
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, NoAccountAvailable) for result in results)
            assert "1 suspended" in str(results[0])

    simulate(main)


def test_a_quarantine_ends_by_itself() -> None:
    async def main(loop: SimulatedLoop) -> None:
        until = loop.clock.now() + timedelta(seconds=60)
        resting = Standing(state=AccountState.QUARANTINED, reason="code 226", until=until)
        accounts: list[Account] = [account("a0", standing=resting)]
        config = ConnectionPoolConfig(acquire_timeout=None)
        async with pool_of(SimulatedX(loop), accounts, config) as pool:
            await pool.execute("like_tweet", tweet_id="1")
            assert loop.time() >= 60

    simulate(main)


def test_a_timeout_says_what_the_accounts_are_doing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=1, codes={"a2": [326]})
        async with pool_of(x, 3) as pool:
            for number in range(2):
                await pool.execute("get_user_by_id", account=f"a{number}", user_id="1")
            with suppress(CallFailed):
                await pool.execute("get_user_by_id", account="a2", user_id="1")
            with pytest.raises(AcquireTimeoutError) as late:
                await pool.execute("get_user_by_id", timeout=5, user_id="1")
            assert str(late.value).startswith("no connection for get_user_by_id within 5 s: of 3 accounts")
            assert "2 out of UserByRestId calls, 1 locked (the account is locked" in str(late.value)

    simulate(main)


def test_a_write_that_x_may_have_taken_is_not_sent_again() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [131]})
        async with pool_of(x, 1) as pool:
            with pytest.raises(CallFailed) as failed:
                await pool.execute("post_tweet", content="once")
            assert failed.value.attempts == 1
            assert x.calls["CreateTweet"] == 1

    simulate(main)


def test_a_used_up_window_moves_the_work_to_another_account() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [344], "a1": [344]})
        async with pool_of(x, 3) as pool:
            await pool.execute("post_tweet", content="once")
            assert [who for who, _ in x.done] == ["a2"]
            assert loop.time() < 10

    simulate(main)


def test_a_cancelled_call_leaves_a_renewed_client_to_the_next_caller() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 1) as pool:
            cut_short = loop.create_task(pool.execute("like_tweet", tweet_id="1"))
            await asyncio.sleep(0.01)
            cut_short.cancel()
            await asyncio.gather(cut_short, return_exceptions=True)
            await pool.execute("like_tweet", tweet_id="2")
            assert x.links[0].renewals == 1

    simulate(main)


def test_who_waits_without_end_outlasts_the_pools_own_timeout() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, ConnectionPoolConfig(acquire_timeout=1)) as pool:
            holder = await pool.acquire()
            patient = loop.create_task(pool.perform(GetUser(handle="x"), timeout=inf))
            with pytest.raises(AcquireTimeoutError):
                await pool.acquire()
            await asyncio.sleep(5_000)
            assert pool.waiting == 1
            holder.release()
            assert (await patient).account_id == "a0"

    simulate(scene)
