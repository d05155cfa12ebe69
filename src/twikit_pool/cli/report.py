"""`twikit-pool report`: what pools did, what is to be expected, and what should be changed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode

import msgspec
from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from twikit_pool.accounts.locations import data_folder
from twikit_pool.analytics.pool_analytics import PoolAnalytics
from twikit_pool.analytics.recording import Facts
from twikit_pool.analytics.rendering import csv_of, html_of
from twikit_pool.analytics.rendering.html import percent, seconds
from twikit_pool.analytics.rendering.svg import number
from twikit_pool.analytics.report import PoolReport
from twikit_pool.analytics.spans import plan_of, span_of
from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.remote import TOKEN, USUAL, Url
from twikit_pool.client import RemotePool, ServiceUnreachable
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG
from twikit_pool.errors import ConfigError
from twikit_pool.metrics.history import History
from twikit_pool.service.sections import HISTORY_FILE
from twikit_pool.service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rich.console import Console

PATIENCE: Final = 120.0
"""Seconds for a report of the service."""

Plan = Annotated[
    tuple[str, ...],
    Parameter(
        name="--plan",
        negative="",
        help="Say what a rate takes: search_tweet=5 is five searches a second. May be given several times.",
    ),
]
File = Annotated[Path | None, Parameter(allow_leading_hyphen=False)]


async def report(
    *,
    last: str = "7d",
    pool: str | None = None,
    html: File = None,
    json: File = None,
    csv: File = None,
    charts: File = None,
    pdf: File = None,
    plan: Plan = (),
    suggest: bool = True,
    history: str | None = None,
    url: Url = None,
) -> int:
    """What pools did. Asks the service if it runs and TWIKIT_POOL_TOKEN is set, else reads its history.

    Args:
        last: how far back: a number of minutes (90m), hours (24h), days (7d) or weeks (4w).
        pool: one pool alone; all if not given.
        html: a file for a page with charts.
        json: a file for all of it, as a JSON array.
        csv: a file for all of it, a figure on each line.
        charts: a folder for the charts as PNG and SVG (extra `reports`).
        pdf: a file for a PDF (extra `reports`).
        plan: rates of which to say what they take.
        suggest: look for what should be changed.
        history: the history to read: the path of an SQLite file, or a URL. The service is not asked.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    span, wanted = span_of(last), plan_of(plan)
    reports = None
    if history is None and (os.environ.get(TOKEN, "").strip() or url is not None):
        reports = await _from_service(last, pool, plan, suggest=suggest, url=url)
    if reports is None:
        reports = await _from_history(history, span, pool, wanted, suggest=suggest)
    screen = courteous(sys.stdout)
    for path, text in (
        (html, lambda: html_of(reports)),
        (csv, lambda: csv_of(reports)),
        (json, lambda: msgspec.json.encode(reports).decode()),
    ):
        if path is not None:
            path.write_text(text(), encoding="utf-8")
            screen.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if charts is not None or pdf is not None:
        _write_extras(reports, charts, pdf, screen)
    if not any((html, csv, json, charts, pdf)):
        for each in reports:
            _print(each, screen)
    return 0


