"""Resources over HTTP: what a pool costs, and what is done about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.integration.service.served import served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.service.tokens import Scope

RESOURCES = "/v1/pools/default/resources"
CONFIG = ConnectionPoolConfig(
    min_connections=0,
    initial_connections=3,
    enable_auto_scaling=False,
    optimize_long_idle=0.001,
    optimize_idle_after=0.001,
)


async def test_what_would_be_done_is_told_then_done(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        async with asyncio.timeout(5):
            while pool.status().available < 3:  # noqa: ASYNC110 - it is no event
                await asyncio.sleep(0.01)
        before = (await http.get(RESOURCES)).json()
        assert before["latest"] is None
        assert before["process"]["memory"] > 0
        dry = (await http.post(f"{RESOURCES}/optimize", json={"dry_run": True})).json()
        assert (dry["dry_run"], dry["connections_after"], len(dry["actions"])) == (True, 3, 3)
        assert pool.size == 3
        done = (await http.post(f"{RESOURCES}/optimize", json={})).json()
        assert (done["dry_run"], done["connections_closed"], pool.size) == (False, 3, 0)
        assert (await http.get(RESOURCES)).json()["latest"] == done
        history = (await http.get(f"{RESOURCES}/history")).json()
        assert history == [done, dry]
        assert (await http.get(f"{RESOURCES}/history", params={"limit": 1})).json() == [done]
        assert (await http.get(f"{RESOURCES}/history", params={"limit": 0})).status_code == 422


async def test_a_pool_that_is_not_looked_after_says_why(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as daemon, daemon.client(Scope.OPERATE) as http:
        daemon.service.pool("default").suspend()
        answer = await http.post(f"{RESOURCES}/optimize", json={})
        assert answer.status_code == 409
        assert "it is suspended" in answer.json()["detail"]
