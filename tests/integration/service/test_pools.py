"""Pools over HTTP: seen, changed, made and shut down."""

from __future__ import annotations

from pathlib import Path

from tests.integration.service.served import served
from twikit_pool.pool import ConnectionRequest
from twikit_pool.service.tokens import Scope


async def test_a_pool_is_seen_and_changed(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        [status] = (await http.get("/v1/pools")).json()
        assert (status["pool_id"], status["mode"], status["total"]) == ("default", "open", 3)
        shown = (await http.get("/v1/pools/default")).json()
        assert shown["accounts"] == 3
        config = (await http.patch("/v1/pools/default/config", json={"max_connections": 2})).json()
        assert config["max_connections"] == 2
        assert (await http.get("/v1/pools/default/config")).json() == config
        resized = await http.post("/v1/pools/default/resize", json={"size": 2})
        assert resized.status_code == 200
        assert (await http.get("/v1/pools/default/circuits")).json() == []
        assert (await http.get("/v1/pools/default/brake")).json()["fleet"]["in_flight"] == 0
        daemon.service.manager.attendants.collector.collect()
        assert (await http.get("/v1/pools/default/metrics")).json()["total_connections"] == 2


async def test_a_pool_is_suspended_drained_stopped_and_resumed(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        pool = daemon.service.pool("default")
        assert (await http.post("/v1/pools/default/suspend", json={})).json()["mode"] == "suspended"
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.post("/v1/pools/default/resume")).json()["mode"] == "open"
        assert (await http.get("/readyz")).json() == {"ready": True, "pools": {"default": "open"}}
        stopped = await http.post("/v1/pools/default/emergency-stop", json={"reason": "drill", "pause": 60})
        assert stopped.json()["mode"] == "emergency"
        await http.post("/v1/pools/default/resume")
        drained = await http.post("/v1/pools/default/drain", json={"grace": 1})
        assert (drained.json()["mode"], drained.json()["total"]) == ("drained", 0)
        await http.post("/v1/pools/default/resume")
        assert pool.mode == "open"


async def test_pools_are_made_and_shut_down(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        assert (await http.delete("/v1/pools/default")).status_code == 204
        made = await http.post("/v1/pools", json={"name": "news", "config": {"max_connections": 2}})
        assert (made.status_code, made.json()["pool_id"]) == (201, "news")
        again = await http.post("/v1/pools", json={"name": "news"})
        assert (again.status_code, again.json()["title"]) == (409, "the pool cannot do this")
        wrong = await http.post("/v1/pools", json={"name": "more", "config": {"max_conections": 2}})
        assert wrong.status_code == 422
        assert "did you mean max_connections?" in wrong.json()["detail"]
        assert set(daemon.service.manager.pools) == {"news"}


async def test_a_wait_is_explained(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        lease = await daemon.service.pool("default").acquire(ConnectionRequest(account_id="sim_001"))
        asked = {"account_id": "sim_001", "priority": 3}
        told = (await http.post("/v1/pools/default/explain", json=asked)).json()
        assert told["sentence"].startswith("of 1 accounts 1 leased")
        lease.release()


async def test_problems_say_what_is_wrong(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        missing = await http.get("/v1/pools/nowhere")
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.json() == {
            "type": missing.json()["type"],
            "title": "no such pool",
            "status": 404,
            "detail": "no pool named 'nowhere' (default)",
        }
        for path, body in (
            ("resize", {"size": -1}),
            ("resize", {"size": "many"}),
            ("resize", {"siz": 3}),
            ("resize", {"size": 10**9}),
            ("emergency-stop", {"reason": ""}),
            ("suspend", {"seconds": -1}),
        ):
            wrong = await http.post(f"/v1/pools/default/{path}", json=body)
            assert wrong.status_code == 422, (path, body, wrong.text)
            assert wrong.json()["title"] == "the input is wrong"
            assert wrong.json()["errors"]
        assert (await http.post("/v1/pools/default/resize", content=b"{")).status_code == 400
        assert (await http.get("/v1/nothing")).status_code == 404
        assert (await http.put("/v1/pools")).status_code == 405
        large = await http.patch("/v1/pools/default/config", content=b" " * 2_000_000)
        assert large.status_code == 413


async def test_what_nobody_foresaw_is_not_shown(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        daemon.service.manager.status = None  # type: ignore[assignment,method-assign]
        daemon.service.pool("default").status = lambda: 1 / 0  # type: ignore[method-assign]
        told = await http.get("/v1/pools/default")
        assert (told.status_code, told.json()["title"]) == (500, "an error that nobody foresaw")
        assert "ZeroDivision" not in told.text


async def test_prometheus_reads_the_metrics(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        daemon.service.manager.attendants.collector.collect()
        answer = await http.get("/metrics")
        assert 'twikit_pool_connections_max{pool_id="default"} 100.0' in answer.text
