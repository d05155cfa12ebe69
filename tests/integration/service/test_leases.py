"""Leases over HTTP: held by those who are elsewhere, and gone when they are."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.leaving import crash, descriptors, quiet, request, sent, until
from tests.integration.service.served import Served, served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionState
from twikit_pool.service.tokens import Scope

LEASES = "/v1/pools/default/leases"
POST = {"action": "post_tweet", "parameters": {"content": "Hello"}}
READ = {"action": "get_user", "parameters": {"handle": "sim_001"}}


async def lease(http: httpx.AsyncClient, **wish: Any) -> str:
    answer = await http.post(LEASES, json=wish)
    assert answer.status_code == 201, answer.text
    return answer.json()["lease_id"]


async def ready(daemon: Served) -> None:
    """A connection is open, and its handshake made."""
    async with daemon.service.pool("default").acquire() as connection:
        await connection.execute("get_user", handle="sim_001")


async def test_a_lease_is_made_used_kept_and_given_back(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        pool = daemon.service.pool("default")
        granted = (await http.post(LEASES, json={"account_id": "sim_002", "ttl": 30})).json()
        assert granted["account_id"] == "sim_002"
        assert granted["connection_id"] == "sim_002#1"
        assert 29 < granted["expires_in"] <= 30
        path = f"/v1/leases/{granted['lease_id']}"
        for text in ("One", "Two"):
            step = {**POST, "parameters": {"content": text}}
            done = (await http.post(f"{path}/execute", json=step)).json()
            assert (done["account_id"], done["result"]["text"]) == ("sim_002", text)
        assert (await http.post(f"{path}/heartbeat")).json()["expires_in"] == pytest.approx(30, abs=1)
        assert (await http.delete(path)).status_code == 204
        assert (await http.delete(path)).status_code == 204
        over = await http.post(f"{path}/execute", json=POST)
        assert (over.status_code, over.json()["title"]) == (410, "the lease is over")
        assert pool.counts()[ConnectionState.LEASED] == 0
        assert [write.key for write in daemon.x.writes] == ["One", "Two"]


async def test_others_do_not_see_whose_id_it_is_and_cannot_use_it(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        lease_id = await lease(http)
        async with daemon.client(Scope.ADMIN) as other:
            path = f"/v1/leases/{lease_id}"
            for method, where in (("POST", "/heartbeat"), ("POST", "/execute"), ("DELETE", "")):
                answer = await other.request(method, path + where, json=READ)
                assert answer.status_code == 404, where
        async with daemon.client(Scope.READ) as reader:
            listed = await reader.get("/v1/leases")
        [shown] = listed.json()
        assert lease_id not in listed.text
        assert shown["account_id"].startswith("sim_")
        assert (shown["pool_id"], shown["calls"]) == ("default", 0)
        assert 0 <= shown["age"] < 10
        assert (await http.post("/v1/leases/x/heartbeat")).status_code == 404
        await http.delete(f"/v1/leases/{lease_id}")
        assert (await http.get("/v1/leases")).json() == []


async def test_who_is_not_heard_of_loses_it_to_who_waits(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        first = await lease(http, ttl=1)
        second = await lease(http, wait=5)
        lost = await http.post(f"/v1/leases/{first}/heartbeat")
        assert lost.status_code == 410
        assert "not heard of for 1 s" in lost.json()["detail"]
        assert (await http.delete(f"/v1/leases/{second}")).status_code == 204


async def test_a_wait_ends_without_one(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        held = await lease(http)
        for wait in (0, 0.2):
            late = await http.post(LEASES, json={"wait": wait})
            assert (late.status_code, late.json()["title"]) == (503, "no connection came free in time")
        for wrong in ({"wait": 61}, {"wait": -1}, {"ttl": 0}, {"ttl": 1e9}, {"tll": 5}, {"priority": 0}):
            assert (await http.post(LEASES, json=wrong)).status_code == 422, wrong
        assert (await http.post(LEASES, json={"account_id": "nobody"})).status_code == 404
        await http.delete(f"/v1/leases/{held}")


async def test_calls_of_one_lease_come_one_after_another(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = f"/v1/leases/{await lease(http)}/execute"
        daemon.x.fault("slow", seconds=0.05, endpoint="CreateTweet")
        steps = [{**POST, "parameters": {"content": f"No. {n}"}} for n in range(4)]
        done = await asyncio.gather(*[http.post(path, json=step) for step in steps])
        assert {each.status_code for each in done} == {200}
        same = [http.post(path, json=steps[0], headers={"Idempotency-Key": "a"}) for _ in range(3)]
        answers = await asyncio.gather(*same)
        assert len({each.content for each in answers}) == 1
        assert len(daemon.x.writes) <= 5


async def test_a_pool_that_shuts_down_ends_them(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        held = await lease(http)
        assert (await http.delete("/v1/pools/default?grace=0")).status_code == 204
        over = await http.post(f"/v1/leases/{held}/execute", json=READ)
        assert over.status_code == 410
        assert "the pool took the connection back" in over.json()["detail"]


async def test_the_daemon_ends_with_leases_held(tmp_path: Path) -> None:
    began = asyncio.get_running_loop().time()
    async with (
        served(tmp_path, ConnectionPoolConfig(shutdown_grace=30)) as daemon,
        daemon.client(Scope.EXECUTE) as http,
    ):
        await lease(http)
    assert asyncio.get_running_loop().time() - began < 15, "they were given back, so nobody waited for them"


# ---------------------------------------------------------------- clients who break off


async def test_who_leaves_the_line_leaves_it_at_once(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon:
        pool = daemon.service.pool("default")
        await ready(daemon)
        async with pool.acquire():
            before = descriptors()
            waiting = [await sent(daemon, request(daemon, LEASES, {"wait": 60})) for _ in range(5)]
            await until(lambda: pool.waiting == 5)
            for raw in waiting:
                crash(raw)
            await until(lambda: not pool.waiting)
        await quiet(daemon, before)


async def test_who_leaves_as_it_is_granted_keeps_nothing(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon:
        pool = daemon.service.pool("default")
        await ready(daemon)
        before = descriptors()
        for turn in range(20):
            lease = await pool.acquire()
            raw = await sent(daemon, request(daemon, LEASES, {"wait": 60, "ttl": 1}))
            await until(lambda: pool.waiting == 1)
            crash(raw)  # the loop hears of it only after the connection is handed over, or just before
            if turn % 2:
                await asyncio.sleep(0)
            lease.release()
            await until(lambda: not len(daemon.service.remote.leases))
        await quiet(daemon, before)


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.003, 0.01, 0.03, 0.1])
async def test_clients_who_break_off_at_any_moment_leave_nothing_behind(tmp_path: Path, delay: float) -> None:
    async with served(tmp_path, accounts=2, latency=0.02) as daemon:
        pool = daemon.service.pool("default")
        await ready(daemon)
        await until(lambda: pool.counts()[ConnectionState.IDLE] == 2)
        before = descriptors()
        async with daemon.client(Scope.EXECUTE) as http:
            kept = await lease(http, ttl=1)
            whole = request(daemon, LEASES, {"wait": 5, "ttl": 1})
            step = request(daemon, f"/v1/leases/{kept}/execute", READ)
            parts = [whole[:25], whole[:-5], whole, whole, step[:-5], step, step]
            sockets = [await sent(daemon, part) for part in parts]
            await asyncio.sleep(delay)
            for raw in sockets:
                crash(raw)
        await quiet(daemon, before)
        async with pool.acquire(), pool.acquire():
            pass


async def test_ids_and_tokens_are_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="twikit_pool")
    async with served(tmp_path, accounts=1) as daemon:
        async with daemon.client(Scope.EXECUTE) as http:
            held = await lease(http, ttl=1)
            await http.post(f"/v1/leases/{held}/execute", json=POST)
            await until(lambda: not len(daemon.service.remote.leases))
        # Not what the HTTP client of this very test may log of its own requests.
        logged = [record.getMessage() for record in caplog.records if record.name != "httpx"]
        text = "\n".join([*logged, (tmp_path / "audit.log").read_text()])
        assert held not in text
        assert daemon.tokens[Scope.EXECUTE] not in text
