"""Writing a batch: points of three tiers, accounts of two, and events, in one transaction.

A point is merged into its ten seconds, its minute and its hour at once. So each tier is complete at any time,
and right however late a point comes and wherever the clock has jumped: whatever is there already is merged
with it, and merging asks for no order. The last point of each tier is remembered, for it is what grows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from twikit_pool.metrics.history.batch import Batch
from twikit_pool.metrics.history.connected import Connected, whole
from twikit_pool.metrics.history.events import as_text, plain
from twikit_pool.metrics.history.figures import DAY, HOUR, TIERS, AccountFigures, Point, slot
from twikit_pool.metrics.history.rows import (
    ACCOUNT_COLUMNS,
    account_of,
    account_row,
    columns,
    point_of,
    row_of,
)
from twikit_pool.metrics.history.schema import accounts, events, points
from twikit_pool.metrics.history.statements import claim, having, number, upsert

Place: TypeAlias = tuple[int, int, int]
"""Of a point: pool, tier, start."""

AT_ONCE: Final = 200
"""Rows that are looked for in one query: SQLite's oldest builds take 999 parameters."""


USUAL_DAYS: Final = 7
"""For which points of a pool are kept of which nobody has said it yet."""


class Writing:
    """Writes batches, one after another."""

    def __init__(self, connected: Connected) -> None:
        self.connected: Final = connected
        self._growing: dict[tuple[int, int], tuple[int, Point]] = {}
        """The latest point of each pool and tier, and its start."""

    @whole
    async def write(self, batch: Batch) -> None:
        """As `HistoryStore.write`."""
        growing = dict(self._growing)
        ids = dict(self.connected.ids)
        try:
            async with self.connected.writing() as connection:
                if await _claimed(connection, batch):
                    ids |= await _numbered(connection, batch, ids)
                    await _write_points(connection, batch, ids, growing)
                    await _write_accounts(connection, batch, ids)
                    await _write_events(connection, batch, ids)
        except BaseException:  # a boundary: whatever went wrong, nobody knows what is written now
            self._growing = {}
            self.connected.forget()
            raise
        self._growing, self.connected.ids = growing, ids


async def _claimed(connection: AsyncConnection, batch: Batch) -> bool:
    """Whether the batch is still to be written; it counts as written from now on."""
    values = {"writer": batch.writer, "number": batch.number, "at": batch.at}
    return await connection.scalar(claim(connection), values) is not None


async def _numbered(connection: AsyncConnection, batch: Batch, known: dict[str, int]) -> dict[str, int]:
    """The numbers of the batch's pools that are not known yet, or whose days have changed."""
    names = {name for name, _ in batch.points}
    names |= {key.pool_id for key in batch.accounts} | {each.pool_id for each in batch.events}
    found: dict[str, int] = {}
    for name in sorted(names):
        days = batch.days.get(name)
        if name in known and days is None:
            continue
        entered = number(connection, days_known=days is not None)
        found[name] = await connection.scalar(entered, {"name": plain(name), "days": days or USUAL_DAYS}) or 0
    return found


# ---------------------------------------------------------------- points


async def _write_points(
    connection: AsyncConnection,
    batch: Batch,
    ids: dict[str, int],
    growing: dict[tuple[int, int], tuple[int, Point]],
) -> None:
    new: defaultdict[Place, list[Point]] = defaultdict(list)
    for pool_id, point in batch.points:
        for tier in TIERS:
            new[ids[pool_id], tier, slot(point.middle, tier)].append(point)
    if not new:
        return
    before: dict[Place, Point] = {}
    unknown: list[Place] = []
    for place in new:
        pool, tier, at = place
        grows = growing.get((pool, tier))
        if grows is not None and grows[0] == at:
            before[place] = grows[1]
        else:
            unknown.append(place)
    before |= await _read_points(connection, unknown)
    rows: list[dict[str, Any]] = []
    for place in sorted(new):
        pool, tier, at = place
        parts = new[place]
        whole_point = Point.merged([before[place], *parts] if place in before else parts)
        rows.append(row_of(pool, tier, at, whole_point))
        growing[pool, tier] = at, whole_point  # not the latest by its time: the clock may be set back
    await connection.execute(upsert(connection, points), rows)


async def _read_points(connection: AsyncConnection, places: Sequence[Place]) -> dict[Place, Point]:
    found: dict[Place, Point] = {}
    key = (points.c.pool, points.c.tier, points.c.at)
    for some in _portions(places):
        query = sa.select(*key, *columns()).where(having(key, some))
        for row in await connection.execute(query):
            values: list[Any] = list(row)
            found[values[0], values[1], values[2]] = point_of(values[3:])
    return found


# ---------------------------------------------------------------- accounts


async def _write_accounts(connection: AsyncConnection, batch: Batch, ids: dict[str, int]) -> None:
    new: defaultdict[tuple[int, int, int, str], list[AccountFigures]] = defaultdict(list)
    for key, figures in batch.accounts.items():
        for tier in (HOUR, DAY):
            new[ids[key.pool_id], tier, slot(key.at, tier), plain(key.account_id)].append(figures)
    if not new:
        return
    key = (accounts.c.pool, accounts.c.tier, accounts.c.at, accounts.c.account)
    for some in _portions(list(new)):
        query = sa.select(*key, *ACCOUNT_COLUMNS).where(having(key, some))
        for row in await connection.execute(query):
            new[row[0], row[1], row[2], row[3]].append(account_of(row[4:]))
    rows = [account_row(*place, AccountFigures.merged(new[place])) for place in sorted(new)]
    await connection.execute(upsert(connection, accounts), rows)


def _portions(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))


# ---------------------------------------------------------------- events


async def _write_events(connection: AsyncConnection, batch: Batch, ids: dict[str, int]) -> None:
    rows = [
        {
            "pool": ids[each.pool_id],
            "at": each.at.timestamp(),
            "kind": each.kind,
            "type": each.type,
            "account": None if each.account_id is None else plain(each.account_id),
            "fields": as_text(each.fields),
        }
        for each in batch.events
    ]
    if rows:
        await connection.execute(sa.insert(events), rows)
