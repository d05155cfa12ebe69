"""Reports over what a pool did; see docs/reports.md."""

from __future__ import annotations

import asyncio
from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from twikit_pool.analytics import PoolReport
from twikit_pool.analytics.rendering import csv_of, html_of
from twikit_pool.analytics.rendering.style import POLICY
from twikit_pool.analytics.spans import plan_of, span_of
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

Last = Annotated[
    str,
    QueryParameter(
        max_length=10, pattern=r"^\d{1,6}[mhdw]$", description="How far back: minutes, hours, days or weeks."
    ),
]
Plan = Annotated[
    str | None,
    QueryParameter(max_length=1_000, description="Rates to plan for: search_tweet=5,post_tweet=0.1."),
]


class PoolReports(Controller):
    """What a pool did, what is to be expected, and what should be changed."""

    path = "/v1/pools/{pool:str}"
    tags = ("reports",)

    @get("/report", opt={"scope": Scope.READ})
    async def report(
        self,
        service: Serving,
        pool: FromPath[str],
        last: Last = "7d",
        plan: Plan = None,
        suggest: FromQuery[bool] = True,
    ) -> PoolReport:
        """The report as JSON. It may take some seconds, and may be up to a minute old."""
        return await _made(service, pool, last, plan, suggest=suggest)

    @get("/report.html", opt={"scope": Scope.READ}, media_type="text/html")
    async def report_page(
        self,
        service: Serving,
        pool: FromPath[str],
        last: Last = "7d",
        plan: Plan = None,
        suggest: FromQuery[bool] = True,
    ) -> Response[str]:
        """The report as a page that needs nothing else: charts within, no script."""
        report = await _made(service, pool, last, plan, suggest=suggest)
        page = await asyncio.to_thread(html_of, [report])
        headers = {"Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'"}
        return Response(page, media_type="text/html", headers=headers)

    @get("/report.csv", opt={"scope": Scope.READ}, media_type="text/csv")
    async def report_table(
        self,
        service: Serving,
        pool: FromPath[str],
        last: Last = "7d",
        plan: Plan = None,
        suggest: FromQuery[bool] = True,
    ) -> Response[str]:
        """The report as CSV, a figure on each line."""
        report = await _made(service, pool, last, plan, suggest=suggest)
        return Response(await asyncio.to_thread(csv_of, [report]), media_type="text/csv")


async def _made(service: Serving, pool: str, last: str, plan: str | None, *, suggest: bool) -> PoolReport:
    return await service.reports.report(
        service.pool(pool).pool_id,
        span_of(last),
        plan_of(plan.split(",") if plan else ()),
        suggest=suggest,
    )
