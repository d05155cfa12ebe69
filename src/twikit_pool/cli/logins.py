"""How a log-in, or another secret, reaches a command: from a file or asked for, never on the command line."""

from __future__ import annotations

import getpass
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.fields import account_from
from twikit_pool.errors import ConfigError, InvalidAccount

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.accounts.model import Account

ASK: Final = "-"
"""In place of a secret: ask for it, or read it from standard input."""


def unclear_login(cookies: Path | None, auth_token: str | None) -> str:
    """What is wrong with how a log-in is given; empty when nothing is."""
    if (cookies is None) == (auth_token is None):
        return "give either --cookies FILE or --auth-token -"
    if auth_token is not None and auth_token != ASK:
        return (
            "a token on the command line is seen by every user of this machine and stays in the shell's "
            "history: give --auth-token - and type it, or pipe it in; renew the one you have just shown"
        )
    return ""


def with_login(account_id: str, cookies: Path | None) -> Account:
    """An account of nothing but its log-in: from a cookie file, or asked for."""
    if cookies is not None:
        try:
            return cookie_files.read_account(cookies, account_id)
        except InvalidAccount as error:
            raise InvalidAccount(f"{cookies}: {error}") from None
    return account_from({"id": account_id, "auth_token": hidden(f"auth_token of {account_id}")})


def hidden(what: str) -> str:
    """A line that is not shown: asked for at a terminal, else read from standard input."""
    line = ""
    if sys.stdin is not None:
        with suppress(EOFError):  # Ctrl-D
            line = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not line.strip():
        raise ConfigError(f"no {what} was given: type it, or pipe it in")
    return line.strip()
