"""`twikit-pool keys`: where the keys are, whether they fit, and changing them."""

# ruff: noqa: D417 - the store is described once, at its type in cli.accounts

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twikit_pool.accounts import locations
from twikit_pool.accounts.database import Database
from twikit_pool.accounts.keys import KEY, in_environment
from twikit_pool.accounts.private_files import open_to_others
from twikit_pool.accounts.rotation import finish_rotation, rotate_key_file
from twikit_pool.cli.account_store import StoreUrl, open_store
from twikit_pool.cli.accounts import OK, PROBLEM
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

app = App(name="keys", help="The key that the account store is encrypted with.")


@app.command
async def where(*, store: StoreUrl = None) -> int:
    """Say where the keys and the store are; show nothing of the keys."""
    _say(f"keys: {_origin()}")
    _say(f"store: {Database(store).name}")
    return OK


@app.command
async def check(*, store: StoreUrl = None) -> int:
    """Open every field of every account, count them by key, and look at who may read the files."""
    async with await open_store(store) as accounts:
        usage = await accounts.key_usage()
        readable, damaged = await accounts.readable()
        current, ids = accounts.keyring.current, accounts.keyring.ids
        problems = [*damaged.values(), *_exposed(accounts.path)]
    table = Table("key", "sealed fields", "", box=None, pad_edge=False)
    for key_id in ids:
        table.add_row(Text(key_id), str(usage.get(key_id, 0)), "current" if key_id == current else "")
    Console().print(table)
    _say(f"{len(readable)} accounts open, {len(damaged)} do not. Keys: {_origin()}")
    for problem in problems:
        _say(f"problem: {problem}")
    return PROBLEM if problems else OK


@app.command
async def rotate(*, drop_old: Annotated[bool, Parameter(negative="")] = False, store: StoreUrl = None) -> int:
    """Encrypt the whole store anew with a new key. Restart programs that have it open.

    A rotation that was interrupted is finished. With the keys in the environment, put the new key in
    front there first.

    Args:
        drop_old: Take the old keys out of the key file in the end. Backups of the database need them, and
            so do other stores of the same key file that were not rotated yet.
    """
    if drop_old and in_environment():
        raise ConfigError(f"--drop-old is for a key file: take the old key out of {KEY} yourself")
    path = locations.key_file()
    async with await open_store(store) as accounts:
        if in_environment():
            count = await finish_rotation(accounts)
        else:
            count = await rotate_key_file(accounts, path, drop_old=drop_old)
        current = accounts.keyring.current
    _say(f"{count} accounts are sealed with the new key {current} now.")
    if in_environment():
        _say(f"Take the old key out of {KEY} once no backup and no other store needs it.")
    else:
        _say(f"Back up {path} again.")
    return OK


def _origin() -> str:
    if in_environment():
        return f"the environment variable {KEY}"
    path = locations.key_file()
    try:
        path.stat()
    except FileNotFoundError:
        return f"{path} (does not exist yet)"
    except OSError as error:
        return f"{path} (cannot be reached: {error.strerror})"
    return str(path)


def _exposed(store: Path | None) -> list[str]:
    files = [] if store is None else [store.parent]
    if not in_environment():
        files.append(locations.key_file().parent)
    return [
        f"others on this machine may look into {path}: run `chmod 700 {path}`"
        for path in files
        if open_to_others(path)
    ]


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
