from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import twikit_pool.accounts.migrations
from twikit_pool.accounts import Account, AccountState, AccountStore, Credentials, Keyring, Standing
from twikit_pool.accounts.database import LATEST, Database
from twikit_pool.accounts.merging import Change
from twikit_pool.accounts.schema import metadata
from twikit_pool.errors import AccountNotFound, ConfigError, InvalidAccount, StoreError
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[str], Account]


def slim(account_id: str, token: str = "t") -> Account:
    return Account(id=account_id, credentials=Credentials(cookies=Cookies(auth_token=token)))


async def test_keeps_every_field(store: AccountStore, keyring: Keyring, full_account: Make) -> None:
    whole = replace(
        full_account("b"),
        standing=Standing(
            state=AccountState.QUARANTINED,
            reason="code 326",
            since=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5))),
            until=datetime(2026, 1, 3, tzinfo=UTC),
        ),
    )
    await store.add(whole)
    await store.add(slim("a"))
    await store.add(slim("B"))
    await store.aclose()
    async with await AccountStore.open(store.path, keyring=keyring) as again:
        assert await again.accounts() == [slim("B"), slim("a"), whole]
        found = await again.account("b")
        assert found == whole
        assert found.standing.since.tzinfo is UTC


async def test_changes_what_it_is_told_and_nothing_else(store: AccountStore, full_account: Make) -> None:
    await store.add(full_account("a"))
    await store.add(full_account("b"))
    standing = Standing(state=AccountState.LOCKED, reason="326", since=datetime(2026, 1, 1, tzinfo=UTC))
    await store.save_cookies("a", Cookies(auth_token="new"))
    await store.set_standing("a", standing)
    expected = replace(full_account("a").with_cookies(Cookies(auth_token="new")), standing=standing)
    assert await store.accounts() == [expected, full_account("b")]
    await store.update(slim("a"))
    await store.remove("b")
    assert await store.accounts() == [slim("a")]


async def test_unknown_and_double_accounts(store: AccountStore) -> None:
    await store.add(slim("a"))
    with pytest.raises(InvalidAccount, match="there is an account 'a' already"):
        await store.add(slim("a", "other"))
    for refused in (
        store.account("b"),
        store.update(slim("b")),
        store.remove("b"),
        store.save_cookies("b", Cookies(auth_token="x")),
        store.set_standing("b", Standing()),
    ):
        with pytest.raises(AccountNotFound, match="no account 'b'"):
            await refused
    with pytest.raises(InvalidAccount, match="auth_token"):
        await store.save_cookies("a", Cookies(ct0="x"))
    assert await store.accounts() == [slim("a")]


async def test_merging_twice_changes_nothing(store: AccountStore, full_account: Make) -> None:
    given = [full_account("a"), slim("b")]
    assert set((await store.merge(given)).values()) == {Change.ADDED}
    assert set((await store.merge(given)).values()) == {Change.UNCHANGED}
    assert await store.accounts() == given


async def test_merging_keeps_what_is_not_given_and_takes_what_is(
    store: AccountStore, full_account: Make
) -> None:
    await store.add(replace(full_account("a"), standing=Standing(state=AccountState.STALE)))
    assert await store.merge([slim("a", "canary-token")]) == {"a": Change.UNCHANGED}, (
        "same log-in, fewer cookies"
    )
    assert await store.merge([slim("a", "fresh")]) == {"a": Change.UPDATED}
    merged = await store.account("a")
    assert merged.credentials.cookies == {"auth_token": "fresh"}, (
        "a csrf cookie of another log-in is worthless"
    )
    assert merged.standing.state is AccountState.ACTIVE
    assert merged.credentials.password == full_account("a").credentials.password
    assert merged.tags == full_account("a").tags


async def test_merging_does_not_enable_what_a_person_disabled(store: AccountStore) -> None:
    await store.add(replace(slim("a"), standing=Standing(state=AccountState.DISABLED)))
    await store.merge([slim("a", "fresh")])
    assert (await store.account("a")).standing.state is AccountState.DISABLED


async def test_ten_thousand_accounts(store: AccountStore, keyring: Keyring) -> None:
    began = time.perf_counter()
    await store.merge(slim(f"a{n:05}") for n in range(10_000))
    async with await AccountStore.open(store.path, keyring=keyring) as again:
        assert len(await again.accounts()) == 10_000
    assert time.perf_counter() - began < 10


async def test_a_cancelled_write_leaves_the_store_working(store: AccountStore, keyring: Keyring) -> None:
    await store.add(slim("a"))
    chance = random.Random(1)
    for n in range(40):
        saving = asyncio.create_task(store.save_cookies("a", Cookies(auth_token=f"t{n}")))
        await asyncio.sleep(chance.uniform(0, 0.004))
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
    async with asyncio.timeout(10):
        await store.save_cookies("a", Cookies(auth_token="last"))
        async with await AccountStore.open(store.path, keyring=keyring) as other:
            await other.add(slim("b"))
    assert await store.accounts() == [slim("a", "last"), slim("b")]


async def test_an_opening_that_is_cancelled_leaves_nothing_locked(tmp_path: Path, keyring: Keyring) -> None:
    chance = random.Random(2)
    for _ in range(20):
        opening = asyncio.create_task(AccountStore.open(tmp_path / "accounts.db", keyring=keyring))
        await asyncio.sleep(chance.uniform(0, 0.03))
        opening.cancel()
        for opened in await asyncio.gather(opening, return_exceptions=True):
            if isinstance(opened, AccountStore):
                await opened.aclose()
    async with (
        asyncio.timeout(10),
        await AccountStore.open(tmp_path / "accounts.db", keyring=keyring) as store,
    ):
        await store.add(slim("a"))


