"""Accounts of twscrape: its text file and its database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.accounts.fields import account_from
from twikit_pool.errors import ConfigError, InvalidAccount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twikit_pool.accounts.model import Account

LINE_FORMAT: Final = "username:password:email:email_password:cookies"
"""What a line holds unless told otherwise; the cookies may be missing."""

_OURS: Final = {
    "username": "handle",
    "password": "password",
    "email": "email",
    "mfa_code": "totp",
    "proxy": "proxy",
    "cookies": "cookies",
}
_DROPPED: Final = frozenset({"email_password", "user_agent", "_"})
"""Columns of twscrape's that nothing here uses."""


class LineFormat:
    """How a line of twscrape's text file is read: names with a delimiter between them.

    Raises:
        ConfigError: a name is unknown, or `username` is not among them.
    """

    def __init__(self, text: str = LINE_FORMAT) -> None:
        before, found, after = text.strip().partition("username")
        delimiter = before[-1:] or after[:1] or ":"
        self._names = text.strip().split(delimiter)
        self._delimiter = delimiter
        unknown = [name for name in self._names if name not in _OURS and name not in _DROPPED]
        if not found or unknown:
            raise ConfigError(
                f"the line format {text!r} is not understood: it is made of username, "
                f"{', '.join(sorted((_OURS.keys() | _DROPPED) - {'username'}))} and one delimiter"
            )

    def parse(self, line: str) -> Account:
        """The account of a line.

        Raises:
            InvalidAccount: a field is missing or malformed.
        """
        # The cookies, when last, may hold the delimiter; otherwise what is too much is dropped.
        most = len(self._names) - 1 if self._names[-1] == "cookies" else -1
        values = [value.strip() for value in line.split(self._delimiter, most)]
        needed = len(self._names) - (self._names[-1] == "cookies")
        if len(values) < needed:
            raise InvalidAccount(
                f"it has {len(values)} fields instead of {needed}: describe its order with --line-format"
            )
        return _account(dict(zip(self._names, values, strict=False)))


def read_database(path: Path) -> Iterator[tuple[str, Account | InvalidAccount]]:
    """Each account's place and itself, or what is wrong with it. The database is opened read-only.

    Raises:
        InvalidAccount: it is not twscrape's database.
    """
    problem = "it has no accounts of twscrape's"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            # sqlite3's own decoding puts the text that it cannot decode, a secret, into its error
            connection.text_factory = _decoded
            columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(accounts)")]
            rows = connection.execute("SELECT * FROM accounts").fetchall() if "username" in columns else None
    except sqlite3.Error as error:
        rows, columns = None, []
        problem = f"it cannot be read as an SQLite database ({error.sqlite_errorname})"
    if rows is None:
        raise InvalidAccount(f"{path}: {problem}; give twscrape's accounts.db")
    for number, row in enumerate(rows, 1):
        place = f"row {number}"
        try:
            yield place, _account(dict(zip(columns, row, strict=True)))
        except InvalidAccount as error:
            yield place, error


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _account(values: dict[str, Any]) -> Account:
    fields = {
        _OURS[name]: str(value) for name, value in values.items() if name in _OURS and value is not None
    }
    for name in ("password", "email", "totp", "cookies"):
        if fields.get(name) in {"_", "{}"}:  # twscrape's own words for "none"
            del fields[name]
    return account_from(fields)
