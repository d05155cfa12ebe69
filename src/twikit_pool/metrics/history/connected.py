"""The history's database: opened when it is needed, for it may come after the program, and go meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from twikit_pool.accounts.database import Database, Kind, run_to_the_end
from twikit_pool.clock import Clock
from twikit_pool.errors import HistoryDamaged, HistoryError
from twikit_pool.metrics.history.schema import pools

P = ParamSpec("P")
T = TypeVar("T")

LATEST: Final = "0001"
"""The newest migration."""

HISTORY: Final = Kind(
    name="the history",
    version_table="twikit_pool_history_version",
    migrations=Path(__file__).parent / "migrations",
    postgres_lock=0x7477_7002,
    error=HistoryError,
    damaged=HistoryDamaged,
    lock_wait=5.0,
    connect_wait=5,
    # A crash of the machine may cost the last seconds, one of the program costs nothing that was written.
    pragmas=("synchronous=NORMAL", "journal_size_limit=16777216"),
    # Free pages go back to the disk a few at a time; points are larger than a usual page has room for.
    layout=("page_size=8192", "auto_vacuum=INCREMENTAL"),
)


class _OfDatabase(Protocol):
    @property
    def connected(self) -> Connected: ...


Owner = TypeVar("Owner", bound=_OfDatabase)


def whole(
    method: Callable[Concatenate[Owner, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Owner, P], Coroutine[Any, Any, T]]:
    """Let the method's transaction end before a cancellation counts, where the database needs it."""

    @wraps(method)
    async def run(owner: Owner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(owner, *args, **kwargs)
        return await (run_to_the_end(work) if owner.connected.path is not None else work)

    return run


class Connected:
    """A database with the history's tables.

    Args:
        url: the path of an SQLite file, or a URL of PostgreSQL.
        clock: names a file that is set aside.

    Raises:
        ConfigError: the URL is malformed, or its driver is missing.
    """

    def __init__(self, url: str | Path, clock: Clock) -> None:
        self._database = Database(url, HISTORY)
        self._clock = clock
        self._ready = False
        self._opening = asyncio.Lock()
        self.ids: dict[str, int] = {}
        """The numbers of pools, as far as they are known."""

    @property
    def connected(self) -> Connected:
        """Itself, for `whole`."""
        return self

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return self._database.path

    @property
    def name(self) -> str:
        """The path or URL, without its password."""
        return self._database.name

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that reads.

        Raises:
            HistoryError: the database cannot be used.
        """
        await self._open()
        async with self._database.reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes.

        Raises:
            HistoryError: the database cannot be used.
        """
        await self._open()
        async with self._database.writing() as connection:
            yield connection

    async def _open(self) -> None:
        async with self._opening:
            if self._ready:
                return
            await self._database.prepare(create=True)
            async with self._database.reading() as connection:
                version = await self._database.version(connection)
            if version != LATEST:
                async with self._database.writing(exclusive=True) as connection:
                    if await self._database.version(connection) != LATEST:
                        await self._database.migrate(connection)
            self._ready = True

    def forget(self) -> None:
        """What was known of it may not be so any more: look anew the next time."""
        self._ready = False
        self.ids = {}

    @whole
    async def checkpoint(self) -> None:
        """Bring SQLite's log into its file, which takes the disk some time; writers need not wait for it.

        Raises:
            HistoryError: the database cannot be used.
        """
        if self.path is not None and self._ready:
            await self._database.checkpoint()

    @whole
    async def shrink(self, *, most: int, spare: int) -> bool:
        """Give some free pages of SQLite's file back to the disk; whether there are more than to `spare`.

        Raises:
            HistoryError: the database cannot be used.
        """
        return self.path is not None and await self._database.shrink(most=most, spare=spare)

    async def id_of(self, connection: AsyncConnection, pool_id: str) -> int | None:
        """The number of a pool; None of one that is not in the history."""
        known = self.ids.get(pool_id)
        if known is not None:
            return known
        return await connection.scalar(sa.select(pools.c.id).where(pools.c.name == pool_id))

    async def set_aside(self) -> str:
        """Put a damaged SQLite file out of the way; returns where it is.

        Raises:
            HistoryError: it cannot be renamed; or it is PostgreSQL's, which only its operator can mend.
        """
        if self.path is None:
            raise HistoryError(f"the history {self.name} is damaged: see the server's own log")
        async with self._opening:
            self.forget()
            await self._database.close()
            aside = self.path.with_name(f"{self.path.name}.damaged-{self._clock.now():%Y%m%dT%H%M%S}")
            try:
                await asyncio.to_thread(_rename, self.path, aside)
            except OSError as error:
                raise HistoryError(
                    f"the history {self.path} is damaged and cannot be renamed ({error.strerror}): "
                    "move it away"
                ) from None
        return str(aside)

    async def aclose(self) -> None:
        """Close every connection; harmless twice."""
        self.forget()
        await self._database.close()


def _rename(path: Path, aside: Path) -> None:
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    path.rename(aside)
