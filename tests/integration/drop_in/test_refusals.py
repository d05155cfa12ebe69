"""When X says no: another account, a wait, or the exception that a twikit program catches."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from twikit import errors

from twikit_pool.accounts import AccountState
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.drop_in import OutOfCalls
from twikit_pool.errors import AccountUnavailable, AcquireTimeoutError, NoAccountAvailable, PoolClosed
from twikit_pool.pool import ConnectionRequest
from twikit_pool.sessions import CallFailed, Outcome

SHORT = ConnectionPoolConfig(acquire_timeout=0.3)
LIKES = {"FavoriteTweet": 1}
SEARCHES = {"SearchTimeline": 2}


async def test_a_used_up_window_sends_the_next_call_to_another_account(simulated: Any) -> None:
    async with simulated(accounts=3, overrides=SEARCHES) as home:
        client = home.client()
        for _ in range(6):
            assert await client.search_tweet("the", "Top", 5)
        assert home.x.calls.count("SearchTimeline", status=429) == 0
        assert {home.x.calls.count("SearchTimeline", each.id) for each in home.x.accounts} == {2}


async def test_a_429_sends_the_call_to_another_account(home: Any) -> None:
    home.x.fault("rate_limited", endpoint="SearchTimeline", times=2)
    page = await home.client().search_tweet("the", "Top", 5)
    assert len(page) == 5
    first, second, third = home.senders("/SearchTimeline")
    assert len({first, second, third}) == 3
    assert page[0]._client.account == third


async def test_a_429_that_x_hides_in_a_200_does_too(home: Any) -> None:
    home.x.fault("code", code=88, status=200, endpoint="SearchTimeline", times=1)
    assert len(await home.client().search_tweet("the", "Top", 5)) == 5
    assert len(set(home.senders("/SearchTimeline"))) == 2


async def test_a_write_that_x_refused_for_its_window_is_sent_by_another(home: Any) -> None:
    home.x.fault("rate_limited", endpoint="CreateTweet", times=1)
    tweet = await home.client().create_tweet("once")
    assert [write.key for write in home.x.writes if write.endpoint == "CreateTweet"].count("once") == 1
    assert tweet.user.screen_name == home.senders("/CreateTweet")[1]


async def test_a_bound_client_waits_for_its_window(simulated: Any) -> None:
    config = ConnectionPoolConfig(acquire_timeout=10)
    async with simulated(config, accounts=2, overrides=SEARCHES, time_scale=900.0) as home:
        client = home.client(0)
        began = time.monotonic()
        for _ in range(3):
            assert await client.search_tweet("the", "Top", 5)
        assert time.monotonic() - began > 0.5
        assert set(home.senders("/SearchTimeline")) == {home.id(0)}


async def test_a_429_that_waiting_does_not_cure_is_twikits_own_exception(simulated: Any) -> None:
    async with simulated(SHORT, accounts=1, limits=True) as home:
        home.x.fault("rate_limited", endpoint="SearchTimeline", times=1)
        client = home.client(0)
        with pytest.raises(errors.TooManyRequests) as first:
            await client.search_tweet("the", "Top")
        assert not isinstance(first.value, OutOfCalls)
        assert (first.value.rate_limit_reset or 0) > time.time() - 1
        failed = first.value.__cause__
        assert isinstance(failed, CallFailed)
        assert failed.account_id == home.id(0)
        assert failed.verdict.outcome is Outcome.RATE_LIMITED
        with pytest.raises(errors.TooManyRequests) as second:  # nothing is sent now, and it says until when
            await client.search_tweet("the", "Top")
        assert isinstance(second.value, OutOfCalls)
        assert isinstance(second.value.__cause__, AcquireTimeoutError)
        assert abs((second.value.rate_limit_reset or 0) - (first.value.rate_limit_reset or 0)) <= 2
        assert client.rate_limit_remaining == 0
        assert client.rate_limit_reset == second.value.rate_limit_reset
        assert len(home.senders("/SearchTimeline")) == 1


async def test_a_method_that_first_asks_who_it_is_says_so_too(simulated: Any) -> None:
    async with simulated(SHORT, accounts=2, keep={"sim_001"}, overrides={"dm/new2": 1}) as home:
        client, someone = home.client(), home.x.accounts[1].user_id
        await client.send_dm(someone, "one")
        with pytest.raises(OutOfCalls):
            await client.send_dm(someone, "two")
        assert len(home.senders("/dm/new2.json")) == 1


async def test_a_busy_pool_is_an_acquire_timeout_and_no_rate_limit(simulated: Any) -> None:
    async with simulated(SHORT, accounts=1) as home, home.pool.acquire(ConnectionRequest()):
        with pytest.raises(AcquireTimeoutError) as late:
            await home.client().search_tweet("the", "Top")
        assert not isinstance(late.value, errors.TooManyRequests)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(88, errors.TooManyRequests), (32, errors.Unauthorized), (89, errors.Unauthorized),
     (64, errors.AccountSuspended), (326, errors.AccountLocked), (131, errors.ServerError),
     (226, errors.Forbidden)],
)  # fmt: skip
async def test_what_x_hides_in_a_200_is_raised_where_twikit_would_return_nothing(
    code: int, kind: type[Exception], simulated: Any
) -> None:
    async with simulated(SHORT, accounts=1, limits=False) as home:
        home.x.fault("code", code=code, status=200, endpoint="SearchTimeline")
        with pytest.raises(kind) as hidden:
            await home.client(0).search_tweet("the", "Top")
        failed = hidden.value.__cause__
        assert isinstance(failed, CallFailed)
        assert failed.verdict.code == code
        assert failed.verdict.status == 200


@pytest.mark.parametrize(
    ("code", "kind"),
    [(187, errors.DuplicateTweet), (324, errors.InvalidMedia), (226, errors.CouldNotTweet),
     (344, errors.CouldNotTweet), (186, errors.CouldNotTweet)],
)  # fmt: skip
async def test_what_twikit_itself_reads_in_a_200_stays_its_exception(
    code: int, kind: type[Exception], simulated: Any
) -> None:
    async with simulated(SHORT, accounts=1, limits=False) as home:
        home.x.fault("code", code=code, status=200, endpoint="CreateTweet")
        with pytest.raises(kind) as refused:
            await home.client(0).create_tweet("hello")
        assert type(refused.value) is kind
        assert isinstance(refused.value.__cause__, CallFailed)
        assert refused.value.__cause__.verdict.code == code


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, errors.BadRequest), (401, errors.Unauthorized), (403, errors.Forbidden), (404, errors.NotFound)],
)
async def test_a_bad_status_is_twikits_exception_with_its_headers(
    status: int, kind: type[errors.TwitterException], home: Any
) -> None:
    home.x.fault("code", code=99, status=status, endpoint="UserByScreenName")
    with pytest.raises(kind) as refused:
        await home.client(0).get_user_by_screen_name("sim_002")
    assert refused.value.headers
    assert isinstance(refused.value.__cause__, CallFailed)
    assert refused.value.__cause__.__cause__ is None


async def test_liking_twice_is_as_quiet_as_with_twikit(home: Any) -> None:
    tweet = await home.client(0).create_tweet("likeable")
    for _ in range(2):
        assert (await home.client(1).favorite_tweet(tweet.id)).status_code == 200


async def test_an_ill_account_passes_the_call_on(home: Any) -> None:
    ill = home.id(2)
    home.x.fault("lock", account=ill)
    for _ in range(3):
        assert await home.client().search_tweet("the", "Top", 5)
    assert home.senders("/SearchTimeline").count(ill) <= 1
    with pytest.raises((errors.AccountLocked, AccountUnavailable)):
        await home.client(2).search_tweet("the", "Top", 5)


async def test_an_account_that_was_set_aside_is_not_logged_in(home: Any) -> None:
    home.x.fault("expire", account=home.id(0))
    client = home.client(0)
    assert await client.is_logged_in() is False
    (standing,) = (each.standing for each in home.pool.accounts() if each.id == home.id(0))
    assert standing.state is AccountState.STALE
    assert await client.is_logged_in() is False
    assert await home.client(1).is_logged_in() is True
    with pytest.raises(AccountUnavailable, match="stale"):
        await client.search_tweet("the", "Top")


async def test_when_every_account_is_ill_the_pool_says_so(home: Any) -> None:
    home.x.fault("lock")
    with pytest.raises(errors.AccountLocked):  # what X said, after as many accounts as one call may try
        await home.client().search_tweet("the", "Top")
    with pytest.raises(NoAccountAvailable, match="3 locked"):
        await home.client().search_tweet("the", "Top")
    assert await home.client().is_logged_in() is False


async def test_a_passing_failure_of_a_read_is_tried_again(home: Any) -> None:
    home.x.fault("server_error", endpoint="SearchTimeline", times=1)
    assert await home.client(0).search_tweet("the", "Top", 5)
    home.x.fault("server_error", endpoint="HomeTimeline", times=1)  # a read, though twikit posts it
    assert await home.client(0).get_timeline(5)


async def test_a_failing_read_is_given_up(home: Any) -> None:
    home.x.fault("server_error", endpoint="SearchTimeline")
    with pytest.raises(errors.ServerError) as failed:
        await home.client().search_tweet("the", "Top", 5)
    assert failed.value.__cause__.attempts == len(home.senders("/SearchTimeline")) == 3  # type: ignore[union-attr]


async def test_a_write_that_x_may_have_taken_is_not_sent_again(home: Any) -> None:
    home.x.fault("close", endpoint="CreateTweet", times=1)
    with pytest.raises(httpx.TransportError) as lost:
        await home.client().create_tweet("perhaps")
    assert isinstance(lost.value.__cause__, CallFailed)
    assert [write.key for write in home.x.writes].count("perhaps") == 1
    assert len(home.senders("/CreateTweet")) == 1


async def test_a_method_of_several_requests_starts_over_on_another_account(home: Any) -> None:
    other = home.x.accounts[0].user_id
    home.x.fault("rate_limited", endpoint="dm/new2", times=1)
    message = await home.client().send_dm(other, "hello")
    first, second = home.senders("/dm/new2.json")
    assert first != second
    assert message._client.account == second
    assert message.sender_id == next(a.user_id for a in home.x.accounts if a.id == second)


async def test_it_starts_over_on_an_account_that_has_the_call_which_failed(home: Any) -> None:
    """Not on the one used last, which the method's first request would choose."""
    home.x.fault("rate_limited", endpoint="Following", times=1)
    await home.client().get_latest_friends(screen_name=home.x.accounts[0].handle)
    first, second = home.senders("/Following")
    assert first != second
    assert home.senders("/UserByScreenName") == [first, second]


