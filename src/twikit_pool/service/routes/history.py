"""What pools did in the last day, in figures for charts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.params import FromPath, FromQuery, QueryParameter

from twikit_pool.service.history import in_columns
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

Step = Annotated[float, QueryParameter(ge=0, le=86_400)]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's figures over time, by column; all columns are of one length, the oldest first.

    `at` is in seconds since 1970; what the others are, docs/dashboard.md says.

    Attributes:
        kept: seconds for which the service keeps figures.
    """

    pool_id: str
    kept: float
    columns: dict[str, list[float | None]]


class MetricsHistory(Controller):
    """The last day."""

    path = "/v1/pools/{pool:str}/metrics/history"
    tags = ("pools",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def history(
        self,
        service: Serving,
        pool: FromPath[str],
        since: FromQuery[datetime | float | None] = None,
        step: Step = 0.0,
    ) -> Figures:
        """Figures of the last 24 hours at most, while the service ran.

        Each interval of the last hour, and each minute before. After `since` alone (a time, or seconds since
        1970, as in the column `at`); with a `step`, one point for so many seconds.
        """
        found = service.pool(pool)
        after = since or 0.0
        if isinstance(after, datetime):
            after = (after if after.tzinfo is not None else after.replace(tzinfo=UTC)).timestamp()
        return Figures(
            pool_id=found.pool_id,
            kept=service.history.seconds,
            columns=in_columns(service.history.points(found.pool_id, after, step)),
        )
