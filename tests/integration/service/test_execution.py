"""Acting over HTTP: what can be done, doing it, and clients who leave in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.service.leaving import crash, descriptors, quiet, request, sent, until
from tests.integration.service.served import served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionRequest, ConnectionState
from twikit_pool.service.tokens import Scope
from twikit_pool.sessions import ACTIONS

EXECUTE = "/v1/pools/default/execute"
POST = {"action": "post_tweet", "parameters": {"content": "Hello"}}


async def test_every_action_is_described(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        listed = (await http.get("/v1/actions")).json()
        assert {each["name"] for each in listed} == ACTIONS.keys()
        for each in listed:
            shown = (await http.get(f"/v1/actions/{each['name']}")).json()
            assert {**shown, **each} == shown
            assert shown["parameters"]["type"] == "object"
        post = (await http.get("/v1/actions/post_tweet")).json()
        assert post["writes"]
        assert post["endpoint"] == "CreateTweet"
        assert post["needs"] == "Long posts need an account that may send them."
        assert post["parameters"]["properties"]["poll"]["anyOf"][0] == {"$ref": "#/$defs/Poll"}
        assert "media" not in post["parameters"]["properties"], "no files of the service's machine"
        search = (await http.get("/v1/actions/search_tweet")).json()
        assert search["parameters"]["required"] == ["query"]
        assert search["paged"]
        unknown = await http.get("/v1/actions/post_twet")
        assert (unknown.status_code, unknown.json()["title"]) == (404, "no such action")


async def test_something_is_done_by_an_account_that_is_named(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        order = {**POST, "account": "sim_002", "priority": 4, "deadline": 20}
        done = (await http.post(EXECUTE, json=order)).json()
        assert done["account_id"] == "sim_002"
        assert done["attempts"] == 1
        assert done["seconds"] > 0
        assert done["result"]["text"] == "Hello"
        assert [write.account for write in daemon.x.writes] == ["sim_002"]


async def test_pages_are_read_one_after_another(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            order = {"action": "search_tweet", "parameters": {"query": "the", "count": 5, "cursor": cursor}}
            page = (await http.post(EXECUTE, json=order)).json()["result"]
            assert page.keys() == {"items", "next_cursor"}
            seen += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert len(set(seen)) == len(seen) == 15
        nothing = {"action": "search_tweet", "parameters": {"query": "qqqqqqqqqqqq"}}
        assert (await http.post(EXECUTE, json=nothing)).json()["result"]["items"] == []


async def test_what_cannot_be_sent_is_refused_and_nothing_leaves(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        for order, status, said in (
            ({"action": "post_twet"}, 404, "did you mean 'post_tweet'?"),
            ({"action": "post_tweet"}, 422, "nothing to post"),
            ({"action": "get_user", "parameters": {"handel": "x"}}, 422, "unknown parameter `handel`"),
            (
                {"action": "post_tweet", "parameters": {"media": ["/etc/passwd"]}},
                422,
                "the service's machine",
            ),
            ({"action": "upload_media", "parameters": {"path": "/x.png"}}, 422, "the service's machine"),
            ({**POST, "account": "nobody"}, 404, "nobody"),
            ({**POST, "deadline": 10_000}, 422, "deadline"),
            ({**POST, "priority": 9}, 422, "priority"),
            ({**POST, "akount": "sim_001"}, 422, "akount"),
        ):
            refused = await http.post(EXECUTE, json=order)
            assert refused.status_code == status, (order, refused.text)
            assert said in refused.text
        assert (await http.post("/v1/pools/none/execute", json=POST)).status_code == 404
        assert not daemon.x.writes


async def test_what_x_refuses_is_told_with_its_verdict(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        daemon.x.fault("code", code=187, endpoint="CreateTweet", times=1)
        refused = await http.post(EXECUTE, json=POST)
        assert (refused.status_code, refused.json()["title"]) == (422, "X refuses this")
        assert refused.json()["verdict"]["taken"] == "no"
        daemon.x.fault("close", endpoint="CreateTweet", times=1)
        unclear = await http.post(EXECUTE, json=POST)
        assert (unclear.status_code, unclear.json()["verdict"]["taken"]) == (502, "unknown")
        assert len(daemon.x.writes) == 1, "it was not sent again"


async def test_nobody_waits_longer_than_the_deadline(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        lease = await daemon.service.pool("default").acquire()
        late = await http.post(EXECUTE, json={**POST, "deadline": 0.2})
        assert (late.status_code, late.json()["title"]) == (503, "no connection came free in time")
        assert late.headers["retry-after"] == "1"
        lease.release()
        daemon.x.fault("hang", endpoint="CreateTweet", times=1)
        cut = await http.post(EXECUTE, json={**POST, "deadline": 0.3})
        assert (cut.status_code, cut.json()["verdict"]["taken"]) == (502, "unknown")


async def test_who_leaves_the_line_frees_its_place(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon:
        pool = daemon.service.pool("default")
        await until(lambda: pool.counts()[ConnectionState.IDLE] == 1)
        async with pool.acquire():
            before = descriptors()
            waiting = [await sent(daemon, request(daemon, EXECUTE, POST)) for _ in range(5)]
            await until(lambda: pool.waiting == 5)
            for raw in waiting:
                crash(raw)
            await until(lambda: not pool.waiting)
        await quiet(daemon, before)
        assert not daemon.x.writes


async def test_a_write_that_has_left_goes_on_when_its_client_leaves(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon:
        async with daemon.client(Scope.EXECUTE) as http:
            await http.post(EXECUTE, json={"action": "get_user", "parameters": {"handle": "sim_001"}})

        def generation() -> list[int]:
            return [each.generation for each in daemon.service.pool("default").connections()]

        before, untouched = descriptors(), generation()
        daemon.x.fault("slow", seconds=0.3, endpoint="CreateTweet")
        raw = await sent(daemon, request(daemon, EXECUTE, POST))
        await until(lambda: any(act.sent for act in daemon.service.remote.acts))
        crash(raw)
        await until(lambda: daemon.x.writes)
        await quiet(daemon, before)
        assert generation() == untouched, "its client was not cut short, and need not be replaced"


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25])
async def test_clients_who_break_off_at_any_moment_leave_nothing_behind(tmp_path: Path, delay: float) -> None:
    async with served(tmp_path, accounts=2, latency=0.03) as daemon:
        pool = daemon.service.pool("default")
        async with pool.acquire(ConnectionRequest(account_id="sim_001")) as lease:
            await lease.execute("get_user", handle="sim_001")
        before = descriptors()
        whole = request(daemon, EXECUTE, POST)
        partly = [whole[:20], whole[: len(whole) - 30], whole, whole, whole]
        sockets = [await sent(daemon, part) for part in partly]
        await asyncio.sleep(delay)
        for raw in sockets:
            crash(raw)
        await quiet(daemon, before)
        async with daemon.client(Scope.EXECUTE) as http:
            assert (await http.post(EXECUTE, json=POST)).status_code in (200, 422)


async def test_the_daemon_ends_while_clients_wait(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None, shutdown_grace=1)
    async with served(tmp_path, config, accounts=1) as daemon:
        pool = daemon.service.pool("default")
        lease = await pool.acquire()
        raw = await sent(daemon, request(daemon, EXECUTE, POST))
        await until(lambda: pool.waiting == 1)
        asyncio.get_running_loop().call_later(0.1, lease.release)
    raw.close()
    assert len(daemon.x.writes) <= 1
