"""Warm parking, in virtual time: the real twikit against the simulator of X, in every order."""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.simulation.simulated_loop import (
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.simulation.virtual_x import VirtualTransport, VirtualX
from tests.unit.sessions.stand_in import StandIn, account, manager_of
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolClosed
from twikit_pool.events import AccountLoggedIn
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.redaction import Secret
from twikit_pool.sessions import CallFailed, TwikitSession, TwikitSessionManager, parse_action

READ = parse_action("get_user", {"handle": "sim_001"})
LIKE = parse_action("like_tweet", {"tweet_id": "1"})
HOUR = 3600.0


async def read(session: TwikitSession) -> Any:
    return await session.execute(READ, timeout=30)


async def used_and_closed(sessions: TwikitSessionManager, account_id: str) -> None:
    """A session that has made its handshake, and is closed."""
    session = await sessions.open(account_id)
    await read(session)
    await sessions.close_session(session)


def handshakes(x: VirtualX) -> int:
    assert x.requests("home") == x.requests("ondemand.s")
    return x.requests("home")


# ---------------------------------------------------------------- sessions


def test_a_session_that_is_opened_again_makes_no_handshake() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        one, two = x.ids
        async with x.sessions() as sessions:
            for number in range(1, 6):
                await used_and_closed(sessions, one)
                assert (handshakes(x), sessions.parked) == (1, 1)
                assert x.requests("UserByScreenName") == number
                await asyncio.sleep(HOUR)
            await used_and_closed(sessions, two)
            counts = [
                (sessions.logins.today(each), sessions.logins.in_all(each)) for each in (one, two, None)
            ]
            assert counts == [(1, 1), (1, 1), (2, 2)]

    every_seed(main, range(5))


def test_each_of_several_sessions_leaves_one_and_no_two_begin_with_the_same() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        async with x.sessions() as sessions:
            known = await sessions.source.account(x.ids[0])
            for _ in range(3):
                opened = [sessions.open_account(known) for _ in range(3)]
                assert len({id(each.client.jar) for each in opened}) == 3
                assert len({id(each.client.client_transaction) for each in opened}) == 3
                for each in opened:  # one after another: only an answer tells what is left of a window
                    await read(each)
                assert handshakes(x) == 3
                await asyncio.gather(*(sessions.close_session(each) for each in opened * 2))
                assert sessions.parked == 3

    every_seed(main, range(10))


class Keys:
    """X's transaction keys, which it changes."""

    def __init__(self) -> None:
        self.key = bytes(range(48))


class KeyedTransport(VirtualTransport):
    """X that does not know an operation (404) when the call is signed with another key than its own."""

    def __init__(self, x: VirtualX, keys: Keys) -> None:
        super().__init__(x.application)
        self._keys = keys

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path == "/":
            told = base64.b64encode(self._keys.key)
            page = re.sub(rb'(site-verification" content=")[^"]*', rb"\g<1>" + told, response.content)
            return httpx.Response(200, content=page)
        signed = base64.b64decode(request.headers.get("x-client-transaction-id", "") + "===")
        if (
            "abs.twimg.com" in request.url.host
            or bytes(each ^ signed[0] for each in signed[1:49]) == self._keys.key
        ):
            return response
        return httpx.Response(404)


class KeyedX(VirtualX):
    """X that looks at what calls are signed with."""

    def __init__(self, loop: SimulatedLoop, **settings: Any) -> None:
        super().__init__(loop, **settings)
        self.keys = Keys()

    def transport(self) -> httpx.AsyncBaseTransport:
        return KeyedTransport(self, self.keys)


def test_x_changing_its_keys_meanwhile_costs_one_repeated_call() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = KeyedX(loop, accounts=1)
        async with x.sessions() as sessions:
            await used_and_closed(sessions, x.ids[0])
            await asyncio.sleep(HOUR)
            x.keys.key = bytes(range(100, 148))
            await used_and_closed(sessions, x.ids[0])
            assert (handshakes(x), x.requests("UserByScreenName")) == (2, 1 + 2)
            await used_and_closed(sessions, x.ids[0])
            assert (handshakes(x), x.requests("UserByScreenName")) == (2, 3 + 1)

    every_seed(main, range(5))


def test_keys_that_were_refused_are_not_kept() -> None:
    """So young that they are not fetched anew by themselves."""

    async def main(loop: SimulatedLoop) -> None:
        x = KeyedX(loop, accounts=1)
        async with x.sessions() as sessions:
            await used_and_closed(sessions, x.ids[0])
            x.keys.key = bytes(range(100, 148))
            with pytest.raises(CallFailed):
                await used_and_closed(sessions, x.ids[0])
            await sessions.close(x.ids[0])
            assert sessions.parked == 0
            await used_and_closed(sessions, x.ids[0])
            assert handshakes(x) == 2

    every_seed(main, range(5))


async def another_log_in(x: VirtualX, sessions: TwikitSessionManager, account_id: str) -> None:
    x.log_in_anew(account_id)
    await sessions.give_cookies(account_id, x.cookies(account_id))


async def another_log_in_in_the_source(x: VirtualX, sessions: TwikitSessionManager, account_id: str) -> None:
    x.log_in_anew(account_id)
    await sessions.source.save_cookies(account_id, x.cookies(account_id))
    await sessions.accounts()


async def an_illness_that_is_over(x: VirtualX, sessions: TwikitSessionManager, account_id: str) -> None:
    x.fault("lock", account=account_id)
    with pytest.raises(CallFailed):
        await sessions.execute_action(account_id, "get_user", {"handle": "sim_001"})
    x.mend(account=account_id)
    await sessions.check(account_id)
    await sessions.close(account_id)


async def another_proxy(x: VirtualX, sessions: TwikitSessionManager, account_id: str) -> None:
    del x
    source = sessions.source
    assert isinstance(source, MemoryAccounts)
    source._accounts[account_id] = replace(
        await source.account(account_id), proxy=Secret("http://user:pass@other.example:8080")
    )
    await sessions.accounts()


async def a_day(x: VirtualX, sessions: TwikitSessionManager, account_id: str) -> None:
    del x, sessions, account_id
    await asyncio.sleep(24 * HOUR)


@pytest.mark.parametrize(
    "happens",
    [another_log_in, another_log_in_in_the_source, an_illness_that_is_over, another_proxy, a_day],
    ids=lambda each: each.__name__,
)
def test_what_is_parked_does_not_outlive(happens: Callable[..., Awaitable[None]]) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        async with x.sessions() as sessions:
            await used_and_closed(sessions, x.ids[0])
            await happens(x, sessions, x.ids[0])
            session = await sessions.open(x.ids[0])
            await read(session)
            assert handshakes(x) == 2
            assert session.link.cookies()["auth_token"] == x.cookies(x.ids[0])["auth_token"]

    every_seed(main, range(5))


def test_a_token_that_another_session_was_given_is_not_forgotten() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        async with x.sessions() as sessions:
            known = await sessions.source.account(x.ids[0])
            first, second = sessions.open_account(known), sessions.open_account(known)
            await read(first)
            await read(second)
            await sessions.close_session(first)
            x.application.state.by_id[known.id].rotate()
            await read(second)
            third = sessions.open_account(known)
            assert (sessions.parked, third.link.handshake_due) == (0, True)
            assert (
                third.link.cookies()["ct0"] == x.cookies(known.id)["ct0"] != known.credentials.cookies["ct0"]
            )
            await read(third)
            assert x.calls(known.id, status=403) == 0

    every_seed(main, range(5))


async def crowd(loop: SimulatedLoop) -> int:
    """Sessions of three accounts are opened, used and closed; tokens rotate, and people log in anew.

    Returns how many sessions began without a handshake.
    """
    ids, most = ("a", "b", "c"), 4
    x = StandIn(loop, handshake=True)
    source = MemoryAccounts([account(each) for each in ids])
    backend: dict[str, Any] = {"backend": x, "clock": loop.clock, "rng": loop.rng}
    sessions = TwikitSessionManager(source, parked_sessions=most, parked_for=20.0, **backend)
    unparked = 0

    async def user(number: int) -> None:
        nonlocal unparked
        rng = loop.rng
        for turn in range(8):
            account_id = rng.choice(ids)
            session = sessions.open_account(await source.account(account_id))
            known = sessions.known(account_id)
            assert known is not None
            link = x.links[-1]
            assert link.cookies() == known.credentials.cookies
            if not link.handshake_due:
                unparked += 1
                assert loop.time() - session._handshake_at < 20
            try:
                with suppress(CallFailed, PoolClosed):
                    match rng.randrange(8):
                        case 0:
                            link.rotate(ct0=f"{number}-{turn}")
                        case 1:
                            await sessions.give_cookies(account_id, {"auth_token": f"{number}-{turn}"})
                        case _:
                            await session.execute(LIKE, timeout=rng.choice((0.1, 5)))
                await asyncio.sleep(rng.choice((0, 0.5, 5)))
            finally:
                await sessions.close_session(session)
            assert sessions.parked <= most

    users = [loop.create_task(user(number), name=f"user-{number}") for number in range(4)]
    for each in await asyncio.gather(*users, return_exceptions=True):
        if isinstance(each, Exception):
            raise each
    await sessions.aclose()
    assert (sessions.parked, sessions._sessions) == (0, {})
    return unparked


@pytest.mark.parametrize("cancel", [CancelRandomly("user", 0.01), None], ids=repr)
def test_whatever_happens_a_session_begins_with_the_cookies_that_are_known(cancel: Any) -> None:
    runs = every_seed(crowd, range(60), cancel=cancel)
    assert sum(each.result for each in runs) > 300


async def victim_that_closes_and_opens(loop: SimulatedLoop) -> None:
    x = VirtualX(loop, accounts=1)
    async with x.sessions() as sessions:
        known = await sessions.source.account(x.ids[0])
        first = sessions.open_account(known)
        await read(first)

        async def victim() -> None:
            await sessions.close_session(first)
            second = sessions.open_account(known)
            await read(second)
            await sessions.close_session(second)

        await asyncio.gather(loop.create_task(victim(), name="victim"), return_exceptions=True)
        await sessions.close(known.id)
        await sessions.close_session(first)
        assert (handshakes(x), sessions.parked) == (1, 1)
        await used_and_closed(sessions, known.id)
        assert handshakes(x) == 1
    assert sessions.parked == 0


def test_i4_closing_and_opening_cut_short_at_any_step_loses_nothing() -> None:
    for seed in range(3):
        assert cancel_at_every_step(victim_that_closes_and_opens, seed=seed) >= 3


def test_a_client_that_cannot_be_made_costs_no_handshake() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, handshake=True)
        sessions = manager_of(x)
        session = await sessions.open("brand")
        await session.execute(LIKE, timeout=9)
        await sessions.close_session(session)
        opens, x.open = x.open, lambda _account: 1 / 0  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            await sessions.open("brand")
        x.open = opens  # type: ignore[method-assign]
        await (await sessions.open("brand")).execute(LIKE, timeout=9)
        assert x.served["home"] == 1
        await sessions.aclose()

    simulate(main)


