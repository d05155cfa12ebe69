"""Every way in which X or the network goes wrong, met by the real twikit over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.house import House, house
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AccountUnavailable, NoAccountAvailable, StoreError
from twikit_pool.sessions import TwikitSessionManager
from twikit_pool.sessions.actions import PostTweet
from twikit_pool.sessions.outcomes import CODES, CallFailed, Outcome, Taken

POST: dict[str, Any] = {"content": "once and only once"}
QUICK = ConnectionPoolConfig(acquire_timeout=2, call_timeout=0.5)


def taken_on_x(home: House) -> int:
    return sum(write.key == POST["content"] for write in home.x.writes)


async def post(home: House) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await home.sessions.execute_action(home.id(0), "post_tweet", POST, timeout=0.5)
    return failed.value


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("code", [code for code in CODES if code != 353])
async def test_every_code_of_the_table(home: House, code: int, status: int) -> None:
    home.x.fault("code", code=code, status=status, endpoint="CreateTweet")
    verdict = (await post(home)).verdict
    row = CODES[code]
    assert (verdict.outcome, verdict.code, verdict.bench) == (row.outcome, code, row.bench)
    standing = (await home.source.account(home.id(0))).standing
    assert standing.state == (row.bench or AccountState.ACTIVE)
    assert taken_on_x(home) == 0
    if row.bench is not None:
        with pytest.raises(AccountUnavailable, match=str(row.bench)):
            await home.sessions.execute_action(home.id(0), "post_tweet", POST)


@pytest.mark.parametrize("code", [88, 32])
async def test_an_error_inside_a_200_is_no_success(
    home: House, alone: TwikitSessionManager, code: int
) -> None:
    """twikit itself returns an empty search and a like that was none."""
    home.x.fault("code", code=code, status=200)
    for action, parameters in (("search_tweet", {"query": "x"}), ("like_tweet", {"tweet_id": "1"})):
        with pytest.raises(CallFailed) as failed:
            await alone.execute_action(home.id(0), action, parameters)
        assert failed.value.verdict.code == code
        await alone.source.set_standing(home.id(0), Standing())
        session = await alone.open(home.id(0))
        session.account = replace(session.account, standing=Standing())


@pytest.mark.parametrize(
    ("fault", "outcome", "taken", "wrote"),
    [
        ({"kind": "server_error", "status": 503}, Outcome.TRANSIENT, Taken.UNKNOWN, 0),
        ({"kind": "server_error", "status": 502, "html": True}, Outcome.TRANSIENT, Taken.UNKNOWN, 0),
        ({"kind": "server_error", "status": 500, "when": "after"}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "reset"}, Outcome.TRANSIENT, Taken.UNKNOWN, 0),
        ({"kind": "reset", "when": "after"}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "close"}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "truncate"}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "hang"}, Outcome.TRANSIENT, Taken.UNKNOWN, 0),
        ({"kind": "drip", "seconds": 0.01}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "slow", "seconds": 5}, Outcome.TRANSIENT, Taken.UNKNOWN, None),
        ({"kind": "garbage"}, Outcome.TRANSIENT, Taken.UNKNOWN, 0),
        ({"kind": "garbage", "when": "after"}, Outcome.TRANSIENT, Taken.UNKNOWN, 1),
        ({"kind": "stale_query"}, Outcome.LIBRARY_STALE, Taken.NO, 0),
        ({"kind": "rate_limited"}, Outcome.RATE_LIMITED, Taken.NO, 0),
        ({"kind": "rate_limited", "headers": False}, Outcome.RATE_LIMITED, Taken.NO, 0),
    ],
    ids=str,
)
async def test_every_fault_of_the_wire(
    home: House, fault: dict[str, Any], outcome: Outcome, taken: Taken, wrote: int | None
) -> None:
    await home.sessions.execute_action(home.id(0), "get_user", {"handle": home.id(0)})
    home.x.fault(**fault, endpoint="CreateTweet")
    verdict = (await post(home)).verdict
    assert (verdict.outcome, verdict.taken, verdict.bench) == (outcome, taken, None)
    if wrote is not None:
        assert taken_on_x(home) == wrote
    home.x.clear_faults()
    if outcome is not Outcome.RATE_LIMITED:
        done = await home.sessions.execute_action(home.id(0), "get_user", {"handle": home.id(1)})
        assert done.handle == home.id(1)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("lock", AccountState.LOCKED),
        ("suspend", AccountState.SUSPENDED),
        ("expire", AccountState.STALE),
    ],
)
@pytest.mark.parametrize("first_call", [True, False])
async def test_an_ill_account_is_known_for_what_it_is(
    home: House, kind: str, state: AccountState, first_call: bool
) -> None:
    if not first_call:
        await home.sessions.execute_action(home.id(0), "get_user", {"handle": home.id(0)})
    home.x.fault(kind, account=home.id(0))
    await post(home)
    standing = (await home.source.account(home.id(0))).standing
    if first_call and kind in ("lock", "suspend"):
        # From the outside both look alike before the first call: x.com sends the account to a page.
        assert standing.state in (AccountState.LOCKED, AccountState.SUSPENDED)
    else:
        assert standing.state is state
    assert standing.reason
    assert (await home.sessions.check(home.id(1))).state is AccountState.ACTIVE
    home.x.clear_faults()
    assert (await home.sessions.check(home.id(0))).state is AccountState.ACTIVE


async def test_users_in_the_shape_of_2026_are_read_right(home: House) -> None:
    plain = await home.do("get_user", handle=home.id(1))
    home.x.fault("empty_legacy")
    assert await home.do("get_user", handle=home.id(1)) == plain
    found = await home.do("search_user", query=home.id(1))
    assert plain.id in {each.id for each in found.items}


async def test_the_pool_passes_the_work_of_an_ill_account_on() -> None:
    async with house(QUICK, accounts=3) as home:
        home.x.fault("lock", account=home.id(2))
        home.x.fault("expire", account=home.id(1))
        tweet = await home.do("post_tweet", **POST)
        assert tweet.author.handle == home.id(0)
        assert taken_on_x(home) == 1
        assert home.pool.status().quarantined == 2
        home.x.fault("suspend", account=home.id(0))
        with pytest.raises(NoAccountAvailable, match="of 3 accounts"):
            await home.do("get_user", handle=home.id(1))


async def test_a_read_survives_a_passing_failure_and_a_write_is_not_repeated() -> None:
    async with house(QUICK, accounts=2) as home:
        home.x.fault("server_error", status=503, times=2)
        assert (await home.do("get_user", handle=home.id(1))).handle == home.id(1)
        home.x.fault("close", endpoint="CreateTweet", times=1)
        with pytest.raises(CallFailed) as failed:
            await home.do("post_tweet", **POST)
        assert failed.value.verdict.taken is Taken.UNKNOWN
        assert taken_on_x(home) == 1


async def test_rate_limits_are_met_by_waiting_and_by_other_accounts() -> None:
    async with house(
        ConnectionPoolConfig(acquire_timeout=10),
        accounts=2,
        time_scale=450,
        overrides={"UserByScreenName": 5},
    ) as home:
        users = [home.do("get_user", handle=home.id(0)) for _ in range(25)]
        assert len(await asyncio.gather(*users)) == 25
        assert home.x.calls.count("UserByScreenName", status=429) == 0
        assert home.x.calls.count("UserByScreenName", status=200) == 25


async def test_the_hidden_daily_cap_moves_posts_to_another_account() -> None:
    async with house(accounts=2, daily_posts=3) as home:
        for number in range(6):
            await home.do("post_tweet", content=f"post number {number}")
        by_account = {each.id: home.x.calls.count("CreateTweet", each.id) for each in home.x.accounts}
        assert sorted(by_account.values()) == [3, 4]  # the fourth call of one was told of the cap


async def test_a_429_of_user_state_too_ends_in_one_rate_limit(home: House) -> None:
    home.x.fault("rate_limited", endpoint="SearchTimeline")
    home.x.fault("rate_limited", endpoint="user_state")
    with pytest.raises(CallFailed) as failed:
        await home.sessions.execute_action(home.id(0), "search_tweet", {"query": "x"})
    assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
    assert home.x.calls.count("user_state") == 1


async def test_a_rotated_csrf_token_is_followed_and_saved(home: House) -> None:
    me = home.id(0)
    await home.do("post_tweet", account=me, content="before")
    for number in range(3):
        home.x.rotate_ct0(me)
        await home.do("post_tweet", account=me, content=f"after {number}")
    kept = (await home.source.account(me)).credentials.cookies
    assert kept["ct0"] == home.x.accounts[0].cookies["ct0"]
    assert home.x.calls.count(status=403) == 0


async def test_a_stale_csrf_token_is_replaced_and_the_call_repeated_once(
    home: House, alone: TwikitSessionManager
) -> None:
    me = home.id(0)
    account = await home.source.account(me)
    cookies = type(account.credentials.cookies)({**account.credentials.cookies, "ct0": "0" * 160})
    await home.source.save_cookies(me, cookies)
    await alone.execute_action(me, "post_tweet", POST)
    assert taken_on_x(home) == 1
    assert (await home.source.account(me)).credentials.cookies["ct0"] != "0" * 160


async def test_an_outdated_operation_is_nobodys_illness(home: House) -> None:
    home.x.fault("stale_query", endpoint="SearchTimeline")
    for number in range(3):
        with pytest.raises(CallFailed, match="update the client library"):
            await home.sessions.execute_action(home.id(number), "search_tweet", {"query": "x"})
    assert home.sessions.out_of_date() == {"SearchTimeline": 3}
    home.x.clear_faults()
    await home.do("search_tweet", query="x")
    assert home.sessions.out_of_date() == {}


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "drip", "seconds": 0.05}])
async def test_a_session_survives_more_cancelled_calls_than_its_pool_has_slots(fault: dict[str, Any]) -> None:
    """httpcore leaks a slot on each cancelled call, and a client is dead after a few; ours is renewed."""
    async with house(QUICK, accounts=1) as home:
        home.x.fault("connection_close")
        await home.do("get_user", handle=home.id(0))
        for _ in range(20):
            home.x.fault(**fault, endpoint="SearchTimeline", times=1)
            cut_short = asyncio.create_task(home.do("search_tweet", query="x"))
            await asyncio.sleep(0.01)
            cut_short.cancel()
            await asyncio.gather(cut_short, return_exceptions=True)
        assert (await home.do("get_user", handle=home.id(0))).handle == home.id(0)


async def test_a_call_that_was_cut_short_never_answers_the_next_one() -> None:
    async with house(QUICK, accounts=1) as home:
        await home.do("get_user", handle=home.id(0))
        user = await home.do("get_user_by_id", user_id=home.x.accounts[0].user_id)
        for delay in (0.0, 0.002, 0.004, 0.006, 0.01, 0.02):
            home.x.fault("slow", seconds=0.005, endpoint="SearchTimeline", times=1)
            cut_short = asyncio.create_task(home.do("search_tweet", query="x"))
            await asyncio.sleep(delay)
            cut_short.cancel()
            assert await home.do("get_user_by_id", user_id=user.id) == user
            await asyncio.gather(cut_short, return_exceptions=True)


async def test_on_send_is_told_just_before_the_request_that_counts(home: House) -> None:
    seen: list[int] = []
    async with home.pool.acquire() as lease:
        await lease.carry_out(PostTweet(**POST), on_send=lambda: seen.append(len(home.x.writes)))
    assert seen == [0]
    assert taken_on_x(home) == 1


async def test_what_on_send_raises_stops_the_request(home: House) -> None:
    def refuse() -> None:
        raise StoreError("the journal's disk is full")

    async with home.pool.acquire() as lease:
        with pytest.raises(CallFailed) as failed:
            await lease.carry_out(PostTweet(**POST), on_send=refuse)
    assert failed.value.verdict.taken is Taken.NO
    assert taken_on_x(home) == 0
