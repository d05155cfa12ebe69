"""`twikit-pool tokens`: who may use the service."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from twikit_pool.accounts.locations import data_folder
from twikit_pool.cli.courtesy import courteous
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError
from twikit_pool.service.tokens import Scope, TokenBook

app = App(name="tokens", help="The tokens that the service takes.")

UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def default_file() -> Path:
    """Where tokens are kept."""
    return data_folder() / "tokens.json"


@app.command
def create(
    name: str,
    /,
    *,
    scope: Scope = Scope.READ,
    expires: str | None = None,
    file: Path | None = None,
) -> int:
    """Make a token and print it, once: nobody can show it again.

    Args:
        name: whose it is, or what it is for.
        scope: what it may do; each includes those before it: read, execute, operate, admin.
        expires: when it ends by itself, as 12h or 90d; never when not given.
        file: where tokens are kept; tokens.json in the user's data folder when not given.
    """
    ends = None if expires is None else SYSTEM_CLOCK.now() + _duration(expires)
    token, plain = TokenBook(file or default_file()).create(name, scope, expires_at=ends)
    screen = courteous(sys.stderr, stderr=True)
    screen.print(f"token {token.id} of {token.name}, which may {token.scope}. Keep it; it is shown only now:")
    print(plain)
    return 0


@app.command(name="list")
def show(*, json: Annotated[bool, Parameter(negative=())] = False, file: Path | None = None) -> int:
    """List the tokens, never the secrets.

    Args:
        json: one JSON array, for programs.
        file: where tokens are kept; tokens.json in the user's data folder when not given.
    """
    tokens = TokenBook(file or default_file()).all()
    if json:
        shown = [
            {name: value for name, value in msgspec.to_builtins(each).items() if name != "digest"}
            for each in tokens
        ]
        print(msgspec.json.encode(shown).decode())
        return 0
    screen = courteous(sys.stdout)
    if not tokens:
        screen.print("there are no tokens: `twikit-pool tokens create NAME` makes one")
        return 0
    table = Table("id", "name", "may", "made", "ends")
    now = SYSTEM_CLOCK.now()
    for each in tokens:
        table.add_row(each.id, each.name, str(each.scope), _day(each.created_at), _ends(each.expires_at, now))
    screen.print(table)
    return 0


@app.command
def revoke(token_id: str, /, *, file: Path | None = None) -> int:
    """Let a token be good for nothing any more; a service that runs knows within a second.

    Args:
        token_id: its id, as `list` shows it.
        file: where tokens are kept; tokens.json in the user's data folder when not given.
    """
    token = TokenBook(file or default_file()).revoke(token_id)
    courteous(sys.stdout).print(f"token {token.id} of {token.name} is revoked")
    return 0


def _duration(given: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhd])", given.strip())
    if found is None:
        raise ConfigError(f"--expires is {given!r}: give minutes, hours or days, as 30m, 12h or 90d")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _ends(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    return f"[red]ended {_day(moment)}[/]" if moment <= now else _day(moment)
