from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.house import House, house
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager


@pytest.fixture
async def home() -> AsyncIterator[House]:
    async with house(accounts=3) as built:
        yield built


@pytest.fixture
async def alone(home: House) -> AsyncIterator[TwikitSessionManager]:
    """The house's accounts in sessions that no pool uses."""
    backend = TwikitBackend(transport=lambda _account: home.x.transport())
    async with TwikitSessionManager(home.source, backend=backend) as sessions:
        yield sessions
