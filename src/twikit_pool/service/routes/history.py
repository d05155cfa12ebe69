"""What pools did: figures over time for charts, and what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import Controller, get
from litestar.params import FromPath, FromQuery, QueryParameter

from twikit_pool.metrics.history import CHARTED, EventPage
from twikit_pool.service.routes.paging import USUAL, Limit
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

Step = Annotated[float, QueryParameter(ge=0, le=86_400)]
Names = Annotated[str | None, QueryParameter(max_length=1_000, description="Figures, joined by commas.")]
Word = Annotated[str | None, QueryParameter(max_length=100)]

Moment = FromQuery[datetime | float | None]
"""A time, or seconds since 1970, as in the column `at`."""

LAST: Final = 1e11
"""Seconds since 1970 that are still a date."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's figures over time, by column; all columns are of one length, the oldest first.

    `at` is in seconds since 1970; what the others are, docs/history.md says.

    Attributes:
        pool_id: whose.
        columns: the figures.
        kept: seconds for which the service keeps them, if only by the hour.
        lost: intervals and events that are not kept, because the database was slow or gone for too long.
        failing: why nothing can be kept now; null while it can.
    """

    pool_id: str
    columns: dict[str, list[float | None]]
    kept: int
    lost: int
    failing: str | None


class MetricsHistory(Controller):
    """What was."""

    path = "/v1/pools/{pool:str}"
    tags = ("pools",)

    @get("/metrics/history", opt={"scope": Scope.READ})
    async def history(
        self,
        service: Serving,
        pool: FromPath[str],
        since: Moment = None,
        until: Moment = None,
        step: Step = 0.0,
        figures: Names = None,
    ) -> Figures:
        """Figures of the last 24 hours, or of another range; also from before the service was started.

        Ten seconds are a point in the last hour, a minute in the 35 hours before, an hour before those. With
        a `step`, so many seconds are, rounded up to tens.
        """
        found = service.pool(pool)
        chosen = CHARTED if figures is None else tuple(figures.split(","))
        history = service.history
        return Figures(
            pool_id=found.pool_id,
            columns=await history.series(
                found.pool_id, since=_time(since), until=_time(until), step=step, figures=chosen
            ),
            kept=history.kept,
            lost=history.lost,
            failing=history.failing,
        )

    @get("/history/events", opt={"scope": Scope.READ})
    async def history_events(
        self,
        service: Serving,
        pool: FromPath[str],
        kind: Word = None,
        account: Word = None,
        since: Moment = None,
        until: Moment = None,
        limit: Limit = USUAL,
        before: Word = None,
    ) -> EventPage:
        """Decisions, results and changes of state, the latest first.

        `kind` is scaling, optimizer, pool, emergency, circuit, account, connection, or a type of event; the
        rest of a long list follows with what `next` says as `before`.
        """
        return await service.history.events(
            service.pool(pool).pool_id,
            kind=kind,
            account_id=account,
            since=_time(since),
            until=_time(until),
            limit=limit,
            before=before,
        )


def _time(moment: datetime | float | None) -> datetime | None:
    if not isinstance(moment, (int, float)):
        return moment
    return datetime.fromtimestamp(min(max(0.0, moment), LAST), UTC)  # nothing is kept beyond either
