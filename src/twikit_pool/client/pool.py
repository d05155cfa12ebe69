"""A pool that runs elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import msgspec

from twikit_pool.client.errors import AnswerLost, ServiceUnreachable
from twikit_pool.client.events import follow, listen
from twikit_pool.client.jobs import RemoteBatch
from twikit_pool.client.lease import MARGIN, RemoteLease
from twikit_pool.client.wire import TRIES, Wire
from twikit_pool.errors import ConfigError, InvalidParameters
from twikit_pool.redaction import Secret

NORMAL: Final = 2
"""The priority of a request that does not say: `ConnectionPriority.NORMAL`."""

DEADLINE: Final = 50.0
"""Seconds for an act that does not say: as the service has it."""

TTL: Final = 60.0
QUICK: Final = 30.0
"""Seconds for what the service answers at once."""

SUBMITTING: Final = 60.0
"""Seconds in which a batch is read and kept."""


class RemotePool:
    """A pool of a service, with the face of one in this process.

        async with RemotePool("http://127.0.0.1:8711", token) as pool:
            user = await pool.execute("get_user", handle="python")
            async with pool.acquire(account_id="brand_uk", action="post_tweet", timeout=10) as connection:
                tweet = await connection.execute("post_tweet", content="Hello")

    Results are plain dictionaries, lists and strings, as the service answers them.

    Args:
        url: of the service.
        token: one that may execute, or read where nothing but that is asked.
        pool: which of its pools.
        verify: how its certificate is checked; as httpx takes it.
        trust_env: whether proxies are taken from the environment.
        transport: instead of httpx's own.

    Raises:
        ConfigError: the URL is none.
    """

    def __init__(
        self,
        url: str,
        token: str,
        pool: str = "default",
        *,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("the service's URL is http://HOST:PORT or https://HOST")
        self.pool_id: Final = pool
        self.wire: Final = Wire(url, Secret(token), verify=verify, trust_env=trust_env, transport=transport)
        """The way to the service; leases use it."""
        self.leases: Final[set[RemoteLease]] = set()
        """Those that are held."""
        self._host = parts.hostname
        self._url = url
        self._token = Secret(token)
        self._trust_env = trust_env
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give back every lease that is held, and close the connections."""
        for lease in tuple(self.leases):
            lease.release()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=MARGIN)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self.wire.aclose()

    def own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do this in a task that ends with the pool."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout: float) -> Any:
        """Ask about this pool; raises as `Wire.ask`."""
        return await self.wire.ask(
            method, f"/v1/pools/{quote(self.pool_id, safe='')}{path}", body, timeout=timeout
        )

    def acquire(
        self,
        *,
        action: str | None = None,
        account_id: str | None = None,
        capabilities: Iterable[str] = (),
        priority: int = NORMAL,
        reserved_for: str | None = None,
        timeout: float | None = None,
        ttl: float = TTL,
    ) -> RemoteLease:
        """Ask for a connection. Await what comes back, or enter it with `async with`.

        Args:
            action: what it is for, by name.
            account_id: whose connection; None for any account that can do it now.
            capabilities: what the account must be able to do.
            priority: how urgent it is, 1 (LOW) to 5 (EMERGENCY).
            reserved_for: the owner whose reserved connections it may use.
            timeout: seconds to wait; what the service does by default when not given. Longer than a minute
                is several requests, each of which begins at the end of the line.
            ttl: seconds after which the service takes the connection back when it hears nothing.

        Raises, once awaited or entered:
            AcquireTimeoutError: none came free in time; the message says what they were doing.
            AccountNotFound, AccountUnavailable, NoAccountAvailable: none ever will.
            PoolOverloadedError, PoolClosed, PoolNotFound: as of a pool in this process.
            ServiceUnreachable, AnswerLost, AccessRefused: about the way to the service.
        """
        wish = _wish(action, account_id, capabilities, priority, reserved_for)
        return RemoteLease(self, wish, timeout, ttl)

    async def execute(
        self,
        action: str,
        *,
        account: str | None = None,
        priority: int = NORMAL,
        reserved_for: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotency_key: str | None = None,
        override: str | None = None,
        **parameters: Any,
    ) -> Any:
        """Do one thing and return its record as plain values; as `TwikitConnectionPool.execute`.

        Args:
            action: by name.
            account: who does it; None for any account that can.
            priority: how urgent it is.
            reserved_for: the owner whose reserved connections it may use.
            timeout: seconds for each wait for a connection; the pool's setting when not given.
            deadline: seconds for everything; the service's when not given.
            idempotency_key: of an earlier try whose answer was lost; a new one when not given.
            override: why a post goes past the content filter; the token must be one that may operate.
            parameters: of the action.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            RemoteCallFailed: X did not do it; the verdict says why.
            PostBlocked, PostHeld: the content filter does not let it go; `reasons` says why.
            PoolError: no connection; see `acquire`.
            AnswerLost: nobody knows whether it was done.
        """
        done = await self._execute(
            action,
            parameters,
            account=account,
            priority=priority,
            reserved_for=reserved_for,
            timeout=timeout,
            deadline=deadline,
            key=idempotency_key,
            override=override,
        )
        return done["result"]

    async def _execute(
        self,
        action: str,
        parameters: Mapping[str, Any],
        *,
        priority: int,
        key: str | None = None,
        deadline: float | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        """What was done, and who has done it."""
        body: dict[str, Any] = {"action": action, "parameters": parameters, "priority": int(priority)}
        body |= {name: value for name, value in given.items() if value is not None}
        if deadline is not None:
            body["deadline"] = deadline
        path = f"/v1/pools/{quote(self.pool_id, safe='')}/execute"
        patience = (DEADLINE if deadline is None else deadline) + MARGIN
        return await self.wire.ask("POST", path, body, timeout=patience, key=key or str(uuid4()))

    async def iterate(
        self,
        action: str,
        *,
        account: str | None = None,
        priority: int = NORMAL,
        limit: int | None = None,
        **parameters: Any,
    ) -> AsyncGenerator[Any]:
        """The items of a paged read, page after page, as plain values; as `TwikitConnectionPool.iterate`.

        Args:
            action: a paged action by name, and its parameters.
            account: who reads. When none is named and the pages belong to whoever asks, all come from the
                account that read the first.
            priority: how urgent each page is.
            limit: the most items to yield; None for all there are.
            parameters: of the action.

        Raises:
            ActionError: the action has no pages, or a parameter is wrong; at the first item.
            RemoteCallFailed, PoolError, AnswerLost: as `execute`.
        """
        about = await self.wire.ask("GET", f"/v1/actions/{quote(action, safe='')}", timeout=QUICK)
        if not about["paged"]:
            raise InvalidParameters(f"{action} does not come in pages; use execute()")
        left, cursor = limit, parameters.pop("cursor", None)
        while left is None or left > 0:
            given = parameters if cursor is None else {**parameters, "cursor": cursor}
            done = await self._execute(action, given, account=account, priority=priority)
            items, following = _page_of(done["result"])
            for item in items[:left]:
                yield item
            if left is not None:
                left -= len(items)
            if following is None or following == cursor:
                return
            cursor = following
            if about["personal"]:
                account = done["account_id"]

    async def submit(
        self,
        jobs: Iterable[Mapping[str, Any]] | bytes,
        *,
        name: str = "",
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> RemoteBatch:
        """Submit jobs that the service carries out as one batch, whether or not anybody waits.

        Once this returns they are on the service's disk, and go on after a restart of it.

        Args:
            jobs: each as a line of a jobs file: `action`, `params`, `id`, `account`, `priority`, `tags`; or
                such lines.
            name: what you call the batch.
            timeout: seconds that each wait for an account may last; as long as it takes when not given.
            idempotency_key: of an earlier try whose answer was lost; a new one when not given. It holds as
                long as the service keeps the batch, over restarts too.

        Raises:
            RequestRefused: some jobs are wrong, and nothing was started; `errors` names each line.
            PoolOverloadedError: too many batches run.
            ServiceUnreachable, AnswerLost, AccessRefused: about the way to the service.
        """
        lines = jobs if isinstance(jobs, bytes) else b"\n".join(msgspec.json.encode(each) for each in jobs)
        asked = {"name": name, "timeout": timeout}
        query = "&".join(f"{each}={quote(str(value))}" for each, value in asked.items() if value)
        path = f"/v1/pools/{quote(self.pool_id, safe='')}/jobs?{query}"
        key, lost = idempotency_key or str(uuid4()), None
        for _ in range(TRIES):
            try:
                told = await self.wire.ask("POST", path, lines=lines, timeout=SUBMITTING, key=key)
            except AnswerLost as error:  # the key is on disk with the batch, so it is not begun twice
                lost = error
            except ServiceUnreachable:
                if lost is None:
                    raise
            else:
                return RemoteBatch(self, told["id"])
        raise lost or AnswerLost("no try was answered", key)

    def batch(self, batch_id: str) -> RemoteBatch:
        """A batch that was submitted before, here or elsewhere; nobody looks whether it is there."""
        return RemoteBatch(self, batch_id)

    async def status(self) -> dict[str, Any]:
        """What the pool is doing, in numbers; as `PoolStatus`."""
        return await self.ask("GET", "", timeout=QUICK)

    async def explain(
        self,
        *,
        action: str | None = None,
        account_id: str | None = None,
        capabilities: Iterable[str] = (),
        priority: int = NORMAL,
        reserved_for: str | None = None,
    ) -> dict[str, Any]:
        """Why such a request would wait: `sentence`, and what it is made of."""
        wish = _wish(action, account_id, capabilities, priority, reserved_for)
        return await self.ask("POST", "/explain", wish, timeout=QUICK)

    async def events(self, *topics: str) -> AsyncGenerator[dict[str, Any]]:
        """What happens in the pool, as plain messages: a snapshot first, then each event; see docs/events.md.

        Args:
            topics: `pool_updates`, `connection_events`, `scaling`, `alerts`, …; at least one.

        Raises:
            ConfigError: the package `websockets` is not installed.
            AccessRefused: the token does not hold.
            ServiceUnreachable: there is no connection, or no more.
        """
        heard = listen(self._url, self._token, topics, [self.pool_id], trust_env=self._trust_env)
        async with aclosing(heard):
            async for message in heard:
                yield message

    async def follow(
        self, *topics: str, pools: Sequence[str] | None = None, since: int | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """What happens in all pools of the service, or in these, also after the connection broke.

        As `events`; it goes on after what was heard last, and says `{"type": "disconnected", "reason": …,
        "again_in": …}` (seconds) whenever it waits to connect again.

        Args:
            topics: as for `events`.
            pools: about these alone.
            since: only what was told after this number, without a snapshot.

        Raises:
            ConfigError: the package `websockets` is not installed.
            AccessRefused: the token does not hold, or no more.
        """
        heard = follow(self._url, self._token, topics, pools, since, trust_env=self._trust_env)
        async with aclosing(heard):
            async for message in heard:
                yield message

    def __repr__(self) -> str:
        return f"<RemotePool {self.pool_id!r} at {self._host}>"


def _page_of(result: Any) -> tuple[list[Any], str | None]:
    """The items of a page and the cursor of the next: the result itself, or the answers a post came with."""
    page: dict[str, Any] = result if "next_cursor" in result else result.get("replies_page", {})
    return page.get("items", []), page.get("next_cursor")


def _wish(
    action: str | None,
    account_id: str | None,
    capabilities: Iterable[str],
    priority: int,
    reserved_for: str | None,
) -> dict[str, Any]:
    wish: dict[str, Any] = {"priority": int(priority), "capabilities": sorted(capabilities)}
    given = {"action": action, "account_id": account_id, "reserved_for": reserved_for}
    return wish | {name: value for name, value in given.items() if value is not None}
