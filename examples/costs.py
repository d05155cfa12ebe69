"""What accounts cost, and LOW work that waits once a day's budget is used up while the rest goes on.

python examples/costs.py
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from twikit_pool import (
    Account,
    ConnectionPriority,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPool,
    TwikitSessionManager,
)
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.redaction import Cookies
from twikit_pool.scaling import CostKeeper, CostLimits, CostModel, Reading
from twikit_pool.simulator import Simulator


class SteadyGrid:
    """A carbon feed. `BritishCarbon()` asks the system operator; this one needs no network."""

    async def carbon(self) -> Reading:
        """What it is for the next half-hour."""
        ends = datetime.now(UTC) + timedelta(minutes=30)
        return Reading(value=180, unit="gCO2/kWh", renewed_at=ends, valid_until=ends)


async def main() -> None:
    async with Simulator(accounts=3) as x:
        # With accounts of your own: TwikitConnectionPool.from_cookies("cookies/*.json"), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        # So dear an hour that the budget of a day is used up in seconds.
        model = CostModel(per_account_hour=5000, per_gb=4, per_cpu_hour=0.05)
        limits = CostLimits(carbon_above={250: 0.5, 400: 0}, budget_per_day=5)
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPool(sessions) as pool,
        ):
            await pool.execute("search_tweet", query="python")
            async with CostKeeper(pool, model, limits, carbon=SteadyGrid(), interval=0.1) as keeper:
                while keeper.low_work.share > 0:
                    await pool.execute("search_tweet", query="python", priority=ConnectionPriority.LOW)
                    await asyncio.sleep(0.1)
                print(f"today has cost {keeper.today.total:.2f}, and {keeper.today.carbon or 0:.6f} g of CO2")
                try:
                    await pool.execute(
                        "search_tweet", query="python", priority=ConnectionPriority.LOW, timeout=0.5
                    )
                except AcquireTimeoutError as error:
                    print(f"LOW work waits: {error}")
                await pool.execute("search_tweet", query="python")
                print("NORMAL work goes on")
            await pool.execute("search_tweet", query="python", priority=ConnectionPriority.LOW)
            print("and so does LOW work when nobody keeps the costs any more")


if __name__ == "__main__":
    asyncio.run(main())
