from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from twikit.errors import (
    AccountLocked,
    AccountSuspended,
    BadRequest,
    CouldNotTweet,
    DuplicateTweet,
    Forbidden,
    InvalidMedia,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
)

from twikit_pool.errors import ConfigError
from twikit_pool.simulator import Simulator

if TYPE_CHECKING:
    from typing import Any

    from tests.integration.simulator.conftest import Connect


@pytest.fixture
async def client(x: Simulator, connect: Connect) -> Any:
    """The first account, its handshake behind it."""
    client = connect(x)
    client.http.timeout = httpx.Timeout(2.0)
    await client.user_id()
    return client


CODES = {
    17: CouldNotTweet,
    32: Unauthorized,
    34: NotFound,
    37: AccountSuspended,
    50: CouldNotTweet,
    63: Forbidden,
    64: AccountSuspended,
    88: TooManyRequests,
    89: Unauthorized,
    131: ServerError,
    139: CouldNotTweet,
    144: CouldNotTweet,
    161: Forbidden,
    162: Forbidden,
    170: CouldNotTweet,
    179: CouldNotTweet,
    185: CouldNotTweet,
    186: CouldNotTweet,
    187: DuplicateTweet,
    214: BadRequest,
    226: CouldNotTweet,
    279: NotFound,
    324: InvalidMedia,
    326: AccountLocked,
    327: CouldNotTweet,
    344: CouldNotTweet,
    349: Forbidden,
    353: Forbidden,
    366: BadRequest,
    501: CouldNotTweet,
}


@pytest.mark.parametrize("code", CODES)
async def test_every_code_in_its_shape(x: Simulator, client: Any, code: int) -> None:
    x.fault("code", code=code, endpoint="CreateTweet", times=1)
    with pytest.raises(CODES[code]):
        await client.create_tweet("hello")
    assert x.writes == []
    await client.create_tweet("hello")


@pytest.mark.parametrize("code", [88, 32, 344, 187, 226, 131])
async def test_a_code_inside_an_http_200(x: Simulator, client: Any, code: int) -> None:
    x.fault("code", code=code, status=200)
    answer = await client.favorite_tweet("1")
    assert answer.status_code == 200
    assert answer.json()["data"] == {}
    assert answer.json()["errors"][0]["code"] == code
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert len(await client.search_tweet("python", "Latest")) == 0
    with pytest.raises(CouldNotTweet, match=str(code)):
        await client.create_tweet("hello")


async def test_a_code_on_v11_and_with_words_of_ones_own(x: Simulator, client: Any) -> None:
    x.fault("code", code=161, message="Not today.", endpoint="friendships/create")
    with pytest.raises(Forbidden, match=r'"code":161,"message":"Not today\."'):
        await client.follow_user(x.accounts[1].user_id)
    assert x.world.by_handle["sim_001"].id not in x.world.by_handle["sim_002"].followers


async def test_lock_suspend_expire(x: Simulator, client: Any) -> None:
    for kind, error in (("lock", AccountLocked), ("suspend", AccountSuspended), ("expire", Unauthorized)):
        x.fault(kind, account="sim_001", times=1)
        with pytest.raises(error):
            await client.create_tweet("hello")
    await client.create_tweet("hello")


async def test_rate_limited_with_and_without_headers(x: Simulator, client: Any) -> None:
    x.fault("rate_limited", times=1)
    with pytest.raises(TooManyRequests) as refused:
        await client.create_tweet("hello")
    assert (refused.value.rate_limit_reset or 0) > time.time()
    assert (refused.value.headers or {})["x-rate-limit-remaining"] == "0"
    x.fault("rate_limited", headers=False, times=1)
    with pytest.raises(TooManyRequests) as refused:
        await client.create_tweet("hello")
    assert refused.value.rate_limit_reset is None
    assert x.calls.count("user_state") == 2


async def test_rate_limited_in_the_middle_of_a_window(connect: Connect) -> None:
    async with Simulator(accounts=1) as x:
        client = connect(x)
        await client.search_tweet("python", "Latest")
        reset = client.rate_limit_reset
        x.fault("rate_limited", endpoint="SearchTimeline", times=1)
        with pytest.raises(TooManyRequests) as refused:
            await client.search_tweet("python", "Latest")
        assert refused.value.rate_limit_reset == reset
        assert (refused.value.headers or {})["x-rate-limit-remaining"] == "0"