def test_their_number_is_bounded_and_closing_the_manager_lets_go_of_all() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=5)
        async with x.sessions(parked_sessions=3) as sessions:
            for each in x.ids:
                await used_and_closed(sessions, each)
            assert sessions.parked == 3
            last = weakref.ref(next(reversed(sessions._parking._by_time)).kept.transaction)
            assert last() is not None
            for each in x.ids:
                await read(await sessions.open(each))
            assert handshakes(x) == 5 + 2  # the two that were parked longest
            stays = await sessions.open(x.ids[0])
        await sessions.close_session(stays)
        assert sessions.parked == 0
        gc.collect()
        assert last() is None
        async with x.sessions(parked_sessions=0) as sessions:
            await used_and_closed(sessions, x.ids[0])
            assert sessions.parked == 0

    simulate(main)


def test_i10_what_is_parked_does_not_show_itself() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        async with x.sessions() as sessions:
            await used_and_closed(sessions, x.ids[0])
            parking = sessions._parking
            (parked,) = parking._by_time
            shown = "".join(
                form(each)
                for each in (
                    parking,
                    parking._by_time,
                    parking._by_account,
                    parked,
                    parked.kept,
                    parked.cookies,
                )
                for form in (repr, str, "{}".format)
            )
            secrets = [*x.cookies(x.ids[0]).values(), parked.kept.transaction.key]
            assert not [each for each in secrets if each in shown]

    simulate(main)


