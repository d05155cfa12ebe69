"""What the content filter says of posts, and how it stands before a pool.

python examples/content_filter.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.errors import PostBlocked, PostHeld
from twikit_pool.redaction import Cookies
from twikit_pool.safety import ContentSafetyFilter, Planned, PostGuard, SafetySettings, overriding
from twikit_pool.simulator import Simulator

NEWS = "The bridge over the harbour opens again on Monday morning"


async def look() -> None:
    looking = ContentSafetyFilter()
    for text in (NEWS, "Card 4111 1111 1111 1111", "auth_token=" + "0a" * 20, "bit.ly/x is a link"):
        verdict = await looking.check(text, "brand_uk")
        print(f"{verdict.decision:7} {[each.rule for each in verdict.reasons]}")
    plan = [Planned(post=NEWS, account="brand_uk"), Planned(post=f"ICYMI: {NEWS}!", account="brand_fr")]
    print([str(each.decision) for each in await looking.validate(plan)])


async def post() -> None:
    async with Simulator(accounts=2) as x:
        # With accounts of your own: TwikitConnectionPool.from_cookies("cookies/*.json"); pool.guard = guard
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        guard = PostGuard.of(SafetySettings())
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPool(sessions, guard=guard) as pool,
        ):
            tweet = await pool.execute("post_tweet", account="sim_001", content=NEWS)
            print("posted", tweet.text)
            try:
                await pool.execute("post_tweet", account="sim_002", content=f"ICYMI: {NEWS}!")
            except PostBlocked as blocked:
                print(blocked)
            with overriding("both brands agreed", by="anna"):
                await pool.execute("post_tweet", account="sim_002", content=f"ICYMI: {NEWS}!")
            try:
                await pool.execute("post_tweet", account="sim_001", content="Call 4111 1111 1111 1111")
            except PostHeld as held:
                guard.reviews.approve(held.review_id or 0, by="anna", note="it is an example")
            await pool.execute("post_tweet", account="sim_001", content="Call 4111 1111 1111 1111")
        guard.close()


async def main() -> None:
    await look()
    await post()


if __name__ == "__main__":
    asyncio.run(main())
