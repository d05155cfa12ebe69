"""The pool in one file: two accounts of a local stand-in for X, a post, its answers, and what the pool says.

python examples/pool.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    CallFailed,
    ConnectionRequest,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import Simulator


async def main() -> None:
    async with Simulator(accounts=2) as x:
        # With accounts of your own: TwikitConnectionPool.from_cookies("cookies/*.json"), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPool(sessions) as pool,
        ):
            tweet = await pool.execute("post_tweet", content="Good morning")
            print(f"{tweet.author.handle} posted {tweet.text!r}")

            async with pool.acquire(ConnectionRequest(account_id="sim_001")) as connection:
                await connection.execute("post_tweet", content="To you too", reply_to=tweet.id)
                await connection.execute("like_tweet", tweet_id=tweet.id)

            async for answer in pool.iterate("get_tweet", tweet_id=tweet.id):
                print(f"{answer.author.handle} answered {answer.text!r}")

            x.fault("lock", account="sim_002")
            try:
                await pool.execute("post_tweet", account="sim_002", content="Is anything wrong?")
            except CallFailed as failure:
                print(failure)
            await pool.execute("get_user", handle="sim_002")  # the other account does it
            print({str(state): count for state, count in pool.counts().items() if count})


if __name__ == "__main__":
    asyncio.run(main())
