"""The Python client: a pool elsewhere, used as one here."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.leaving import descriptors, quiet, until
from tests.integration.service.served import Served, served
from twikit_pool import errors
from twikit_pool.client import (
    AccessRefused,
    AnswerLost,
    RemoteCallFailed,
    RemotePool,
    RequestRefused,
    ServiceUnreachable,
)
from twikit_pool.client.errors import TITLES
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionState
from twikit_pool.service.problems import STATUSES
from twikit_pool.service.tokens import Scope


@asynccontextmanager
async def remote(daemon: Served, scope: Scope = Scope.EXECUTE, **how: Any) -> AsyncIterator[RemotePool]:
    async with RemotePool(daemon.url, daemon.tokens[scope], trust_env=False, **how) as pool:
        yield pool


def test_each_problem_comes_back_as_the_error_that_it_was() -> None:
    for kind, _, title in STATUSES:
        assert TITLES[title] is kind or (
            kind is errors.ActionError and TITLES[title] is errors.InvalidParameters
        )
    assert len(TITLES) == len(STATUSES)


async def test_a_pool_elsewhere_is_used_as_one_here(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, remote(daemon) as pool:
        user = await pool.execute("get_user", handle="sim_001")
        assert user["handle"] == "sim_001"
        async with pool.acquire(action="post_tweet", account_id="sim_002", timeout=5) as connection:
            assert connection.held
            assert (connection.account_id, connection.connection_id) == ("sim_002", "sim_002#1")
            tweet = await connection.execute("post_tweet", content="Hello")
            assert (await pool.status())["active"] == 1
        assert tweet["text"] == "Hello"
        assert not connection.held
        assert daemon.service.pool("default").status().active == 0
        lease = await pool.acquire()
        assert (await pool.explain(account_id=lease.account_id))["sentence"].startswith(
            "of 1 accounts 1 leased"
        )
        lease.release()
        lease.release()
        await until(lambda: daemon.service.pool("default").status().active == 0)
        posted = await pool.execute("post_tweet", account="sim_003", priority=4, deadline=20, content="Two")
        assert posted["author"]["handle"] == "sim_003"


async def test_errors_are_those_of_a_pool_here(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=0.2)
    async with served(tmp_path, config, accounts=1) as daemon, remote(daemon) as pool:
        for wrong, kind in (
            (pool.execute("post_twet"), errors.UnknownAction),
            (pool.execute("get_user", handel="x"), errors.InvalidParameters),
            (pool.execute("get_user", handle="x", account="nobody"), errors.AccountNotFound),
            (pool.execute("get_user", handle="x", deadline=1e6), RequestRefused),
        ):
            with pytest.raises(kind):
                await wrong
        async with pool.acquire() as lease:
            with pytest.raises(errors.AcquireTimeoutError, match="leased"):
                await pool.acquire(timeout=0.1)
            with pytest.raises(errors.AcquireTimeoutError):
                await pool.execute("get_user", handle="x")
            with pytest.raises(errors.LeaseLost, match="used already"):
                await lease
        with pytest.raises(errors.LeaseLost, match="released"):
            await lease.execute("get_user", handle="x")
        with pytest.raises(errors.LeaseLost, match="not held yet"):
            _ = pool.acquire().account_id
        daemon.x.fault("code", code=187, endpoint="CreateTweet", times=1)
        with pytest.raises(RemoteCallFailed, match="posted the same text") as failed:
            await pool.execute("post_tweet", content="Hello")
        verdict = failed.value.verdict
        assert (verdict.outcome, verdict.taken, verdict.code) == ("caller_fault", "no", 187)
        daemon.service.pool("default").emergency_stop("drill")
        with pytest.raises(errors.EmergencyStopped, match="drill"):
            await pool.execute("get_user", handle="x")
        async with remote(daemon, Scope.READ) as reader:
            assert (await reader.status())["pool_id"] == "default"
            with pytest.raises(AccessRefused, match="may execute"):
                await reader.execute("get_user", handle="x")
        async with remote(daemon, pool="no such/pool") as other:
            with pytest.raises((errors.PoolNotFound, RequestRefused)):
                await other.status()
    for url in ("example.com", "ftp://example.com", ""):
        with pytest.raises(errors.ConfigError):
            RemotePool(url, "x")


async def test_a_lease_is_kept_by_heartbeats_and_lost_without(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=1) as daemon, remote(daemon) as pool:
        lease = await pool.acquire(ttl=1)
        await asyncio.sleep(1.5)
        assert len(daemon.service.remote.leases) == 1
        await lease.execute("get_user", handle="sim_001")
        [held] = daemon.service.remote.leases.all()
        held.lease.release()  # as the pool takes one back
        await until(lambda: not lease.held)
        with pytest.raises(errors.LeaseLost, match="the pool took the connection back"):
            await lease.execute("get_user", handle="sim_001")
        await until(lambda: not pool.leases)


async def test_leaving_it_gives_everything_back(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=2) as daemon:
        before = descriptors()
        async with remote(daemon) as pool:
            await pool.acquire(ttl=600)
            await pool.acquire(ttl=600)
            waiting = asyncio.create_task(pool.execute("get_user", handle="sim_001"))
            await until(lambda: daemon.service.pool("default").waiting == 1)
            waiting.cancel()
            await until(lambda: daemon.service.pool("default").waiting == 0)
        assert waiting.cancelled()
        await quiet(daemon, before)


@pytest.mark.parametrize("after", [0.0, 0.002, 0.005, 0.02, 0.05])
async def test_what_is_cancelled_here_is_given_up_there(tmp_path: Path, after: float) -> None:
    async with served(tmp_path, accounts=1) as daemon, remote(daemon) as pool:

        async def use() -> None:
            async with pool.acquire(ttl=1) as lease:
                await lease.execute("get_user", handle="sim_001")

        await use()
        before = descriptors()
        users = [asyncio.create_task(use()) for _ in range(5)]
        await asyncio.sleep(after)
        for each in users:
            each.cancel()
        await asyncio.wait(users)
        await quiet(daemon, before)
        await until(lambda: not pool.leases)


async def test_what_happens_is_heard(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, remote(daemon, Scope.READ) as pool:
        async with asyncio.timeout(10), aclosing(pool.events("alerts")) as heard:
            async for message in heard:
                if message["type"] == "subscribed":
                    daemon.service.pool("default").emergency_stop("drill")
                if message["type"] == "emergency_stop":
                    assert message["reason"] == "drill"
                    break
        async with RemotePool(daemon.url, "tp_0_x", trust_env=False) as nobody:
            with pytest.raises(AccessRefused):
                await anext(nobody.events("alerts"))
    with pytest.raises(ServiceUnreachable):
        await anext(pool.events("alerts"))


# ---------------------------------------------------------------- the way to it


class Way(httpx.AsyncBaseTransport):
    """Loses what it is told to lose."""

    def __init__(self, *losses: Any) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.losses = list(losses)
        self.keys: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key"))
        loss = self.losses.pop(0) if self.losses else None
        if isinstance(loss, httpx.ConnectError | httpx.Response):
            if isinstance(loss, httpx.ConnectError):
                raise loss
            return loss
        answer = await self._inner.handle_async_request(request)
        if isinstance(loss, Exception):
            await answer.aread()
            await answer.aclose()
            raise loss
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_only_what_was_certainly_not_sent_is_sent_again(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        full = httpx.Response(503, headers={"Retry-After": "0"})
        often = httpx.Response(429, headers={"Retry-After": "0"}, json={"title": "too many requests"})
        way = Way(httpx.ConnectError("no"), full, often)
        async with remote(daemon, transport=way) as pool:
            await pool.execute("post_tweet", content="Hello")
        assert len(way.keys) == 4
        assert len(set(way.keys)) == 1, "all tries are one act"
        assert len(daemon.x.writes) == 1
        for loss in (
            httpx.ReadError("lost"),
            httpx.Response(502, text="Bad Gateway"),
            httpx.Response(503, text="x"),
        ):
            way = Way(loss)
            async with remote(daemon, transport=way) as pool:
                with pytest.raises(AnswerLost) as lost:
                    await pool.execute("post_tweet", content=f"Lost: {type(loss).__name__} {loss}")
                assert len(way.keys) == 1
                assert lost.value.idempotency_key == way.keys[0]
                again = await pool.execute(
                    "post_tweet",
                    content=f"Lost: {type(loss).__name__} {loss}",
                    idempotency_key=lost.value.idempotency_key,
                )
                assert again["text"].startswith("Lost")
        texts = [write.key for write in daemon.x.writes]
        assert len(texts) == len(set(texts)) == 4


async def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with RemotePool("http://127.0.0.1:9", "secret-token", trust_env=False) as pool:
        with pytest.raises(ServiceUnreachable, match="no connection"):
            await pool.status()


async def test_the_token_is_shown_to_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(tmp_path) as daemon:
        token = daemon.tokens[Scope.EXECUTE]
        async with remote(daemon, transport=Way(httpx.ReadError("lost"))) as pool:
            with pytest.raises(AnswerLost) as lost:
                await pool.execute("get_user", handle="sim_001")
            assert lost.value.__traceback__ is not None
            frames = lost.value.__traceback__.tb_next  # without this one, whose locals have it
            told = "".join(
                traceback.TracebackException(AnswerLost, lost.value, frames, capture_locals=True).format()
            )
            async with pool.acquire() as lease:
                shown = f"{pool!r} {lease!r} {pool.wire!r} {pool.__dict__!r} {vars(pool.wire)!r}"
        assert token not in told + shown + caplog.text
        assert daemon.service.pool("default").counts()[ConnectionState.LEASED] == 0
