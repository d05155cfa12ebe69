from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, ended, gone, hooked, scene, settle, take
from twikit_pool.accounts import Account
from twikit_pool.errors import AcquireTimeoutError, PoolClosed
from twikit_pool.events import ConnectionClosed, ConnectionLeased
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionState,
    PooledTwikitConnection,
    PoolHooks,
    TwikitConnectionPool,
)
from twikit_pool.pool.hooks import HookFailed, run_hook

SECRET = "canary-in-the-error"


class Secretive(Exception):
    def __init__(self) -> None:
        super().__init__(SECRET)


# ---------------------------------------------------------------- one hook


async def test_a_hook_may_be_a_function_or_a_coroutine_function() -> None:
    seen: list[object] = []

    async def later(subject: str) -> None:
        await asyncio.sleep(0)
        seen.append(subject)

    await run_hook("on_close", None, "nothing", 1.0)
    await run_hook("on_close", seen.append, "function", 1.0)
    await run_hook("on_close", later, "coroutine function", 1.0)
    assert seen == ["function", "coroutine function"]


async def test_a_hook_that_fails_is_named_and_its_error_kept_out_of_sight() -> None:
    async def fail(_: str) -> None:
        raise Secretive

    with pytest.raises(HookFailed) as failed:
        await run_hook("on_close", fail, "subject", 1.0)
    assert str(failed.value) == "the hook on_close failed: Secretive"
    assert isinstance(failed.value.__cause__, Secretive)
    assert failed.value.__cause__.__traceback__ is None


def test_there_are_no_hooks_unless_given() -> None:
    hooks = PoolHooks()
    assert {hooks.before_open, hooks.after_open, hooks.on_acquire, hooks.on_release, hooks.on_close} == {None}


# ---------------------------------------------------------------- in a connection's life


