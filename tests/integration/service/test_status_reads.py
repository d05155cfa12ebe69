"""What is polled most is answered without the framework, and nobody can tell."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.served import served
from twikit_pool.service import status_reads
from twikit_pool.service.tokens import Scope

POOL = "/v1/pools/default"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pools that were looked up without the framework."""
    made: list[str] = []
    look = status_reads.StatusReads._look  # pyright: ignore[reportPrivateUsage]

    def noted(self: status_reads.StatusReads, pool_id: str) -> Any:
        made.append(pool_id)
        return look(self, pool_id)

    monkeypatch.setattr(status_reads.StatusReads, "_look", noted)
    return made


async def test_both_ways_answer_the_same(tmp_path: Path, looks: list[str]) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        pool = daemon.service.pool("default")
        still = pool.status()
        pool.status = lambda: still  # type: ignore[method-assign]
        short, whole = await http.get(POOL), await http.get(POOL, headers={"X-Unknown": "1"})
        assert looks == ["default"]
        assert short.status_code == whole.status_code == 200
        assert short.content == whole.content
        assert {**short.headers, "date": ""} == {**whole.headers, "date": ""}


async def test_what_was_done_is_seen(tmp_path: Path, looks: list[str]) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        for seconds in range(1, 20):
            told = (await http.post(f"{POOL}/suspend", json={"seconds": seconds})).json()["mode"]
            assert told == (await http.get(POOL)).json()["mode"] == "suspended"
            await http.post(f"{POOL}/resume")
            assert (await http.get(POOL)).json()["mode"] == "open"
        answers = await asyncio.gather(*(http.get(POOL) for _ in range(20)))
        assert {each.json()["mode"] for each in answers} == {"open"}
        assert len(looks) > 38


async def test_all_that_is_not_plain_goes_the_whole_way(tmp_path: Path, looks: list[str]) -> None:
    async with served(tmp_path, access={"rate": 0.001, "burst": 5}) as daemon:
        async with daemon.client(None) as http:
            assert (await http.get(POOL)).status_code == 401
            assert (await http.get(POOL, headers={"Authorization": "Bearer tp_x_y"})).status_code == 401
        async with daemon.client(Scope.READ) as http:
            tag = (await http.get(POOL)).headers["etag"]
            assert looks == ["default"]
            assert (await http.get("/v1/pools/nowhere")).status_code == 404
            assert (await http.get(POOL, headers={"Origin": "http://evil.example"})).status_code == 403
            assert (await http.get(POOL, headers={"If-None-Match": "*"})).status_code == 304
            assert (await http.get(POOL, headers={"If-None-Match": tag})).status_code in (200, 304)
            late = await http.get(POOL)
            assert (late.status_code, late.headers["retry-after"]) == (429, "1000")
        assert looks == ["default"]