async def test_user_state_tells_a_suspension_from_a_limit_and_may_fail_itself(
    x: Simulator, client: Any
) -> None:
    x.fault("rate_limited", endpoint="CreateTweet")
    x.fault("rate_limited", endpoint="user_state", times=1)
    with pytest.raises(TooManyRequests):
        await client.create_tweet("hello")
    assert x.calls.count("user_state", status=429) == 1
    x.fault("suspend", endpoint="user_state")
    with pytest.raises(AccountSuspended):
        await client.create_tweet("hello")


@pytest.mark.parametrize("html", [False, True])
async def test_server_errors(x: Simulator, client: Any, html: bool) -> None:
    x.fault("server_error", status=502, html=html, times=1)
    with pytest.raises(ServerError, match="502") as failed:
        await client.create_tweet("hello")
    assert ("<html>" in str(failed.value)) is html
    assert x.writes == []


async def test_a_stale_query_id_fails_for_everybody(x: Simulator, client: Any, connect: Connect) -> None:
    x.fault("stale_query", endpoint="SearchTimeline")
    for one in (client, connect(x, 1)):
        with pytest.raises(NotFound):
            await one.search_tweet("python", "Latest")
        await one.get_user_by_screen_name("sim_001")


async def test_slow(x: Simulator, client: Any) -> None:
    for when in ("before", "after"):
        x.fault("slow", seconds=0.2, times=1, when=when)
        begun = time.monotonic()
        await client.create_tweet(f"slow {when}")
        assert time.monotonic() - begun >= 0.2


async def test_slow_before_and_after_differ_in_when_the_write_happens(x: Simulator, client: Any) -> None:
    for when, done in (("before", 0), ("after", 1)):
        x.fault("slow", seconds=0.3, times=1, when=when)
        sending = asyncio.create_task(client.create_tweet(f"slow {when}"))
        await asyncio.sleep(0.1)
        assert len([w for w in x.writes if w.key == f"slow {when}"]) == done
        await sending


async def test_drip(x: Simulator, client: Any) -> None:
    x.fault("drip", seconds=0.001, endpoint="FavoriteTweet", times=1)
    tweet = await client.create_tweet("hello")
    begun = time.monotonic()
    await client.favorite_tweet(tweet.id)
    assert time.monotonic() - begun > 0.1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("hang", httpx.ReadTimeout, None),
        ("reset", httpx.ReadError, None),
        ("close", httpx.RemoteProtocolError, "without sending a response"),
    ],
)
async def test_lost_answers(
    x: Simulator, client: Any, kind: str, error: type[Exception], words: str | None, when: str
) -> None:
    client.http.timeout = httpx.Timeout(0.3)
    x.fault(kind, when=when, endpoint="CreateTweet", times=1)
    with pytest.raises(error, match=words):
        await client.create_tweet("Was it sent?")
    assert [w.key for w in x.writes] == ([] if when == "before" else ["Was it sent?"])
    assert x.calls.count("CreateTweet", "sim_001") == 1
    assert next(call for call, _ in x.calls if call.endpoint == "CreateTweet").status is None
    found = await client.get_user_tweets(x.accounts[0].user_id, "Tweets")
    assert len(found) == len(x.writes)


