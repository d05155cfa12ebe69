"""Deleting what is too old, a little at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from twikit_pool.metrics.history.connected import Connected, whole
from twikit_pool.metrics.history.events import MANY
from twikit_pool.metrics.history.figures import DAY, HOUR, TIERS
from twikit_pool.metrics.history.schema import accounts, alerts, events, points, pools, writers

AT_ONCE: Final = 500
"""Rows that are deleted in one transaction: some milliseconds."""

LOOKS: Final = 20
"""Places where there may be something to delete that one transaction looks at."""

MOST_EVENTS: Final = 1_000_000
"""Events that are kept at most, whatever their age: some 300 MB."""

PAGES: Final = 64
"""Free pages of SQLite's file that go back to the disk at once."""

SPARE: Final = 16
"""Free pages that are left for what comes next."""

WEEK: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class _Old:
    """Rows of a table that are too old: those of `which` whose `moment` is before `before`.

    A point's moment is its start, and it is too old when its end is.
    """

    moment: sa.Column[Any]
    which: tuple[sa.ColumnElement[bool], ...]
    before: float


class Pruning:
    """Goes over all that is kept, again and again.

    Args:
        connected: the database.
        weeks: for how many hours, days of accounts, and events are kept.
    """

    def __init__(self, connected: Connected, weeks: int) -> None:
        self.connected: Final = connected
        self._weeks = weeks
        self._left: deque[_Old] = deque()
        """What this round has still to look at."""

    async def prune(self, now: float) -> bool:
        """As `HistoryStore.prune`."""
        more = await self._delete_some(now)
        return await self.connected.shrink(most=PAGES, spare=SPARE) or more

    @whole
    async def _delete_some(self, now: float) -> bool:
        async with self.connected.writing() as connection:
            if not self._left:
                self._left.extend(await self._everything(connection, now))
            room = AT_ONCE
            for _ in range(LOOKS):
                if not self._left or room <= 0:
                    break
                old = self._left[0]
                deleted = await _delete(connection, old, room)
                room -= deleted
                if room > 0:
                    self._left.popleft()
        return bool(self._left)

    async def _everything(self, connection: AsyncConnection, now: float) -> list[_Old]:
        found: list[_Old] = []
        for row in await connection.execute(sa.select(pools)):
            found += self._of_pool(
                row.id, now - row.days * DAY, now - max(self._weeks * WEEK, row.days * DAY)
            )
        newest = await connection.scalar(sa.select(sa.func.max(events.c.id)))
        found.append(_Old(events.c.id, (), (newest or 0) - MOST_EVENTS + 1))
        found.append(_Old(alerts.c.began, (), now - self._weeks * WEEK))
        found.append(_Old(writers.c.at, (), now - DAY))
        return found

    @staticmethod
    def _of_pool(pool: int, short: float, long: float) -> Iterator[_Old]:
        for tier in TIERS:
            which = (points.c.pool == pool, points.c.tier == tier)
            yield _Old(points.c.at, which, (long if tier == HOUR else short) - tier)
        for tier in (HOUR, DAY):
            which = (accounts.c.pool == pool, accounts.c.tier == tier)
            yield _Old(accounts.c.at, which, (long if tier == DAY else short) - tier)
        yield _Old(events.c.at, (events.c.pool == pool, events.c.kind == MANY), short)
        yield _Old(events.c.at, (events.c.pool == pool,), long)


async def _delete(connection: AsyncConnection, old: _Old, most: int) -> int:
    """Delete the oldest, about so many; those of one moment go together. Returns how many there were."""
    table, moment = old.moment.table, old.moment
    which = sa.and_(*old.which, moment < old.before)
    last = await connection.scalar(sa.select(moment).where(which).order_by(moment).limit(1).offset(most - 1))
    if last is not None:
        which = sa.and_(*old.which, moment <= last)
    return (await connection.execute(sa.delete(table).where(which))).rowcount
