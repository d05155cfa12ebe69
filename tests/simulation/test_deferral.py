"""LOW work that is held back, in every order: never more than it may, nobody else a moment later."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import pytest

from tests.simulation.__main__ import CANCELS, ORDERS
from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.simulation.worlds import WORLDS
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool

CALM: Final = ConnectionPoolConfig(
    acquire_timeout=None, enable_health_checks=False, leak_warning=None, max_idle_time=None
)
LOW: Final = ConnectionPriority.LOW

in_every_order = pytest.mark.parametrize("order", ORDERS)


async def use(pool: TwikitConnectionPool, request: ConnectionRequest, seconds: float) -> None:
    async with pool.acquire(request):
        await asyncio.sleep(seconds)


async def whims(pool: TwikitConnectionPool, rng: random.Random) -> None:
    """Other ceilings come and go; the last one lets one LOW lease be."""
    for _ in range(20):
        await asyncio.sleep(grid(rng, 1))
        pool.limit_low(rng.choice((0, 1, 2, 3, None)))
    pool.limit_low(1)


@in_every_order
@pytest.mark.parametrize("cancel", [CANCELS["none"], CANCELS["handoff"], CANCELS["random"]])
def test_while_ceilings_come_and_go_everyone_is_served_in_the_end(order: Order, cancel: object) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 5, CALM) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            pool.reserve("a0", "spring", duration=15)
            crowd: list[asyncio.Task[None]] = []
            for number in range(60):
                request = ConnectionRequest(
                    priority=loop.rng.choice((LOW, LOW, ConnectionPriority.HIGH)),
                    account_id=loop.rng.choice((None, None, "a0", "a1")),
                    endpoint=loop.rng.choice((None, "Likes")),
                    reserved_for=loop.rng.choice((None, None, "spring")),
                )
                coming = use(pool, request, grid(loop.rng, 2))
                crowd.append(loop.create_task(coming, name=f"actor-borrower-{number}"))
                await asyncio.sleep(grid(loop.rng, 0.5))
            await whims(pool, loop.rng)
            await asyncio.wait(crowd)
            assert all(each.cancelled() or each.exception() is None for each in crowd)
            pool.limit_low(None)
            assert not pool.matching.watchers, "counting goes on without a ceiling"
            await asyncio.sleep(20)
            watch.at_rest()
            loop.watch = None

    every_seed(main, range(10), order=order, cancel=cancel)  # type: ignore[arg-type]


@in_every_order
@pytest.mark.parametrize("cancel", ["handoff", "random"])
def test_in_random_worlds_nobody_is_forgotten(order: Order, cancel: str) -> None:
    every_seed(WORLDS["deferred"], range(6), order=order, cancel=CANCELS[cancel])


def test_i4_a_low_request_cancelled_at_any_step_leaves_its_place_to_the_next() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 3, CALM) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            pool.limit_low(1)
            low = ConnectionRequest(priority=LOW)
            first = loop.create_task(use(pool, low, 1))
            victim = loop.create_task(use(pool, low, 1), name="victim")
            behind = loop.create_task(use(pool, low, 1))
            await asyncio.wait([first, victim, behind])
            assert first.exception() is None
            assert behind.exception() is None
            pool.limit_low(None)
            await asyncio.sleep(1)
            watch.at_rest()
            loop.watch = None

    assert cancel_at_every_step(scene) >= 3


def served(low_crowd: int, most: int | None) -> list[int]:
    """In which order a crowd of the other priorities is served beside so many LOW requests."""

    async def main(loop: SimulatedLoop) -> list[int]:
        rng, order = random.Random(7), []  # type: ignore[var-annotated]

        async def note(number: int, request: ConnectionRequest) -> None:
            async with pool.acquire(request):
                order.append(number)
                await asyncio.sleep(1)

        async with pool_of(SimulatedX(loop), 2, CALM) as pool:
            await asyncio.sleep(1)
            pool.limit_low(most)
            held_back = [
                loop.create_task(use(pool, ConnectionRequest(priority=LOW), 1)) for _ in range(low_crowd)
            ]
            crowd: list[asyncio.Task[None]] = []
            for number in range(30):
                priority = rng.choice(tuple(ConnectionPriority)[1:])
                crowd.append(loop.create_task(note(number, ConnectionRequest(priority=priority))))
                await asyncio.sleep(0.1)
            await asyncio.wait(crowd)
            assert not any(each.done() for each in held_back)
            pool.limit_low(None)
            if held_back:
                await asyncio.wait(held_back)
        return order

    return simulate(main, order="fifo").result


def test_i5_for_everyone_else_it_is_as_if_low_work_that_is_held_back_were_not_there() -> None:
    assert served(20, most=0) == served(0, most=None)


@in_every_order
def test_no_more_connections_are_opened_for_low_work_than_it_may_have(order: Order) -> None:
    config = ConnectionPoolConfig(
        acquire_timeout=None, min_connections=0, initial_connections=0, enable_health_checks=False
    )

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        if loop.rng.random() < 0.5:
            x.opens_from = grid(loop.rng, 3)
        async with pool_of(x, 12, config) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            pool.limit_low(2)
            crowd = [loop.create_task(use(pool, ConnectionRequest(priority=LOW), 1)) for _ in range(10)]
            most = 0
            while not all(each.done() for each in crowd):
                most = max(most, pool.size)
                await asyncio.sleep(0.05)
            # A connection that comes back is not free yet when the next is opened for whoever waits.
            assert most <= 4
            pool.limit_low(None)
            many = [loop.create_task(use(pool, ConnectionRequest(priority=LOW), 1)) for _ in range(10)]
            await asyncio.sleep(0.9)
            assert pool.size == 10
            await asyncio.wait(many)
            loop.watch = None

    every_seed(main, range(10), order=order)


@in_every_order
def test_beside_low_work_in_full_others_have_all_the_rest(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 4, CALM) as pool:
            await asyncio.sleep(1)
            pool.limit_low(1)
            background = [loop.create_task(use(pool, ConnectionRequest(priority=LOW), 50)) for _ in range(9)]
            await asyncio.sleep(1)
            async with asyncio.timeout(0.5):
                leases = [await pool.acquire() for _ in range(3)]
            assert pool.status().active_by_priority[LOW] == 1
            for lease in leases:
                lease.release()
            for each in background:
                each.cancel()
            await asyncio.wait(background)

    every_seed(main, range(5), order=order)