async def test_truncate(x: Simulator, client: Any) -> None:
    x.fault("truncate", endpoint="CreateTweet", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        await client.create_tweet("Half an answer")
    assert len(x.writes) == 1
    await client.create_tweet("A whole one")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_garbage(x: Simulator, client: Any, when: str) -> None:
    x.fault("garbage", endpoint="CreateTweet", times=1, when=when)
    with pytest.raises((TypeError, AttributeError, KeyError)):
        await client.create_tweet("What?")
    assert len(x.writes) == (when == "after")


@pytest.mark.parametrize("kind", ["server_error", "rate_limited"])
async def test_a_wrong_answer_after_the_write(x: Simulator, client: Any, kind: str) -> None:
    x.fault(kind, endpoint="CreateTweet", when="after", times=1)
    with pytest.raises((ServerError, TooManyRequests)):
        await client.create_tweet("Done all the same")
    assert [w.key for w in x.writes] == ["Done all the same"]


async def test_users_with_an_empty_legacy(x: Simulator, client: Any) -> None:
    x.fault("empty_legacy")
    seen = []

    async def note(response: httpx.Response) -> None:
        await response.aread()
        seen.append(response.json())

    client.http.event_hooks["response"].append(note)
    user = await client.get_user_by_screen_name("sim_001")
    assert seen[0]["data"]["user"]["result"]["legacy"] == {}
    plain = x.world.by_handle["sim_001"]
    assert (user.name, user.screen_name) == (plain.name, plain.handle)
    assert (user.followers_count, user.following_count) == (len(plain.followers), len(plain.following))
    found = await client.search_tweet("python", "Latest")
    assert found[0].user.screen_name
    x.clear_faults()
    await client.search_tweet("python", "Latest")
    authors = [e["content"]["itemContent"]["tweet_results"]["result"]["core"] for e in entries(seen[-1])]
    assert all(author["user_results"]["result"]["legacy"]["screen_name"] for author in authors)


def entries(body: dict[str, Any]) -> list[dict[str, Any]]:
    timeline = body["data"]["search_by_raw_query"]["search_timeline"]["timeline"]
    return [e for e in timeline["instructions"][0]["entries"] if e["entryId"].startswith("tweet-")]


async def test_connection_close(x: Simulator, client: Any) -> None:
    x.fault("connection_close")
    for n in range(5):
        await client.create_tweet(f"hello {n}")
    assert client._response_headers["connection"] == "close"


async def test_a_fault_for_one_account_leaves_the_others_alone(
    x: Simulator, client: Any, connect: Connect
) -> None:
    x.fault("lock", account="sim_002")
    await client.create_tweet("hello")
    other = connect(x, 1)
    with pytest.raises(AccountLocked):
        await other.create_tweet("hello")


async def test_a_fault_is_not_used_up_by_what_it_does_not_strike(x: Simulator, connect: Connect) -> None:
    x.fault("code", code=226, times=1)
    client = connect(x)
    _ = await client.client_transaction.init(client.http, {})
    async with httpx.AsyncClient(transport=x.transport()) as stranger:
        assert (await stranger.get("https://api.x.com/1.1/account/settings.json")).status_code == 401
    with pytest.raises(CouldNotTweet, match="226"):
        await client.create_tweet("the handshake and the stranger took nothing of it")


async def test_clearing_some(x: Simulator, client: Any) -> None:
    x.fault("code", code=226, endpoint="CreateTweet")
    x.fault("code", code=131, endpoint="SearchTimeline")
    x.clear_faults(endpoint="CreateTweet")
    await client.create_tweet("hello")
    with pytest.raises(ServerError):
        await client.search_tweet("python", "Latest")


async def test_probability_is_drawn_from_the_seed(connect: Connect) -> None:
    async def run(seed: int) -> list[bool]:
        async with Simulator(accounts=1, seed=seed, limits=False) as x:
            client, failed = connect(x), []
            x.fault("server_error", endpoint="SearchTimeline", probability=0.5)
            for _ in range(20):
                try:
                    await client.search_tweet("nothing like this", "Latest")
                    failed.append(False)
                except ServerError:
                    failed.append(True)
            return failed

    first = await run(9)
    assert 3 < sum(first) < 17
    assert await run(9) == first
    assert await run(10) != first


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "lok"},
        {"kind": "code"},
        {"kind": "lock", "code": 226},
        {"kind": "slow"},
        {"kind": "stale_query"},
        {"kind": "stale_query", "endpoint": "CreateTweet", "account": "sim_001"},
        {"kind": "drip", "seconds": 0.1, "when": "before"},
        {"kind": "truncate", "when": "before"},
        {"kind": "lock", "times": 0},
        {"kind": "lock", "probability": 1.5},
        {"kind": "code", "code": 32, "status": 100},
        {"kind": "lock", "acount": "sim_001"},
        {"kind": "lock", "account": "sim_999"},
        {"kind": "lock", "endpoint": "createTweet"},
        {"kind": "code", "code": "226"},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(x: Simulator, fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        x.fault(**fields)


async def test_a_call_that_breaks_the_simulator_is_told_and_logged(
    x: Simulator, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ServerError, match="The simulator failed"):
        await client.gql.gql_post(
            "https://x.com/i/api/graphql/q/CreateTweet", {"tweet_text": "a", "media": 5}
        )
    assert "the simulator failed at CreateTweet" in caplog.text
    await client.create_tweet("hello")


async def test_what_is_not_simulated_says_so(x: Simulator, client: Any) -> None:
    with pytest.raises(NotFound, match="no operation AudioSpaceById"):
        await client.gql.audio_space_by_id("1")
