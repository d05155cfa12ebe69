"""The encrypted store of accounts."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from twikit_pool.accounts.database import LATEST, Database, no_store, run_to_the_end
from twikit_pool.accounts.key_proofs import proof_of, proves
from twikit_pool.accounts.keys import key_id_of
from twikit_pool.accounts.merging import Change, merged
from twikit_pool.accounts.model import LOGIN_COOKIE
from twikit_pool.accounts.rows import account_of, row_of, sealed_cookies, standing_columns
from twikit_pool.accounts.schema import SEALED, account_keys
from twikit_pool.accounts.schema import accounts as table
from twikit_pool.accounts.schema import ledgers as ledger_table
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import AccountNotFound, InvalidAccount, StoreError, WrongKey

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy.engine import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from twikit_pool.accounts.keys import Keyring
    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.clock import Clock
    from twikit_pool.redaction import Cookies

P = ParamSpec("P")
T = TypeVar("T")

_BATCH: Final = 500
"""Ids in one query; SQLite allows 999 parameters in its oldest builds."""


def _whole(
    method: Callable[Concatenate[AccountStore, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[AccountStore, P], Coroutine[Any, Any, T]]:
    """Let the method's transaction end before a cancellation counts, where the database needs it."""

    @wraps(method)
    async def run(store: AccountStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(store, *args, **kwargs)
        return await (run_to_the_end(work) if store.path is not None else work)

    return run


class AccountStore:
    """An `AccountSource` in an encrypted database. Made by `open`; closed by `async with` or `aclose()`.

    A write is on disk when its call returns; one that is cancelled is done wholly or not at all. Several
    processes may use one store.
    """

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    @classmethod
    async def open(
        cls,
        url: str | Path | None = None,
        *,
        keyring: Keyring,
        create: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> AccountStore:
        """Open a store; create it, or bring its tables up to date, where needed.

        Args:
            url: a path, `sqlite:///path` or `postgresql+psycopg://…`; None is the user's own store.
            keyring: the keys; every key in use in the store must be among them.
            create: whether to create it where there is none.
            clock: stamps what is added and changed.

        Raises:
            ConfigError: the URL is malformed, or there is no such store and none is to be created.
            WrongKey: a key in use is missing or another one; nothing was touched.
            StoreError: the database cannot be used.
        """
        store = cls(Database(url), keyring, clock)
        try:
            await store._set_up(create=create)
        except BaseException:  # a boundary: a store that did not open leaves no connection behind
            await store.aclose()
            raise
        return store

    @staticmethod
    async def keys_in_use(url: str | Path | None = None) -> Sequence[str]:
        """The ids of the keys that a store needs, none if there is no such store; creates nothing.

        Raises:
            ConfigError: the URL is malformed.
            StoreError: the database cannot be read.
        """
        database = Database(url)
        if database.path is not None and not database.path.exists():
            return ()
        try:
            async with database.reading() as connection:
                if await database.version(connection) is None:
                    return ()
                return (await connection.scalars(sa.select(account_keys.c.key_id))).all()
        finally:
            await database.close()

    @property
    def name(self) -> str:
        """The database's path or URL, without its password."""
        return self._database.name

    @property
    def keyring(self) -> Keyring:
        """The keys that it was opened with, or rekeyed to."""
        return self._keyring

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return self._database.path

    async def aclose(self) -> None:
        """Close the database's connections. Calling it twice is harmless."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # ------------------------------------------------------------ reading

    async def accounts(self) -> Sequence[Account]:
        """Every account, in any state, ordered by id.

        Raises:
            StoreError: a row was altered.
        """
        accounts, damaged = await self.readable()
        if damaged:
            others = (
                f" (and {len(damaged) - 1} more: see `twikit-pool keys check`)" if len(damaged) > 1 else ""
            )
            raise StoreError(next(iter(damaged.values())) + others)
        return accounts

    @_whole
    async def readable(self) -> tuple[Sequence[Account], Mapping[str, str]]:
        """Every account that can be read, ordered by id, and why, by id, for each that cannot."""
        accounts: list[Account] = []
        damaged: dict[str, str] = {}
        async with self._database.reading() as connection:
            for row in (await connection.execute(sa.select(table))).mappings():
                try:
                    accounts.append(account_of(row, self._keyring))
                except StoreError as error:
                    damaged[row["id"]] = str(error)
        # Sorted here: a database's own order depends on its collation.
        return sorted(accounts, key=lambda account: account.id), damaged

    @_whole
    async def account(self, account_id: str) -> Account:
        """One account, as it is stored now.

        Raises:
            AccountNotFound: there is no such account.
            StoreError: its row was altered.
        """
        async with self._database.reading() as connection:
            found = await self._stored(connection, [account_id])
        if not found:
            raise self._not_found(account_id)
        return found[account_id]

    @_whole
    async def revision(self) -> object:
        """What tells whether anything has changed: every account's id and when it was last written."""
        async with self._database.reading() as connection:
            # Not the latest time alone: of two machines, the one whose clock is behind writes too.
            rows = await connection.execute(sa.select(table.c.id, table.c.changed_at))
            return frozenset((row.id, row.changed_at) for row in rows)

    @_whole
    async def ledgers(self) -> Mapping[str, bytes]:
        """The ledgers of rate windows that were saved, by account id."""
        async with self._database.reading() as connection:
            rows = await connection.execute(sa.select(ledger_table.c.id, ledger_table.c.ledger))
            return {row.id: row.ledger for row in rows}

    @_whole
    async def key_usage(self) -> Mapping[str, int]:
        """How many sealed fields each key has in this store, by the key's id.

        Raises:
            StoreError: a field is in an unknown form.
        """
        usage: Counter[str] = Counter()
        async with self._database.reading() as connection:
            columns = [table.c[name] for name in SEALED]
            for row in await connection.execute(sa.select(*columns)):
                usage.update(key_id_of(sealed) for sealed in row if sealed is not None)
        return usage

    # ------------------------------------------------------------ writing

    @_whole
    async def add(self, account: Account) -> None:
        """Store a new account.

        Raises:
            InvalidAccount: there is one with this id.
        """
        async with self._writing() as connection:
            try:
                await connection.execute(sa.insert(table), self._new_row(account))
            except IntegrityError:
                raise InvalidAccount(
                    f"there is an account {account.id!r} already: update it, or remove it first"
                ) from None

    @_whole
    async def update(self, account: Account) -> None:
        """Store the account in place of the one with its id, all of it.

        Raises:
            AccountNotFound: there is none with this id.
        """
        await self._change(account.id, row_of(account, self._keyring))

    @_whole
    async def remove(self, account_id: str) -> None:
        """Forget an account, also one whose row cannot be read.

        Raises:
            AccountNotFound: there is no such account.
        """
        async with self._writing() as connection:
            await connection.execute(sa.delete(ledger_table).where(ledger_table.c.id == account_id))
            done = await connection.execute(sa.delete(table).where(table.c.id == account_id))
            if done.rowcount == 0:
                raise self._not_found(account_id)

    @_whole
    async def merge(self, given: Iterable[Account]) -> Mapping[str, Change]:
        """Add accounts, or update those that are there with what is given; all of them or none.

        Returns:
            What became of each, by id. What was there already is unchanged and not written.
        """
        wanted = {account.id: account for account in given}
        changes: dict[str, Change] = {}
        now = self._clock.now()
        async with self._writing(exclusive=True) as connection:
            stored = await self._stored(connection, list(wanted))
            added: list[dict[str, Any]] = []
            updated: list[dict[str, Any]] = []
            for account_id, account in wanted.items():
                old = stored.get(account_id)
                new = account if old is None else merged(old, account, now)
                if old is None:
                    changes[account_id] = Change.ADDED
                    added.append(self._new_row(new))
                elif new != old:
                    changes[account_id] = Change.UPDATED
                    updated.append({**row_of(new, self._keyring), "changed_at": now, "key": account_id})
                else:
                    changes[account_id] = Change.UNCHANGED
            if added:
                await connection.execute(sa.insert(table), added)
            if updated:
                await connection.execute(sa.update(table).where(table.c.id == sa.bindparam("key")), updated)
        return changes

    @_whole
    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        """Keep rotated cookies, all or nothing.

        Raises:
            AccountNotFound: there is no such account.
            InvalidAccount: the log-in cookie is not among them.
        """
        if not cookies.get(LOGIN_COOKIE):
            raise InvalidAccount(
                f"account {account_id!r}: cookies without {LOGIN_COOKIE} are no log-in; kept the old"
            )
        await self._change(account_id, {"cookies": sealed_cookies(account_id, cookies, self._keyring)})

    @_whole
    async def set_standing(self, account_id: str, standing: Standing) -> None:
        """Keep an account's new state.

        Raises:
            AccountNotFound: there is no such account.
        """
        await self._change(account_id, standing_columns(standing))

    @_whole
    async def save_ledgers(self, ledgers: Mapping[str, bytes]) -> None:
        """Keep these accounts' ledgers of rate windows, all or none. Of two programs the later one wins."""
        # In one order everywhere, so that two programs never wait for each other's rows.
        rows = [{"id": account_id, "ledger": ledgers[account_id]} for account_id in sorted(ledgers)]
        # Nothing is sealed here, so a program that must be restarted for its keys may still save these.
        async with self._database.writing() as connection:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            insert = dialect.insert(ledger_table)
            kept = insert.on_conflict_do_update(
                index_elements=["id"], set_={"ledger": insert.excluded.ledger}
            )
            await connection.execute(kept, rows)

    @_whole
    async def rekey(self, keyring: Keyring) -> int:
        """Seal every field anew with another keyring's current key, in one transaction.

        Args:
            keyring: must hold every key in use as well.

        Returns:
            How many accounts there are. From now on this object uses the new keyring; other processes
            that have the store open can read on but must be restarted to write.

        Raises:
            WrongKey: a key in use is not in the keyring; nothing was changed.
        """
        columns = [table.c.id, *(table.c[name] for name in SEALED)]
        async with self._database.writing(exclusive=True) as connection:
            await proves(connection, keyring, self.name)
            rows = (await connection.execute(sa.select(*columns))).mappings().all()
            resealed = [{"key": row["id"], **_resealed(row, keyring)} for row in rows]
            if resealed:
                await connection.execute(sa.update(table).where(table.c.id == sa.bindparam("key")), resealed)
            await connection.execute(sa.delete(account_keys))
            await connection.execute(sa.insert(account_keys), proof_of(keyring))
        self._keyring = keyring
        return len(resealed)

    # ------------------------------------------------------------ within

    @_whole
    async def _set_up(self, *, create: bool) -> None:
        await self._database.prepare(create=create)
        async with self._database.reading() as connection:
            version = await self._database.version(connection)
            ready = version == LATEST and await proves(connection, self._keyring, self.name)
        if ready:
            return
        if version is None and not create:
            raise no_store(self.name)
        async with self._database.writing(exclusive=True) as connection:
            version = await self._database.version(connection)
            if version is not None:
                await proves(connection, self._keyring, self.name)
            if version != LATEST:
                await self._database.migrate(connection)
            if not await proves(connection, self._keyring, self.name):
                await connection.execute(sa.insert(account_keys), proof_of(self._keyring))

    @asynccontextmanager
    async def _writing(self, *, exclusive: bool = False) -> AsyncGenerator[AsyncConnection]:
        """A transaction in which our current key is still in use: nothing is sealed with a dropped one."""
        async with self._database.writing(exclusive=exclusive) as connection:
            mine = sa.select(account_keys.c.key_id).where(account_keys.c.key_id == self._keyring.current)
            if await connection.scalar(mine) is None:
                raise WrongKey(
                    f"the key of the store {self.name} was changed since it was opened here: "
                    "restart this program; nothing was changed"
                )
            yield connection

    async def _change(self, account_id: str, columns: dict[str, Any]) -> None:
        columns["changed_at"] = self._clock.now()
        async with self._writing() as connection:
            done = await connection.execute(
                sa.update(table).where(table.c.id == account_id).values(**columns)
            )
            if done.rowcount == 0:
                raise self._not_found(account_id)

    async def _stored(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Account]:
        found: dict[str, Account] = {}
        for start in range(0, len(ids), _BATCH):
            query = sa.select(table).where(table.c.id.in_(ids[start : start + _BATCH]))
            for row in (await connection.execute(query)).mappings():
                found[row["id"]] = account_of(row, self._keyring)
        return found

    def _new_row(self, account: Account) -> dict[str, Any]:
        now = self._clock.now()
        return {**row_of(account, self._keyring), "added_at": now, "changed_at": now}

    def _not_found(self, account_id: str) -> AccountNotFound:
        return AccountNotFound(f"no account {account_id!r} in {self.name}: see `twikit-pool accounts list`")


def _resealed(row: RowMapping, keyring: Keyring) -> dict[str, bytes | None]:
    return {
        name: None
        if row[name] is None
        else keyring.seal(keyring.open(row[name], row["id"], name), row["id"], name)
        for name in SEALED
    }
