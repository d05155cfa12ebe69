"""`twikit-pool accounts`: add, import, list, show, disable, enable, remove, export and check."""

# ruff: noqa: D417 - options that several commands share are described once, at their type below

from __future__ import annotations

import asyncio
import getpass
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twikit_pool.accounts import cookie_files, json_lines
from twikit_pool.accounts.checking import problems_of
from twikit_pool.accounts.exporting import write_cookie_files, write_json_lines
from twikit_pool.accounts.fields import account_from, proxy_from
from twikit_pool.accounts.importing import ImportFormat, read_accounts
from twikit_pool.accounts.merging import Change
from twikit_pool.accounts.model import Account, AccountState, Standing
from twikit_pool.accounts.twscrape import LINE_FORMAT
from twikit_pool.cli.account_store import StoreUrl, notices, open_store
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2
_ASK: Final = "-"
"""In place of a secret: ask for it, or read it from standard input."""

app = App(name="accounts", help="The accounts that may be used.")

Tags = Annotated[tuple[str, ...], Parameter(name="--tag", negative="", help="May be given several times.")]
States = Annotated[
    tuple[AccountState, ...], Parameter(name="--state", negative="", help="Several times too.")
]
Hidden = Annotated[str | None, Parameter(allow_leading_hyphen=True)]


def out() -> Console:
    """Standard output as it is now, which tests and pipes replace."""
    return Console()


# ---------------------------------------------------------------- commands


@app.command
async def add(
    account_id: Annotated[str, Parameter(name="ID")],
    /,
    *,
    cookies: Path | None = None,
    auth_token: Hidden = None,
    proxy: Hidden = None,
    handle: str | None = None,
    tag: Tags = (),
    notes: str = "",
    store: StoreUrl = None,
) -> int:
    """Add one account, from a cookie file or from its auth_token.

    Args:
        account_id: The name it goes by here.
        cookies: A cookie file: twikit's JSON, a browser's JSON export, or cookies.txt.
        auth_token: Give `-`: the token is then asked for without showing it, or read as a line of
            standard input. On the command line itself every user of the machine could see it.
        proxy: The proxy that all its traffic takes; `-` asks for it, for one with a password.
        handle: Its X handle.
        notes: Anything you want to remember.
    """
    if (cookies is None) == (auth_token is None):
        return _usage("give either --cookies FILE or --auth-token -")
    if auth_token is not None and auth_token != _ASK:
        return _usage(
            "a token on the command line is seen by every user of this machine and stays in the shell's "
            "history: give --auth-token - and type it, or pipe it in; renew the one you have just shown"
        )
    if proxy is not None and proxy != _ASK and urlsplit(proxy_from(proxy).reveal()).password:
        return _usage(
            "a proxy's password does not belong on the command line: give --proxy - and type the URL"
        )
    if cookies is not None:
        account = cookie_files.read_account(cookies, account_id)
    else:
        account = account_from({"id": account_id, "auth_token": _hidden(f"auth_token of {account_id}")})
    if proxy is not None:
        account = replace(account, proxy=proxy_from(_hidden("proxy") if proxy == _ASK else proxy))
    account = replace(account, handle=handle, tags=frozenset(tag), notes=notes)
    async with await open_store(store, create=True) as accounts:
        await accounts.add(account)
        out().print(f"Added {account_id} to {accounts.name}.", highlight=False, markup=False, soft_wrap=True)
    return OK


