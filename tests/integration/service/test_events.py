"""Events of the whole service: who may listen, and what is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.service.served import Served, served
from twikit_pool.service.tokens import Scope


def address(daemon: Served) -> str:
    return daemon.url.replace("http", "ws") + "/v1/events"


async def until(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == kind:
            return message


async def test_a_program_hears_with_its_token(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        url = address(daemon)
        headers = {"Authorization": f"Bearer {daemon.tokens[Scope.READ]}"}
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(json.dumps({"op": "subscribe", "topics": ["pool_updates", "alerts"]}))
            snapshot = await until(socket, "snapshot")
            assert [each["pool_id"] for each in snapshot["pools"]] == ["default"]
            daemon.service.pool("default").emergency_stop("drill")
            stop = await until(socket, "emergency_stop")
            assert (stop["topic"], stop["pool_id"], stop["reason"]) == ("alerts", "default", "drill")


async def test_a_page_hears_with_a_ticket_once(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        url = address(daemon)
        async with daemon.client(Scope.READ) as http:
            ticket = (await http.post("/v1/session/ticket")).json()["ticket"]
        async with connect(f"{url}?ticket={ticket}", origin=daemon.url, proxy=None) as socket:  # type: ignore[arg-type]
            await socket.send(json.dumps({"op": "ping"}))
            await until(socket, "pong")
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"{url}?ticket={ticket}", proxy=None)


async def test_nobody_and_pages_from_elsewhere_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        url = address(daemon)
        with pytest.raises(InvalidStatus, match="403"):
            await connect(url, proxy=None)
        headers = {"Authorization": f"Bearer {daemon.tokens[Scope.ADMIN]}"}
        with pytest.raises(InvalidStatus, match="403"):
            await connect(url, additional_headers=headers, origin="https://evil.example", proxy=None)  # type: ignore[arg-type]


async def test_what_was_told_of_late_can_be_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        pool = daemon.service.pool("default")
        pool.emergency_stop("first")
        pool.emergency_stop("second")
        async with asyncio.timeout(10):
            while True:
                told = (
                    await http.get("/v1/events/recent", params={"topic": "alerts", "pool": "default"})
                ).json()
                if len(told["items"]) == 2:
                    break
                await asyncio.sleep(0.05)
        assert [each["reason"] for each in told["items"]] == ["first", "second"]
        assert told["seq"] >= told["items"][-1]["seq"]
        latest = (await http.get("/v1/events/recent?topic=alerts&topic=scaling&limit=1")).json()["items"]
        assert [each["seq"] for each in latest] == sorted(each["seq"] for each in latest)
        assert len(latest) == 1
        assert len((await http.get("/v1/events/recent")).json()["items"]) > 2
        assert (await http.get("/v1/events/recent?pool=news")).status_code == 404
        assert (await http.get("/v1/events/recent?topic=weather")).status_code in (400, 422)
    async with served(tmp_path) as daemon, daemon.client(None) as nobody:
        assert (await nobody.get("/v1/events/recent")).status_code == 401


async def test_what_was_told_lately_is_shown_to_who_comes_later(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        pool = daemon.service.pool("default")
        pool.quarantine("sim_002", "its proxy", 60)
        pool.reserve("sim_001", "spring")
        path = "/v1/pools/default/events"
        async with asyncio.timeout(5):
            page: dict[str, Any] = {"total": 0}
            while not page["total"]:
                await asyncio.sleep(0.01)
                page = (await http.get(path, params={"account": "sim_001"})).json()
        [told] = [each for each in page["items"] if each["type"] == "reservation_made"]
        assert (told["topic"], told["reserved_for"]) == ("connection_events", "spring")
        every = (await http.get(path, params={"limit": 1000})).json()
        numbers = [each["seq"] for each in every["items"]]
        assert numbers == sorted(numbers, reverse=True)
        assert every["total"] == len(numbers)
        kinds = {each["type"] for each in every["items"]}
        assert "account_quarantined" in kinds
        assert not kinds & {"metrics_collected", "pool_status_update"}
        one = (await http.get(path, params={"offset": 1, "limit": 1})).json()
        assert [each["seq"] for each in one["items"]] == numbers[1:2]
        with daemon.service.hub.subscribe(["connection_events"]):
            await pool.execute("get_user", account="sim_003", handle="sim_001")
            kinds = set[str]()
            while "call_finished" not in kinds:
                await asyncio.sleep(0.01)
                told = await http.get(path, params={"account": "sim_003"})
                kinds = {each["type"] for each in told.json()["items"]}
        quiet = await http.get(path, params={"account": "sim_003", "frequent": False})
        assert not {each["type"] for each in quiet.json()["items"]} & {"call_finished", "connection_leased"}
        none = await http.get(path, params={"connection": "sim_001#99"})
        assert none.json()["total"] == 0
        assert (await http.get("/v1/pools/none/events")).status_code == 404
