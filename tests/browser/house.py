"""A service over the simulator with its dashboard, on a port that it can be stopped on and started again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._silent_pool import SilentBackend, account
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import TwikitPoolError
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionPriority, TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.service.access import Access
from twikit_pool.service.app import application
from twikit_pool.service.audit import Audit
from twikit_pool.service.server import HttpServer, listen
from twikit_pool.service.service import Service
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.service.wire import WireLimits
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.sessions.actions import parse_action
from twikit_pool.simulator import Simulator

PAUSE = 0.2
"""Seconds that whoever drives the load waits on average."""


@dataclass
class House:
    """What a test needs of the service.

    `port` is where it listened first; `begin` and `stop` start and stop the server, and nothing behind it.
    """

    service: Service
    tokens: dict[Scope, str]
    port: int = 0
    url: str = ""
    _server: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def pool(self) -> TwikitConnectionPool:
        return self.service.pool("default")

    async def begin(self) -> None:
        listener = listen("127.0.0.1", self.port)
        self._server.callback(listener.close)
        server = HttpServer(application(self.service), listener, WireLimits(), patience=1)
        await self._server.enter_async_context(server)
        self.url, self.port = server.url, listener.getsockname()[1]

    async def stop(self) -> None:
        await self._server.aclose()


@asynccontextmanager
async def _serving(folder: Path, sessions: TwikitSessionManager, manager: Any) -> AsyncIterator[House]:
    book = TokenBook(folder / "tokens.json")
    tokens = {scope: book.create(f"{scope} token", scope)[1] for scope in Scope}
    audit = Audit(folder / "audit.log", SYSTEM_CLOCK)
    access = Access(book, SYSTEM_CLOCK, rate=1e4, burst=1e4)
    house = House(Service(sessions, manager, access, audit), tokens)
    try:
        async with house.service:
            await house.begin()
            try:
                yield house
            finally:
                await house.stop()
    finally:
        audit.close()


@asynccontextmanager
async def simulated(folder: Path, accounts: int = 25, **settings: Any) -> AsyncIterator[House]:
    """Pools `default` and `news` over simulated accounts, with figures every half second."""
    async with Simulator(accounts=accounts, latency=0.05, latency_sigma=0.5, time_scale=30, seed=7) as x:
        source = MemoryAccounts(
            Account(
                id=each.id,
                handle=each.handle,
                credentials=Credentials(cookies=Cookies(each.cookies)),
                tags=frozenset({"uk" if number % 2 else "de"}),
            )
            for number, each in enumerate(x.accounts)
        )
        config = ConnectionPoolConfig(
            **{
                "min_connections": accounts,
                "max_connections": accounts,
                "initial_connections": accounts,
                "metrics_interval": 0.5,
                "acquire_timeout": 5,
                **settings,
            }
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPoolManager(sessions) as manager,
        ):
            few = {each.id for each in x.accounts[:2]}
            await manager.create_pool("news", config, accept=lambda each: each.id in few)
            await manager.create_pool("default", config, accept=lambda each: each.id not in few)
            async with _serving(folder, sessions, manager) as house:
                yield house


@asynccontextmanager
async def silent(folder: Path, connections: int) -> AsyncIterator[House]:
    """A pool `default` of so many connections that send nothing."""
    source = MemoryAccounts([account(number) for number in range(connections)])
    config = ConnectionPoolConfig(
        min_connections=connections,
        max_connections=connections,
        initial_connections=connections,
        enable_health_checks=False,
        enable_auto_scaling=False,
        metrics_interval=0.5,
    )
    sessions = TwikitSessionManager(source, backend=SilentBackend(), clock=SYSTEM_CLOCK)
    async with sessions, TwikitConnectionPoolManager(sessions) as manager:
        pool = await manager.create_pool("default", config)
        async with asyncio.timeout(60):
            while pool.status().available < connections:  # noqa: ASYNC110 - it is no event
                await asyncio.sleep(0.05)
        async with _serving(folder, sessions, manager) as house:
            yield house


ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("search_tweet", {"query": "news"}),
    ("get_user_by_screen_name", {"screen_name": "sim_003"}),
    ("get_timeline", {}),
    ("post_tweet", {"content": "Good morning"}),
]


@asynccontextmanager
async def load(pool: TwikitConnectionPool, callers: int = 8) -> AsyncIterator[None]:
    """So many callers who do one thing after another, of any priority, while this is entered."""
    rng = random.Random(1)

    async def caller() -> None:
        while True:
            action, parameters = rng.choice(ACTIONS)
            if "content" in parameters:
                parameters = {"content": f"{parameters['content']} {rng.random()}"}
            priority = ConnectionPriority(rng.randint(1, 5))
            with contextlib.suppress(TwikitPoolError):
                await pool.perform(parse_action(action, parameters), priority=priority, timeout=5)
            await asyncio.sleep(rng.expovariate(1 / PAUSE))

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