async def _from_service(
    last: str, pool: str | None, plan: Sequence[str], *, suggest: bool, url: str | None
) -> list[PoolReport] | None:
    """Those of the service; None if it does not run, and nobody named it."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ConfigError(f"{TOKEN} is not set: put a token there; `twikit-pool tokens create` makes one")
    query = urlencode({"last": last, "suggest": str(suggest).lower(), "plan": ",".join(plan)})
    try:
        async with RemotePool(url or USUAL, token, pool or "default") as remote:
            names = [pool]
            if pool is None:
                every = await remote.wire.ask("GET", "/v1/pools", timeout=PATIENCE)
                names = [each["pool_id"] for each in every]
            found: list[PoolReport] = []
            for name in names:
                async with RemotePool(url or USUAL, token, name or "default") as one:
                    told = await one.ask("GET", f"/report?{query}", timeout=PATIENCE)
                found.append(msgspec.convert(told, PoolReport))
            return found
    except ServiceUnreachable:
        if url is not None:
            raise
        return None


async def _from_history(
    store: str | None, last: timedelta, pool: str | None, plan: dict[str, float], *, suggest: bool
) -> list[PoolReport]:
    settings = load_settings().settings
    where = store or settings.history.store or data_folder() / HISTORY_FILE
    _see_file(where)
    history = History(where, weeks=settings.history.weeks)

    def facts(pool_id: str) -> Facts:
        known = settings.pools.get(pool_id)
        return Facts(config=DEFAULT_CONNECTION_POOL_CONFIG if known is None else known.config)

    try:
        names = await history.pools()
        if pool is not None and pool not in names:
            raise ConfigError(f"the history has no pool {pool!r}: it has {', '.join(names) or 'none'}")
        analytics = PoolAnalytics(history, facts=facts)
        return [
            await analytics.generate_pool_performance_report(each, last, suggest, plan=plan)
            for each in names
            if pool in (None, each)
        ]
    finally:
        await history.aclose()


def _see_file(where: str | Path) -> None:
    """Opening a history makes its file; who only reads wants no new one."""
    if (isinstance(where, Path) or "://" not in where) and not Path(where).exists():
        raise ConfigError(
            f"there is no history {where}: `twikit-pool serve` keeps one, or name another with --history; "
            f"a service that runs is asked when {TOKEN} is set"
        )


def _write_extras(
    reports: Sequence[PoolReport], charts: Path | None, pdf: Path | None, screen: Console
) -> None:
    # Optional extras.
    if charts is not None:
        from twikit_pool.analytics.rendering.pictures import write_charts

        for each in reports:
            for path in write_charts(each, charts):
                screen.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if pdf is not None:
        from twikit_pool.analytics.rendering.pdf import pdf_of

        pdf.write_bytes(pdf_of(reports))
        screen.print(f"wrote {pdf}", markup=False, highlight=False, soft_wrap=True)


# ---------------------------------------------------------------- on a terminal


def _print(report: PoolReport, screen: Console) -> None:
    scaling, budget = report.scaling, report.error_budget
    screen.print(
        f"[bold]pool {escape(report.pool_id)}[/], {report.since:%a %d %b %H:%M} to "
        f"{report.until:%a %d %b %H:%M} UTC, {percent(report.availability.measured, 1)} of it measured"
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = (
        ("calls", f"{report.throughput.calls:,}, {number(report.throughput.calls_per_second)} a second"),
        ("went well", percent(report.availability.calls)),
        ("requests served", percent(report.availability.requests)),
        ("response", f"p50 {seconds(report.response.p50)}, p95 {seconds(report.response.p95)}"),
        ("late requests", f"{percent(scaling.late)}; {percent(scaling.late_objective)} may be"),
        ("error budget", f"{percent(budget.used, 0)} used"),
        ("connections wasted", percent(scaling.waste, 0)),
        ("accounts", f"{report.accounts.known:,}; {report.accounts.changes:,} changes of state"),
    )
    for row in rows:
        table.add_row(*row)
    if report.forecast is not None:
        peak = f"up to {number(report.forecast.peak)} erlangs: {report.forecast.peak_connections} connections"
        table.add_row("next 24 hours", peak)
    for need in report.capacity:
        table.add_row("plan", escape(need.sentence))
    for each in report.trends:
        if each.direction != "flat":
            table.add_row("trend", f"{each.figure} is {each.direction}: {percent(each.relative, 1)} a day")
    for each in report.anomalies:
        table.add_row("unusual", escape(each.sentence))
    for each in report.notes:
        table.add_row("note", escape(each))
    screen.print(table)
    for each in report.recommendations or ():
        main = each.effects[0]
        show = percent if "share" in main.figure else number
        screen.print(f"[bold]change[/]: {escape(each.title)}", soft_wrap=True)
        screen.print(f"  {escape('; '.join(each.evidence))}", soft_wrap=True)
        screen.print(
            f"  replayed, {escape(main.figure)}: {show(main.before)} becomes {show(main.after)} "
            f"({show(main.low)} to {show(main.high)})",
            soft_wrap=True,
        )
    if report.recommendations == []:
        screen.print("nothing to change: no change, replayed, would have been clearly better")
    screen.print()
