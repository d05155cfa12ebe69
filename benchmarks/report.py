"""What a report of a week takes: read from SQLite with 20 pools and 1,000 accounts, and worked out.

The history is that of the benchmark `history`: points of ten seconds, minutes and hours of 20 pools, and 20
changes of state of each account in the week. *Seconds* are the median of three, from the call to the report,
and *CPU* is what of them the process has used, so that a busy machine counts for less. Every pool there has
three times the connections that it needs, so the whole report includes the search for a cure, with its
replays; *figures alone* does without. *HTML* is the page, with its charts.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

from benchmarks import Bar, Report
from benchmarks.history import ACCOUNTS, POOLS, At, an_hour, filled
from twikit_pool.analytics import PoolAnalytics
from twikit_pool.analytics.rendering import html_of
from twikit_pool.metrics.history import DatabaseStore, History

READS: Final = 3
MOST: Final = 2.0
"""Seconds that a report may take."""


def run() -> Report:
    with tempfile.TemporaryDirectory(prefix="twikit-pool-report-") as folder:
        return asyncio.run(_measured(str(Path(folder) / "history.db")))


async def _measured(url: str) -> Report:
    store = DatabaseStore(url)
    rows = await filled(store, url, an_hour(random.Random(1)))  # noqa: S311 - chance is seeded on purpose
    await store.aclose()
    history = History(url, clock=At())
    analytics = PoolAnalytics(history, clock=At())
    figures: dict[str, float | int | str] = {"rows": rows, "pools": POOLS, "accounts": ACCOUNTS}
    whole, cpu = await _timed(analytics, suggest=True)
    plain, plain_cpu = await _timed(analytics, suggest=False)
    report = await analytics.generate_pool_performance_report("pool_1", timedelta(days=7))
    figures["recommendations"] = len(report.recommendations or ())
    figures["accounts in the report"] = report.accounts.known
    figures["changes of state in the report"] = report.accounts.changes
    figures["a whole report, seconds"] = whole
    figures["figures alone, seconds"] = plain
    began = time.perf_counter()
    page = html_of([report])
    figures["HTML, seconds"] = time.perf_counter() - began
    figures["HTML, kB"] = len(page.encode()) / 1000
    began = time.perf_counter()
    for name in await history.pools():
        await analytics.generate_pool_performance_report(name, timedelta(days=7), False)
    figures["figures alone of all pools, seconds"] = time.perf_counter() - began
    await history.aclose()
    return Report(
        figures=figures,
        bars=[
            Bar("a whole report, CPU seconds", cpu, MOST, "lower"),
            Bar("figures alone, CPU seconds", plain_cpu, MOST / 2, "lower"),
        ],
    )


async def _timed(analytics: PoolAnalytics, *, suggest: bool) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    took: list[float] = []
    used: list[float] = []
    for number in range(READS):
        began, before = time.perf_counter(), time.process_time()
        await analytics.generate_pool_performance_report(f"pool_{number + 1}", timedelta(days=7), suggest)
        took.append(time.perf_counter() - began)
        used.append(time.process_time() - before)
    return statistics.median(took), statistics.median(used)
