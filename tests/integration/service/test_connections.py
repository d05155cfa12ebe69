"""Connections over HTTP: listed, closed when they are free, and taken back from those who hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.served import Served, served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import LeaseLost
from twikit_pool.events import ConnectionClosed, ConnectionReclaimed
from twikit_pool.pool import ConnectionRequest, Reservation
from twikit_pool.service.tokens import Scope
from twikit_pool.sessions.outcomes import CallFailed

CONNECTIONS = "/v1/pools/default/connections"


async def opened(daemon: Served, number: int) -> None:
    """Wait until so many connections are idle."""
    pool = daemon.service.pool("default")
    await until(lambda: pool.status().available >= number)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def ids(http: httpx.AsyncClient, **query: Any) -> list[str]:
    page = (await http.get(CONNECTIONS, params=query)).json()
    return [each["connection_id"] for each in page["items"]]


async def test_connections_are_listed_filtered_sorted_and_paged(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=10) as daemon, daemon.client(Scope.READ) as http:
        await opened(daemon, 10)
        pool = daemon.service.pool("default")
        lease = await pool.acquire(ConnectionRequest(account_id="sim_003"))
        page = (await http.get(CONNECTIONS)).json()
        assert (page["total"], page["offset"], len(page["items"])) == (10, 0, 10)
        assert await ids(http, state="leased") == ["sim_003#1"]
        assert await ids(http, account="SIM_00", limit=2) == ["sim_001#1", "sim_002#1"]
        assert await ids(http, offset=9) == ["sim_010#1"]
        assert await ids(http, sort="usage_count", descending=True, limit=1) == ["sim_003#1"]
        assert await ids(http, sort="connection_id", descending=True, limit=1) == ["sim_010#1"]
        pool.quarantine("sim_003", "ill", 60)
        assert await ids(http, healthy=False) == ["sim_003#1"]
        assert (await http.get(CONNECTIONS, params={"healthy": True})).json()["total"] == 9
        lease.release()
        for wrong in ({"state": "lost"}, {"limit": 1001}, {"limit": 0}, {"offset": -1}, {"sort": "borrower"}):
            assert (await http.get(CONNECTIONS, params=wrong)).status_code == 422, wrong


async def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(min_connections=0, max_connections_per_account=11)
    async with served(tmp_path, config, accounts=1) as daemon, daemon.client() as http:
        pool = daemon.service.pool("default")
        leases = [await pool.acquire(ConnectionRequest(account_id="sim_001")) for _ in range(11)]
        assert (await ids(http))[-2:] == ["sim_001#10", "sim_001#11"]
        for each in leases:
            each.release()


@pytest.mark.parametrize("sort", ["account_id", "state", "health", "idle_time", "created_at", "error_count"])
async def test_every_order_has_all_of_them(tmp_path: Path, sort: str) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        await opened(daemon, 3)
        assert sorted(await ids(http, sort=sort)) == ["sim_001#1", "sim_002#1", "sim_003#1"]


async def test_one_connection_is_shown_and_no_secret_is(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        await opened(daemon, 3)
        shown = await http.get(f"{CONNECTIONS}/sim_001%231")
        assert (shown.status_code, shown.json()["account_id"]) == (200, "sim_001")
        told = shown.text + (await http.get(CONNECTIONS)).text
        assert not [
            each for account in daemon.x.accounts for each in account.cookies.values() if each in told
        ]
        missing = await http.get(f"{CONNECTIONS}/sim_001%2399")
        assert missing.status_code == 404
        assert "no connection 'sim_001#99'" in missing.json()["detail"]


async def test_a_free_connection_is_closed_at_once_a_leased_one_when_it_comes_back(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(min_connections=0, initial_connections=0, acquire_timeout=5)
    async with served(tmp_path, config) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        lease = await pool.acquire(ConnectionRequest(account_id="sim_001"))
        answer = await http.post(f"{CONNECTIONS}/sim_001%231/close")
        assert (answer.json()["state"], answer.json()["healthy"]) == ("leased", False)
        assert lease.held
        lease.release()
        assert (await http.get(f"{CONNECTIONS}/sim_001%231")).status_code == 404
        (await pool.acquire(ConnectionRequest(account_id="sim_002"))).release()
        assert (await http.post(f"{CONNECTIONS}/sim_002%231/close")).json()["state"] == "closed"
        kept = pool.reserve("sim_003", "spring")
        await opened_for(kept)
        assert (await http.post(f"{CONNECTIONS}/sim_003%231/close")).json()["state"] == "closed"
        await opened_for(kept)
        assert kept.connection is not None
        assert kept.connection.id == "sim_003#2", "the owner has another"
        assert (await http.post(f"{CONNECTIONS}/sim_002%231/close")).status_code == 404


async def opened_for(reservation: Reservation) -> None:
    await until(lambda: reservation.connection is not None and reservation.connection.state == "reserved")


async def test_a_lease_is_taken_back_from_its_borrower(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        lease = await pool.acquire(ConnectionRequest(account_id="sim_001"))
        with pool.events.subscribe(ConnectionReclaimed, ConnectionClosed) as events:
            answer = await http.post(f"{CONNECTIONS}/{lease.connection.id.replace('#', '%23')}/release")
            assert (answer.status_code, answer.json()["state"]) == (200, "closed")
            told: list[Any] = [await anext(aiter(events)) for _ in range(2)]
        assert [each.type for each in told] == ["connection_reclaimed", "connection_closed"]
        assert told[0].account_id == "sim_001"
        assert "taken back through the API" in told[1].reason
        assert not lease.held
        with pytest.raises(LeaseLost, match="taken back"):
            await lease.execute("get_user", handle="x")
        lease.release()
        async with pool.acquire(ConnectionRequest(account_id="sim_001")) as another:
            assert another.connection.id == "sim_001#2"


async def test_a_call_under_way_fails_when_its_lease_is_taken_back(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        lease = await pool.acquire(ConnectionRequest(account_id="sim_001"))
        held = lease.connection
        daemon.x.fault("hang", endpoint="UserByScreenName")
        call = asyncio.create_task(lease.execute("get_user", handle="sim_001"))
        await until(lambda: held.session is not None and held.session.unsettled)
        answer = await http.post(f"{CONNECTIONS}/{held.id.replace('#', '%23')}/release")
        assert answer.status_code == 200
        with pytest.raises((CallFailed, LeaseLost)):
            async with asyncio.timeout(10):
                await call


async def test_what_nobody_holds_cannot_be_taken_back(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        await opened(daemon, 3)
        answer = await http.post(f"{CONNECTIONS}/sim_001%231/release")
        assert answer.status_code == 409
        assert answer.json()["detail"] == "nobody holds sim_001#1: it is idle, and may be closed"


async def test_connections_tell_what_they_did_and_what_they_may_still_do(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        await opened(daemon, 3)
        pool = daemon.service.pool("default")
        for _ in range(2):
            await pool.execute("search_tweet", account="sim_002", query="x")
        await pool.execute("get_user", account="sim_003", handle="sim_001")
        key = "average_response_time"
        assert (await ids(http, sort=key))[0] == "sim_001#1", "who made no call comes before all others"
        assert (await ids(http, sort=key, descending=True))[-1] == "sim_001#1"
        fresh, used, _ = (await http.get(CONNECTIONS)).json()["items"]
        assert (fresh["budget"], fresh["response_times"], fresh["reason"]) == (None, [], "")
        assert (used["budget"]["endpoint"], used["budget"]["left"]) == ("SearchTimeline", 48)
        assert (used["budget"]["expected"], used["budget"]["most"]) == (48, 50)
        assert len(used["response_times"]) == 2
        detail = (await http.get(f"{CONNECTIONS}/sim_002%231")).json()
        assert [(each["action"], each["outcome"]) for each in detail["calls"]] == [("search_tweet", "ok")] * 2
        assert detail["calls"][0]["at"] > detail["calls"][1]["at"], "the latest first"
        unknown = next(each for each in detail["budgets"] if each["endpoint"] == "CreateNoteTweet")
        assert (unknown["left"], unknown["expected"], unknown["most"]) == (1, 50, 50), (
            "a probe, and then the cap"
        )
        assert detail["budgets"][0] | {"returns_in": 0} == used["budget"] | {"returns_in": 0}
        pool.connection("sim_002#1").member.windows.rest("SearchTimeline", 600)
        assert (await ids(http, healthy=True)) == ["sim_001#1", "sim_002#1", "sim_003#1"]
        reason = (await http.get(f"{CONNECTIONS}/sim_002%231")).json()["reason"]
        assert reason == "cooling: SearchTimeline; the rate window opens in 10 min"
