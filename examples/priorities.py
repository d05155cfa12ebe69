"""Who is served first: priorities, a reservation, an emergency stop. Runs on two simulated accounts.

python examples/priorities.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    ConnectionPriority,
    ConnectionRequest,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped
from twikit_pool.simulator import Simulator


async def by_priority(pool: TwikitConnectionPool) -> None:
    async def post(priority: ConnectionPriority) -> None:
        await pool.execute("post_tweet", content=priority.name, account="sim_001", priority=priority)
        print(f"  served: {priority.name}")

    taken = ConnectionRequest(account_id="sim_001")
    async with asyncio.TaskGroup() as group, pool.acquire(taken):
        for priority in ConnectionPriority:
            group.create_task(post(priority))
        await asyncio.sleep(0.1)
        print(f"{pool.waiting} posts wait for one account; the least urgent came first")


async def for_a_campaign(pool: TwikitConnectionPool) -> None:
    kept = pool.reserve("sim_002", "spring", ConnectionPriority.HIGH, duration=60)
    print(f"{kept.account_id} is kept for {kept.reserved_for!r} until {kept.expires_at:%H:%M:%S} UTC")
    try:
        await pool.acquire(ConnectionRequest(account_id="sim_002", timeout=0))
    except AcquireTimeoutError as error:
        print(f"  others: {error}")
    tweet = await pool.execute("post_tweet", content="Spring is here", reserved_for="spring")
    print(f"  the campaign: {tweet.author.handle} posted {tweet.text!r}")
    kept.release()


async def in_an_emergency(pool: TwikitConnectionPool) -> None:
    async with pool.acquire() as connection:
        pool.emergency_stop("a bad link in the last post", pause=1)
        try:
            await connection.execute("post_tweet", content="Business as usual")
        except EmergencyStopped as error:
            print(f"nothing was sent: {error}")
        tweet = await pool.execute("post_tweet", content="Sorry!", priority=ConnectionPriority.CRITICAL)
        print(f"  {tweet.author.handle} posted {tweet.text!r}; the pool's mode is {pool.status().mode}")
    await asyncio.sleep(1.1)
    print(f"  a second later it is {pool.status().mode}")


async def main() -> None:
    async with Simulator(accounts=2) as x:
        accounts = [Account(id=each.id, credentials=Credentials(cookies=each.cookies)) for each in x.accounts]
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(MemoryAccounts(accounts), backend=backend) as sessions,
            TwikitConnectionPool(sessions) as pool,
        ):
            await by_priority(pool)
            await for_a_campaign(pool)
            await in_an_emergency(pool)
            status = pool.status()
            print(f"{status.total} connections, {status.available} idle, {status.queued} requests wait")


if __name__ == "__main__":
    asyncio.run(main())