@scene(1, opened=False)
async def test_hooks_are_called_in_a_connections_life(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    calls: list[tuple[str, str]] = []

    def note(name: str) -> object:
        def hook(subject: Account | PooledTwikitConnection) -> None:
            state = "" if isinstance(subject, Account) else str(subject.state)
            calls.append((name, state))

        return hook

    names = ("before_open", "after_open", "on_acquire", "on_release", "on_close")
    async with hooked(pool, **{name: note(name) for name in names}) as pool:
        await settle()
        assert calls == [("before_open", ""), ("after_open", "opening")]
        lease = await take(pool)
        assert calls[2:] == [("on_acquire", "leased")]
        lease.release()
        await settle()
        assert calls[3:] == [("on_release", "renewing")]
        assert pool.counts()[ConnectionState.IDLE] == 1
    assert calls[4:] == [("on_close", "closed")]


@scene(2, opened=False, open_backoff_max=40.0)
async def test_a_connection_whose_hook_fails_goes_to_nobody_and_another_serves(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    def fail(connection: PooledTwikitConnection) -> None:
        if connection.account_id == "a1":
            raise Secretive

    async with hooked(pool, on_acquire=fail) as pool:
        await settle()
        lease = await take(pool)
        assert lease.account_id == "a0"
        assert {each.account_id for each in pool.connections()} == {"a0"}
        with pytest.raises(AcquireTimeoutError) as late:
            await take(pool, account_id="a1", timeout=30)
        assert SECRET not in str(late.value)
        (ill,) = [each for each in pool.accounts() if each.bars]
        assert ill.why_barred == "quarantined: the hook on_acquire failed: Secretive"
        lease.release()
        await asyncio.sleep(11)
        assert {each.account_id for each in pool.connections()} == {"a0", "a1"}


@scene(2, opened=False)
async def test_a_request_whose_first_connection_was_not_fit_keeps_its_place(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    def fail(connection: PooledTwikitConnection) -> None:
        if connection.account_id == "a1" and connection.request and connection.request.action == "like_tweet":
            raise Secretive

    async with hooked(pool, on_acquire=fail) as pool:
        await settle()
        one, other = await take(pool, account_id="a0"), await take(pool, account_id="a1")
        with pool.events.subscribe(ConnectionLeased) as heard:
            first = ask(pool, action="like_tweet")
            await asyncio.sleep(1)
            second = ask(pool, account_id="a0")
            await asyncio.sleep(1)
            other.release()
            await settle()
            assert not first.done()
            one.release()
            lease = await gone(first)
            assert lease.account_id == "a0"
            assert not second.done()
            events = heard.take()
        assert [each.account_id for each in events if isinstance(each, ConnectionLeased)] == ["a1", "a0"]
        lease.release()
        (await gone(second)).release()


@scene(1, opened=False)
async def test_who_gives_up_while_the_hook_runs_leaves_nothing_behind(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def take_time(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)

    async with hooked(pool, on_acquire=take_time) as pool:
        await settle()
        impatient = ask(pool)
        await asyncio.sleep(0.5)
        behind = ask(pool)
        await settle()
        impatient.cancel()
        await asyncio.sleep(1.1)
        assert (await gone(behind)).held


@scene(1, opened=False)
async def test_who_gives_up_while_waiting_after_a_hook_failed_leaves_nothing_behind(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    failing = True

    def fail(_: PooledTwikitConnection) -> None:
        if failing:
            raise Secretive

    async with hooked(pool, on_acquire=fail) as pool:
        await settle()
        impatient, patient = ask(pool), ask(pool, timeout=200)
        await asyncio.sleep(1)
        assert pool.waiting == 2
        impatient.cancel()
        await settle()
        assert pool.waiting == 1
        failing = False
        await asyncio.sleep(61)
        assert (await gone(patient)).held


@scene(1, opened=False, lease_timeout=5.0)
async def test_a_connection_taken_back_while_the_hook_runs_is_not_lent(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    slow = True

    async def hang(_: PooledTwikitConnection) -> None:
        if slow:
            await asyncio.sleep(20)

    async with hooked(pool, on_acquire=hang) as pool:
        await settle()
        waiting = ask(pool)
        await asyncio.sleep(6)
        slow = False
        await asyncio.sleep(14.1)
        lease = await gone(waiting)
        assert lease.held
        assert lease.connection.id == "a0#2"


@scene(1, opened=False, connection_timeout=3.0, open_backoff_max=10.0)
async def test_a_hook_that_hangs_is_cut_short(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    hanging = True

    async def hang(_: PooledTwikitConnection) -> None:
        if hanging:
            await asyncio.sleep(1e6)

    async with hooked(pool, on_acquire=hang) as pool:
        await settle()
        waiting = ask(pool)
        await asyncio.sleep(3.1)
        assert next(iter(pool.accounts())).why_barred.startswith("quarantined: the hook on_acquire")
        hanging = False
        await asyncio.sleep(11)
        assert (await gone(waiting)).held


@scene(1, opened=False, open_backoff_max=10.0)
async def test_a_connection_whose_release_hook_fails_is_closed(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def fail(_: PooledTwikitConnection) -> None:
        raise Secretive

    async with hooked(pool, on_release=fail) as pool:
        await settle()
        with pool.events.subscribe(ConnectionClosed) as heard:
            (await take(pool)).release()
            waiting = ask(pool)
            await settle()
            assert not waiting.done()
            assert pool.size == 0
            (event,) = heard.take()
        assert isinstance(event, ConnectionClosed)
        assert event.reason == "a0 is quarantined: the hook on_release failed: Secretive"
        await asyncio.sleep(11)
        (await gone(waiting)).release()


def test_a_hook_that_fails_at_the_close_is_logged(caplog: LogCaptureFixture) -> None:
    def fail(_: PooledTwikitConnection) -> None:
        raise Secretive

    @scene(1, opened=False)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        async with hooked(pool, on_close=fail):
            await settle()
        assert x.links[0].closed

    with caplog.at_level(logging.WARNING):
        play()
    assert "a0#1: the hook on_close failed: Secretive" in caplog.text
    assert SECRET not in caplog.text


# ---------------------------------------------------------------- from one lease to the next


@scene(2, enable_connection_reuse=False)
async def test_without_reuse_each_lease_has_a_client_of_its_own(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    seen: list[str] = []
    with pool.events.subscribe(ConnectionClosed) as heard:
        for _ in range(3):
            lease = await take(pool, account_id="a0")
            seen.append(lease.connection.id)
            lease.release()
        events = heard.take()
    assert seen == ["a0#1", "a0#2", "a0#3"]
    assert {each.reason for each in events if isinstance(each, ConnectionClosed)} == {
        "connections are not reused (enable_connection_reuse)"
    }
    pool.reconfigure(enable_connection_reuse=True)
    (await take(pool, account_id="a0")).release()
    assert (await take(pool, account_id="a0")).connection.id == "a0#4"


@scene(1)
async def test_a_call_that_did_not_end_leaves_a_renewed_client(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    call = x.loop.create_task(lease.execute("like_tweet", tweet_id="1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    lease.release()
    assert pool.counts()[ConnectionState.RENEWING] == 1
    next_one = await take(pool)
    assert (x.links[0].renewals, next_one.info.session_generation) == (1, 2)
    assert (await next_one.execute("like_tweet", tweet_id="2")).id == "2"


@scene(1)
async def test_a_lease_released_during_its_call_is_handed_on_when_the_call_has_ended(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    call = x.loop.create_task(lease.execute("like_tweet", tweet_id="1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    lease.release()
    second = await take(pool, timeout=5)
    assert call.done()
    assert not x.misuses
    assert (await second.execute("like_tweet", tweet_id="2")).id == "2"


def test_an_old_client_that_does_not_close_cleanly_is_logged(caplog: LogCaptureFixture) -> None:
    @scene(1)
    async def play(pool: TwikitConnectionPool, x: SimulatedX) -> None:
        async def renew() -> None:
            x.links[0].unfinished = 0
            raise httpx.CloseError(SECRET)

        x.links[0].renew = renew
        lease = await take(pool)
        call = x.loop.create_task(lease.execute("like_tweet", tweet_id="1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        lease.release()
        assert (await take(pool)).held

    with caplog.at_level(logging.WARNING):
        play()
    assert "the old client of a0#1 did not close cleanly" in caplog.text


@scene(1, connection_timeout=3.0)
async def test_a_client_that_cannot_be_replaced_in_time_is_given_up(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def renew() -> None:
        await asyncio.sleep(1e6)

    x.links[0].renew = renew
    lease = await take(pool)
    call = x.loop.create_task(lease.execute("like_tweet", tweet_id="1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    with pool.events.subscribe(ConnectionClosed) as heard:
        lease.release()
        assert (await take(pool, timeout=5)).connection.id == "a0#2"
        (event,) = heard.take()
    assert isinstance(event, ConnectionClosed)
    assert event.reason == "its client was not replaced within 3 s"


@scene(1, opened=False)
async def test_hooks_that_run_at_the_shutdown_end_with_it(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def take_time(_: PooledTwikitConnection) -> None:
        await asyncio.sleep(1)

    pool = hooked(pool, on_acquire=take_time)
    await pool.open()
    await settle()
    waiting = ask(pool, priority=ConnectionPriority.HIGH)
    await settle()
    await pool.shutdown(0)
    await asyncio.sleep(2)
    assert isinstance(await ended(waiting), PoolClosed)
