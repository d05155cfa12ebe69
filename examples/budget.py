"""What a fleet of accounts can still do, before and after it worked, and how long a file of jobs would take.

python examples/budget.py
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
from twikit_pool.jobs import Job, Survey, plan_of
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.actions import SearchTweet
from twikit_pool.simulator import Simulator


async def main() -> None:
    async with Simulator(accounts=3) as x:
        # With accounts of your own: TwikitConnectionPool.from_cookies("cookies/*.json"), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPool(sessions) as pool,
        ):
            print(pool.budget("search_tweet"))
            for _ in range(50):
                await pool.execute("search_tweet", account="sim_001", query="python")
            print(pool.budget("search_tweet"))

            survey = Survey()
            for number in range(350):
                survey.add(Job(id=str(number), action=SearchTweet(query="python")))
            plan = plan_of(survey, pool)
            print(f"350 searches take {plan.seconds / 60:.0f} minutes because of {plan.bottleneck}")
            for what, seconds in plan.shorter.items():
                print(f"{what}: {seconds / 60:.0f} minutes")


if __name__ == "__main__":
    asyncio.run(main())
