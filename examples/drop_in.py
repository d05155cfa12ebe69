"""A program written for twikit, over a pool: one line is another. Runs on three simulated accounts.

python examples/drop_in.py
"""

from __future__ import annotations

import asyncio

from twikit.client.client import Client
from twikit.errors import TooManyRequests

from twikit_pool import (
    Account,
    Credentials,
    MemoryAccounts,
    PooledClient,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.simulator import Simulator


async def like_what_is_new(client: Client) -> None:
    """Any program written for twikit."""
    try:
        page = await client.search_tweet("the", "Latest", count=5)
        for tweet in page:
            await tweet.favorite()
            print(f"liked: {tweet.text}")
        for tweet in await page.next():
            print(f"next page: {tweet.text}")
    except TooManyRequests as error:
        print(f"come back at {error.rate_limit_reset}")


async def main() -> None:
    async with Simulator(accounts=3) as x:
        # Your own: `TwikitConnectionPool.from_cookies("cookies/")` needs none of these lines.
        accounts = [Account(id=each.id, credentials=Credentials(cookies=each.cookies)) for each in x.accounts]
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(MemoryAccounts(accounts), backend=backend) as sessions,
            TwikitConnectionPool(sessions) as pool,
        ):
            client = PooledClient(pool)  # instead of: client = Client("en-US")
            await like_what_is_new(client)

            brand = PooledClient(pool, account=x.accounts[1].id)
            tweet = await brand.create_tweet("Hello from one account")
            print(f"posted by {(await brand.user()).screen_name}, and deleted: {await tweet.delete()}")


if __name__ == "__main__":
    asyncio.run(main())
