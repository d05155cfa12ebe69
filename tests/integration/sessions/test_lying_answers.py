"""Answers that are not what they seem, put on the wire between the real twikit and the simulator."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.house import House
from twikit_pool.accounts import AccountState
from twikit_pool.errors import InvalidParameters
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import CallFailed, Outcome, Taken, TwikitBackend, TwikitSessionManager
from twikit_pool.sessions.actions import parse_action

Lie = Callable[[httpx.Request], httpx.Response | None]


class Liar(httpx.AsyncBaseTransport):
    """Answers some requests itself and lets the others through."""

    def __init__(self, inner: httpx.AsyncBaseTransport, lie: Lie) -> None:
        self._inner = inner
        self._lie = lie

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lie = self._lie(request)
        return lie if lie is not None else await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def lied_to(home: House, lie: Lie) -> TwikitSessionManager:
    backend = TwikitBackend(transport=lambda _account: Liar(home.x.transport(), lie))
    return TwikitSessionManager(home.source, backend=backend)


def at_home(answer: httpx.Response) -> Lie:
    return lambda request: answer if request.url.host == "x.com" and request.url.path == "/" else None


def at(endpoint: str, status: int, body: bytes = b"", **headers: str) -> Lie:
    def lie(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(endpoint):
            return None
        return httpx.Response(status, content=body, headers=headers)

    return lie


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(200, text="<html><title>Just a moment...</title></html>"),
        httpx.Response(200, text=""),
        httpx.Response(302, headers={"location": "https://x.com/maintenance"}),
        httpx.Response(403, text="<html>Attention Required!</html>"),
        httpx.Response(503, text="<html>busy</html>"),
    ],
    ids=["challenge", "empty", "maintenance", "forbidden", "busy"],
)
async def test_a_page_of_the_edge_benches_nobody(home: House, page: httpx.Response) -> None:
    async with lied_to(home, at_home(page)) as sessions, TwikitConnectionPool(sessions) as pool:
        with pytest.raises(CallFailed) as failed:
            await pool.execute("post_tweet", content="x")
        assert failed.value.verdict.bench is None
        assert failed.value.verdict.taken is Taken.NO
    assert {each.standing.state for each in await home.source.accounts()} == {AccountState.ACTIVE}


async def test_a_home_page_that_refuses_is_asked_once(home: House) -> None:
    home.x.fault("rate_limited", endpoint="home")
    for action in ("get_timeline", "get_trends", "get_notifications", "get_bookmarks"):
        with pytest.raises(CallFailed) as failed:
            await home.sessions.execute_action(home.id(0), action)
        assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
    assert home.x.calls.count("home") == 1


@pytest.mark.parametrize("status", [200, 204, 302, 307])
@pytest.mark.parametrize(
    ("action", "parameters", "endpoint"),
    [
        ("like_tweet", {"tweet_id": "20"}, "/FavoriteTweet"),
        ("delete_tweet", {"tweet_id": "20"}, "/DeleteTweet"),
        ("post_tweet", {"content": "x"}, "/CreateTweet"),
    ],
)
async def test_a_write_that_x_said_nothing_about_is_not_reported_as_done(
    home: House, status: int, action: str, parameters: dict[str, Any], endpoint: str
) -> None:
    async with lied_to(home, at(endpoint, status, location="https://x.com/elsewhere")) as sessions:
        with pytest.raises(CallFailed) as failed:
            await sessions.execute_action(home.id(0), action, parameters)
    assert failed.value.verdict.taken is Taken.UNKNOWN
    assert failed.value.verdict.bench is None


@pytest.mark.parametrize("code", [226, 344, 187, 88])
async def test_an_empty_shell_beside_an_error_is_no_result(home: House, code: int) -> None:
    body = (
        f'{{"data":{{"create_tweet":{{"tweet_results":{{}}}}}},"errors":[{{"code":{code},"message":"no"}}]}}'
    )
    async with lied_to(home, at("/CreateTweet", 200, body.encode())) as sessions:
        with pytest.raises(CallFailed) as failed:
            await sessions.execute_action(home.id(0), "post_tweet", {"content": "x"})
    assert (failed.value.verdict.code, failed.value.verdict.taken) == (code, Taken.NO)


async def test_a_suspension_that_x_tells_after_a_429_is_believed(home: House) -> None:
    def lie(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/SearchTimeline"):
            return httpx.Response(429)
        if request.url.path.endswith("user_state.json"):
            return httpx.Response(200, json={"userState": "suspended"})
        return None

    async with lied_to(home, lie) as sessions:
        with pytest.raises(CallFailed, match="suspended"):
            await sessions.execute_action(home.id(0), "search_tweet", {"query": "x"})
    assert (await home.source.account(home.id(0))).standing.state is AccountState.SUSPENDED


async def test_several_writes_in_one_call_are_never_repeated(home: House) -> None:
    """The first was sent and taken; that the second met a stale csrf token is no reason to do both again."""
    me = home.id(0)
    await home.do("get_user", account=me, handle=me)

    async def two_posts(client: Any) -> None:
        await client.create_tweet("part one")
        home.x.fault("code", code=353, status=403, endpoint="CreateTweet", times=1)
        await client.create_tweet("part two")

    async with home.pool.acquire() as lease:
        with pytest.raises(CallFailed) as failed:
            await lease.call("two_posts", two_posts)
    assert failed.value.verdict.taken is Taken.UNKNOWN
    assert [write.key for write in home.x.writes if write.endpoint == "CreateTweet"] == ["part one"]


async def test_a_straggler_of_a_replaced_client_counts_for_nobody(home: House) -> None:
    session = await home.sessions.open(home.id(0))
    await home.sessions.execute_action(home.id(0), "get_user", {"handle": home.id(0)})
    home.x.fault("slow", seconds=0.1, endpoint="UserByScreenName", times=1)
    straggler = asyncio.create_task(session.client.get_user_by_screen_name(home.id(1)))
    await asyncio.sleep(0.03)
    assert session.dirty
    await session.renew()
    assert not session.dirty
    await asyncio.gather(straggler, return_exceptions=True)
    assert not session.dirty
    home.x.fault("hang", endpoint="SearchTimeline", times=1)
    with pytest.raises(CallFailed):
        await home.sessions.execute_action(home.id(0), "search_tweet", {"query": "x"}, timeout=0.1)
    assert session.dirty


async def test_a_new_log_in_is_not_overwritten_by_the_old_session(home: House) -> None:
    me = home.id(0)
    await home.do("get_user", account=me, handle=me)
    await home.source.save_cookies(me, Cookies(auth_token="fresh-log-in", ct0="f" * 32))
    home.x.rotate_ct0(me)
    await home.do("get_user", account=me, handle=me)
    assert (await home.source.account(me)).credentials.cookies["auth_token"] == "fresh-log-in"


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_no_cookie_is_in_the_frames_of_a_call_that_was_cut_short(home: House, how: str) -> None:
    await home.do("get_user", account=home.id(0), handle=home.id(0))
    home.x.fault("hang", endpoint="SearchTimeline")
    call = asyncio.create_task(home.do("search_tweet", account=home.id(0), query="x"))
    caught: BaseException | None = None
    try:
        async with asyncio.timeout(0.1 if how == "timeout" else 5):
            if how == "cancel":
                asyncio.get_running_loop().call_later(0.1, call.cancel)
            await call
    except (TimeoutError, asyncio.CancelledError) as error:
        caught = error
    assert caught is not None
    told = "".join(traceback.TracebackException.from_exception(caught, capture_locals=True).format())
    for secret in home.x.accounts[0].cookies.values():
        assert secret not in told


def test_text_that_cannot_be_sent_is_refused_before_anything_is() -> None:
    with pytest.raises(InvalidParameters, match="cannot be sent"):
        parse_action("post_tweet", {"content": "half a pair: \ud800"})
