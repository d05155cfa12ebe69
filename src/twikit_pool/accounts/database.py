"""The database under a store: SQLite in a private file, or PostgreSQL by URL.

What is kept in it, its `Kind` says: accounts, or the history of metrics (`metrics.history`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from twikit_pool.accounts import locations
from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder, open_to_others
from twikit_pool.errors import ConfigError, InvalidAccount, StoreError, TwikitPoolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator

    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_log = logging.getLogger(__name__)

LATEST: Final = "0002"
"""The newest migration, so that an up-to-date store opens without Alembic's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is kept in a database, and how.

    Attributes:
        name: what it is called in messages, with its article.
        version_table: where its migration stands.
        migrations: the folder of its migrations.
        postgres_lock: its advisory lock: shared by ordinary writers, exclusive for what touches all rows.
        error: what is raised when it cannot be used.
        damaged: what is raised when nobody can read its file any more.
        lock_wait: seconds that a writer waits for another process's transaction; ours last milliseconds.
        connect_wait: seconds that PostgreSQL may take to answer; None leaves it to its driver.
        pragmas: SQLite's settings of each connection.
        layout: SQLite's settings of a new file.
    """

    name: str
    version_table: str
    migrations: Path
    postgres_lock: int
    error: type[StoreError] = StoreError
    damaged: type[StoreError] = StoreError
    lock_wait: float = 30.0
    connect_wait: int | None = None
    pragmas: tuple[str, ...] = ()
    layout: tuple[str, ...] = ()


ACCOUNTS: Final = Kind(
    name="the account store",
    version_table="twikit_pool_accounts_version",
    migrations=Path(__file__).parent / "migrations",
    postgres_lock=0x7477_7001,
    pragmas=("foreign_keys=ON",),
)

_DAMAGED: Final = ("not a database", "malformed")
"""What SQLite says of a file that nobody can read any more."""

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}

_WHAT_TO_DO: Final = {
    "not a database": "it is damaged or another program's file: restore it from a backup",
    "malformed": "it is damaged: restore it from a backup",
    "full": "free some disk space and repeat",
    "disk I/O": "see that the disk has space and is sound, and repeat",
    "readonly": "make the file and its folder writable for this user",
    "unable to open": "see that its folder exists and is writable for this user",
    "locked": "another process has held it for too long: end that one, or try again",
}


class Database:
    """An engine whose writers never collide, and whose errors say what to do."""

    def __init__(self, url: str | Path | None, kind: Kind = ACCOUNTS) -> None:
        self._kind = kind
        self._url = database_url(url)
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self.path: Final = Path(self._url.database or "") if self._sqlite else None
        """The SQLite file; None for PostgreSQL."""
        self.name: Final = str(self.path or self._url.set(query={}).render_as_string(hide_password=True))
        """How it is called in messages: without its password, which may stand in the query too."""
        options: dict[str, Any] = {"hide_parameters": True}
        if self._sqlite:
            # isolation_level None: transactions begin when and as we say, not as the driver guesses.
            options["connect_args"] = {"timeout": kind.lock_wait, "isolation_level": None}
        else:
            options["pool_pre_ping"] = True
            if kind.connect_wait is not None and "connect_timeout" not in self._url.query:
                options["connect_args"] = {"connect_timeout": kind.connect_wait}
        try:
            self._engine = create_async_engine(self._url, **options)
        except ModuleNotFoundError as error:
            if error.name != "psycopg":
                raise
            raise ConfigError(
                f"{kind.name} {self.name} needs PostgreSQL's driver: pip install 'twikit-pool[postgres]'"
            ) from None
        self._turn = asyncio.Lock()
        if self._sqlite:
            event.listen(self._engine.sync_engine, "connect", self._set_pragmas)
            event.listen(self._engine.sync_engine, "begin", _begin)

    async def prepare(self, *, create: bool) -> None:
        """Tighten an SQLite file that others may read; `create` it if it is missing, for its owner alone.

        Raises:
            ConfigError: it is missing or empty, and not to be created.
            StoreError: it cannot be created or read, or is another program's, which is left as it is.
        """
        if self.path is not None:
            with self._clear_errors():
                await asyncio.to_thread(_prepare_file, self.path, self._kind, create=create)

    async def close(self) -> None:
        """Close every connection."""
        await run_to_the_end(self._engine.dispose())

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that sees one state of the store and holds nobody up."""
        with self._clear_errors():
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def writing(self, *, exclusive: bool = False) -> AsyncGenerator[AsyncConnection]:
        """A transaction that is committed as a whole, or not at all.

        SQLite takes its write lock at the start, so that it never has to give up half-way; writers of
        this process queue here rather than poll the file. `exclusive` keeps other writers out on
        PostgreSQL too.
        """
        turn = self._turn if self._sqlite else nullcontext()
        with self._clear_errors():
            async with turn, self._engine.execution_options(writes=True).begin() as connection:
                if not self._sqlite:
                    lock = (
                        sa.func.pg_advisory_xact_lock if exclusive else sa.func.pg_advisory_xact_lock_shared
                    )
                    await connection.execute(sa.select(lock(self._kind.postgres_lock)))
                yield connection

    async def checkpoint(self) -> None:
        """Bring SQLite's log into its file, as far as nobody reads there; writers need not wait."""
        with self._clear_errors():
            async with self._engine.execution_options(alone=True).connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    async def shrink(self, *, most: int, spare: int) -> bool:
        """Give free pages of SQLite's file back, but for some to spare; whether there are more."""
        with self._clear_errors():
            async with self._engine.execution_options(alone=True).connect() as connection:
                free = (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar() or 0
                pages = min(free - spare, most)
                if pages > 0:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    # As a script: a statement alone would be carried out for the first page only.
                    await driver.executescript(f"PRAGMA incremental_vacuum({pages})")
                return free - pages > spare

    async def version(self, connection: AsyncConnection) -> str | None:
        """The migration that the store is at; None for a new one."""
        tables = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        if self._kind.version_table not in tables:
            return None
        column = sa.column("version_num", sa.String)
        return await connection.scalar(
            sa.select(column).select_from(sa.table(self._kind.version_table, column))
        )

    async def migrate(self, connection: AsyncConnection) -> None:
        """Bring the tables to the newest version, in this transaction.

        Raises:
            StoreError: a newer version of twikit-pool made this store.
        """
        config = Config()
        config.set_main_option("script_location", str(self._kind.migrations).replace("%", "%%"))
        config.attributes["version_table"] = self._kind.version_table

        def upgrade(sync: sa.Connection) -> None:
            config.attributes["connection"] = sync
            command.upgrade(config, "head")

        try:
            await connection.run_sync(upgrade)
        except CommandError:
            raise self._kind.error(f"{self.name} was made by a newer twikit-pool: upgrade this one") from None

    @contextmanager
    def _clear_errors(self) -> Generator[None]:
        """Turn what a database says into what happened and what to do; rows never get into it."""
        try:
            yield
        except TwikitPoolError:
            raise
        except UnicodeEncodeError:
            raise InvalidAccount(
                "an id, tag, reason or note is not text in UTF-8: write it anew; nothing was changed"
            ) from None
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
            raise self._store_error(error) from None

    def _store_error(self, error: Exception) -> StoreError:
        said = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(error, ValueError):  # a stored value that its column's type cannot be made from
            return self._kind.damaged(f"{self._kind.name} {self.name} is damaged: restore it from a backup")
        first_line = ((said.strerror if isinstance(said, OSError) else None) or str(said)).partition("\n")[0]
        advice = [advice for sign, advice in _WHAT_TO_DO.items() if sign in first_line]
        kind = self._kind.damaged if any(sign in first_line for sign in _DAMAGED) else self._kind.error
        return kind(
            f"{self._kind.name} {self.name} failed ({first_line}): "
            + (advice[0] if advice else "see that it can be reached and this user may use it")
        )

    def _set_pragmas(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in self._kind.pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


async def run_to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await a transaction in SQLite, and be cancelled only after it.

    A statement in SQLite's thread cannot be called back: cancelled half-way, SQLAlchemy lets go of a
    connection that goes on to take the write lock, and everyone else waits for it in vain.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: the cancellation counts for more
        raise cancelled
    return task.result()


def database_url(given: str | Path | None) -> sa.URL:
    """The database that is meant: a URL, a path of an SQLite file, or by default the user's own store.

    Raises:
        ConfigError: it is malformed, or neither SQLite in a file nor PostgreSQL.
    """
    if given is None:
        given = locations.default_store()
    if given == "":
        raise ConfigError("the store's path is empty: give one, or none for your own store")
    if isinstance(given, Path) or "://" not in given:
        return sa.URL.create("sqlite+aiosqlite", database=str(locations.expanded(given).absolute()))
    try:
        url = sa.make_url(given)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in _DRIVERS:
        raise ConfigError(
            "the store is a path, sqlite:///path or postgresql+psycopg://user@host/database; "
            "what was given is none of them"
        )
    if url.get_backend_name() == "sqlite" and (url.database or ":memory:") == ":memory:":
        raise ConfigError("the store needs a file: for accounts in memory, use MemoryAccounts")
    return url.set(drivername=_DRIVERS[url.get_backend_name()])


def no_store(name: str) -> ConfigError:
    """What to say of a store that is to be read, and is not there."""
    return ConfigError(
        f"there is no account store {name}: `twikit-pool accounts import FILE…` makes one from cookie files "
        "and other programs' exports, `twikit-pool accounts add ID` from a single account"
    )


def another_program(path: Path, kind: Kind) -> StoreError:
    """What to say of a file that is no store of this kind."""
    others = ", or read it with `twikit-pool accounts import`" if kind is ACCOUNTS else ""
    return kind.error(f"{path} is another program's database: name another store{others}")


def _prepare_file(path: Path, kind: Kind, *, create: bool) -> None:
    if create:
        make_private_folder(path.parent)
        # Made here and not by SQLite, so that it is private from the start; its -wal and -shm files take
        # over the mode. Whether one that exists is ours to change, its tables tell.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_FILE))
    elif not path.exists() or not path.stat().st_size:
        raise no_store(str(path))
    with closing(sqlite3.connect(path, timeout=kind.lock_wait, isolation_level=None)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if tables and kind.version_table not in tables:
            raise another_program(path, kind)
        _tighten(path)
        if not tables:
            for pragma in kind.layout:
                connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_mode=WAL")


def _tighten(path: Path) -> None:
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        try:
            if open_to_others(file):
                file.chmod(PRIVATE_FILE)
                _log.warning("%s could be read by others on this machine: now only its owner may", file)
        except FileNotFoundError:
            continue  # the two beside the database come and go with its connections


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("alone"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
