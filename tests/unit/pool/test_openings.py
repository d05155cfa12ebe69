from __future__ import annotations

import asyncio
import random
from typing import NoReturn

import httpx
import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, ended, gone, hooked, scene, settle, source_of, take
from twikit_pool.accounts import Account
from twikit_pool.errors import AccountNotFound, AcquireTimeoutError, PoolClosed, StoreError
from twikit_pool.events import ConnectionClosed, ConnectionCreated, ConnectionOpenFailed
from twikit_pool.pool import ConnectionPriority, PooledTwikitConnection, TwikitConnectionPool


def ids(pool: TwikitConnectionPool) -> set[str]:
    return {each.account_id for each in pool.connections()}


@scene(1, opened=False, open_backoff=4.0, open_backoff_max=10.0)
async def test_an_opening_that_fails_is_tried_again_each_time_later(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.opens_from = 60.0
    with pool.events.subscribe(ConnectionOpenFailed, ConnectionClosed, ConnectionCreated) as heard:
        async with pool:
            waiting = ask(pool, timeout=200)
            (await waiting).release()
            assert x.loop.time() <= 60 + 10.1
            assert pool.size == 1
            events = heard.take()
    failures = [each for each in events if isinstance(each, ConnectionOpenFailed)]
    assert [each.account_id for each in failures] == ["a0"] * len(failures)
    assert all(each.reason == "OSError" for each in failures), "the error's own text may hold a secret"
    waits = [each.retry_in for each in failures]
    assert 2 <= waits[0] <= 4
    assert 4 <= waits[1] <= 8
    assert all(5 <= each <= 10 for each in waits[2:])
    times = [each.at.timestamp() for each in failures]
    for earlier, later, wait in zip(times, times[1:], waits, strict=False):
        assert wait <= later - earlier <= wait + 0.03
    closed = [each for each in events if isinstance(each, ConnectionClosed)]
    assert closed[0].reason == "it could not be opened: OSError"


@scene(1, opened=False, open_backoff=1.0, open_backoff_max=1.0)
async def test_thousands_of_openings_that_fail_end_no_pool(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.opens_from = 1200.0
    async with pool:
        (await take(pool, timeout=1300)).release()


@scene(1, open_backoff=4.0, open_backoff_max=64.0)
async def test_a_success_ends_the_row_of_failures(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for _ in range(2):
        x.opens_from = x.loop.time() + 15
        with pool.events.subscribe(ConnectionOpenFailed) as heard:
            pool.quarantine("a0", "a rest", 1)
            (await take(pool, timeout=100)).release()
            (first, *_) = heard.take()
        assert isinstance(first, ConnectionOpenFailed)
        assert 2 <= first.retry_in <= 4


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_where_one_account_cannot_be_opened_another_serves(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    def fail(one: Account) -> None:
        if one.id == "a0":
            raise StoreError("the keys are missing")

    async with hooked(pool, before_open=fail) as pool:
        (await take(pool)).release()
        assert ids(pool) == {"a1"}
        with pytest.raises(AcquireTimeoutError, match="a0 within 1 s: of 1 accounts 1 quarantined"):
            await take(pool, account_id="a0")


@scene(1, opened=False, connection_timeout=3.0)
async def test_an_opening_that_hangs_is_cut_short(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def hang(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1e6)

    pool = hooked(pool, after_open=hang)
    with pool.events.subscribe(ConnectionOpenFailed) as heard:
        async with pool:
            await asyncio.sleep(3.1)
            (event,) = heard.take()
            assert isinstance(event, ConnectionOpenFailed)
            assert event.reason == "the hook after_open took longer than 3 s"
            assert x.links[0].closed
            pool.end_quarantine("a0")
            await asyncio.sleep(2)  # the next opening is under way now, and cut by the shutdown
    assert all(link.closed for link in x.links)


@scene(1, opened=False, min_connections=0, initial_connections=0)
async def test_an_opening_that_outlives_a_drain_is_not_counted_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    slow = 20.0

    async def open_slowly(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(slow)

    async with hooked(pool, after_open=open_slowly) as pool:
        refused = ask(pool)
        await settle()
        await pool.drain(0)
        assert isinstance(await ended(refused), PoolClosed)
        slow = 0.0
        pool.resume()
        waiting = ask(pool)
        await asyncio.sleep(21)
        assert (await gone(waiting)).held
        assert [link.closed for link in x.links] == [True, False]


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_what_was_opened_for_one_may_go_to_who_is_more_urgent(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def take_time(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)

    async with hooked(pool, after_open=take_time) as pool:
        pool.sessions.windows("a1").rest("Likes", 100)
        first = ask(pool, endpoint="Likes")
        await asyncio.sleep(0.5)
        urgent = ask(pool, account_id="a0", priority=ConnectionPriority.EMERGENCY)
        await asyncio.sleep(0.6)
        lease = await gone(urgent)
        assert not first.done()
        lease.release()
        assert (await gone(first)).account_id == "a0"
        assert pool.size == 1


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_a_line_whose_connection_went_to_another_gets_one_of_its_own(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def take_time(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)

    async with hooked(pool, after_open=take_time) as pool:
        first = ask(pool)
        await asyncio.sleep(0.5)
        opening = next(iter(ids(pool)))
        urgent = ask(pool, account_id=opening, priority=ConnectionPriority.EMERGENCY)
        await asyncio.sleep(2)
        assert (await gone(urgent)).account_id == opening
        assert (await gone(first)).account_id != opening


@scene(1, opened=False)
async def test_what_is_retired_while_it_is_opened_is_closed_then(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def take_time(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)

    async with hooked(pool, after_open=take_time) as pool:
        await asyncio.sleep(0.5)
        pool.quarantine("a0", "a rest", 2)
        await asyncio.sleep(1)
        assert pool.size == 0
        assert x.links[0].closed
        await asyncio.sleep(3)
        assert ids(pool) == {"a0"}


@scene(1)
async def test_a_client_that_does_not_close_cleanly_disturbs_nobody(
    pool: TwikitConnectionPool,
    x: SimulatedX,
) -> None:
    async def fail() -> NoReturn:
        raise httpx.CloseError("the socket is gone")

    x.links[0].aclose = fail
    pool.quarantine("a0", "a rest", 1)
    (await take(pool, timeout=5)).release()


@scene([account("a0"), account("a1")], max_connections=1, min_connections=0, initial_connections=0)
async def test_an_account_that_rests_after_a_failure_may_be_let_go(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.opens_from = 1e9
    with pytest.raises(AcquireTimeoutError, match="resting after a failed opening"):
        await take(pool, account_id="a0", timeout=0.5)
    pool.sessions.source = source_of(account("a1"))
    await pool.refresh()
    x.opens_from = 0
    await asyncio.sleep(100)
    assert (await take(pool)).account_id == "a1"
    assert pool.size == 1


def test_the_wait_after_a_failed_opening_is_spread() -> None:
    waits: set[float] = set()
    for seed in range(5):

        @scene(1, opened=False, open_backoff=10.0)
        async def play(pool: TwikitConnectionPool, x: SimulatedX, seed: int = seed) -> None:
            pool.rng.setstate(random.Random(seed).getstate())
            x.opens_from = 1.0
            with pool.events.subscribe(ConnectionOpenFailed) as heard:
                async with pool:
                    await settle()
                    (event,) = heard.take()
            assert isinstance(event, ConnectionOpenFailed)
            waits.add(event.retry_in)

        play()
    assert len(waits) == 5
    assert all(5 <= each <= 10 for each in waits)


@scene([account("a0"), account("a1")], opened=False, min_connections=0, initial_connections=0)
async def test_an_account_may_be_let_go_while_it_is_opened(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def fail_late(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)
        raise StoreError("the keys are missing")

    async with hooked(pool, after_open=fail_late) as pool:
        waiting = ask(pool, account_id="a0")
        await settle()
        pool.sessions.source = source_of(account("a1"))
        await pool.refresh()
        assert isinstance(await ended(waiting), AccountNotFound)
        await asyncio.sleep(100)
        assert pool.size == 0
        assert x.links[0].closed


@scene(1, opened=False)
async def test_a_shutdown_does_not_wait_for_an_opening_that_hangs(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang(_: Account) -> None:
        await asyncio.sleep(1e6)

    pool = hooked(pool, before_open=hang)
    await pool.open()
    await settle()
    began = x.loop.time()
    await pool.shutdown()
    assert x.loop.time() - began == pytest.approx(5.0)
    assert not x.links


@scene(2, opened=False, min_connections=0, initial_connections=0)
async def test_an_account_with_room_helps_those_for_whom_nothing_is_opened_yet(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def slow(connection: PooledTwikitConnection) -> None:
        await asyncio.sleep(20 if connection.account_id == "a1" else 0)

    async with hooked(pool, after_open=slow) as pool:
        pool.sessions.windows("a1").rest("Likes", 100)
        pool.quarantine("a0", "a rest", 5)
        helped, other = (
            ask(pool, endpoint="Search", priority=ConnectionPriority.HIGH),
            ask(pool, endpoint="Likes"),
        )
        await asyncio.sleep(1)
        assert [each.account_id for each in pool.connections()] == ["a1"]
        await asyncio.sleep(4.1)
        assert sorted(each.account_id for each in pool.connections()) == ["a0", "a1"]
        lease = await gone(helped)
        assert lease.account_id == "a0", "what is open first serves whoever is first"
        lease.release()
        assert (await gone(other)).account_id == "a0"
