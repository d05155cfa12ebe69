"""I5: the order is priority with ageing. A sorted list says at each release who must be next."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from tests.simulation.__main__ import ORDERS
from tests.simulation.simulated_loop import Order, SimulatedLoop, every_seed, grid
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.config import HEAD_STARTS, ConnectionPoolConfig
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool


@dataclass
class Oracle:
    """Who waits, as a sorted list has it."""

    loop: SimulatedLoop
    starts: tuple[float, ...]
    came: dict[int, tuple[float, int, ConnectionRequest]] = field(
        default_factory=dict[int, tuple[float, int, ConnectionRequest]]
    )
    arrivals: int = 0

    def joined(self, number: int, request: ConnectionRequest) -> None:
        self.arrivals += 1
        self.came[number] = (self.loop.time(), self.arrivals, request)

    def rank(self, number: int) -> tuple[float, int]:
        at, arrival, request = self.came[number]
        return (at + self.starts[request.priority - 1], arrival)

    def next(self) -> ConnectionRequest | None:
        return self.came[min(self.came, key=self.rank)][2] if self.came else None

    def served(self, request: ConnectionRequest) -> None:
        """Nobody is left behind who came earlier by more than his own head start."""
        number = next(each for each, (*_, asked) in self.came.items() if asked is request)
        at, *_ = self.came.pop(number)
        for earlier, _, waiting in self.came.values():
            assert at <= earlier + self.starts[waiting.priority - 1] + 1e-9, "overtaken by a late arrival"


async def queue(loop: SimulatedLoop, starts: tuple[float, ...], pool: TwikitConnectionPool) -> int:
    oracle, handed_over = Oracle(loop, starts), 0

    async def customer(number: int) -> None:
        nonlocal handed_over
        rng = loop.rng
        await asyncio.sleep(grid(rng, 30))
        request = ConnectionRequest(priority=rng.choice(tuple(ConnectionPriority)))
        lease, hold = pool.acquire(request), grid(rng, 4)
        if not pool.status().available:
            oracle.joined(number, request)
        try:
            await lease
        finally:
            oracle.came.pop(number, None)
        await asyncio.sleep(hold)
        expected, connection = oracle.next(), lease.connection
        lease.release()
        if expected is not None:
            assert connection.request is expected, "somebody else was first in line"
            oracle.served(expected)
            handed_over += 1

    tasks = [loop.create_task(customer(number)) for number in range(40)]

    async def leaver() -> None:
        for number in loop.rng.sample(range(40), 6):
            await asyncio.sleep(grid(loop.rng, 6))
            if number in oracle.came:
                del oracle.came[number]
                tasks[number].cancel()

    leaving = loop.create_task(leaver())
    await asyncio.wait([*tasks, leaving])
    for each in (*tasks, leaving):
        with suppress(asyncio.CancelledError):
            await each
    return handed_over


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("by_priority", [True, False])
def test_i5_whoever_is_first_by_arrival_and_head_start_is_next(order: Order, by_priority: bool) -> None:
    async def main(loop: SimulatedLoop) -> int:
        config = ConnectionPoolConfig(
            acquire_timeout=None, enable_priority_queuing=by_priority, enable_health_checks=False
        )
        async with pool_of(SimulatedX(loop), 2, config) as pool:
            await asyncio.sleep(1)
            return await queue(loop, HEAD_STARTS if by_priority else (0.0,) * 5, pool)

    outcomes = every_seed(main, range(60), order=order)
    assert sum(each.result for each in outcomes) > 60 * 15
