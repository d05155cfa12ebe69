"""The history in a database: SQLite in a file of its own, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import ConfigError
from twikit_pool.metrics.history.batch import Batch
from twikit_pool.metrics.history.connected import Connected
from twikit_pool.metrics.history.pruning import Pruning
from twikit_pool.metrics.history.reading import Reading
from twikit_pool.metrics.history.writing import Writing

WEEKS: Final = 12
"""Weeks for which hours are kept, unless somebody says otherwise."""


class DatabaseStore:
    """A `HistoryStore` in a database, which is opened when it is needed; made or brought up to date then.

    A database has one writer for each pool: two programs that write pools of one name into it would add up
    what both did, and each forget some of the other's.

    Args:
        url: the path of an SQLite file, `sqlite:///path` or `postgresql+psycopg://…`.
        weeks: for how many hours, days of accounts, and events are kept; at least 1.
        clock: names a file that is set aside.

    Raises:
        ConfigError: the URL is malformed, its driver is missing, or `weeks` is less than 1.
    """

    def __init__(self, url: str | Path, *, weeks: int = WEEKS, clock: Clock = SYSTEM_CLOCK) -> None:
        if weeks < 1:
            raise ConfigError(f"the history keeps hours for 1 week at least, not {weeks}")
        self.weeks: Final = weeks
        self.connected: Final = Connected(url, clock)
        self._writing = Writing(self.connected)
        self._pruning = Pruning(self.connected, weeks)
        self.reading: Final = Reading(self.connected)
        """What was written."""

    @property
    def name(self) -> str:
        """The path or URL, without its password."""
        return self.connected.name

    async def write(self, batch: Batch) -> None:
        """As `HistoryStore.write`."""
        await self._writing.write(batch)

    async def settle(self) -> None:
        """As `HistoryStore.settle`."""
        await self.connected.checkpoint()

    async def prune(self, now: float) -> bool:
        """As `HistoryStore.prune`."""
        return await self._pruning.prune(now)

    async def set_aside(self) -> str:
        """As `HistoryStore.set_aside`."""
        return await self.connected.set_aside()

    async def aclose(self) -> None:
        """As `HistoryStore.aclose`."""
        await self.connected.aclose()
