"""What went wrong in other pools, driven in ours. Each test names whose bug it was."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest

from tests.simulation.simulated_loop import (
    CancelAtHandOff,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.unit.pool.scene import ask, gone, hooked, scene, settle, take
from twikit_pool.accounts import Account
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, PoolOverloadedError
from twikit_pool.pool import (
    ConnectionRequest,
    ConnectionState,
    PooledTwikitConnection,
    TwikitConnectionPool,
    matching,
)

PATIENT = ConnectionPoolConfig(acquire_timeout=None)


async def at_rest(pool: TwikitConnectionPool, connections: int) -> None:
    """Nothing is lost: all connections are free again, and nobody waits."""
    await asyncio.sleep(1)
    assert pool.waiting == 0
    assert pool.counts()[ConnectionState.IDLE] == pool.size == connections
    assert len(list(pool.matching.idle)) == connections


# ---------------------------------------------------------------- 1 to 3: cancellation


@pytest.mark.parametrize("ticks_after_the_release", [-1, 0, 1, 2, 3])
def test_1_cancelled_around_the_hand_over_the_connection_goes_on(ticks_after_the_release: int) -> None:
    """psycopg#509, #1275, #1345, asyncpg#467, #547: cancelled at the hand-over, the connection is lost."""

    @scene(1)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        lease = await take(pool)
        victim, behind = ask(pool), ask(pool)
        await settle()
        if ticks_after_the_release < 0:
            victim.cancel()
        lease.release()
        for _ in range(ticks_after_the_release):
            await asyncio.sleep(0)
        victim.cancel()
        await settle()
        if not victim.cancelled():
            victim.result().release()
        (await gone(behind)).release()
        await at_rest(pool, 1)

    play()


def test_2_who_was_woken_and_cancelled_wakes_the_next() -> None:
    """aiohttp#9670, and redis-py's BlockingConnectionPool: the wake-up dies with the one who was woken."""

    @scene(1)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        lease = await take(pool)
        chain = [ask(pool) for _ in range(10)]
        await settle()
        lease.release()
        for each in chain[:9]:
            each.cancel()
        await settle()
        (await gone(chain[9])).release()
        await at_rest(pool, 1)

    play()


def test_2_who_was_woken_and_cancelled_wakes_the_next_in_every_order() -> None:
    """aiohttp#9670 again, with whoever was just woken cancelled at random."""

    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 2, PATIENT) as pool:

            async def use() -> None:
                async with pool.acquire():
                    await asyncio.sleep(0.01)

            tasks = [loop.create_task(use(), name=f"user-{n}") for n in range(12)]
            await asyncio.wait(tasks)
            await at_rest(pool, 2)

    every_seed(main, range(60), cancel=CancelAtHandOff("user", 0.3))


def test_3_a_cancellation_is_never_swallowed() -> None:
    """psycopg#1401, and asyncio.wait_for on Python 3.11 (cpython#86296): the cancelled task goes on."""

    @scene(1)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        went_on: list[str] = []

        async def use() -> None:
            async with pool.acquire():
                went_on.append("got it")
                await asyncio.sleep(0)
                went_on.append("went on")

        for ticks in range(5):
            went_on.clear()
            lease = await take(pool)
            victim = x.loop.create_task(use())
            await settle()
            lease.release()
            for _ in range(ticks):
                await asyncio.sleep(0)
            asked = victim.cancel()
            await asyncio.wait([victim])
            assert victim.cancelled() == asked
            assert not asked or "went on" not in went_on
        await at_rest(pool, 1)

    play()


# ---------------------------------------------------------------- 4 to 6: half-done work


async def slowly(_: PooledTwikitConnection | Account) -> None:
    await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("moment", ["before_open", "after_open", "on_acquire", "on_release", "a call"])