# ------------------------------------------------------------ the database


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(twikit_pool.accounts.migrations.__path__[0]))
    return ScriptDirectory.from_config(config)


async def test_migrations_make_the_tables_that_the_code_uses(store: AccountStore) -> None:
    assert scripts().get_current_head() == LATEST
    engine = sa.create_engine(f"sqlite:///{store.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "twikit_pool_accounts_version"}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_opening_again_changes_nothing(store: AccountStore, keyring: Keyring) -> None:
    await store.add(slim("a"))
    await store.aclose()
    assert store.path is not None
    before = store.path.read_bytes()
    for _ in range(3):
        async with await AccountStore.open(str(store.path), keyring=keyring) as again:
            assert await again.accounts() == [slim("a")]
    assert store.path.read_bytes() == before


async def test_a_store_of_a_newer_version_is_refused(store: AccountStore, keyring: Keyring) -> None:
    await store.aclose()
    assert store.path is not None
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE twikit_pool_accounts_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer twikit-pool"):
        await AccountStore.open(store.path, keyring=keyring)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:canary@h/x", "the store is a path"),
        ("sqlite://", "needs a file"),
        ("://canary", "the store is a path"),
        ("", "path is empty"),
        ("~nosuchuser/x", "home folder of nobody"),
    ],
)
async def test_other_databases_are_refused(url: str, message: str, keyring: Keyring) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        await AccountStore.open(url, keyring=keyring)
    assert "canary" not in str(caught.value)


def begun(path: Path) -> None:
    """What a store is whose creation was interrupted."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("make", [None, Path.touch, begun])
async def test_a_store_is_not_made_for_those_who_only_read(
    make: Callable[[Path], None] | None, tmp_path: Path, keyring: Keyring
) -> None:
    path = tmp_path / "typo.db"
    if make is not None:
        make(path)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=r"no account store .*typo\.db: `twikit-pool accounts import"):
        await AccountStore.open(path, keyring=keyring, create=False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("secret", ["u:canary@h/x", "u@h/x?password=canary", "u@h/x?sslpassword=canary&a=b"])
def test_a_store_is_named_without_its_password(secret: str) -> None:
    pytest.importorskip("psycopg")
    assert Database(f"postgresql+psycopg://{secret}").name.endswith("@h/x")
    assert "canary" not in Database(f"postgresql+psycopg://{secret}").name


async def test_what_is_no_text_is_refused(store: AccountStore, full_account: Make) -> None:
    await store.add(full_account("a"))
    with pytest.raises(InvalidAccount, match="not text in UTF-8"):
        await store.account("\udcff")
    with pytest.raises(InvalidAccount, match="not text in UTF-8"):
        await store.set_standing("a", Standing(reason="\udcff"))
    assert await store.account("a") == full_account("a")


async def test_the_default_is_the_users_own_store(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIKIT_POOL_HOME", str(tmp_path / "mine"))
    async with await AccountStore.open(keyring=keyring) as opened:
        assert opened.path == tmp_path / "mine" / "accounts.db"


async def test_ledgers_are_kept_apart_from_the_accounts(store: AccountStore, keyring: Keyring) -> None:
    await store.add(slim("a"))
    before = await store.revision()
    await store.save_ledgers({"a": b"1", "gone": b"2"})
    await store.save_ledgers({"a": b"3"})
    assert await store.ledgers() == {"a": b"3", "gone": b"2"}
    assert await store.revision() == before
    async with await AccountStore.open(store.path, keyring=keyring) as again:
        assert await again.ledgers() == {"a": b"3", "gone": b"2"}
    await store.remove("a")
    assert await store.ledgers() == {"gone": b"2"}


async def test_every_change_makes_another_revision(store: AccountStore) -> None:
    seen = [await store.revision()]

    async def changes() -> bool:
        seen.append(await store.revision())
        return len(set(map(hash, seen))) == len(seen)

    await store.add(slim("a"))
    assert await changes()
    await store.save_cookies("a", Cookies(auth_token="new"))
    assert await changes()
    await store.set_standing("a", Standing(state=AccountState.LOCKED))
    assert await changes()
    await store.merge([slim("b")])
    assert await changes()
    again = await store.revision()
    assert again == await store.revision()
    await store.remove("b")
    assert await store.revision() != again


async def test_a_store_of_the_first_version_is_brought_up_to_date(
    tmp_path: Path, keyring: Keyring, full_account: Make
) -> None:
    path = tmp_path / "old.db"
    async with await AccountStore.open(path, keyring=keyring) as store:
        await store.add(full_account("a"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE twikit_pool_account_ledgers")
        connection.execute("ALTER TABLE twikit_pool_accounts DROP COLUMN evidence")
        connection.execute("ALTER TABLE twikit_pool_accounts DROP COLUMN set_by")
        connection.execute("UPDATE twikit_pool_accounts_version SET version_num = '0001'")
    async with await AccountStore.open(path, keyring=keyring) as store:
        assert await store.account("a") == full_account("a")
        standing = Standing(state=AccountState.DISABLED, reason="holiday", evidence="HTTP 403", by="ann")
        await store.set_standing("a", standing)
        assert (await store.account("a")).standing == standing
        await store.save_ledgers({"a": b"{}"})
