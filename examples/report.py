"""A report over what a pool did: its figures, what it takes to do more, and a page with charts.

python examples/report.py
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from twikit_pool import (
    Account,
    ConnectionPoolConfig,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPoolManager,
    TwikitSessionManager,
)
from twikit_pool.analytics import PoolAnalytics, PoolReport, facts_of
from twikit_pool.analytics.rendering import csv_of, html_of
from twikit_pool.manager import Automation
from twikit_pool.metrics.history import History
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import Simulator


async def main() -> PoolReport:
    history = History("history.db")
    async with Simulator(accounts=12) as x:
        # With accounts of your own: TwikitSessionManager(CookieFolder("cookies/")), and none of this.
        accounts = [
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        ]
        backend = TwikitBackend(transport=lambda _account: x.transport())
        async with (
            TwikitSessionManager(MemoryAccounts(accounts), backend=backend) as sessions,
            TwikitConnectionPoolManager(sessions, automation=Automation(history=history)) as manager,
        ):
            pool = await manager.create_pool("news", ConnectionPoolConfig(metrics_interval=0.5))
            for _ in range(5):
                await asyncio.gather(
                    *(pool.execute("search_tweet", query="python", count=5) for _ in range(20))
                )
                await asyncio.sleep(0.5)
            await asyncio.sleep(2)  # until it is written

            analytics = PoolAnalytics(history, facts=lambda name: facts_of(manager.pool(name)))
            report = await analytics.generate_pool_performance_report(
                "news", timedelta(hours=1), plan={"search_tweet": 5}
            )
    await history.aclose()
    return report


def tell(report: PoolReport) -> None:
    print(f"{report.throughput.calls} calls, {report.availability.calls:.1%} of them went well")
    print(f"half of them took at most {report.response.p50:.3f} s")
    for each in report.capacity:
        print(each.sentence)
    for each in report.notes:
        print("note:", each)
    Path("report.html").write_text(html_of([report]))
    Path("report.csv").write_text(csv_of([report]))


tell(asyncio.run(main()))
