"""The service over a simulator, behind real HTTP, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.manager import Automation, TwikitConnectionPoolManager
from twikit_pool.metrics.history import History
from twikit_pool.redaction import Cookies
from twikit_pool.safety import PostGuard
from twikit_pool.service.access import Access
from twikit_pool.service.app import application
from twikit_pool.service.audit import Audit
from twikit_pool.service.sections import JobSettings
from twikit_pool.service.server import HttpServer, listen
from twikit_pool.service.service import Service
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.service.wire import WireLimits
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator


@dataclass
class Served:
    x: Simulator
    service: Service
    url: str
    tokens: dict[Scope, str]
    folder: Path

    def client(self, scope: Scope | None = Scope.ADMIN, **settings: Any) -> httpx.AsyncClient:
        headers = {} if scope is None else {"Authorization": f"Bearer {self.tokens[scope]}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=30, **settings)


@asynccontextmanager
async def served(
    folder: Path,
    config: ConnectionPoolConfig | None = None,
    *,
    access: dict[str, Any] | None = None,
    guard: PostGuard | None = None,
    jobs: JobSettings | None = None,
    history: History | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """A daemon with a pool `default`, and a token of each scope."""
    async with Simulator(**{"accounts": 3, **settings}) as x:
        source = MemoryAccounts(
            [
                Account(
                    id=each.id, handle=each.handle, credentials=Credentials(cookies=Cookies(each.cookies))
                )
                for each in x.accounts
            ]
        )
        book = TokenBook(folder / "tokens.json")
        tokens = {scope: book.create(f"for {scope}", scope)[1] for scope in Scope}
        backend = TwikitBackend(transport=lambda _account: x.transport())
        audit = Audit(folder / "audit.log", SYSTEM_CLOCK)
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPoolManager(
                sessions, automation=Automation(history=history), guard=guard
            ) as manager,
        ):
            await manager.create_pool("default", config or ConnectionPoolConfig(acquire_timeout=5))
            kept = msgspec.structs.replace(jobs or JobSettings(), folder=folder / "jobs")
            service = Service(
                sessions, manager, Access(book, SYSTEM_CLOCK, **(access or {})), audit, kept, guard
            )
            async with service, listening(application(service)) as url:
                yield Served(x, service, url, tokens, folder)
        audit.close()


@asynccontextmanager
async def listening(app: Litestar) -> AsyncIterator[str]:
    """An application on a free port of this machine."""
    async with HttpServer(app, listen("127.0.0.1", 0), WireLimits(), patience=2) as server:
        yield server.url
