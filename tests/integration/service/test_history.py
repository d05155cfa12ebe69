"""What was, over HTTP: figures and events, from before a restart too."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.service.served import served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.metrics.history import FIGURES, History
from twikit_pool.service.tokens import Scope

CONFIG = ConnectionPoolConfig(metrics_interval=0.1, acquire_timeout=5)
FIGURES_PATH = "/v1/pools/default/metrics/history"
EVENTS_PATH = "/v1/pools/default/history/events"


async def test_charts_and_events_go_on_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    for run in (1, 2):
        async with served(tmp_path, CONFIG, history=History(file)) as daemon, daemon.client() as http:
            body = {"action": "search_tweet", "parameters": {"query": "sunrise"}}
            for _ in range(5):
                assert (await http.post("/v1/pools/default/execute", json=body)).status_code == 200
            stop = {"reason": f"run {run}", "pause": 1}
            assert (await http.post("/v1/pools/default/emergency-stop", json=stop)).status_code == 200
            await asyncio.sleep(1.6)
            answer = (
                await http.get(FIGURES_PATH, params={"step": 3600, "figures": "calls,response_p95"})
            ).json()
            assert answer["kept"] == 12 * 7 * 86_400
            assert (answer["lost"], answer["failing"]) == (0, None)
            columns = answer["columns"]
            assert set(columns) == {"at", "seconds", "calls", "response_p95"}
            made = sum(a * b for a, b in zip(columns["calls"], columns["seconds"], strict=True))
            assert round(made) == 5 * run
            stops = (await http.get(EVENTS_PATH, params={"kind": "emergency_stop"})).json()
            assert [each["fields"]["reason"] for each in stops["items"]] == [
                f"run {each}" for each in range(run, 0, -1)
            ]


async def test_events_are_paged_and_filtered(tmp_path: Path) -> None:
    async with (
        served(tmp_path, CONFIG, history=History(tmp_path / "history.db"), accounts=5) as daemon,
        daemon.client(Scope.READ) as http,
    ):
        await asyncio.sleep(1.5)
        every = (await http.get(EVENTS_PATH, params={"limit": 1000})).json()["items"]
        seen, before = [], None
        while True:
            params = {"limit": 2, "kind": "connection"} | ({} if before is None else {"before": before})
            page = (await http.get(EVENTS_PATH, params=params)).json()
            seen += page["items"]
            before = page["next"]
            if before is None:
                break
        assert seen == [each for each in every if each["kind"] == "connection"]
        assert len(seen) == 5
        one = (await http.get(EVENTS_PATH, params={"account": "sim_003"})).json()["items"]
        assert {each["account_id"] for each in one} == {"sim_003"}
        soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
        assert (await http.get(EVENTS_PATH, params={"since": soon})).json()["items"] == []
        assert len(
            (await http.get(EVENTS_PATH, params={"until": soon, "limit": 1000})).json()["items"]
        ) >= len(every)
        for wrong in ({"before": "x"}, {"limit": 0}, {"since": "yesterday"}):
            assert (await http.get(EVENTS_PATH, params=wrong)).status_code == 422, wrong


async def test_without_a_file_the_last_day_is_in_memory(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as daemon, daemon.client(Scope.READ) as http:
        await asyncio.sleep(1.3)
        answer = (await http.get(FIGURES_PATH)).json()
        assert answer["kept"] == 86_400
        assert len(answer["columns"]["at"]) >= 5
        assert (await http.get(EVENTS_PATH)).json()["items"]
        wrong = await http.get(FIGURES_PATH, params={"figures": "calls,clls"})
        assert wrong.status_code == 422
        assert "clls" in wrong.json()["detail"]
        all_ = await http.get(FIGURES_PATH, params={"figures": ",".join(FIGURES)})
        assert set(all_.json()["columns"]) == {"at", "seconds", *FIGURES}
        far = {"since": "0001-01-01T00:00:00", "until": "9999-12-31T00:00:00Z", "step": 3600}
        assert (await http.get(FIGURES_PATH, params=far)).status_code == 200


async def test_prometheus_says_whether_it_works(tmp_path: Path) -> None:
    async with (
        served(tmp_path, CONFIG, history=History("postgresql+psycopg://u@127.0.0.1:1/x")) as daemon,
        daemon.client(Scope.READ) as http,
    ):
        await asyncio.sleep(1.5)
        text = (await http.get("/metrics")).text
        assert "twikit_pool_history_works 0.0" in text
        assert "twikit_pool_history_lost_total 0.0" in text
        answer = (await http.get(FIGURES_PATH)).json()
        assert "failed" in answer["failing"]
        assert len(answer["columns"]["at"]) >= 5, "what is in memory"