@app.command(name="import")
async def import_(
    first: Path,
    /,
    *more: Path,
    file_format: Annotated[ImportFormat | None, Parameter(name="--format")] = None,
    account_id: Annotated[str | None, Parameter(name="--id")] = None,
    line_format: str = LINE_FORMAT,
    store: StoreUrl = None,
) -> int:
    """Add or update accounts from files of other programs, or folders of cookie files.

    What is there already and has not changed stays as it is; a bad row is reported and the rest goes on.

    Args:
        first: A file or folder; `/dev/stdin` for what is piped in.
        more: Further ones.
        file_format: What they are; detected by default.
        account_id: The account's id, for a single cookie file; by default the file's name. A pipe needs it.
        line_format: The order of twscrape's text file; `_` skips a field.
    """
    if more and account_id is not None:
        raise ConfigError("--id names one account: give one cookie file with it")
    rejected = 0
    for path in (first, *more):
        reading = await asyncio.to_thread(
            read_accounts,
            path,
            now=SYSTEM_CLOCK.now(),
            file_format=file_format,
            account_id=account_id,
            line_format=line_format,
        )
        counts: Counter[Change] = Counter()
        if reading.accounts:
            async with await open_store(store, create=True) as accounts:
                counts = Counter((await accounts.merge(reading.accounts)).values())
        for row in reading.rejected:
            notices().print(f"{path}, {row}", highlight=False, markup=False, soft_wrap=True)
        told = ", ".join(f"{counts[change]} {change}" for change in Change)
        where = f"{path}: " if more else ""
        out().print(
            f"{where}read as {reading.format}: {told}, {len(reading.rejected)} rejected.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        rejected += len(reading.rejected)
    return PROBLEM if rejected else OK


@app.command(name="list")
async def list_(*, tag: Tags = (), state: States = (), json: bool = False, store: StoreUrl = None) -> int:
    """List the accounts, without their secrets.

    Args:
        tag: Only accounts with all of these tags.
        state: Only accounts in one of these states.
        json: Print a JSON list instead of a table.
    """
    async with await open_store(store) as accounts:
        chosen = _chosen(await accounts.accounts(), tag, state)
    if json:
        _print_json([json_lines.public_line(account) for account in chosen])
        return OK
    table = Table("id", "handle", "state", "reason", "tags", box=None, pad_edge=False)
    for account in chosen:
        standing = account.standing
        cells = (
            account.id,
            account.handle or "",
            standing.state,
            standing.reason,
            " ".join(sorted(account.tags)),
        )
        table.add_row(*map(Text, cells))
    out().print(table)
    out().print(f"{len(chosen)} accounts", highlight=False)
    return OK


@app.command
async def show(account_id: Annotated[str, Parameter(name="ID")], /, *, store: StoreUrl = None) -> int:
    """Show one account. Of its secrets, only which there are.

    Args:
        account_id: The account.
    """
    async with await open_store(store) as accounts:
        account = await accounts.account(account_id)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _described(account).items():
        table.add_row(name, Text(value))
    out().print(table)
    return OK


@app.command
async def disable(
    account_id: Annotated[str, Parameter(name="ID")], /, *, reason: str = "by hand", store: StoreUrl = None
) -> int:
    """Take an account out of use.

    Args:
        account_id: The account.
        reason: Why, for whoever finds it disabled.
    """
    return await _set_state(store, account_id, AccountState.DISABLED, reason)


@app.command
async def enable(account_id: Annotated[str, Parameter(name="ID")], /, *, store: StoreUrl = None) -> int:
    """Put an account into use again, whatever took it out.

    Args:
        account_id: The account.
    """
    return await _set_state(store, account_id, AccountState.ACTIVE, "enabled by hand")


@app.command
async def remove(
    account_id: Annotated[str, Parameter(name="ID")], /, *, yes: bool = False, store: StoreUrl = None
) -> int:
    """Forget an account and its credentials.

    Args:
        account_id: The account.
        yes: Do not ask.
    """
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            return _usage("there is nobody to ask: repeat with --yes")
        try:
            answer = out().input(f"Forget {account_id} and its credentials? Type its id: ", markup=False)
        except EOFError:  # Ctrl-D
            answer = ""
        if answer.strip() != account_id:
            notices().print("Nothing was removed.")
            return PROBLEM
    async with await open_store(store) as accounts:
        await accounts.remove(account_id)
    out().print(f"Removed {account_id}.", highlight=False, markup=False)
    return OK


@app.command
async def export(
    path: Path,
    /,
    *,
    file_format: Annotated[Literal["jsonl", "cookies"], Parameter(name="--format")] = "jsonl",
    include_secrets: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    tag: Tags = (),
    state: States = (),
    store: StoreUrl = None,
) -> int:
    """Write accounts into a file that only you may read.

    Args:
        path: The file, or the folder for cookie files.
        file_format: jsonl: a line of JSON for each account; cookies: a cookie file for each.
        include_secrets: Write cookies, passwords and proxies too. Cookie files are nothing else.
        force: Overwrite what is there.
    """
    if file_format == "cookies" and not include_secrets:
        return _usage("cookie files hold nothing but secrets: say --include-secrets too")
    async with await open_store(store) as accounts:
        chosen = _chosen(await accounts.accounts(), tag, state)
    if file_format == "cookies":
        await asyncio.to_thread(write_cookie_files, path, chosen, overwrite=force)
    else:
        await asyncio.to_thread(
            write_json_lines, path, chosen, include_secrets=include_secrets, overwrite=force
        )
    secrets = "with their secrets" if include_secrets else "without secrets"
    out().print(
        f"Wrote {len(chosen)} accounts, {secrets}, to {path}.", highlight=False, markup=False, soft_wrap=True
    )
    return OK


@app.command
async def check(
    *,
    live: Annotated[
        bool, Parameter(negative="", help="Ask X about each account, with one cheap call.")
    ] = False,
    simulator: Annotated[
        str | None, Parameter(help="With --live: the address of a running simulator to ask in place of X.")
    ] = None,
    store: StoreUrl = None,
) -> int:
    """Say what is wrong with each account; what X says about it becomes its state."""
    if simulator is not None and not live:
        return _usage("--simulator is for --live: without it nobody is asked")
    told: dict[str, list[str]] = {}
    async with await open_store(store) as accounts:
        if live:
            # Only here: it brings twikit along, most of a second that the other commands do without.
            from twikit_pool.cli.live_check import live_problems

            told = await live_problems(accounts, (await accounts.readable())[0], simulator=simulator)
        readable, damaged = await accounts.readable()
    problems = _offline_problems(readable) | {name: [reason] for name, reason in damaged.items()} | told
    return _report(problems, len(readable) + len(damaged), "live" if live else "offline")


# ---------------------------------------------------------------- within


async def _set_state(url: str | None, account_id: str, state: AccountState, reason: str) -> int:
    async with await open_store(url) as accounts:
        await accounts.set_standing(
            account_id, Standing(state=state, reason=reason, since=SYSTEM_CLOCK.now())
        )
    out().print(f"{account_id} is {state} now.", highlight=False, markup=False)
    return OK


def _offline_problems(accounts: Sequence[Account]) -> dict[str, list[str]]:
    now = SYSTEM_CLOCK.now()
    found = {account.id: problems_of(account, now) for account in accounts}
    return {account_id: problems for account_id, problems in found.items() if problems}


def _report(problems: Mapping[str, Sequence[str]], total: int, shows: str) -> int:
    table = Table("id", "problem", box=None, pad_edge=False)
    for account_id in sorted(problems):
        for problem in problems[account_id]:
            table.add_row(Text(account_id), Text(problem))
    if problems:
        out().print(table)
    out().print(
        f"{total - len(problems)} of {total} accounts have no problem that shows {shows}.", highlight=False
    )
    return PROBLEM if problems else OK


def _chosen(
    accounts: Sequence[Account], tags: Sequence[str], states: Sequence[AccountState]
) -> list[Account]:
    return [
        account
        for account in accounts
        if account.tags.issuperset(tags) and (not states or account.standing.state in states)
    ]


def _described(account: Account) -> dict[str, str]:
    credentials, standing = account.credentials, account.standing
    secrets = {
        "password": credentials.password,
        "email": credentials.email,
        "totp": credentials.totp,
        "proxy": account.proxy,
    }
    described = {
        "id": account.id,
        "handle": account.handle or "",
        "state": standing.state.value,
        "reason": standing.reason,
        "since": f"{standing.since:%Y-%m-%d %H:%M} UTC"
        if standing.since.year > 1970
        else "",  # the model's "never"
        "until": f"{standing.until:%Y-%m-%d %H:%M} UTC" if standing.until else "",
        "tags": " ".join(sorted(account.tags)),
        "capabilities": " ".join(sorted(account.capabilities)),
        "caps": " ".join(f"{endpoint}={calls}" for endpoint, calls in sorted(account.caps.items())),
        "notes": account.notes,
        "cookies": " ".join(sorted(credentials.cookies)),
        "log-in ends": f"{credentials.expires:%Y-%m-%d}" if credentials.expires else "",
        "also stored": " ".join(name for name, secret in secrets.items() if secret),
    }
    return {name: value for name, value in described.items() if value}


def _print_json(lines: list[json_lines.Line]) -> None:
    # The state always, though a line leaves out what is usual: scripts ask for it first.
    told = [{"id": each.id, "state": each.state} | msgspec.to_builtins(each) for each in lines]
    out().out(msgspec.json.format(msgspec.json.encode(told), indent=2).decode(), highlight=False)


def _hidden(what: str) -> str:
    """A line that is not shown: asked for at a terminal, else read from standard input."""
    line = ""
    if sys.stdin is not None:
        with suppress(EOFError):  # Ctrl-D
            line = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not line.strip():
        raise ConfigError(f"no {what} was given: type it, or pipe it in")
    return line.strip()


def _usage(problem: str) -> int:
    notices().print(f"error: {problem}", highlight=False, markup=False, soft_wrap=True)
    return USAGE
