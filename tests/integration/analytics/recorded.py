"""A pool's days in a real history, on SQLite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.unit.analytics.weeks import DAY, Week
from twikit_pool.metrics.history import History
from twikit_pool.metrics.history.batch import AccountKey, Batch
from twikit_pool.metrics.history.store import DatabaseStore

AT_ONCE = 60


async def keep(week: Week, path: Path, *, pool_id: str = "default", ends: datetime | None = None) -> float:
    """Write what a week came to, as a recorder would; returns by how much it was moved."""
    last = week.points[-1][0] + 60
    shift = ((ends or datetime.now(UTC)).timestamp() - last) // 60 * 60
    store = DatabaseStore(path)
    points = [(pool_id, msgspec.structs.replace(each, ended=each.ended + shift)) for _, each in week.points]
    number = 0

    async def write(**content: Any) -> None:
        nonlocal number
        number += 1
        await store.write(Batch(writer="test", number=number, at=last + shift, **content))

    for begin in range(0, len(points), AT_ONCE):
        await write(points=points[begin : begin + AT_ONCE], days={pool_id: 7})
    for events in week.events.values():
        moved = [
            msgspec.structs.replace(each, at=each.at + timedelta(seconds=shift), pool_id=pool_id)
            for each in events
        ]
        for begin in range(0, len(moved), 500):
            await write(events=moved[begin : begin + 500])
    begin = week.points[0][0] + shift
    for number_of_day, day in enumerate(week.accounts):
        at = int((begin + number_of_day * DAY) // 3600 * 3600)
        await write(accounts={AccountKey(pool_id, name, at): each for name, each in day.items()})
    await store.aclose()
    return shift


def opened(path: Path) -> History:
    return History(path)
