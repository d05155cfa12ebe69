"""What a pool did is still there after a restart: figures, percentiles of any range, and what happened.

python examples/history.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from twikit_pool import (
    Account,
    ConnectionPoolConfig,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPoolManager,
    TwikitSessionManager,
)
from twikit_pool.manager import Automation
from twikit_pool.metrics.history import History
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import Simulator


async def work(x: Simulator, history: History, calls: int) -> None:
    """A program that makes some calls and ends."""
    # With accounts of your own: TwikitSessionManager(CookieFolder("cookies/")), and none of this.
    source = MemoryAccounts(
        Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
    )
    backend = TwikitBackend(transport=lambda _account: x.transport())
    async with (
        TwikitSessionManager(source, backend=backend) as sessions,
        TwikitConnectionPoolManager(sessions, automation=Automation(history=history)) as manager,
    ):
        pool = await manager.create_pool("news", ConnectionPoolConfig(metrics_interval=0.5))
        await asyncio.gather(
            *(pool.execute("search_tweet", query="sunrise", product="Latest") for _ in range(calls))
        )


async def main() -> None:
    with TemporaryDirectory() as folder:
        async with Simulator(accounts=5) as x:
            for _ in range(2):
                await work(x, History(Path(folder) / "history.db"), calls=20)

        history = History(Path(folder) / "history.db")  # another program, later
        whole = await history.whole("news")
        if whole is not None:
            took = whole.response.histogram.quantile(0.9) or 0.0
            print(f"{whole.calls} calls in both runs, nine of ten within {took:.3f} s")
        columns = await history.series("news", step=60, figures=["calls", "response_p95"])
        print(f"by the minute: {columns}")
        for account_id, did in (await history.accounts("news")).items():
            print(f"  {account_id}: {did.calls} calls, {did.errors} failed")
        for event in (await history.events("news", kind="pool")).items:
            print(f"  {event.at:%H:%M:%S} {event.type} {event.fields}")
        await history.aclose()


if __name__ == "__main__":
    asyncio.run(main())
