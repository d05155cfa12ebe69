"""Alerts over HTTP: what is wrong, who knows, of what nobody is told; on the socket, and as commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import connect

from tests.integration.service.served import Served, served
from twikit_pool.cli import alerts as commands
from twikit_pool.service.tokens import Scope


@asynccontextmanager
async def stopped(folder: Path) -> AsyncIterator[tuple[Served, str]]:
    """A daemon whose pool is in an emergency stop, and the id of the alert that tells so."""
    async with served(folder) as daemon:
        watch = daemon.service.manager.attendants.alerts
        assert watch is not None
        daemon.service.pool("default").emergency_stop("a wrong link went out", pause=600)
        watch.look()
        [alert] = watch.engine.alerts()
        yield daemon, alert.id


async def test_an_alert_is_listed_acknowledged_and_over(tmp_path: Path) -> None:
    async with stopped(tmp_path) as (daemon, alert_id), daemon.client(Scope.OPERATE) as http:
        page = (await http.get("/v1/alerts")).json()
        assert (page["total"], page["firing"], page["destinations"]) == (1, 1, [])
        [alert] = page["items"]
        assert (alert["id"], alert["rule"], alert["severity"]) == (alert_id, "emergency_stop", "critical")
        assert "a wrong link went out" in alert["why"]
        assert "resume" in alert["advice"]
        assert (alert["state"], alert["pool_id"], alert["silenced"]) == ("firing", "default", False)
        path = f"/v1/alerts/{alert_id}/acknowledge"
        known = (await http.post(path, json={"note": "it was me"})).json()
        assert (known["state"], known["acknowledged_by"], known["note"]) == (
            "acknowledged",
            "for operate",
            "it was me",
        )
        assert (await http.get("/v1/alerts")).json()["firing"] == 0
        await http.post("/v1/pools/default/resume")
        _look(daemon)
        over = (await http.get(f"/v1/alerts/{alert_id}")).json()
        assert over["state"] == "resolved"
        again = await http.post(path, json={})
        assert again.status_code == 404
        assert "is over since" in again.json()["detail"]


def _look(daemon: Served) -> None:
    watch = daemon.service.manager.attendants.alerts
    assert watch is not None
    watch.look()


async def test_alerts_are_filtered_and_paged(tmp_path: Path) -> None:
    async with stopped(tmp_path) as (daemon, _), daemon.client(Scope.READ) as http:

        async def total(query: str) -> int:
            return (await http.get(f"/v1/alerts?{query}")).json()["total"]

        assert await total("state=firing&severity=critical&pool=default") == 1
        assert await total("state=resolved") == 0
        assert await total("severity=info") == 0
        assert await total("pool=other") == 0
        page = (await http.get("/v1/alerts?offset=1&limit=5")).json()
        assert (page["total"], page["offset"], page["items"]) == (1, 1, [])
        assert (await http.get("/v1/alerts?state=bad")).status_code == 422
        assert (await http.get("/v1/alerts/nothing")).status_code == 404


async def test_rules_are_listed_as_they_are_set(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        rules = {each["name"]: each for each in (await http.get("/v1/alerts/rules")).json()}
    busy = rules["pool_busy"]
    assert (busy["metric"], busy["above"], busy["clear_at"], busy["for"]) == ("utilization", 0.9, 0.8, 300.0)
    assert rules["account_lost"]["metric"] is None


async def test_silences_are_made_listed_and_ended(tmp_path: Path) -> None:
    async with stopped(tmp_path) as (daemon, _), daemon.client(Scope.OPERATE) as http:
        wish = {"seconds": 600, "rule": "emergency_stop", "pool_id": "default", "reason": "a drill"}
        made = (await http.post("/v1/alerts/silences", json=wish)).json()
        assert (made["by"], made["reason"], made["account_id"]) == ("for operate", "a drill", None)
        assert (await http.get("/v1/alerts/silences")).json() == [made]
        page = (await http.get("/v1/alerts")).json()
        assert page["firing"] == 0
        assert page["items"][0]["silenced"]
        assert (await http.delete(f"/v1/alerts/silences/{made['id']}")).status_code == 204
        assert (await http.delete(f"/v1/alerts/silences/{made['id']}")).status_code == 404
        assert (await http.get("/v1/alerts")).json()["firing"] == 1
        unknown = await http.post("/v1/alerts/silences", json={"seconds": 5, "rule": "nonsense"})
        assert unknown.status_code == 409
        assert "there is no rule 'nonsense'" in unknown.json()["detail"]
        assert (await http.post("/v1/alerts/silences", json={"seconds": 0})).status_code == 422


async def test_they_are_told_on_the_socket(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        address = daemon.url.replace("http", "ws") + "/v1/events"
        headers = {"Authorization": f"Bearer {daemon.tokens[Scope.READ]}"}
        async with connect(address, additional_headers=headers, proxy=None) as socket:
            await socket.send('{"op": "subscribe", "topics": ["alerts"]}')
            daemon.service.pool("default").emergency_stop("drill", pause=600)
            told: dict[str, Any] = {}
            async with asyncio.timeout(20):
                while told.get("type") != "alert_fired":
                    told = msgspec.json.decode(await socket.recv())
    assert (told["topic"], told["pool_id"]) == ("alerts", "default")
    assert told["alert"]["rule"] == "emergency_stop"
    assert "told_names" not in told["alert"]


async def test_the_commands(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    async with stopped(tmp_path) as (daemon, alert_id):
        url = daemon.url
        monkeypatch.setenv("TWIKIT_POOL_TOKEN", daemon.tokens[Scope.OPERATE])

        def said() -> str:
            return capsys.readouterr().out

        assert await commands.show(url=url) == 1
        listed = said()
        assert alert_id in listed
        assert "a wrong link went out" in listed
        assert await commands.rules(url=url) == 0
        assert "utilization above 0.9" in said()
        assert await commands.silence(url=url, rule="emergency_stop", reason="drill") == 0
        silence = said().strip()
        assert await commands.silences(url=url) == 0
        assert "drill" in said()
        assert await commands.show(url=url) == 0, "nobody is to be told of it"
        assert "silenced" in said()
        assert await commands.unsilence(silence, url=url) == 0
        assert await commands.ack(alert_id, note="me", url=url) == 0
        assert "is acknowledged" in said()
        assert await commands.try_destinations(url=url) == 0
        assert "there is no destination" in said()
        await daemon_resumes(daemon)
        assert await commands.show(url=url) == 0
        assert "nothing is wrong" in said()
        assert await commands.show(url=url, all=True, json=True) == 0
        assert msgspec.json.decode(said())["items"][0]["state"] == "resolved"


async def daemon_resumes(daemon: Served) -> None:
    daemon.service.pool("default").resume()
    _look(daemon)
