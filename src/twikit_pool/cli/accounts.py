"""`twikit-pool accounts`: add, refresh, import, list, show, disable, enable, remove, export and check."""

# ruff: noqa: D417 - options that several commands share are described once, at their type below

from __future__ import annotations

import asyncio
import getpass
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twikit_pool.accounts.checking import problems_of
from twikit_pool.accounts.exporting import write_cookie_files, write_json_lines
from twikit_pool.accounts.fields import proxy_from
from twikit_pool.accounts.importing import ImportFormat, read_accounts
from twikit_pool.accounts.merging import Change
from twikit_pool.accounts.model import LOGIN_COOKIE, Account, AccountState, Standing
from twikit_pool.accounts.twscrape import LINE_FORMAT
from twikit_pool.cli.account_store import StoreUrl, notices, open_store
from twikit_pool.cli.account_view import AccountView, described, table_of
from twikit_pool.cli.logins import ASK, hidden, unclear_login, with_login
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twikit_pool.accounts.store import AccountStore
    from twikit_pool.cli.account_budgets import Budget

OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2
PIPE: Final = 10_000
"""Columns of what is no terminal."""

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
    if problem := unclear_login(cookies, auth_token):
        return _usage(problem)
    if proxy is not None and proxy != ASK and urlsplit(proxy_from(proxy).reveal()).password:
        return _usage(
            "a proxy's password does not belong on the command line: give --proxy - and type the URL"
        )
    account = with_login(account_id, cookies)
    if proxy is not None:
        account = replace(account, proxy=proxy_from(hidden("proxy") if proxy == ASK else proxy))
    account = replace(account, handle=handle, tags=frozenset(tag), notes=notes)
    async with await open_store(store, create=True) as accounts:
        await accounts.add(account)
        _say(f"Added {account_id} to {accounts.name}.")
    return OK


@app.command
async def refresh(
    account_id: Annotated[str, Parameter(name="ID")],
    /,
    *,
    cookies: Path | None = None,
    auth_token: Hidden = None,
    store: StoreUrl = None,
) -> int:
    """Give an account fresh cookies. A stale one is active again; a running pool takes them up by itself.

    Args:
        account_id: The account.
        cookies: A cookie file, exported from a browser in which you have just logged in.
        auth_token: `-` to be asked for the token, as with `add`.
    """
    if problem := unclear_login(cookies, auth_token):
        return _usage(problem)
    async with await open_store(store) as accounts:
        before = await accounts.account(account_id)
        fresh = with_login(account_id, cookies)
        await accounts.merge([fresh])
        after = await accounts.account(account_id)
    if after.credentials.cookies[LOGIN_COOKIE] == before.credentials.cookies[LOGIN_COOKIE]:
        told = f"{account_id} has this log-in already and is {after.standing.state}"
        # Only where the cookies are to blame do others help.
        told += ": log in anew for another." if after.standing.state is AccountState.STALE else "."
        if after.standing.state is AccountState.DISABLED:
            told += " To use it again: accounts enable."
    elif after.standing.state is not before.standing.state:
        told = f"{account_id} has fresh cookies and is active again. It was {before.standing}."
    elif after.standing.state is AccountState.ACTIVE:
        told = f"{account_id} has fresh cookies."
    else:
        told = f"{account_id} has fresh cookies, and is still {after.standing}."
    _say(told)
    return OK if after.standing.state is AccountState.ACTIVE else PROBLEM


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
        for account in reading.accounts:
            for doubt in _doubtful_caps(account):
                told = f"{path}, {account.id}: {doubt}"
                _say(told, notices())
        for row in reading.rejected:
            _say(f"{path}, {row}", notices())
        told = ", ".join(f"{counts[change]} {change}" for change in Change)
        where = f"{path}: " if more else ""
        _say(f"{where}read as {reading.format}: {told}, {len(reading.rejected)} rejected.")
        rejected += len(reading.rejected)
    return PROBLEM if rejected else OK