def test_4_cancelled_while_the_pool_works_on_a_connection_nothing_is_lost(moment: str) -> None:
    """psycopg#1208, redis-py#4121, SQLAlchemy#8145, asyncpg#464: cancelled in release, check, reset, open."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        bare = pool_of(x, 1, PATIENT)
        pool = bare if moment == "a call" else hooked(bare, **{moment: slowly})

        async def use() -> None:
            async with pool.acquire() as lease:
                await lease.execute("like_tweet", tweet_id="1")

        async with pool:
            victim = loop.create_task(use(), name="victim")
            behind = loop.create_task(use())
            await asyncio.wait([victim, behind])
            assert behind.exception() is None
            await at_rest(pool, 1)
            assert not x.misuses
        assert all(link.closed for link in x.links)

    assert cancel_at_every_step(main) >= 2


def test_4_a_shutdown_cancelled_during_a_check_closes_everything() -> None:
    """psycopg#1208 once more: what is cancelled is the pool's own work."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 1, ConnectionPoolConfig(health_check_interval=5.0, leak_warning=1.0))
        await pool.open()
        while pool.counts()[ConnectionState.CHECKING] == 0:  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(0.05)
        victim = loop.create_task(pool.shutdown(), name="victim")
        await asyncio.wait([victim])
        await pool.shutdown()
        assert pool.size == 0
        assert all(link.closed for link in x.links)

    assert cancel_at_every_step(main) >= 2


@pytest.mark.parametrize("delay", [0, 0.01, 0.0499, 0.05, 0.06, 0.0999, 0.1])
def test_5_cancelled_before_first_use_a_connection_does_not_stay_in_between(delay: float) -> None:
    """httpcore#1093, #830: cancelled before its first use, a connection is CONNECTING for ever."""

    @scene(1, opened=False, min_connections=0, initial_connections=0)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        async with hooked(pool, after_open=slowly) as pool:
            victim = ask(pool)
            await asyncio.sleep(delay)
            victim.cancel()
            await asyncio.sleep(1)
            assert victim.cancelled()
            assert pool.counts()[ConnectionState.OPENING] == 0
            (await take(pool)).release()
            await at_rest(pool, 1)

    play()


@pytest.mark.parametrize("ended_by", ["cancellation", "timeout", "release", "lease_timeout"])
def test_6_a_half_used_client_is_never_lent_again(ended_by: str) -> None:
    """redis-py#2624, #2665: the next caller read the answer to another's call."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        lease_timeout = 0.5 if ended_by == "lease_timeout" else None
        async with pool_of(x, 1, PATIENT.changed(lease_timeout=lease_timeout)) as pool:
            x.slowest = 5.0
            lease = await pool.acquire()
            deadline = 0.01 if ended_by == "timeout" else None
            call = loop.create_task(lease.execute("like_tweet", timeout=deadline, tweet_id="1"))
            await asyncio.sleep(0.1)
            if ended_by == "cancellation":
                call.cancel()
                await asyncio.wait([call])
            if ended_by != "lease_timeout":
                lease.release()
            x.slowest = 0.1
            for number in range(3):
                done = await pool.execute("like_tweet", tweet_id=str(number + 2))
                assert done.id == str(number + 2)
            await asyncio.gather(call, return_exceptions=True)
            assert not x.misuses

    every_seed(main, range(10))


# ---------------------------------------------------------------- 7 and 8: order and counting


def test_7_a_newcomer_never_overtakes_and_the_limit_holds() -> None:
    """asyncpg#1247, aiohttp#4936: who releases and asks again is always first; limits are exceeded."""

    @scene(2)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        served: dict[str, int] = {}
        holding = 0

        async def greedy(name: str) -> None:
            nonlocal holding
            for _ in range(20):
                async with pool.acquire():
                    holding += 1
                    assert holding <= 2
                    served[name] = served.get(name, 0) + 1
                    assert max(served.values()) - min(served.values()) <= 1, "somebody starves"
                    await asyncio.sleep(0)
                    holding -= 1

        names = [f"user-{n}" for n in range(5)]
        served.update(dict.fromkeys(names, 0))
        await asyncio.gather(*map(greedy, names))
        assert set(served.values()) == {20}

    play()


