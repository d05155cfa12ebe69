"""No secret in the files, and nothing believed that was not sealed for its place."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import AccountStore, Keyring
from twikit_pool.accounts.keys import create_key_file, read_key_file, write_key_file
from twikit_pool.accounts.rotation import finish_rotation, rotate_key_file
from twikit_pool.errors import ConfigError, KeyMissing, StoreError, TwikitPoolError, WrongKey
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twikit_pool.accounts import Account

    Make = Callable[[str], Account]

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def files(store: AccountStore) -> dict[str, bytes]:
    assert store.path is not None
    return {path.name: path.read_bytes() for path in store.path.parent.iterdir()}


def alter(store: AccountStore, statement: str, *values: object) -> None:
    assert store.path is not None
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(statement, values)


async def test_no_secret_in_any_file_log_or_repr(
    store: AccountStore, full_account: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await store.add(full_account("a"))
    await store.merge([full_account("a"), full_account("b")])
    await store.save_cookies("a", Cookies(auth_token="canary-new"))
    shown = repr(await store.accounts()) + repr(store) + repr(store.keyring) + caplog.text
    try:
        await store.add(full_account("a"))
    except TwikitPoolError:
        shown += traceback.format_exc()
    open_files, said = files(store), shown
    await store.aclose()
    for content in (*open_files.values(), *files(store).values(), said.encode()):
        assert b"canary" not in content
    assert b"Brand_UK" in b"".join(files(store).values()), "what is public can be looked at"


@posix
async def test_files_are_private_from_the_start(store: AccountStore, full_account: Make) -> None:
    await store.add(full_account("a"))
    assert store.path is not None
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert modes == dict.fromkeys(("accounts.db", "accounts.db-wal", "accounts.db-shm"), 0o600)


@posix
async def test_a_loose_store_is_tightened_with_a_warning(
    store: AccountStore, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    await store.aclose()
    assert store.path is not None
    store.path.chmod(0o644)
    async with await AccountStore.open(store.path, keyring=keyring):
        assert store.path.stat().st_mode & 0o777 == 0o600
    assert "could be read by others" in caplog.text


async def test_another_programs_files_are_left_as_they_are(tmp_path: Path, keyring: Keyring) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE accounts (username)")
    (tmp_path / "text").write_text("no database at all" * 100)
    for name in ("other.db", "text"):
        path = tmp_path / name
        path.chmod(0o644)
        before = path.read_bytes()
        with pytest.raises(StoreError, match="another program's"):
            await AccountStore.open(path, keyring=keyring)
        assert path.read_bytes() == before
        assert path.stat().st_mode & 0o777 == 0o644


async def test_a_wrong_key_touches_nothing(store: AccountStore, keyring: Keyring, full_account: Make) -> None:
    await store.add(full_account("a"))
    await store.aclose()
    before = files(store)
    same_id = Keyring({keyring.current: b"x" * 32})
    for wrong in (Keyring.generate(), same_id):
        with pytest.raises(WrongKey, match=keyring.current):
            await AccountStore.open(store.path, keyring=wrong)
    assert files(store) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE twikit_pool_accounts SET cookies = (SELECT cookies FROM twikit_pool_accounts WHERE id = 'b') "
        "WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET cookies = password WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET id = 'c' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET cookies = x'00' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET cookies = x'' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET cookies = 'text' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET state = 'nonsense' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET tags = '5' WHERE id = 'a'",
        "UPDATE twikit_pool_accounts SET caps = '[]' WHERE id = 'a'",
    ],
)
async def test_what_was_altered_is_refused_and_named(
    store: AccountStore, full_account: Make, statement: str
) -> None:
    await store.merge([full_account("a"), full_account("b")])
    alter(store, statement)
    with pytest.raises(StoreError, match=r"'[ac]'") as caught:
        await store.accounts()
    assert "canary" not in str(caught.value)
    readable, damaged = await store.readable()
    assert readable == [full_account("b")]
    assert len(damaged) == 1
    await store.remove(next(iter(damaged)))
    assert await store.accounts() == [full_account("b")]


@pytest.mark.parametrize("column", ["tags", "since"])
async def test_a_column_that_cannot_be_decoded_is_damage(
    store: AccountStore, full_account: Make, column: str
) -> None:
    await store.add(full_account("a"))
    alter(store, f"UPDATE twikit_pool_accounts SET {column} = 'nonsense'")  # noqa: S608 - a column's name
    with pytest.raises(StoreError, match="damaged"):
        await store.accounts()


# ------------------------------------------------------------ rotation


@pytest.fixture
def key_file(tmp_path: Path, keyring: Keyring) -> Path:
    path = tmp_path / "keys" / "k"
    create_key_file(path)
    write_key_file(path, keyring)
    return path


async def test_rotation(store: AccountStore, keyring: Keyring, full_account: Make, key_file: Path) -> None:
    await store.merge([full_account("a"), full_account("b")])
    assert await rotate_key_file(store, key_file) == 2
    rotated = read_key_file(key_file)
    assert rotated.ids[1:] == keyring.ids
    assert await store.key_usage() == {rotated.current: 10}
    with pytest.raises(WrongKey):
        await AccountStore.open(store.path, keyring=keyring)
    await rotate_key_file(store, key_file, drop_old=True)
    assert len(read_key_file(key_file).ids) == 1
    async with await AccountStore.open(store.path, keyring=read_key_file(key_file)) as again:
        assert await again.accounts() == [full_account("a"), full_account("b")]


async def test_a_rotation_stopped_before_the_rows_is_finished_with_its_key(
    store: AccountStore, keyring: Keyring, full_account: Make, key_file: Path
) -> None:
    await store.add(full_account("a"))
    begun = keyring.with_new_key()
    write_key_file(key_file, begun)
    async with await AccountStore.open(store.path, keyring=read_key_file(key_file)) as again:
        assert await again.accounts() == [full_account("a")]
        await rotate_key_file(again, key_file)
        assert read_key_file(key_file).ids == begun.ids
        assert set(await again.key_usage()) == {begun.current}


async def test_a_second_rotation_at_the_same_time_is_refused_and_no_key_in_use_is_lost(
    tmp_path: Path, store: AccountStore, keyring: Keyring, full_account: Make, key_file: Path
) -> None:
    async with await AccountStore.open(tmp_path / "other.db", keyring=keyring) as other:
        await store.add(full_account("a"))
        await other.add(full_account("b"))
        done, refused = await asyncio.gather(
            rotate_key_file(store, key_file), rotate_key_file(other, key_file), return_exceptions=True
        )
        assert done == 1
        assert isinstance(refused, ConfigError)
        assert "another rotation" in str(refused)
        in_use = {*await store.key_usage(), *await other.key_usage()}
        assert in_use <= set(read_key_file(key_file).ids)
        assert await rotate_key_file(other, key_file) == 1, "the next one is free to begin"


async def test_a_key_file_beside_which_nothing_can_be_written_is_told(
    store: AccountStore, tmp_path: Path
) -> None:
    with pytest.raises(KeyMissing, match="cannot be changed"):
        await rotate_key_file(store, tmp_path / "nowhere" / "k")


async def test_a_program_with_a_dropped_key_writes_nothing(
    store: AccountStore, keyring: Keyring, full_account: Make, key_file: Path
) -> None:
    await store.add(full_account("a"))
    async with await AccountStore.open(store.path, keyring=keyring) as stale:
        await rotate_key_file(store, key_file, drop_old=True)
        with pytest.raises(WrongKey, match="restart"):
            await stale.save_cookies("a", Cookies(auth_token="lost"))
        with pytest.raises(WrongKey, match="restart"):
            await stale.add(full_account("b"))
    assert await store.accounts() == [full_account("a")]


async def test_rotation_of_keys_that_are_not_in_a_file(
    store: AccountStore, keyring: Keyring, full_account: Make
) -> None:
    await store.add(full_account("a"))
    with pytest.raises(ConfigError, match="put a new key before it"):
        await finish_rotation(store)
    newer = keyring.with_new_key()
    async with await AccountStore.open(store.path, keyring=newer) as again:
        assert await finish_rotation(again) == 1
    async with await AccountStore.open(store.path, keyring=newer.only_current()) as again:
        assert await again.accounts() == [full_account("a")]


async def test_a_rotation_over_a_damaged_row_changes_nothing(
    store: AccountStore, keyring: Keyring, full_account: Make
) -> None:
    await store.merge([full_account("a"), full_account("b")])
    alter(store, "UPDATE twikit_pool_accounts SET email = x'01' WHERE id = 'b'")
    with pytest.raises(StoreError):
        await store.rekey(keyring.with_new_key())
    assert set(await store.key_usage()) >= {keyring.current}
    assert await store.account("a") == full_account("a")
    await store.save_cookies("a", Cookies(auth_token="still writable"))
