"""A real twikit client per simulated account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from twikit.client.client import Client as TwikitClient

from twikit_pool.simulator import Simulator


class Client(TwikitClient):
    """twikit's client with the transport it is given: its own `proxy` setter would discard it."""

    @property
    def proxy(self) -> str:
        return ""

    @proxy.setter
    def proxy(self, url: str) -> None:
        pass


class HandClock:
    """A clock that only moves when it is told."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


Connect = Callable[..., Any]
"""Any, since twikit's own annotations are narrower than what it returns."""


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(x)`, `connect(x, 1)`: a client logged in as the first, the second account."""
    clients: list[Client] = []

    def connect(x: Any, number: int = 0, cookies: dict[str, str] | None = None) -> Client:
        client = Client(transport=x.transport())
        client.set_cookies(x.accounts[number].cookies if cookies is None else cookies)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.http.aclose()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def x() -> AsyncIterator[Simulator]:
    """A simulator of three accounts without limits."""
    async with Simulator(accounts=3, limits=False) as x:
        yield x
