"""For pytest: the fixture `x_simulator`, a fresh simulator for one test.

pytest loads this in every run, so it imports nothing but pytest until a test asks for the fixture. The
test must be `async def` under pytest-asyncio or anyio, whose event loop the simulator then runs on:

    async def test_my_bot(x_simulator):
        async with x_simulator(accounts=2, time_scale=60) as x:
            ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twikit_pool.simulator.server import Simulator


@pytest.fixture
def x_simulator() -> type[Simulator]:
    """The class `Simulator`, to be entered with the settings that the test needs."""
    from twikit_pool.simulator.server import Simulator

    return Simulator
