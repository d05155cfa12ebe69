"""The same request with the same key is carried out once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tests.integration.service.leaving import crash, descriptors, quiet, request, sent, until
from tests.integration.service.served import Served, served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.service import idempotency
from twikit_pool.service.idempotency import KEPT
from twikit_pool.service.tokens import Scope

EXECUTE = "/v1/pools/default/execute"
POST: dict[str, Any] = {"action": "post_tweet", "parameters": {"content": "Hello"}}


async def ask(http: httpx.AsyncClient, key: str, order: dict[str, Any] = POST) -> httpx.Response:
    return await http.post(EXECUTE, json=order, headers={"Idempotency-Key": key})


def kept(daemon: Served) -> int:
    """How many keys are known."""
    return sum(len(keys.entries) for keys in daemon.service.remote.idempotent._tokens.values())


async def test_the_same_key_gives_the_same_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        first = await ask(http, "a")
        again = await ask(http, "a", dict(reversed(POST.items())))
        assert again.status_code == 200
        assert again.content == first.content
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
        await ask(http, "b", {**POST, "parameters": {"content": "Another"}})
        assert len(daemon.x.writes) == 2


async def test_the_same_key_for_something_else_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        await ask(http, "a")
        for other in ({**POST, "parameters": {"content": "Other"}}, {**POST, "account": "sim_001"}):
            refused = await ask(http, "a", other)
            assert refused.status_code == 422
            assert "used for another request" in refused.json()["detail"]
        lease = (await http.post("/v1/pools/default/leases", json={})).json()["lease_id"]
        step = f"/v1/leases/{lease}/execute"
        assert (await http.post(step, json=POST, headers={"Idempotency-Key": "a"})).status_code == 422
        for key in ("x" * 201, ""):
            assert (await ask(http, key)).status_code == 422
        async with daemon.client(Scope.ADMIN) as other_token:
            assert (await ask(other_token, "a", {**POST, "parameters": {"content": "B"}})).status_code == 200


async def test_a_second_waits_for_the_first(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        daemon.x.fault("slow", seconds=0.3, endpoint="CreateTweet")
        answers = await asyncio.gather(*[ask(http, "a") for _ in range(5)])
        assert {each.content for each in answers} == {answers[0].content}
        assert sum("idempotency-replayed" in each.headers for each in answers) == 4
        assert len(daemon.x.writes) == 1


async def test_what_ended_before_anything_was_sent_may_be_tried_again(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        order = {**POST, "timeout": 0.1}
        async with daemon.service.pool("default").acquire():
            assert (await ask(http, "a", order)).status_code == 503
            assert kept(daemon) == 0
        assert (await ask(http, "a", order)).status_code == 200
        assert len(daemon.x.writes) == 1


async def test_what_x_took_nothing_of_for_now_may_be_tried_again(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        daemon.x.fault("code", code=344, endpoint="CreateTweet", times=1)
        limited = await ask(http, "a", {**POST, "timeout": 0.1, "deadline": 1})
        assert limited.status_code in (429, 503), limited.text
        assert kept(daemon) == 0


@pytest.mark.parametrize(
    ("fault", "status"), [({"code": 187, "kind": "code"}, 422), ({"kind": "close"}, 502)]
)
async def test_what_may_have_been_sent_or_is_refused_for_good_is_not_sent_again(
    tmp_path: Path, fault: dict[str, Any], status: int
) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        daemon.x.fault(**fault, endpoint="CreateTweet", times=1)
        first, again = await ask(http, "a"), await ask(http, "a")
        assert first.status_code == again.status_code == status
        assert first.content == again.content
        assert again.headers["content-type"] == "application/problem+json"
        assert daemon.x.calls.count("CreateTweet") == 1


@pytest.mark.parametrize("moment", ["in line", "sent"])
async def test_a_client_that_crashes_asks_again_with_its_key(tmp_path: Path, moment: str) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        await http.post(EXECUTE, json={"action": "get_user", "parameters": {"handle": "sim_001"}})
        pool, acts = daemon.service.pool("default"), daemon.service.remote.acts
        before = descriptors()
        daemon.x.fault("slow", seconds=0.3, endpoint="CreateTweet")
        lease = await pool.acquire()
        raw = await sent(daemon, request(daemon, EXECUTE, POST, key="a"))
        await until(lambda: pool.waiting == 1)
        if moment == "sent":
            lease.release()
            await until(lambda: any(act.sent for act in acts))
        crash(raw)
        if moment == "in line":
            await until(lambda: pool.waiting == 0)
            lease.release()
        again = await ask(http, "a")
        assert again.status_code == 200
        assert ("idempotency-replayed" in again.headers) == (moment == "sent")
        assert len(daemon.x.writes) == 1
        await quiet(daemon, before)


async def test_who_waits_for_a_first_that_leaves_is_served(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        pool = daemon.service.pool("default")
        lease = await pool.acquire()
        raw = await sent(daemon, request(daemon, EXECUTE, POST, key="a"))
        await until(lambda: pool.waiting == 1)
        second = asyncio.create_task(ask(http, "a"))
        await until(lambda: any(act.waiting == 2 for act in daemon.service.remote.acts))
        crash(raw)
        await until(lambda: any(act.waiting == 1 for act in daemon.service.remote.acts))
        assert pool.waiting == 1, "somebody waits for it still"
        lease.release()
        assert (await second).status_code == 200
        assert len(daemon.x.writes) == 1


async def test_keys_end_after_a_day_and_the_oldest_go_first(tmp_path: Path) -> None:
    read = {"action": "get_user", "parameters": {"handle": "sim_001"}}
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        acts = daemon.service.remote.idempotent
        await ask(http, "old", read)
        with patch.object(acts, "_clock", _Later(KEPT + 1)):
            assert "idempotency-replayed" not in (await ask(http, "old", read)).headers
        with patch.object(idempotency, "MOST_KEYS", 3):
            for key in "abcd":
                await ask(http, key, read)
            assert kept(daemon) == 3
            assert "idempotency-replayed" in (await ask(http, "d", read)).headers
            assert "idempotency-replayed" not in (await ask(http, "a", read)).headers
        size = len((await ask(http, "d", read)).content)
        with patch.object(idempotency, "MOST_BYTES", 2 * size):
            for key in "efgh":
                await ask(http, key, read)
            assert kept(daemon) <= 2
        keys = next(iter(acts._tokens.values()))
        assert keys.size == sum(len(each.answer.body) for each in keys.entries.values() if each.answer)


async def test_a_token_has_so_many_under_way(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with served(tmp_path, config, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        with patch.object(idempotency, "MOST_KEYS", 2):
            lease = await daemon.service.pool("default").acquire()
            asking = [asyncio.create_task(ask(http, key)) for key in "ab"]
            await until(lambda: daemon.service.pool("default").waiting == 2)
            assert (await ask(http, "c")).status_code == 429
            lease.release()
            codes = [each.status_code for each in await asyncio.gather(*asking)]
            assert sorted(codes) == [200, 422], "the text is the same"


class _Later:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self._seconds
