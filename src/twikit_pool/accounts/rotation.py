"""Changing the key of a store, so that a stop at any moment leaves a store that opens."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twikit_pool.accounts.keys import read_key_file, write_key_file
from twikit_pool.accounts.private_files import PRIVATE_FILE
from twikit_pool.errors import ConfigError, KeyMissing

try:
    import fcntl
except ImportError:  # Windows has none; there a second rotation is up to the operator
    fcntl = None

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.accounts.store import AccountStore


async def rotate_key_file(store: AccountStore, path: Path, *, drop_old: bool = False) -> int:
    """Seal the store anew with a new key of the key file.

    The new key is in the file, with the old ones, before the first row changes; the rows change in one
    transaction. A rotation that was stopped in between is finished with the key that it had made.

    Args:
        store: open, with the file's keys.
        path: the key file.
        drop_old: take the old keys out of the file in the end. Backups of the database, and other stores
            with the same file that were not rotated yet, cannot be opened after that.

    Returns:
        How many accounts were sealed anew.

    Raises:
        KeyMissing: the file cannot be read or written.
        WrongKey: a key in use is not in the file; nothing was changed.
        ConfigError: another rotation of this key file is under way.
    """
    with _one_at_a_time(path):
        keyring = read_key_file(path)
        if not await unfinished(store):
            keyring = keyring.with_new_key()
            write_key_file(path, keyring)
        accounts = await store.rekey(keyring)
        if drop_old:
            write_key_file(path, keyring.only_current())
        return accounts


@contextmanager
def _one_at_a_time(path: Path) -> Generator[None]:
    """Hold the key file against other rotations: the last to write it would drop a key that is in use.

    The lock lies on a file of its own, for the key file is replaced; the system lets it go when we die.
    """
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    except OSError as error:
        raise KeyMissing(f"the key file {path} cannot be changed: {error.strerror}") from None
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(
                    f"another rotation of {path} is under way: run it again when that has ended"
                ) from None
        yield
    finally:
        os.close(descriptor)


async def finish_rotation(store: AccountStore) -> int:
    """Seal the store anew with the current one of the keys that it was opened with.

    Raises:
        ConfigError: all is sealed with that key already.
    """
    if not await unfinished(store):
        raise ConfigError(
            f"all accounts are sealed with the current key {store.keyring.current!r} already: put a new key "
            "before it in TWIKIT_POOL_KEY, separated by a comma (`openssl rand -base64 32` makes one)"
        )
    return await store.rekey(store.keyring)


async def unfinished(store: AccountStore) -> bool:
    """Whether anything is still sealed with another key than the current one."""
    return bool(set(await store.key_usage()) - {store.keyring.current})
