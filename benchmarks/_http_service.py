"""The service over connections that do nothing: `python -m benchmarks._http_service`.

It prints its URL and a token, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks._silent_pool import SilentBackend, account
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionState
from twikit_pool.service.access import Access
from twikit_pool.service.app import application
from twikit_pool.service.audit import Audit
from twikit_pool.service.server import HttpServer, listen
from twikit_pool.service.service import Service
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.service.wire import WireLimits
from twikit_pool.sessions import TwikitSessionManager

UNLIMITED: Final = 1e9
"""Requests a second that the token may make: what is measured is the service, not its limit."""


async def serve(folder: Path, size: int) -> None:
    config = ConnectionPoolConfig(
        min_connections=size, max_connections=size, initial_connections=size, enable_health_checks=False
    )
    book = TokenBook(folder / "tokens.json")
    _, token = book.create("the benchmark", Scope.EXECUTE)
    access = Access(book, SYSTEM_CLOCK, rate=UNLIMITED, burst=UNLIMITED)
    source = MemoryAccounts([account(number) for number in range(size)])
    async with (
        TwikitSessionManager(source, backend=SilentBackend()) as sessions,
        TwikitConnectionPoolManager(sessions) as manager,
    ):
        pool = await manager.create_pool("default", config)
        while pool.counts()[ConnectionState.IDLE] < size:  # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.01)
        audit = Audit(folder / "audit.log", SYSTEM_CLOCK)
        service = Service(sessions, manager, access, audit)
        listener = listen("127.0.0.1", 0)
        async with service, HttpServer(application(service), listener, WireLimits()) as server:
            print(server.url, token, flush=True)
            await asyncio.to_thread(sys.stdin.read)
        audit.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(serve(Path(made), int(sys.argv[1])))