async def test_what_was_written_is_not_written_again_when_a_later_request_fails(home: Any) -> None:
    home.canned["/dm/new2.json"] = {"entries": [{"message": {"conversation_id": "55"}}]}
    home.x.fault("rate_limited", endpoint="dm/conversation/id")
    with pytest.raises(errors.TooManyRequests):
        await home.client().create_group([home.x.accounts[0].user_id], "hi")
    assert len(home.senders("/dm/new2.json")) == 1


async def test_a_hidden_failure_that_is_mended_by_the_next_request_is_none(home: Any) -> None:
    home.x.fault("code", code=131, status=200, endpoint="GenericTimelineById", times=1)
    assert await home.client().get_trends("trending")


async def test_garbage_is_a_server_error(home: Any) -> None:
    home.x.fault("garbage", endpoint="UserByScreenName")
    with pytest.raises(errors.ServerError) as garbage:
        await home.client().get_user_by_screen_name("sim_001")
    assert "not JSON" in str(garbage.value)


async def test_a_long_post_goes_to_an_account_that_may_send_it(home: Any) -> None:
    with pytest.raises(NoAccountAvailable, match="long_posts"):
        await home.client().create_tweet("x" * 400, is_note_tweet=True)
    assert await home.client(0).create_tweet("x" * 400, is_note_tweet=True)


async def test_a_closed_pool_says_so(simulated: Any) -> None:
    async with simulated(accounts=1) as home:
        client = home.client()
    with pytest.raises(PoolClosed):
        await client.search_tweet("the", "Top")


async def test_the_own_timeout_is_kept(simulated: Any) -> None:
    async with simulated(accounts=1) as home, home.pool.acquire():
        async with asyncio.timeout(2):
            with pytest.raises(AcquireTimeoutError, match=r"0\.1 s"):
                await home.client(timeout=0.1).search_tweet("the", "Top")


async def test_no_message_shows_a_secret(home: Any) -> None:
    secrets = [secret for each in home.x.accounts for secret in each.cookies.values()]
    home.x.fault("code", code=32, status=401, account=home.id(0))
    home.x.fault("code", code=131, status=200, account=home.id(1))
    for number in (0, 1):
        with pytest.raises(errors.TwitterException) as failed:
            await home.client(number).search_tweet("the", "Top")
        shown = f"{failed.value!r} {failed.value} {failed.value.__cause__!r} {failed.value.__cause__}"
        assert not any(secret in shown for secret in secrets)
    assert not any(secret in repr(vars(home.client(0))) for secret in secrets)
