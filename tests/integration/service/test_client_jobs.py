"""Jobs and pages through the Python client: over broken connections and restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.cli.test_serve import serving
from tests.integration.service.cutting import cutting
from tests.integration.service.leaving import until
from tests.integration.service.served import Served, served
from tests.integration.service.test_client import Way
from twikit_pool.client import RemotePool, RequestRefused, ServiceUnreachable
from twikit_pool.errors import InvalidParameters, PoolError, PoolOverloadedError, UnknownAction
from twikit_pool.service.sections import JobSettings
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.simulator import SimulatorProcess


@asynccontextmanager
async def remote(daemon: Served, url: str | None = None, **how: Any) -> AsyncIterator[RemotePool]:
    async with RemotePool(url or daemon.url, daemon.tokens[Scope.EXECUTE], trust_env=False, **how) as pool:
        yield pool


def posts(number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"post-{each}", "action": "post_tweet", "params": {"content": f"Post {each}"}}
        for each in range(number)
    ]


async def test_jobs_are_submitted_and_followed(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, remote(daemon) as pool:
        batch = await pool.submit(iter(posts(30)), name="spring & more", timeout=30)
        results = [each async for each in batch]
        assert {each["id"] for each in results} == {f"post-{n}" for n in range(30)}
        assert {each["outcome"] for each in results} == {"ok"}
        told = await batch.status()
        assert (told["state"], told["name"], told["counts"]["ended"]) == ("done", "spring & more", 30)
        again = pool.batch(batch.id)
        assert [each["number"] async for each in again.results(after=28)] == [29, 30]
        await again.remove()
        with pytest.raises(RequestRefused, match="no batch"):
            await again.status()
        with pytest.raises(RequestRefused, match="no batch"):
            await anext(again.results())
        assert batch.id in repr(batch)


async def test_jobs_are_refused_with_their_lines_and_bounds(tmp_path: Path) -> None:
    async with served(tmp_path, jobs=JobSettings(max_batches=1)) as daemon, remote(daemon) as pool:
        with pytest.raises(RequestRefused, match="nothing was started") as refused:
            await pool.submit(b'{"action": "post_tweet"}\n{"action": "get_user", "params": {"handle": "x"}}')
        assert [each["line"] for each in refused.value.errors] == ["1"]
        daemon.service.pool("default").suspend()
        batch = await pool.submit(posts(1))
        with pytest.raises(PoolOverloadedError, match="max_batches"):
            await pool.submit(posts(1))
        with pytest.raises(PoolError, match="cancel it first"):
            await batch.remove()
        assert (await batch.cancel())["state"] == "stopping"
        assert [each async for each in batch] == []
        assert (await batch.status())["counts"]["undone"] == 1
        daemon.service.pool("default").resume()
        await batch.resume()
        assert [each["outcome"] async for each in batch] == ["ok"]


async def test_an_answer_that_is_lost_begins_no_second_batch(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        way = Way(httpx.ReadError("lost"), httpx.Response(502, text="Bad Gateway"))
        async with remote(daemon, transport=way) as pool:
            batch = await pool.submit(posts(5))
            assert len(way.keys) == 3
            assert len(set(way.keys)) == 1
            assert len([each async for each in batch]) == 5
        assert len(daemon.x.writes) == 5


@pytest.mark.parametrize("after", [1_500, 5_000])
async def test_a_connection_that_breaks_loses_and_repeats_nothing(tmp_path: Path, after: int) -> None:
    async with served(tmp_path) as daemon, cutting(daemon.url) as way:
        async with remote(daemon, way.url) as pool:
            batch = await pool.submit(posts(60))
            way.after = after
            numbers: list[int] = []
            async with asyncio.timeout(50):
                async for each in batch:
                    numbers.append(each["number"])
                    if len(numbers) == 58:  # the last ones and the status need a way that holds
                        way.after = None
        assert numbers == list(range(1, 61))
        assert way.cuts > 1


async def test_a_service_that_stays_away_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, cutting(daemon.url) as way, remote(daemon, way.url) as pool:
        daemon.service.pool("default").suspend()
        batch = await pool.submit(posts(3))
        way.go_away()
        with pytest.raises(ServiceUnreachable, match=r"results\(0\)"):
            await anext(batch.results(patience=0.5))


async def test_following_goes_on_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIKIT_POOL_HOME", str(tmp_path / "home"))
    token = TokenBook(tmp_path / "home" / "tokens.json").create("the same", Scope.EXECUTE)[1]
    with SimulatorProcess(accounts=3, limits=False, latency=0.1) as x:
        async with cutting(None) as way, RemotePool(way.url, token, trust_env=False) as pool:
            results: list[dict[str, Any]] = []

            async def follow(batch_id: str) -> None:
                results.extend([each async for each in pool.batch(batch_id)])

            following: asyncio.Task[None] | None = None
            for kill in (True, False, None):
                context = serving(tmp_path, simulator=x.url)
                daemon = await asyncio.to_thread(context.__enter__)
                way.target = daemon.url
                if following is None:
                    batch = await pool.submit(posts(90))
                    following = asyncio.create_task(follow(batch.id))
                if kill is None:
                    async with asyncio.timeout(40):
                        await following
                else:
                    await asyncio.sleep(1)
                    way.go_away()
                    (daemon.process.kill if kill else daemon.process.terminate)()
                await asyncio.to_thread(context.__exit__, None, None, None)
            writes = Counter(write.key for write in x.writes)
    assert [each["number"] for each in results] == list(range(1, 91))
    assert {each["outcome"] for each in results} <= {"ok", "ambiguous"}
    assert max(writes.values()) == 1


# ---------------------------------------------------------------- pages


async def test_pages_are_read_on(tmp_path: Path) -> None:
    async with served(tmp_path, posts=300) as daemon, remote(daemon) as pool:
        here = [each.id async for each in daemon.service.pool("default").iterate("search_tweet", query="the")]
        there = [each["id"] async for each in pool.iterate("search_tweet", query="the")]
        assert there == here
        assert len(here) > 20, "more than a page"
        assert len([each async for each in pool.iterate("search_tweet", query="the", limit=25)]) == 25
        assert [each async for each in pool.iterate("search_tweet", query="the", limit=0)] == []
        home = [each["id"] async for each in pool.iterate("get_timeline", limit=40)]
        assert len(home) == len(set(home)) == 40, "of one account's timeline"
        tweet = await pool.execute("post_tweet", content="A question")
        await pool.execute("post_tweet", content="An answer", reply_to=tweet["id"])
        answers = [each["text"] async for each in pool.iterate("get_tweet", tweet_id=tweet["id"])]
        assert answers == ["An answer"]
        with pytest.raises(InvalidParameters, match="does not come in pages"):
            await anext(pool.iterate("get_user", handle="x"))
        with pytest.raises(UnknownAction):
            await anext(pool.iterate("serch_tweet", query="x"))
        await until(lambda: daemon.service.pool("default").status().active == 0)