@scene(1, max_waiting=3)
async def test_8_the_dead_do_not_count_against_the_limit(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    """psycopg_pool counts cancelled waiters against max_waiting until their turn comes."""
    await take(pool)
    for _ in range(10):
        crowd = [ask(pool) for _ in range(3)]
        await settle()
        with pytest.raises(PoolOverloadedError):
            await take(pool)
        for each in crowd:
            each.cancel()
        assert pool.waiting == 0, "gone in that very moment"
    late = [ask(pool, timeout=5) for _ in range(3)]
    await asyncio.sleep(5.1)
    assert all(isinstance(each.exception(), AcquireTimeoutError) for each in late)
    ask(pool)
    await settle()
    assert pool.waiting == 1


@scene(50, opened=False, min_connections=0, initial_connections=0)
async def test_8_those_who_gave_up_cause_no_growth_storm(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    """psycopg_pool and others open one connection for each who ever waited."""
    async with hooked(pool, after_open=slowly) as pool:
        for _ in range(20):
            impatient = ask(pool, timeout=0.01)
            await asyncio.sleep(0.04)
            if impatient.exception() is None:
                impatient.result().release()
        await asyncio.sleep(1)
        assert pool.size == 1


# ---------------------------------------------------------------- 9 to 13: what runs behind


@pytest.mark.parametrize("work", ["opening", "closing", "turning over"])
def test_9_the_pools_own_tasks_are_not_collected(work: str) -> None:
    """SQLAlchemy#8516: a task that nobody refers to is garbage-collected while it works."""
    hook = {"opening": "after_open", "closing": "on_close", "turning over": "on_release"}[work]

    @scene(1, opened=False, open_backoff=0.1, open_backoff_max=0.2)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        ended: list[str] = []

        async def hang(connection: PooledTwikitConnection) -> None:
            waiting = asyncio.get_running_loop().create_future()
            x.loop.call_later(1, waiting.set_result, None)
            await waiting
            ended.append(connection.id)

        async with hooked(pool, **{hook: hang}) as pool:
            if work != "opening":
                (await take(pool)).release()
            if work == "closing":
                pool.quarantine("a0", "a rest", 100)
            await settle()
            gc.collect()
            await asyncio.sleep(2)
            assert ended[:1] == ["a0#1"]

    play()


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_10_nobody_is_held_up_while_a_connection_opens(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    """redis-py#2997: the pool's lock is held while one connection connects."""

    async def slow(one: Account) -> None:
        await asyncio.sleep(20 if one.id == "a0" else 0)

    async with hooked(pool, before_open=slow) as pool:
        first = ask(pool, account_id="a0")
        await settle()
        began = x.loop.time()
        for _ in range(3):
            (await take(pool, account_id="a1")).release()
        pool.status()
        pool.reserve("a1", "spring").release()
        assert x.loop.time() - began < 0.01
        await asyncio.sleep(20)
        assert (await gone(first)).held


def test_11_never_lent_twice_and_never_closed_while_lent() -> None:
    """httpcore#1110: a connection was assigned to two requests, or evicted with one assigned to it."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        config = PATIENT.changed(
            min_connections=0, initial_connections=0, max_connections=2, max_idle_time=0.05, leak_warning=0.05
        )
        held: set[str] = set()
        async with pool_of(x, 4, config) as pool:

            async def use() -> None:
                for _ in range(5):
                    account_id = f"a{loop.rng.randrange(4)}"
                    async with pool.acquire(ConnectionRequest(account_id=account_id)) as lease:
                        connection = lease.connection
                        assert connection.id not in held
                        held.add(connection.id)
                        await asyncio.sleep(loop.rng.random() / 20)
                        assert lease.held
                        assert connection.state is ConnectionState.LEASED
                        assert pool.size <= 2
                        held.remove(connection.id)
                    await asyncio.sleep(loop.rng.random() / 10)

            await asyncio.gather(*(use() for _ in range(6)))

    every_seed(main, range(20))


@pytest.mark.parametrize("what", ["on_release", "renew"])
def test_12_giving_back_has_a_deadline(what: Literal["on_release", "renew"]) -> None:
    """asyncpg#431: release waits for ever for a connection that does not answer."""

    @scene(1, opened=False, connection_timeout=3.0, open_backoff_max=1.0)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        hanging = True

        async def hang(_: object = None) -> None:
            if hanging:
                await asyncio.sleep(1e6)

        async with hooked(pool, **({"on_release": hang} if what == "on_release" else {})) as pool:
            await settle()
            if what == "renew":
                x.links[0].renew = hang  # type: ignore[method-assign]
            lease = await take(pool)
            call = x.loop.create_task(lease.execute("like_tweet", tweet_id="1"))
            await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.wait([call])
            began = x.loop.time()
            lease.release()
            assert x.loop.time() == began
            await asyncio.sleep(3.1)
            hanging = False
            second = await take(pool, timeout=5)
            assert (await second.execute("like_tweet", tweet_id="2")).id == "2"
            second.release()
            await at_rest(pool, 1)

    play()


@scene(
    3,
    min_connections=1,
    initial_connections=3,
    max_idle_time=300.0,
    max_lifetime=3600.0,
    leak_warning=60.0,
    enable_health_checks=True,
)
async def test_13_the_pool_still_works_after_a_long_quiet_time(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    """psycopg#1419: background workers die during long idle times."""
    await asyncio.sleep(3 * 86_400)
    assert pool.size == 1
    assert next(iter(pool.connections())).created > 3 * 86_400 - 3700
    leases = [await take(pool) for _ in range(3)]
    for each in leases:
        each.release()
    await asyncio.sleep(400)
    assert pool.size == 1
    late = ask(pool, account_id="a0", timeout=1)
    (await gone(late)).release()


# ---------------------------------------------------------------- 14: cost


HEART = str(Path(matching.__file__).parent)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Counts, in its only item, the lines of the pool that run, each turn of a loop by itself."""
    lines = [0]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(HEART):
            return None
        lines[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def lines_for(waiters: int, accounts: int, ended_by: str) -> int:
    """Lines of the pool that run while so many wait for so many accounts and are then served, or not."""

    async def main(loop: SimulatedLoop) -> int:
        config = PATIENT.changed(max_connections=accounts, enable_health_checks=False, leak_warning=None)
        async with pool_of(SimulatedX(loop), accounts, config) as pool:
            pool.resize(accounts)
            await asyncio.sleep(1)
            leases = [await pool.acquire() for _ in range(accounts)]

            async def use(number: int) -> None:
                this = f"a{number % accounts}" if number % 2 else None
                timeout = 5.0 if ended_by == "timeout" else None
                async with pool.acquire(ConnectionRequest(account_id=this, timeout=timeout)):
                    pass

            with counted() as lines:
                tasks = [loop.create_task(use(number)) for number in range(waiters)]
                await asyncio.sleep(1)
                assert pool.waiting == waiters
                if ended_by == "cancellation":
                    for each in reversed(tasks):
                        each.cancel()
                elif ended_by == "service":
                    for each in leases:
                        each.release()
                await asyncio.sleep(10)
            assert pool.waiting == 0
            for each in leases:
                each.release()
            await asyncio.gather(*tasks, return_exceptions=True)
        return lines[0]

    return simulate(main, order="fifo").result


@pytest.mark.parametrize("ended_by", ["service", "cancellation", "timeout"])
def test_14_the_cost_is_linear_in_waiters_and_accounts(ended_by: str) -> None:
    """httpcore rescans every request with each step; asyncio.Queue and asyncpg pay for each cancelled one."""
    few, many = lines_for(200, 10, ended_by), lines_for(1600, 10, ended_by)
    assert few > 200 * 10
    assert many <= 8 * 1.3 * few
    assert lines_for(1600, 80, ended_by) <= 1.5 * many
