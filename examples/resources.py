"""What connections and the process cost, and what the optimizer would do about it.

python examples/resources.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    ConnectionPoolConfig,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.redaction import Cookies
from twikit_pool.resources import ResourceMonitor, ResourceOptimizer
from twikit_pool.simulator import Simulator

MB = 1_000_000


async def main() -> None:
    async with Simulator(accounts=5) as x:
        # With accounts of your own: TwikitConnectionPool.from_cookies("cookies/*.json"), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        # Anything that was idle for a tenth of a second counts as idle for long here.
        config = ConnectionPoolConfig(min_connections=2, optimize_idle_after=0.1, optimize_long_idle=0.1)
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPool(sessions, config) as pool,
            ResourceMonitor(pool, interval=0.5) as monitor,
            ResourceOptimizer(pool, monitor) as optimizer,
        ):
            for each in x.accounts:
                await pool.execute("get_user_tweets", account=each.id, user_id=each.user_id)
            await asyncio.sleep(1)

            process = monitor.process
            print(f"process: {(process.memory or 0) / MB:.0f} MB, {process.cpu or 0:.0%} of a core")
            for name, cost in monitor.connections(pool).items():
                memory = f"an estimated {cost.memory / 1000:.0f} KB" if cost.memory else "not yet estimated"
                print(f"{name}: {cost.cpu_seconds * 1e3:.1f} ms of CPU, {memory}, {cost.received} bytes in")

            result = optimizer.optimize_resources(dry_run=True)["default"]
            print(f"the optimizer would do {len(result.actions)} things:")
            for action in result.actions:
                print(f"  {action.kind} {action.what}: {action.reason}")
            result = optimizer.optimize_resources()["default"]
            print(f"it has: {result.connections_before} connections before, {result.connections_after} after")


if __name__ == "__main__":
    asyncio.run(main())
