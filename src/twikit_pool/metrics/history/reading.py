"""Reading what was written."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from twikit_pool.metrics.history.connected import Connected, whole
from twikit_pool.metrics.history.events import KINDS, KeptEvent, moment_of, plain
from twikit_pool.metrics.history.figures import AccountFigures, Point
from twikit_pool.metrics.history.rows import ACCOUNT_COLUMNS, account_of, columns, point_of
from twikit_pool.metrics.history.schema import accounts, events, points, pools
from twikit_pool.metrics.history.spans import Span
from twikit_pool.metrics.pool_metrics import TIMES

AT_ONCE: Final = 500
"""Points that are read in one query: some milliseconds of work."""


class Placed(NamedTuple):
    """A point, and its start in seconds since 1970."""

    at: int
    point: Point


class Wanted(NamedTuple):
    """Which events.

    Attributes:
        pool_id: of this pool.
        kind: of this kind or type; None of all.
        account_id: about this account; None about all and none.
        since, until: seconds since 1970; the latter is not included.
        before: what a page before has given as its end.
        limit: how many at most.
    """

    pool_id: str
    kind: str | None
    account_id: str | None
    since: float
    until: float
    before: tuple[float, int] | None
    limit: int


class Reading:
    """Reads points, accounts and events."""

    def __init__(self, connected: Connected) -> None:
        self.connected: Final = connected

    @whole
    async def pools(self) -> dict[str, int]:
        """For how many days the points of each pool are kept."""
        async with self.connected.reading() as connection:
            return {row.name: row.days for row in await connection.execute(sa.select(pools))}

    @whole
    async def points(
        self,
        pool_id: str,
        spans: Iterable[Span],
        histograms: Collection[str] = TIMES,
        *,
        outcomes: bool = True,
    ) -> list[Placed]:
        """A pool's points in these spans, in their order.

        Args:
            pool_id: whose.
            spans: which.
            histograms: those that are read; the others are left with their percentiles alone.
            outcomes: whether calls by outcome are read.
        """
        found: list[Placed] = []
        async with self.connected.reading() as connection:
            pool = await self.connected.id_of(connection, plain(pool_id))
            if pool is None:
                return []
            chosen = columns(histograms=histograms, outcomes=outcomes)
            for span in _portions(spans):  # the event loop has other things to do in between
                query = (
                    sa.select(points.c.at, *chosen)
                    .where(points.c.pool == pool, points.c.tier == span.tier)
                    .where(points.c.at >= span.begin, points.c.at < span.end)
                    .order_by(points.c.at)
                )
                found += [Placed(row[0], point_of(row[1:])) for row in await connection.execute(query)]
        return found

    @whole
    async def accounts(
        self, pool_id: str, spans: Iterable[Span], account_id: str | None = None
    ) -> dict[str, list[tuple[int, AccountFigures]]]:
        """What a pool's accounts did, by account, each with its starts."""
        found: defaultdict[str, list[tuple[int, AccountFigures]]] = defaultdict(list)
        async with self.connected.reading() as connection:
            pool = await self.connected.id_of(connection, plain(pool_id))
            if pool is None:
                return {}
            for span in spans:
                query = (
                    sa.select(accounts.c.account, accounts.c.at, *ACCOUNT_COLUMNS)
                    .where(accounts.c.pool == pool, accounts.c.tier == span.tier)
                    .where(accounts.c.at >= span.begin, accounts.c.at < span.end)
                    .order_by(accounts.c.at)
                )
                if account_id is not None:
                    query = query.where(accounts.c.account == plain(account_id))
                for row in await connection.execute(query):
                    found[row[0]].append((row[1], account_of(row[2:])))
        return dict(found)

    @whole
    async def events(self, wanted: Wanted) -> list[tuple[tuple[float, int], KeptEvent]]:
        """Events, the latest first, each with its place in that order."""
        async with self.connected.reading() as connection:
            pool = await self.connected.id_of(connection, plain(wanted.pool_id))
            if pool is None:
                return []
            query = (
                sa.select(events)
                .where(events.c.pool == pool, events.c.at >= wanted.since, events.c.at < wanted.until)
                .order_by(events.c.at.desc(), events.c.id.desc())
                .limit(wanted.limit)
            )
            if wanted.kind is not None:
                query = query.where(_of_kind(wanted.kind))
            if wanted.account_id is not None:
                query = query.where(events.c.account == plain(wanted.account_id))
            if wanted.before is not None:
                query = query.where(
                    sa.tuple_(events.c.at, events.c.id) < sa.tuple_(*map(sa.literal, wanted.before))
                )
            return [
                ((row["at"], row["id"]), _event(row, wanted.pool_id))
                for row in (await connection.execute(query)).mappings()
            ]


def _portions(spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        seconds = AT_ONCE * span.tier
        for begin in range(span.begin, span.end, seconds):
            yield Span(span.tier, begin, min(begin + seconds, span.end))


def _of_kind(kind: str) -> Any:
    return events.c.kind == kind if kind in KINDS else events.c.type == kind


def _event(row: Any, pool_id: str) -> KeptEvent:
    return KeptEvent(
        at=moment_of(row["at"]),
        kind=row["kind"],
        type=row["type"],
        pool_id=pool_id,
        account_id=row["account"],
        fields=json.loads(row["fields"]),
    )


def sums(found: dict[str, list[tuple[int, AccountFigures]]]) -> dict[str, AccountFigures]:
    """What accounts did, all together."""
    return {account: AccountFigures.merged(each for _, each in parts) for account, parts in found.items()}
