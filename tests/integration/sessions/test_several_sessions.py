"""Several sessions of one account, with the real twikit over real HTTP."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from math import inf

import httpx
import pytest

from tests.integration.house import House, house
from twikit_pool.errors import EmergencyStopped, PoolClosed
from twikit_pool.sessions import CallFailed, Outcome, TwikitSession, parse_action

POST = parse_action("post_tweet", {"content": "once and only once"})
SEARCH = parse_action("search_tweet", {"query": "x"})


async def search(session: TwikitSession, timeout: float = 5) -> None:
    await session.execute(SEARCH, timeout=timeout)


async def several(home: House, count: int) -> list[TwikitSession]:
    account = await home.source.account(home.id(0))
    return [home.sessions.open_account(account) for _ in range(count)]


async def test_first_calls_of_several_sessions_shake_hands_side_by_side(home: House) -> None:
    sessions = await several(home, 3)
    endpoints = ("search_tweet", {"query": "x"}), ("get_bookmarks", {}), ("get_trends", {})
    calls = [
        session.execute(parse_action(name, parameters), timeout=5)
        for session, (name, parameters) in zip(sessions, endpoints, strict=True)
    ]
    await asyncio.gather(*calls)
    assert home.x.calls.count("home") == 3


async def test_i7_several_sessions_share_one_budget() -> None:
    async with house(accounts=1, overrides={"SearchTimeline": 5}) as home:
        sessions = await several(home, 4)
        for _ in range(6):
            for each in await asyncio.gather(*map(search, sessions), return_exceptions=True):
                if each is not None:
                    assert isinstance(each, CallFailed)
                    assert each.verdict.outcome is Outcome.RATE_LIMITED
                    assert "nothing was sent" in each.verdict.reason
        assert home.x.calls.count("SearchTimeline", status=200) == 5
        assert home.x.calls.count("SearchTimeline", status=429) == 0


@pytest.mark.parametrize("how", ["cancel", "timeout", "reset"])
async def test_a_call_without_an_answer_frees_the_window_for_the_others(home: House, how: str) -> None:
    first, second = await several(home, 2)
    await first.check(timeout=5)
    home.x.fault("reset" if how == "reset" else "hang", endpoint="SearchTimeline", times=1)
    leaves = asyncio.Event()
    first.gate = leaves.set
    call = asyncio.create_task(search(first, 1 if how == "timeout" else 5))
    await leaves.wait()
    if how != "reset":
        assert first.windows.wait("SearchTimeline") == inf
        with pytest.raises(CallFailed, match="only its answer can tell"):
            await search(second)
    if how == "cancel":
        call.cancel()
    with suppress(CallFailed, asyncio.CancelledError):
        await call
    home.x.clear_faults()  # a call that was cancelled at once has not met its fault
    assert first.windows.in_flight("SearchTimeline") == 0
    await search(second)
    await search(first)


async def test_raw_use_is_settled_when_its_client_is_renewed(home: House) -> None:
    first, second = await several(home, 2)
    await first.check(timeout=5)
    home.x.fault("hang", endpoint="SearchTimeline", times=1)
    leaves = asyncio.Event()
    first.gate = leaves.set
    raw = asyncio.create_task(first.client.search_tweet("x", "Latest"))
    await leaves.wait()
    assert first.unsettled
    assert first.windows.in_flight("SearchTimeline") == 1
    raw.cancel()
    with suppress(asyncio.CancelledError, httpx.HTTPError):
        await raw
    home.x.clear_faults()
    await first.renew()
    assert not first.unsettled
    await search(second)


@pytest.mark.parametrize("first_call", [True, False])
async def test_a_gate_stops_a_write_before_it_leaves(home: House, first_call: bool) -> None:
    (session,) = await several(home, 1)
    if not first_call:
        await session.check(timeout=5)
    stop = EmergencyStopped("the pool is in an emergency stop")

    def gate() -> None:
        raise stop

    session.gate = gate
    with pytest.raises(EmergencyStopped) as stopped:
        await session.execute(POST, timeout=5)
    assert stopped.value is stop
    assert not home.x.writes
    session.gate = None
    await session.execute(POST, timeout=5)
    assert len(home.x.writes) == 1


async def test_a_stop_after_a_429_leaves_the_429_what_it_is(home: House) -> None:
    """twikit asks X a question of its own after a 429; that the gate stops it changes no verdict."""
    (session,) = await several(home, 1)
    await session.check(timeout=5)
    home.x.fault("rate_limited", endpoint="CreateTweet")
    asked: list[int] = []

    def gate() -> None:
        asked.append(1)
        if len(asked) > 1:
            raise EmergencyStopped("the pool is in an emergency stop")

    session.gate = gate
    with pytest.raises(CallFailed) as failed:
        await session.execute(POST, timeout=5)
    assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
    assert (failed.value.verdict.taken.value, len(asked)) == ("no", 2)


async def test_a_rotated_token_is_what_the_next_session_starts_with(home: House) -> None:
    stale = await home.source.account(home.id(0))
    first = home.sessions.open_account(stale)
    home.x.rotate_ct0(home.id(0))
    await search(first)
    await home.sessions.close_session(first)
    await search(home.sessions.open_account(stale))
    assert home.x.calls.count("SearchTimeline", status=403) <= 1  # the first session's, not the second's
    known = home.sessions.known(home.id(0))
    assert known is not None
    assert known.credentials.cookies["ct0"] == home.x.accounts[0].cookies["ct0"]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 12, 20, 40])
async def test_a_session_closed_under_its_call_leaves_no_socket_behind(home: House, steps: int) -> None:
    (session,) = await several(home, 1)
    call = asyncio.create_task(search(session))
    for _ in range(steps):
        await asyncio.sleep(0)
    await home.sessions.close_session(session)
    (ended,) = await asyncio.gather(call, return_exceptions=True)
    assert ended is None or isinstance(ended, CallFailed | PoolClosed), ended
    gc.collect()  # an unclosed socket is a warning, and a warning is an error