# ---------------------------------------------------------------- under a pool


LASTS = ConnectionPoolConfig(enable_health_checks=False, min_connections=0, initial_connections=0)


async def idle(pool: TwikitConnectionPool) -> None:
    pool.reconfigure(max_idle_time=60.0)
    await asyncio.sleep(120)


async def lifetime(pool: TwikitConnectionPool) -> None:
    pool.reconfigure(max_lifetime=HOUR, min_connections=2, initial_connections=2, max_idle_time=None)
    await asyncio.sleep(3 * HOUR)


async def shrunk(pool: TwikitConnectionPool) -> None:
    pool.resize(0)
    pool.reconfigure(max_connections=1)
    await asyncio.sleep(1)
    pool.reconfigure(max_connections=2)


async def made_room(pool: TwikitConnectionPool) -> None:
    pool.reconfigure(max_connections=1)
    for _ in range(3):
        for each in pool.accounts():
            await pool.execute("get_user", handle="sim_001", account=each.id)


async def drained(pool: TwikitConnectionPool) -> None:
    await pool.drain(10)
    pool.resume()


async def taken_back(pool: TwikitConnectionPool) -> None:
    pool.reconfigure(lease_timeout=60.0)
    for each in pool.accounts():
        await pool.acquire(ConnectionRequest(account_id=each.id))
    await asyncio.sleep(120)


