"""The project's simulator of X in virtual time: the real twikit on one side, no socket in between."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.simulation.simulated_loop import SimulatedLoop
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator.application import Application
from twikit_pool.simulator.http import Request
from twikit_pool.simulator.settings import read_settings

NEVER = 1e9


class VirtualTransport(httpx.AsyncBaseTransport):
    """Hands requests to the simulator's application, and lets the time pass that it asks for."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers.raw}
        asked = Request(request.method, request.url.raw_path.decode(), headers)
        asked.body = await request.aread()
        visit = self._application.admit(asked)
        await asyncio.sleep(visit.delay)
        delivery = self._application.serve(visit)
        await asyncio.sleep(delivery.delay)
        if delivery.wire:
            return _parsed(delivery.wire)
        if delivery.end == "hang":
            await asyncio.sleep(NEVER)
        raise httpx.ReadError("the connection was reset")


def _parsed(wire: bytes) -> httpx.Response:
    head, _, body = wire.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [line.partition(b": ") for line in lines]
    headers = [(name, value) for name, _, value in fields]
    return httpx.Response(int(first.split(b" ")[1]), headers=headers, content=body)


class VirtualX:
    """X, and the accounts that may log in."""

    def __init__(self, loop: SimulatedLoop, **settings: Any) -> None:
        self.application = Application(read_settings(settings), loop.clock)
        self._loop = loop

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.application.state.accounts]

    def fault(self, kind: str, **fields: Any) -> None:
        self.application.add_fault({"kind": kind, **fields})

    def mend(self, *, account: str | None = None, endpoint: str | None = None) -> None:
        self.application.faults.clear(account, endpoint)

    def log_in_anew(self, account_id: str) -> None:
        self.application.state.log_in_anew(self.application.state.by_id[account_id])

    def cookies(self, account_id: str) -> Cookies:
        return self.application.state.by_id[account_id].cookies

    def requests(self, endpoint: str) -> int:
        return self.application.state.calls.count(endpoint)

    def calls(self, *accounts: str, status: int | None = None) -> int:
        return sum(self.application.state.calls.count(account=each, status=status) for each in accounts)

    def transport(self) -> httpx.AsyncBaseTransport:
        return VirtualTransport(self.application)

    def sessions(self, **options: Any) -> TwikitSessionManager:
        accounts = [
            Account(id=each.id, handle=each.handle, credentials=Credentials(cookies=Cookies(each.cookies)))
            for each in self.application.state.accounts
        ]
        clock, rng = self._loop.clock, self._loop.rng
        backend = TwikitBackend(transport=lambda _account: self.transport())
        return TwikitSessionManager(
            MemoryAccounts(accounts), backend=backend, clock=clock, rng=rng, **options
        )

    def pool(self, config: ConnectionPoolConfig) -> TwikitConnectionPool:
        return TwikitConnectionPool(self.sessions(), config, clock=self._loop.clock, rng=self._loop.rng)
