"""A pool over simulated accounts, in virtual time, for one test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeAlias

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionRequest, Lease, PoolHooks, TwikitConnectionPool

Play: TypeAlias = Callable[[TwikitConnectionPool, SimulatedX], Coroutine[Any, Any, None]]

CALM: dict[str, Any] = {
    "acquire_timeout": 1000.0,
    "max_idle_time": None,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_circuits": False,
}
"""Nothing happens by itself but what a test asks for."""


def scene(
    accounts: int | Sequence[Account] = 1, *, opened: bool = True, **settings: Any
) -> Callable[[Play], Callable[[], None]]:
    """The test plays on a pool of so many accounts, with these settings, in a real loop's order."""

    def make(play: Play) -> Callable[[], None]:
        async def main(loop: SimulatedLoop) -> None:
            x = SimulatedX(loop)
            pool = pool_of(x, accounts, ConnectionPoolConfig(**{**CALM, **settings}))
            try:
                if opened:
                    await pool.open()
                    await settle()
                await play(pool, x)
            finally:
                await pool.shutdown(0)

        def test() -> None:
            simulate(main, order="fifo")

        test.__name__ = play.__name__
        return test

    return make


def hooked(pool: TwikitConnectionPool, **hooks: Any) -> TwikitConnectionPool:
    """A pool as this one, which is not open, with these hooks."""
    return TwikitConnectionPool(
        pool.sessions, pool.config, hooks=PoolHooks(**hooks), clock=pool.clock, rng=pool.rng
    )


async def take(pool: TwikitConnectionPool, **wish: Any) -> Lease:
    """A lease, waited for a second at most unless a timeout is given."""
    return await pool.acquire(ConnectionRequest(**{"timeout": 1.0, **wish}))


def ask(pool: TwikitConnectionPool, **wish: Any) -> asyncio.Task[Lease]:
    """A request in a task of its own, which waits for a minute at most unless a timeout is given."""
    task = asyncio.get_running_loop().create_task(take(pool, **{"timeout": 60.0, **wish}))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # a test may not care
    return task


async def gone(task: asyncio.Task[Lease]) -> Lease:
    """The lease that this task must have got by now."""
    await settle()
    assert task.done(), "it still waits"
    return task.result()


async def ended(task: asyncio.Task[Lease]) -> BaseException | None:
    """The error with which this task must have ended by now."""
    await settle()
    assert task.done(), "it still waits"
    return task.exception()


def account_ids(leases: Iterable[Lease]) -> list[str]:
    return [lease.account_id for lease in leases]


async def holders(waiting: Sequence[asyncio.Task[Lease]], holder: Lease) -> list[int]:
    """In which order those who wait hold the one connection, each giving it back at once."""
    order: list[int] = []
    lease = holder
    while len(order) < len(waiting):
        lease.release()
        await settle()
        (served,) = [n for n, task in enumerate(waiting) if task.done() and n not in order]
        order.append(served)
        lease = waiting[served].result()
    lease.release()
    return order


def source_of(*accounts: Account) -> MemoryAccounts:
    """A source, to put in place of a pool's own."""
    return MemoryAccounts(accounts)


async def settle() -> None:
    """Everything that is ready runs; no time to speak of passes."""
    await asyncio.sleep(0.001)