async def single_use(pool: TwikitConnectionPool) -> None:
    pool.reconfigure(enable_connection_reuse=False)
    for each in pool.accounts():
        await pool.execute("get_user", handle="sim_001", account=each.id)


WAYS = (idle, lifetime, shrunk, made_room, drained, taken_back, single_use)


async def use_both(pool: TwikitConnectionPool) -> None:
    for each in pool.accounts():
        await pool.execute("get_user", handle="sim_001", account=each.id)


@pytest.mark.parametrize("way", WAYS, ids=lambda each: each.__name__)
def test_a_connection_that_is_opened_again_makes_no_handshake(
    way: Callable[[TwikitConnectionPool], Awaitable[None]],
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        async with x.pool(LASTS) as pool:
            logins = pool.events.subscribe(AccountLoggedIn)
            await use_both(pool)
            opened = {each.id for each in pool.connections()}
            await way(pool)
            await use_both(pool)
            assert not opened & {each.id for each in pool.connections()}
            assert handshakes(x) == 2
            told = [each for each in logins.take() if isinstance(each, AccountLoggedIn)]
            assert len(told) == 2
            assert {(each.account_id, each.today) for each in told} == {(each, 1) for each in x.ids}

    every_seed(main, range(3))


def test_i14_a_client_that_cannot_be_parked_is_closed_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise AttributeError("canary")

    async def main(loop: SimulatedLoop) -> None:
        x, config = SimulatedX(loop), ConnectionPoolConfig(min_connections=0, max_idle_time=5.0)
        async with pool_of(x, 2, config) as pool:
            for each in ("a0", "a1"):
                await pool.execute("like_tweet", account=each, tweet_id="1")
            for link in x.links:
                link.park = fails  # type: ignore[method-assign]
            assert pool.tuning.close(next(iter(pool.connections())), "it is large")
            await asyncio.sleep(400)  # the other one by a deadline, which must not raise
            assert all(link.closed for link in x.links)
            await pool.execute("like_tweet", tweet_id="1")

    simulate(main)
    told = [each.getMessage() for each in caplog.records]
    assert told == [f"what a session of {each} leaves is not kept: AttributeError" for each in ("a0", "a1")]


def test_what_a_pool_leaves_another_one_begins_with() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        async with x.sessions() as sessions:
            for _ in range(3):
                async with TwikitConnectionPool(sessions, LASTS, clock=loop.clock, rng=loop.rng) as pool:
                    await use_both(pool)
            assert (handshakes(x), sessions.parked) == (2, 2)

    every_seed(main, range(3))


async def failed_its_check(x: VirtualX, pool: TwikitConnectionPool) -> None:
    x.fault("server_error", account=x.ids[0], endpoint="account/settings", times=1)
    pool.reconfigure(enable_health_checks=True, health_check_interval=60.0, health_check_failures=1)
    await asyncio.sleep(90)
    pool.reconfigure(enable_health_checks=False)


async def was_quarantined(x: VirtualX, pool: TwikitConnectionPool) -> None:
    pool.quarantine(x.ids[0], "it looks odd", 10)
    await asyncio.sleep(20)


async def did_worse_than_the_other(x: VirtualX, pool: TwikitConnectionPool) -> None:
    pool.reconfigure(replace_below=0.5, enable_circuits=False, max_attempts=1)
    x.fault("server_error", account=x.ids[0])
    for _ in range(30):
        with suppress(CallFailed):
            await use_both(pool)
        await pool.execute("get_user", handle="sim_001", account=x.ids[1])
    x.mend(account=x.ids[0])
    for _ in range(7):  # only while others serve well is it to blame
        await pool.execute("get_user", handle="sim_001", account=x.ids[1])
        await asyncio.sleep(10)


@pytest.mark.parametrize(
    "why", [failed_its_check, was_quarantined, did_worse_than_the_other], ids=lambda each: each.__name__
)
def test_after_a_connection_that_served_badly_its_account_begins_anew(
    why: Callable[[VirtualX, TwikitConnectionPool], Awaitable[None]],
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        async with x.pool(LASTS) as pool:
            await use_both(pool)
            bad = pool.matching.members[x.ids[0]].connections[0]
            await why(x, pool)
            assert bad.state == "closed"
            await use_both(pool)
            assert [pool.sessions.logins.today(each) for each in x.ids] == [2, 1]

    every_seed(main, range(3))
