"""Many tasks that wait: for connections of our pool, or for nothing but a future, to compare with."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final, Protocol

from twikit_pool.pool import ConnectionRequest, Lease, TwikitConnectionPool

ENDPOINTS: Final = [f"Endpoint{number}" for number in range(68)]
CAPABILITIES: Final = [frozenset(names) for names in ((), ("one",), ("two",), ("one", "two"))]
SERVED_BY_EACH: Final = 10
"""Waiters for each connection that is released."""
SOON: Final = 0.2
LONG: Final = 3600.0
"""Seconds after which waiters time out, of those that shall and those that shall not."""

Tasks = list[asyncio.Task[None]]


class Crowd(Protocol):
    """Waiters that come, and three ways in which their waiting ends; they can be cancelled as well."""

    async def enqueue(self, timeout: float) -> Tasks:
        """Their tasks, all of which wait by now."""
        ...

    def serve(self) -> None:
        """Give them what they wait for."""
        ...

    def expire(self) -> None:
        """Let the time of all be up at once."""
        ...

    async def settle(self) -> None:
        """After they were served, make all as it was before."""
        ...


class PoolCrowd:
    """Tasks that acquire a connection of a pool that has none free, and release it at once.

    Args:
        pool: the pool.
        held: leases of all its connections; those that serve the crowd are replaced by new ones.
        count: how many wait.
        chance: chooses who serves them and what they ask for.
    """

    def __init__(
        self, pool: TwikitConnectionPool, held: list[Lease], count: int, chance: random.Random
    ) -> None:
        self._pool = pool
        self._held = held
        self._serving = chance.sample(range(len(held)), count // SERVED_BY_EACH)
        self._requests = {timeout: self._asked_for(timeout, count, chance) for timeout in (SOON, LONG)}

    def _asked_for(self, timeout: float, count: int, chance: random.Random) -> list[ConnectionRequest]:
        accounts = [self._held[place].connection.account for place in self._serving]
        requests: list[ConnectionRequest] = []
        for number in range(count):
            whose = chance.choice(accounts) if number % 10 == 0 else None
            requests.append(
                ConnectionRequest(
                    account_id=whose.id if whose else None,
                    endpoint=chance.choice(ENDPOINTS),
                    capabilities=whose.capabilities if whose else chance.choice(CAPABILITIES),
                    timeout=timeout,
                )
            )
        return requests

    async def enqueue(self, timeout: float) -> Tasks:
        """As the protocol has it."""
        pool, requests = self._pool, self._requests[timeout]

        async def use(request: ConnectionRequest) -> None:
            lease = await pool.acquire(request)
            lease.release()

        tasks = [asyncio.create_task(use(request)) for request in requests]
        await asyncio.sleep(0)
        if pool.waiting != len(tasks):
            why = next((task.exception() for task in tasks if task.done()), None)
            for task in tasks:
                task.cancel()
            raise RuntimeError(f"{pool.waiting} wait, not {len(tasks)}") from why
        return tasks

    def serve(self) -> None:
        """Release one connection for every ten who wait."""
        for place in self._serving:
            self._held[place].release()

    def expire(self) -> None:
        """Keep the loop from going on until all are due."""
        time.sleep(SOON)

    async def settle(self) -> None:
        """Hold the connections again."""
        for place in self._serving:
            account_id = self._held[place].request.account_id
            self._held[place] = await self._pool.acquire(ConnectionRequest(account_id=account_id))


class BareCrowd:
    """As many tasks, each of which waits for a future of its own."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._futures: list[asyncio.Future[None]] = []

    async def enqueue(self, timeout: float) -> Tasks:  # noqa: ARG002 - nothing here has a timer
        """As the protocol has it."""
        futures, future = self._futures, asyncio.get_running_loop().create_future
        futures.clear()

        async def wait() -> None:
            mine = future()
            futures.append(mine)
            await mine

        tasks = [asyncio.create_task(wait()) for _ in range(self._count)]
        await asyncio.sleep(0)
        return tasks

    def serve(self) -> None:
        """Set each future's result."""
        for future in self._futures:
            future.set_result(None)

    def expire(self) -> None:
        """Set an error in each future."""
        for future in self._futures:
            future.set_exception(TimeoutError())

    async def settle(self) -> None: ...
