from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, ended, scene, settle, take
from twikit_pool.errors import AccountError, InvalidParameters, LeaseLost, PoolClosed
from twikit_pool.events import AccountStateChanged, CallFinished, EndpointCooling, PoolOpened
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.pool.execution import RetryBudget, page_of
from twikit_pool.sessions.actions import parse_action
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict
from twikit_pool.sessions.records import Page

# ---------------------------------------------------------------- trying again


@scene(1)
async def test_a_read_that_fails_for_a_passing_reason_is_tried_thrice(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [131, 131]
    done = await pool.perform(parse_action("get_user_by_id", {"user_id": "1"}))
    assert (done.account_id, done.attempts) == ("a0", 3)
    assert 0.4 <= done.seconds <= 5
    x.codes["a0"] = [131] * 4
    with pytest.raises(CallFailed) as failed:
        await pool.execute("get_user_by_id", user_id="1")
    assert failed.value.attempts == 3
    assert x.codes["a0"] == [131]


@scene(1, max_attempts=1)
async def test_retries_can_be_switched_off(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.codes["a0"] = [131]
    with pytest.raises(CallFailed) as failed:
        await pool.execute("get_user_by_id", user_id="1")
    assert failed.value.attempts == 1
    pool.reconfigure(max_attempts=2)
    x.codes["a0"] = [131]
    await pool.execute("get_user_by_id", user_id="1")


@scene(2, max_concurrent_calls=1, call_timeout=2.0)
async def test_a_call_that_is_held_back_for_ever_ends(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def hang(_: object) -> None:
        await asyncio.sleep(1e6)

    lease = await take(pool)
    holding = x.loop.create_task(lease.call("mine", hang, timeout=1000))
    await settle()
    with pytest.raises(CallFailed, match="the brake allows 1 calls at once") as failed:
        await pool.execute("get_user_by_id", user_id="1")
    assert failed.value.attempts == 10
    assert x.loop.time() == pytest.approx(20, abs=1)
    holding.cancel()
    await asyncio.wait([holding])


@scene(1)
async def test_what_no_repetition_can_mend_is_not_tried_again(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [187]
    refusals: list[str] = []
    with pytest.raises(CallFailed):
        await pool.perform(
            parse_action("like_tweet", {"tweet_id": "1"}), on_refused=lambda: refusals.append("refused")
        )
    assert x.calls["FavoriteTweet"] == 1
    assert refusals == ["refused"]


@scene(1)
async def test_a_write_that_x_may_have_taken_is_not_tried_again(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [131]
    refusals: list[str] = []
    sent: list[str] = []
    with pytest.raises(CallFailed):
        await pool.perform(
            parse_action("like_tweet", {"tweet_id": "1"}),
            on_send=sent.append,
            on_refused=lambda: refusals.append("refused"),
        )
    assert (x.calls["FavoriteTweet"], refusals, sent) == (1, [], ["a0"])


@scene(3)
async def test_an_account_that_turns_out_ill_passes_the_work_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes = {"a2": [326], "a1": [326]}
    with pool.events.subscribe(AccountStateChanged, CallFinished) as heard:
        done = await pool.perform(parse_action("like_tweet", {"tweet_id": "1"}))
        events = heard.take()
    assert (done.account_id, done.attempts) == ("a0", 3)
    changes = [each for each in events if isinstance(each, AccountStateChanged)]
    assert [(each.account_id, each.state) for each in changes] == [("a2", "locked"), ("a1", "locked")]
    assert "326" in changes[0].evidence
    calls = [each for each in events if isinstance(each, CallFinished)]
    assert [each.outcome for each in calls] == ["account_ill", "account_ill", "ok"]
    assert [(each.code, each.status) for each in calls] == [(326, 403), (326, 403), (None, None)]
    assert all(each.action == "like_tweet" and each.connection_id == f"{each.account_id}#1" for each in calls)
    assert all(0 <= each.latency <= 0.6 for each in calls)


@scene(1)
async def test_the_retry_budget_is_a_tenth_of_the_traffic(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    budget = RetryBudget()
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(11):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(5000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1000)) == 100
    while pool.retries.spend():
        pass
    x.codes["a0"] = [131]
    with pytest.raises(CallFailed):
        await pool.execute("get_user_by_id", user_id="1")


@scene(2)
async def test_a_used_up_window_is_told_and_moves_the_work_on(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.limit = 0
    with pool.events.subscribe(EndpointCooling) as heard:
        call = x.loop.create_task(pool.execute("get_user_by_id", user_id="1"))
        await asyncio.sleep(5)
        events = [each for each in heard.take() if isinstance(each, EndpointCooling)]
    assert [each.account_id for each in events] == ["a1", "a0"]
    assert {each.endpoint for each in events} == {"UserByRestId"}
    assert all(890 <= each.seconds <= 902 for each in events)
    call.cancel()
    await asyncio.wait([call])
    assert x.over_limit == 2


# ---------------------------------------------------------------- the lease's own calls


@scene(1, call_timeout=3.0)
async def test_a_call_has_the_deadline_of_the_settings_or_its_own(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang(_: object) -> None:
        await asyncio.sleep(1e6)

    async with pool.acquire() as lease:
        for timeout, lasts in ((None, 3.0), (1.0, 1.0)):
            began = x.loop.time()
            with pytest.raises(CallFailed, match="no complete answer"):
                await lease.call("mine", hang, timeout=timeout)
            assert x.loop.time() - began == pytest.approx(lasts)


@scene(1)
async def test_the_real_client_can_be_used_under_the_pools_care(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(CallFinished) as heard:
        async with pool.acquire() as lease:
            result = await lease.call(
                "mine", lambda client: client.request("Likes", "7"), endpoint="Likes", timeout=5
            )
            assert result.id == "7"
            assert (await lease.call("mine", lambda client: client.request("Likes", "6"))).id == "6"
            assert (await lease.execute(parse_action("like_tweet", {"tweet_id": "8"}))).id == "8"
        events = heard.take()
    assert [each.action for each in events if isinstance(each, CallFinished)] == [
        "mine",
        "mine",
        "like_tweet",
    ]
    with pytest.raises(LeaseLost):
        await lease.call("mine", lambda client: client.request("Likes", "7"))
    assert await pool.execute(parse_action("like_tweet", {"tweet_id": "9"})) is not None


@scene(1)
async def test_an_operation_that_works_again_is_not_out_of_date(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await pool.calls.settle("a0", Verdict(outcome=Outcome.LIBRARY_STALE, endpoint="Likes"))
    assert pool.sessions.out_of_date() == {"Likes": 1}
    async with pool.acquire() as lease:
        await lease.call("mine", lambda client: client.request("Likes", "7"), endpoint="Likes")
    assert not pool.sessions.out_of_date()


@scene(1)
async def test_a_call_on_a_closed_window_is_not_sent(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async with pool.acquire() as lease:
        pool.sessions.windows("a0").rest("Likes", 50)
        with pytest.raises(CallFailed, match=r"mine as a0: rate_limited .*nothing was sent"):
            await lease.call("mine", lambda client: client.request("Likes", "7"), endpoint="Likes")
    assert not x.sent


@scene(1)
async def test_a_window_that_another_operation_has_used_up_rests_the_whole_call(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    verdict = Verdict(outcome=Outcome.RATE_LIMITED, endpoint="Other", cool_seconds=50.0, reason="used up")

    async def refused(_: float) -> None:
        raise CallFailed("a0", "mine", verdict)

    async with pool.acquire() as lease:
        with pytest.raises(CallFailed):
            await pool.calls.attempt(lease.connection, "mine", "Likes", refused, None)
        windows = pool.sessions.windows("a0")
        assert windows.wait("Other") == windows.wait("Likes") == pytest.approx(50)


@scene(1)
async def test_a_window_that_only_another_call_can_tell_of_rests_for_a_moment(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    verdict = Verdict(outcome=Outcome.RATE_LIMITED, endpoint="Other", reason="nobody knows")

    async def refused(_: float) -> None:
        raise CallFailed("a0", "mine", verdict)

    windows = pool.sessions.windows("a0")
    windows.sent("Other")
    with pool.events.subscribe(EndpointCooling) as heard:
        async with pool.acquire() as lease:
            with pytest.raises(CallFailed):
                await pool.calls.attempt(lease.connection, "mine", "Likes", refused, None)
            assert 0 < windows.wait("Likes") <= 2
        assert not heard.take()


@scene(1)
async def test_an_account_that_is_gone_meanwhile_is_settled_all_the_same(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    verdict = Verdict(outcome=Outcome.RATE_LIMITED, endpoint="Likes", cool_seconds=50.0, reason="used up")
    await pool.calls.settle("elsewhere", verdict)
    assert pool.sessions.windows("elsewhere").wait("Likes") == pytest.approx(50)
    pool.roster.window_changed("elsewhere", "Likes")
    await pool.calls.settle("a0", replace(verdict, endpoint=None))
    assert pool.status().quarantined == 0


# ---------------------------------------------------------------- pages


def paged(pages: int, cursors: list[str | None]) -> Any:
    async def perform(action: Any, files: object) -> Page[str]:
        cursors.append(action.cursor)
        number = int(action.cursor or 0)
        following = str(number + 1) if number + 1 < pages else None
        return Page(items=tuple(f"{number}.{n}" for n in range(3)), next_cursor=following)

    return perform


@scene(2)
async def test_items_come_page_after_page_and_as_many_as_wanted(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    cursors: list[str | None] = []
    for link in x.links:
        link.perform = paged(3, cursors)
    items = [item async for item in pool.iterate("search_tweet", query="x")]
    assert items == [f"{page}.{n}" for page in range(3) for n in range(3)]
    assert cursors == [None, "1", "2"]
    cursors.clear()
    some = pool.iterate("search_tweet", query="x", limit=4, account="a0", priority=ConnectionPriority.HIGH)
    assert [item async for item in some] == ["0.0", "0.1", "0.2", "1.0"]
    assert cursors == [None, "1"]
    assert [item async for item in pool.iterate("search_tweet", query="x", limit=0)] == []
    assert cursors == [None, "1"]


@scene(1)
async def test_a_cursor_that_stands_still_ends_the_pages(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def perform(action: Any, files: object) -> Page[str]:
        return Page(items=("again",), next_cursor="same")

    x.links[0].perform = perform  # type: ignore[assignment]
    assert [item async for item in pool.iterate("search_tweet", query="x")] == ["again"] * 2


@scene(2)
async def test_pages_that_belong_to_who_asks_come_from_one_account(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    asked: list[str] = []
    for account_id, link in zip(("a0", "a1"), x.links, strict=True):

        async def perform(action: Any, files: object, who: str = account_id) -> Page[str]:
            asked.append(who)
            return Page(items=(who,), next_cursor=None if len(asked) == 4 else str(len(asked)))

        link.perform = perform  # type: ignore[assignment]
    async for _ in pool.iterate("get_timeline"):
        (await take(pool, account_id="a0" if asked[0] == "a1" else "a1")).release()
    assert len(set(asked)) == 1
    assert len(asked) == 4


@scene(1)
async def test_what_has_no_pages_is_refused(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(InvalidParameters, match=r"like_tweet does not come in pages; use execute\(\)"):
        async for _ in pool.iterate("like_tweet", tweet_id="1"):
            pass


def test_the_page_of_a_post_is_its_answers() -> None:
    class Post:
        replies_page: Page[str] | None = None

    post = Post()
    assert not page_of(post).items
    post.replies_page = Page(items=("answer",))
    assert list(page_of(post).items) == ["answer"]


# ---------------------------------------------------------------- the pool itself


def test_a_pool_over_a_folder_of_cookie_files_closes_what_it_opened(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "brand.json").write_text('{"auth_token": "canary", "ct0": "csrf"}')
        pool = TwikitConnectionPool.from_cookies(tmp_path)
        with pool.events.subscribe(PoolOpened) as heard:
            async with pool:
                assert pool.account_ids == {"brand"}
                assert pool.capacity == 1
            assert len(heard.take()) == 1

    asyncio.run(main())
    with pytest.raises(AccountError):
        TwikitConnectionPool.from_cookies(tmp_path / "nowhere")


@scene(2)
async def test_a_request_that_waits_at_the_shutdown_is_told_so(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool)
    await take(pool)
    waiting = ask(pool)
    await settle()
    stop = x.loop.create_task(pool.shutdown(1))
    error = await ended(waiting)
    assert isinstance(error, PoolClosed)
    assert str(error) == "pool 'default' is shutting down"
    await stop


def test_a_request_reads_as_words() -> None:
    assert str(ConnectionRequest()) == "a connection"
    assert str(ConnectionRequest(account_id="a0", action="like_tweet")) == "a connection of a0 for like_tweet"
    assert str(ConnectionRequest(endpoint="Likes")) == "a connection for Likes"
    assert ConnectionRequest(action="like_tweet").endpoint == "FavoriteTweet"
    assert ConnectionRequest(action="like_tweet", endpoint="Likes").endpoint == "Likes"
