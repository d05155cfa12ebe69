from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.house import House, house


@pytest.fixture
async def home() -> AsyncIterator[House]:
    async with house(accounts=3) as built:
        yield built
