"""Accounts into files that only their owner may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twikit_pool.accounts import cookie_files, json_lines
from twikit_pool.accounts.cookie_files import CookieFormat
from twikit_pool.accounts.private_files import create_private, make_private_folder, replace_private
from twikit_pool.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twikit_pool.accounts.model import Account


def write_json_lines(
    path: Path, accounts: Sequence[Account], *, include_secrets: bool = False, overwrite: bool = False
) -> None:
    """Write one line of JSON for each account; without their secrets, unless these are asked for.

    Raises:
        ConfigError: the file exists and may not be overwritten.
        StoreError: it cannot be written.
    """
    _write(path, json_lines.render(accounts, include_secrets=include_secrets), overwrite=overwrite)


def write_cookie_files(folder: Path, accounts: Sequence[Account], *, overwrite: bool = False) -> None:
    """Write each account's cookies into `folder/id.json`, as twikit reads them.

    Raises:
        ConfigError: a file exists and may not be overwritten; nothing was written.
        StoreError: a file cannot be written.
    """
    paths = [folder / f"{account.id}.json" for account in accounts]
    if not overwrite:
        for path in paths:
            if path.exists():
                raise _exists(path)
    for path, account in zip(paths, accounts, strict=True):
        text = cookie_files.render(account.credentials.cookies, CookieFormat.TWIKIT)
        _write(path, text.encode(), overwrite=overwrite)


def _write(path: Path, content: bytes, *, overwrite: bool) -> None:
    try:
        make_private_folder(path.parent)
        (replace_private if overwrite else create_private)(path, content)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None


def _exists(path: Path) -> ConfigError:
    return ConfigError(f"{path} exists: name another one, or overwrite it with --force")
