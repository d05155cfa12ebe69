"""What users of twikit and twscrape ask for, as far as limits, waiting, health and sessions go.

Each test names the reports that it answers, repository and number. The real twikit and the simulator of X
run in virtual time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.virtual_x import VirtualX
from twikit_pool.accounts import AccountState
from twikit_pool.accounts.caps import Cap
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AccountUnavailable,
    AcquireTimeoutError,
    LibraryOutOfDate,
    NoAccountAvailable,
)
from twikit_pool.events import AccountStateChanged
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.sessions import CallFailed

SEARCHES = 50
"""Searches that X allows in a quarter of an hour."""


def run(main: Callable[[SimulatedLoop], Awaitable[None]]) -> None:
    async def begin(loop: SimulatedLoop) -> None:
        await main(loop)

    simulate(begin, 1)


async def search(pool: TwikitConnectionPool, times: int, **options: Any) -> None:
    await asyncio.gather(*(pool.execute("search_tweet", query="python", **options) for _ in range(times)))


def test_a_wait_is_bounded_and_says_when_a_window_opens__twscrape_3_48_317() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with VirtualX(loop, accounts=2).pool(ConnectionPoolConfig()) as pool:
            await search(pool, 2 * SEARCHES)
            began = loop.time()
            with pytest.raises(AcquireTimeoutError, match=r"opens in 1\d min"):
                await pool.execute("search_tweet", query="python", timeout=5)
            assert loop.time() - began == pytest.approx(5, abs=0.1)

    run(main)


def test_no_account_available_has_a_reason__twscrape_7_49_99_189_298_142() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=4)
        x.fault("lock", account=x.ids[0])
        async with x.pool(ConnectionPoolConfig()) as pool:
            with pytest.raises(CallFailed):
                await pool.execute("get_user", handle="sim_001", account=x.ids[0])
            await search(pool, 3 * SEARCHES)
            async with pool.acquire(ConnectionRequest(account_id=x.ids[1])):
                with pytest.raises(AcquireTimeoutError) as told:
                    await pool.execute("search_tweet", query="python", timeout=1)
            assert "of 4 accounts" in str(told.value)
            assert "3 out of SearchTimeline calls" in str(told.value)
            assert "1 locked" in str(told.value)
            with pytest.raises(AccountUnavailable, match=f"{x.ids[0]} is locked: .*browser"):
                await pool.execute("get_user", handle="sim_001", account=x.ids[0])

    run(main)


def test_what_is_left_can_be_asked__twikit_252_254() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with VirtualX(loop, accounts=2).pool(ConnectionPoolConfig()) as pool:
            await search(pool, SEARCHES + 10)
            budget = pool.budget("search_tweet")
            assert budget.left == SEARCHES - 10
            assert budget.limit == 2 * SEARCHES
            assert budget.returns_in is not None
            assert 0 < budget.returns_in <= 901

    run(main)


def test_daily_caps_hold__twscrape_160() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1, daily_posts=50)
        async with x.pool(ConnectionPoolConfig()) as pool:
            for number in range(50):
                await pool.execute("post_tweet", content=f"Post {number}")
            with pytest.raises(AcquireTimeoutError, match="CreateTweet"):
                await pool.execute("post_tweet", content="One too many", timeout=60)
            assert x.calls(*x.ids) == 50 + 2  # with the two pages of the handshake: X refused nothing
            await asyncio.sleep(86_400)
            await pool.execute("post_tweet", content="The next day")

    run(main)


def test_what_a_cap_switches_off_is_not_waited_for__twscrape_3_160() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        async with x.pool(ConnectionPoolConfig(acquire_timeout=None)) as pool:
            pool.sessions.windows(x.ids[0]).cap({"FavoriteTweet": (Cap(0, 86_400),)})
            with pytest.raises(AccountUnavailable, match="FavoriteTweet is switched off by its cap"):
                await pool.execute("like_tweet", tweet_id="20", account=x.ids[0])
            assert x.calls(*x.ids) == 0

    run(main)


def test_a_suspended_account_is_not_used_again__twscrape_117_211() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=3)
        ill = x.ids[0]
        async with x.pool(ConnectionPoolConfig(ill_check_interval=None)) as pool:
            await search(pool, 1, account=ill)
            x.fault("suspend", account=ill)
            pages = await asyncio.gather(*(pool.execute("search_tweet", query="a") for _ in range(60)))
            assert len(pages) == 60
            before = x.calls(ill)
            await search(pool, 30)
            assert x.calls(ill) == before
            assert "suspended" in pool.ill_accounts()[ill]

    run(main)


def test_an_account_that_was_reactivated_is_used_again__twscrape_251_334() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        x.fault("lock", account=x.ids[0])
        async with x.pool(ConnectionPoolConfig(ill_check_interval=60)) as pool:
            with pytest.raises(NoAccountAvailable, match="1 locked"):
                await pool.execute("get_user", handle="sim_001")
            x.mend(account=x.ids[0])  # its owner did what X asked for
            await asyncio.sleep(300)
            await pool.execute("get_user", handle="sim_001")

    run(main)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "lock"}, AccountState.LOCKED),
        ({"kind": "suspend"}, AccountState.SUSPENDED),
        ({"kind": "expire"}, AccountState.STALE),
        ({"kind": "code", "code": 226}, AccountState.QUARANTINED),
    ],
)
def test_illnesses_are_told_apart__twikit_156_170_225_359_392_413(
    fault: dict[str, Any], state: AccountState
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2)
        async with x.pool(ConnectionPoolConfig()) as pool:
            await search(pool, 1, account=x.ids[0])  # before a handshake X tells "locked" alone
            x.fault(**fault, account=x.ids[0])
            with pool.events.subscribe(AccountStateChanged) as told, pytest.raises(CallFailed):
                await pool.execute("post_tweet", content="Hello", account=x.ids[0])
            (changed,) = told.take()
            assert isinstance(changed, AccountStateChanged)
            assert changed.state == state
            assert changed.account_id == x.ids[0]
            await pool.execute("post_tweet", content="Hello")  # the other one

    run(main)


def test_cookies_that_die_are_told_of_and_fresh_ones_heal__twikit_176_288_twscrape_79() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        async with x.pool(ConnectionPoolConfig()) as pool:
            await search(pool, 1)
            x.log_in_anew(x.ids[0])  # in a browser; it ends the log-in that the pool has
            with suppress(CallFailed):
                await pool.execute("search_tweet", query="python", account=x.ids[0])
            with pytest.raises(AccountUnavailable, match=r"stale: .*import fresh cookies"):
                await pool.execute("search_tweet", query="python", account=x.ids[0])
            await pool.sessions.give_cookies(x.ids[0], x.cookies(x.ids[0]))
            await pool.execute("search_tweet", query="python", timeout=5)

    run(main)


def test_ten_at_once_are_as_fast_as_one__twscrape_217() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=40, latency=0.5)
        async with x.pool(ConnectionPoolConfig()) as pool:
            await search(pool, 40)  # the handshakes
            began = loop.time()
            await search(pool, 40)
            assert loop.time() - began < 2.0

    run(main)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "server_error"},
        {"kind": "garbage"},
        {"kind": "reset"},
        {"kind": "code", "code": 144},
        {"kind": "code", "code": 99_999},
    ],
)
def test_not_any_error_benches_an_account__twscrape_242_289(fault: dict[str, Any]) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=1)
        x.fault(**fault, times=1)
        async with x.pool(ConnectionPoolConfig()) as pool:
            with suppress(CallFailed):
                await pool.execute("post_tweet", content="Hello")
            await pool.execute("post_tweet", content="Hello again")
            assert not pool.ill_accounts()

    run(main)


def test_what_x_changed_is_no_illness__twikit_408_417_420_425() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=5)
        x.fault("stale_query", endpoint="SearchTimeline")
        async with x.pool(ConnectionPoolConfig()) as pool:
            failures = [await _failure(pool.execute("search_tweet", query="a")) for _ in range(8)]
            assert isinstance(failures[-1], LibraryOutOfDate)
            assert "SearchTimeline" in str(failures[-1])
            assert not pool.ill_accounts()
            await pool.execute("get_user", handle="sim_001")  # all else goes on
            x.mend(endpoint="SearchTimeline")
            await asyncio.sleep(1800)
            await pool.execute("search_tweet", query="a")

    run(main)


async def _failure(call: Awaitable[object]) -> Exception:
    try:
        await call
    except (CallFailed, LibraryOutOfDate) as error:
        return error
    raise AssertionError("it should have failed")


def test_all_accounts_are_used_alike__twscrape_88_138_233() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=10)
        async with x.pool(ConnectionPoolConfig(initial_connections=10)) as pool:
            used: Counter[str] = Counter()
            for _ in range(10 * SEARCHES // 2):  # one after the other: never is more than one needed
                async with pool.acquire(ConnectionRequest(action="search_tweet")) as lease:
                    await lease.execute("search_tweet", query="python")
                    used[lease.account_id] += 1
            assert len(used) == 10
            assert max(used.values()) - min(used.values()) <= SEARCHES // 4 + 1

    run(main)


def test_thousands_of_accounts__twscrape_268() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = VirtualX(loop, accounts=2000)
        async with x.pool(ConnectionPoolConfig(max_connections=2000)) as pool:
            await search(pool, 200)
            assert len(pool.account_ids) == 2000
            assert pool.budget("search_tweet").limit == 2000 * SEARCHES

    run(main)
