"""What a user of the pool writes, against the simulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.house import House, house
from twikit_pool import (
    ConnectionPoolConfig,
    ConnectionPriority,
    ConnectionRequest,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitConnectionPoolManager,
)
from twikit_pool.clock import SystemClock
from twikit_pool.errors import LeaseLost, PoolClosed, PoolError, StoreError
from twikit_pool.events import (
    AccountStateChanged,
    CallFinished,
    ConnectionEvent,
    ConnectionLeased,
    EndpointCooling,
)
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import CallFailed, TwikitSessionManager
from twikit_pool.simulator import Simulator


def written(folder: Path, x: Simulator) -> Path:
    for each in x.accounts:
        (folder / f"{each.id}.json").write_text(json.dumps(dict(each.cookies)))
    return folder


async def test_five_lines_and_a_folder_of_cookie_files(tmp_path: Path) -> None:
    async with Simulator(accounts=2) as x:
        backend = TwikitBackend(transport=lambda _account: x.transport())
        pattern = written(tmp_path, x) / "*.json"
        async with TwikitConnectionPool.from_cookies(str(pattern), backend=backend) as pool:
            tweet = await pool.execute("post_tweet", account="sim_002", content="Hello")
            assert tweet.author.handle == "sim_002"
            x.rotate_ct0("sim_002")
            await pool.execute("like_tweet", account="sim_002", tweet_id=tweet.id)
        assert json.loads(await _text(tmp_path / "sim_002.json"))["ct0"] == x.accounts[1].cookies["ct0"]


async def _text(path: Path) -> str:
    return path.read_text()  # noqa: ASYNC240 - a small file, in a test


async def test_a_connection_is_awaited_or_entered(home: House) -> None:
    request = ConnectionRequest(account_id=home.id(0), action="post_tweet", priority=ConnectionPriority.HIGH)
    async with home.pool.acquire(request) as connection:
        assert connection.account_id == home.id(0)
        assert (await connection.execute("post_tweet", content="one")).text == "one"
        assert await connection.client.user_id() == home.x.accounts[0].user_id
        raw = await connection.call("settings", lambda client: client.v11.settings())
        assert raw[0]["screen_name"] == home.x.accounts[0].handle
        assert "not held" not in repr(connection)
    assert "not held" in repr(connection)
    with pytest.raises(LeaseLost):
        await connection.execute("post_tweet", content="two")
    connection = await home.pool.acquire(request)
    connection.release()
    connection.release()


async def test_a_pool_that_is_not_open_says_how(home: House) -> None:
    pool = TwikitConnectionPool(home.sessions)
    with pytest.raises(PoolClosed, match="async with pool"):
        await pool.execute("get_user", handle="x")
    await pool.shutdown()
    with pytest.raises(PoolClosed, match="make another"):
        await pool.open()


async def test_an_account_is_in_one_pool_at_most(home: House) -> None:
    await home.pool.shutdown()
    async with TwikitConnectionPoolManager(home.sessions) as manager:
        brand = await manager.create_pool("brand", accept=lambda account: account.id == home.id(0))
        rest = await manager.create_pool("rest", ConnectionPoolConfig(max_connections=5))
        assert manager.pools == {"brand": brand, "rest": rest}
        assert {each.account_id for each in brand.connections()} == {home.id(0)}
        assert {each.account_id for each in rest.connections()} == {home.id(1), home.id(2)}
        with pytest.raises(PoolError, match="exists already"):
            await manager.create_pool("rest")
        with pytest.raises(PoolError, match="no account is left for pool 'more': 3 are in other pools"):
            await manager.create_pool("more")
        assert (await rest.execute("get_user", handle=home.id(0))).handle == home.id(0)
    with pytest.raises(PoolClosed):
        await rest.execute("get_user", handle=home.id(0))


async def test_events_tell_the_story_of_a_call(home: House) -> None:
    with home.pool.events.subscribe(ConnectionEvent) as events:
        await home.do("get_user", account=home.id(0), handle=home.id(1))
        home.x.fault("rate_limited", endpoint="SearchTimeline", account=home.id(1), times=1)
        home.x.fault("lock", account=home.id(2))
        await home.do("search_tweet", query="x")
        for account in (home.id(1), home.id(2)):
            with pytest.raises(CallFailed):
                async with home.pool.acquire(ConnectionRequest(account_id=account)) as connection:
                    await connection.execute("search_tweet", query="x")
        seen = events.take()
    kinds = [event.type for event in seen]
    assert kinds[:4] == ["connection_leased", "account_logged_in", "call_finished", "connection_released"]
    leased = next(event for event in seen if isinstance(event, ConnectionLeased))
    assert (leased.account_id, leased.action, leased.pool_id) == (home.id(0), "get_user", "default")
    finished = next(event for event in seen if isinstance(event, CallFinished))
    assert (finished.outcome, finished.action) == ("ok", "get_user")
    assert finished.latency > 0
    cooling = next(event for event in seen if isinstance(event, EndpointCooling))
    assert (cooling.endpoint, cooling.account_id) == ("SearchTimeline", home.id(1))
    ill = next(event for event in seen if isinstance(event, AccountStateChanged))
    assert ill.state == "locked"


async def test_old_transaction_keys_are_renewed_when_an_operation_is_unknown() -> None:
    class Later(SystemClock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    async with house(accounts=1) as home:
        clock = Later()
        backend = TwikitBackend(transport=lambda _account: home.x.transport())
        async with TwikitSessionManager(home.source, backend=backend, clock=clock) as sessions:
            await sessions.execute_action(home.id(0), "get_user", {"handle": home.id(0)})
            handshakes = home.x.calls.count("home")
            home.x.fault("stale_query", endpoint="SearchTimeline", times=1)
            with pytest.raises(
                CallFailed, match="library_stale"
            ):  # fresh keys: asking again would be in vain
                await sessions.execute_action(home.id(0), "search_tweet", {"query": "x"})
            assert home.x.calls.count("home") == handshakes
            clock.ahead = 3600.0
            home.x.fault("stale_query", endpoint="SearchTimeline", times=1)
            await sessions.execute_action(home.id(0), "search_tweet", {"query": "x"})
            assert home.x.calls.count("home") == handshakes + 1


async def test_cookies_that_cannot_be_saved_fail_no_call_and_are_saved_later(
    home: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    me = home.id(0)

    async def full_disk(account_id: str, cookies: Cookies) -> None:
        raise StoreError("the disk is full")

    async with TwikitSessionManager(home.source, backend=home.sessions._backend) as sessions:
        monkeypatch.setattr(home.source, "save_cookies", full_disk)
        home.x.rotate_ct0(me)
        await sessions.execute_action(me, "get_user", {"handle": me})
        assert "the disk is full" in caplog.text
        assert (await home.source.account(me)).credentials.cookies["ct0"] != home.x.accounts[0].cookies["ct0"]
        monkeypatch.undo()
        await sessions.execute_action(me, "get_user", {"handle": me})
    assert (await home.source.account(me)).credentials.cookies["ct0"] == home.x.accounts[0].cookies["ct0"]