@app.command(name="list")
async def list_(*, tag: Tags = (), state: States = (), json: bool = False, store: StoreUrl = None) -> int:
    """List the accounts: their state and why, what comes next, and what is left of their budgets.

    Args:
        tag: Only accounts with all of these tags.
        state: Only accounts in one of these states.
        json: Print a JSON list instead of a table.
    """
    async with await open_store(store) as accounts:
        views = await _views(accounts, _chosen(await accounts.accounts(), tag, state))
    if json:
        _print_json([view.as_json() for view in views])
        return OK
    screen = _uncut(out())
    screen.print(table_of(views, screen.width))
    states = Counter(str(view.account.standing.state) for view in views)
    tally = ", ".join(f"{number} {name}" for name, number in sorted(states.items()))
    screen.print(f"{len(views)} accounts" + (f": {tally}" if tally else ""), highlight=False)
    return OK


@app.command
async def show(
    account_id: Annotated[str, Parameter(name="ID")], /, *, json: bool = False, store: StoreUrl = None
) -> int:
    """Show one account. Of its secrets, only which there are.

    Args:
        account_id: The account.
        json: Print JSON instead of lines.
    """
    async with await open_store(store) as accounts:
        [view] = await _views(accounts, [await accounts.account(account_id)])
    if json:
        _print_json(view.as_json())
        return OK
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in described(view).items():
        table.add_row(name, Text(value))
    _uncut(out()).print(table)
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
    _say(f"Removed {account_id}.")
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
    _say(f"Wrote {len(chosen)} accounts, {secrets}, to {path}.")
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
    standing = Standing(state=state, reason=reason, since=SYSTEM_CLOCK.now(), by=_person())
    async with await open_store(url) as accounts:
        await accounts.set_standing(account_id, standing)
    _say(f"{account_id} is {state} now.")
    return OK


def _person() -> str:
    """Who gives the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "the command line"


def _offline_problems(accounts: Sequence[Account]) -> dict[str, list[str]]:
    now = SYSTEM_CLOCK.now()
    found = {account.id: [*problems_of(account, now), *_doubtful_caps(account)] for account in accounts}
    return {account_id: problems for account_id, problems in found.items() if problems}


def _doubtful_caps(account: Account) -> list[str]:
    """Why caps of the account likely hold nobody back."""
    if not account.caps:
        return []
    # Only here: it brings twikit along, half a second that accounts without caps do without.
    from twikit_pool.sessions.limits import doubt_of

    return [f"its cap holds nothing back: {why}" for why in map(doubt_of, account.caps) if why]


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


async def _views(store: AccountStore, accounts: Sequence[Account]) -> list[AccountView]:
    """The accounts with what the latest run has left of their budgets."""
    now = SYSTEM_CLOCK.now()
    ledgers = await store.ledgers()
    budgets: Mapping[str, Sequence[Budget]] = {}
    if ledgers:
        # Only here: it brings twikit along, half a second that the other commands do without.
        from twikit_pool.cli.account_budgets import budgets_left

        budgets = {each.id: budgets_left(each, ledgers.get(each.id), now) for each in accounts}
    return [AccountView(account=each, budgets=budgets.get(each.id, ()), now=now) for each in accounts]


def _uncut(screen: Console) -> Console:
    """The screen; in a pipe so wide that every account stays in one line."""
    if not screen.is_terminal:
        screen.width = PIPE
    return screen


def _print_json(told: object) -> None:
    out().out(msgspec.json.format(msgspec.json.encode(told), indent=2).decode(), highlight=False)


def _say(told: str, screen: Console | None = None) -> None:
    """Print a line as it is, on standard output or this screen."""
    (screen or out()).print(told, highlight=False, markup=False, soft_wrap=True)


def _usage(problem: str) -> int:
    _say(f"error: {problem}", notices())
    return USAGE
