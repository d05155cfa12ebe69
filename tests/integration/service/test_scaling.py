"""Scaling over HTTP: what was decided, what bounds it, and dry runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.service.served import listening, served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.service.app import application
from twikit_pool.service.service import Service
from twikit_pool.service.tokens import Scope

SCALING = "/v1/pools/default/scaling"
CONFIG = ConnectionPoolConfig(min_connections=1, initial_connections=2, scaling_interval=3600)


async def test_the_latest_decision_and_those_before_are_told(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as daemon, daemon.client(Scope.READ) as http:
        first = (await http.get(SCALING)).json()
        assert (first["decision"], first["history"], first["size"]) == (None, [], 2)
        assert first["ceilings"] == ["3 accounts may have 3 connections (max_connections_per_account)"]
        scaler = daemon.service.manager.attendants.scaler
        scaler.decide_now()
        scaler.decide_now()
        told = (await http.get(SCALING)).json()
        assert told["decision"]["action"] in ("hold", "scale_up", "scale_down")
        assert told["decision"]["reason"]
        assert told["history"][0]["decision"] == told["decision"]
        assert (await http.get(SCALING, params={"limit": 0})).json()["history"] == []
        assert (await http.get(SCALING, params={"limit": -1})).status_code == 422
        daemon.service.pool("default").limit_size(1, "others have the rest")
        assert "1 connections at most: others have the rest" in (await http.get(SCALING)).json()["ceilings"]


async def test_a_dry_run_is_begun_and_ended(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        assert (await http.put(f"{SCALING}/dry-run", json={"on": True})).json()["dry_run"]
        assert pool.config.scaling_dry_run
        assert not (await http.put(f"{SCALING}/dry-run", json={"on": False})).json()["dry_run"]
        assert not pool.config.scaling_dry_run
        assert (await http.put(f"{SCALING}/dry-run", json={})).status_code == 422


async def without_automation(daemon: Any) -> TwikitConnectionPoolManager:
    manager = TwikitConnectionPoolManager(daemon.service.sessions, automation=None)
    await manager.create_pool("default", CONFIG)
    return manager


async def test_a_manager_without_automation_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, await without_automation(daemon) as manager:
        service = Service(daemon.service.sessions, manager, daemon.service.access, daemon.service.audit)
        async with listening(application(service)) as url, daemon.client() as http:
            pool = f"{url}/v1/pools/default"
            for answer in (
                await http.get(f"{pool}/scaling"),
                await http.put(f"{pool}/scaling/dry-run", json={"on": True}),
                await http.get(f"{pool}/resources"),
                await http.get(f"{pool}/resources/history"),
                await http.post(f"{pool}/resources/optimize", json={}),
            ):
                assert answer.status_code == 409
                assert "automation=None" in answer.json()["detail"]
        assert not manager.pool().config.scaling_dry_run
