"""A manager that sizes its pools by itself: a load that jumps, and two pools that share a ceiling.

python examples/scaling.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    ConnectionPoolConfig,
    ConnectionPriority,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitConnectionPoolManager,
    TwikitSessionManager,
)
from twikit_pool.manager import Automation
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import Simulator


async def use(pool: TwikitConnectionPool, callers: int, seconds: float) -> None:
    """So many callers at once, each holding a connection for 0.4 s at a time."""

    async def caller() -> None:
        ends = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends:
            async with pool.acquire():
                await asyncio.sleep(0.4)

    await asyncio.gather(*(caller() for _ in range(callers)))


async def main() -> None:
    async with Simulator(accounts=60) as x:
        # With accounts of your own: TwikitSessionManager(CookieFolder("cookies/")), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        automation = Automation(
            most_connections=40, guarantees={"brand": 10}, priorities={"brand": ConnectionPriority.HIGH}
        )
        config = ConnectionPoolConfig(min_connections=1, initial_connections=1, scaling_interval=0.2)
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPoolManager(sessions, automation=automation) as manager,
        ):
            brand = await manager.create_pool("brand", config, accept=lambda each: each.id < "sim_030")
            news = await manager.create_pool("news", config)
            for brand_callers, news_callers in ((1, 2), (1, 20), (20, 20)):
                await asyncio.gather(use(brand, brand_callers, 2), use(news, news_callers, 2))
                print(f"{brand_callers} callers of brand, {news_callers} of news:")
                for name, decision in manager.attendants.scaler.decisions.items():
                    pool = manager.pool(name)
                    print(f"  {name} has {pool.size}, is to have {decision.target_size}: {decision.reason}")


if __name__ == "__main__":
    asyncio.run(main())
