"""Accounts as the command line shows them: a row or a few lines each, whole, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from twikit_pool.accounts.caps import PERIODS, in_a_period, render_caps
from twikit_pool.accounts.checking import SOON
from twikit_pool.accounts.json_lines import public_line
from twikit_pool.accounts.model import Account, AccountState, Standing
from twikit_pool.clock import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from twikit_pool.cli.account_budgets import Budget

FEW: Final = 3
"""Budgets that a row shows, the most used first."""

WIDE: Final = 140
"""Columns from which on a table has a column for everything."""

_STYLES: Final = {
    AccountState.ACTIVE: "green",
    AccountState.QUARANTINED: "yellow",
    AccountState.DISABLED: "dim",
}
"""How a state is shown; the others are illnesses."""

_MENDED_BY: Final = {
    AccountState.STALE: "accounts refresh, with fresh cookies",
    AccountState.LOCKED: "once it is unlocked: accounts check --live",
    AccountState.SUSPENDED: "once that is lifted: accounts check --live",
    AccountState.DISABLED: "accounts enable",
}
"""What brings an account of these states back, besides the checks of a running pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account and what its ledger says, at one moment."""

    account: Account
    budgets: Sequence[Budget]
    now: datetime

    @property
    def since(self) -> str:
        """How long it has been in its state; empty where that was never told."""
        since = self.account.standing.since
        return "" if since == Standing().since else in_words(max((self.now - since).total_seconds(), 0.0))

    @property
    def comes(self) -> str:
        """What happens next, or what somebody has to do."""
        standing, expires = self.account.standing, self.account.credentials.expires
        if standing.state is AccountState.QUARANTINED and standing.until is not None:
            return f"quarantine ends {_clock(standing.until, self.now)}"
        if standing.state in _MENDED_BY:
            return _MENDED_BY[standing.state]
        if expires is not None and expires <= self.now:
            return f"cookies expired on {expires:%Y-%m-%d}"
        shut = sorted((each for each in self.budgets if not each.left), key=lambda each: each.returns)
        if shut:
            more = f" and {len(shut) - 1} more later" if len(shut) > 1 else ""
            return f"open again {_in(shut[0], self.now)}: {shut[0].endpoint}{more}"
        if expires is not None and expires <= self.now + SOON:
            return f"cookies expire on {expires:%Y-%m-%d}"
        return ""

    @property
    def left(self) -> str:
        """What is left of its most used budgets, if it can use them."""
        idle = self.account.standing.state in _MENDED_BY
        return "" if idle else ", ".join(map(_left, self.budgets[:FEW]))

    def as_json(self) -> dict[str, Any]:
        """Everything but secrets, for scripts."""
        line = public_line(self.account)
        # The state always, though a line leaves out what is usual: scripts ask for it first.
        whole = {"id": line.id, "state": line.state} | msgspec.to_builtins(line)
        whole |= {"next": self.comes} if self.comes else {}
        budgets = [
            {
                "endpoint": each.endpoint,
                "left": each.left,
                "limit": each.limit,
                "seconds": each.seconds or PERIODS["window"],
                "kind": "window" if each.seconds is None else "cap",
                "returns": each.returns,
            }
            for each in self.budgets
        ]
        return whole | ({"budgets": budgets} if budgets else {})


def table_of(views: Sequence[AccountView], width: int) -> Table:
    """The accounts as a table: with a column for everything, or in a narrow place with lines below."""
    if width < WIDE:
        table = Table("id", "state", "since", "why, what next, calls left", box=None, pad_edge=False)
        for view in views:
            lines = (view.account.standing.why, view.comes, view.left)
            table.add_row(*_head(view), Text("\n".join(filter(None, lines))))
        return table
    names = ("id", "handle", "state", "since", "why", "next", "calls left", "tags")
    told = [(*_cells(view),) for view in views]
    table = Table(box=None, pad_edge=False)
    shown = [n for n, _ in enumerate(names) if n in (0, 2) or any(row[n].plain for row in told)]
    for n in shown:
        table.add_column(names[n], no_wrap=n in (0, 2, 3))
    for row in told:
        table.add_row(*(row[n] for n in shown))
    return table


def _head(view: AccountView) -> tuple[Text, Text, Text]:
    state = view.account.standing.state
    return Text(view.account.id), Text(state, _STYLES.get(state, "red")), Text(view.since)


def _cells(view: AccountView) -> tuple[Text, ...]:
    account_id, state, since = _head(view)
    tags = " ".join(sorted(view.account.tags))
    rest = (view.account.standing.why, view.comes, view.left, tags)
    return account_id, Text(view.account.handle or ""), state, since, *map(Text, rest)


def described(view: AccountView) -> Mapping[str, str]:
    """One account in full, by what each line is called; of its secrets, only which there are."""
    account, standing = view.account, view.account.standing
    credentials = account.credentials
    secrets = {
        "password": credentials.password,
        "email": credentials.email,
        "totp": credentials.totp,
        "proxy": account.proxy,
    }
    told = {
        "id": account.id,
        "handle": account.handle or "",
        "state": standing.state.value,
        "reason": standing.reason,
        "evidence": standing.evidence,
        "by": standing.by,
        "since": f"{standing.since:%Y-%m-%d %H:%M} UTC ({view.since})" if view.since else "",
        "until": f"{standing.until:%Y-%m-%d %H:%M} UTC" if standing.until else "",
        "next": view.comes,
        "calls left": "\n".join(f"{_left(each)}, {_returning(each, view.now)}" for each in view.budgets),
        "tags": " ".join(sorted(account.tags)),
        "capabilities": " ".join(sorted(account.capabilities)),
        "caps": " ".join(f"{name}={text}" for name, text in sorted(render_caps(account.caps).items())),
        "notes": account.notes,
        "cookies": " ".join(sorted(credentials.cookies)),
        "log-in ends": f"{credentials.expires:%Y-%m-%d}" if credentials.expires else "",
        "also stored": " ".join(name for name, secret in secrets.items() if secret),
    }
    return {name: value for name, value in told.items() if value}


def _clock(moment: datetime, now: datetime) -> str:
    """A moment by the clock on the wall here, with the date when it is not today."""
    here, today = moment.astimezone(), now.astimezone().date()
    shown = f"{here:%H:%M}" if here.date() == today else f"on {here:%Y-%m-%d %H:%M}"
    return shown if moment > now else f"{shown}: it is over"


def _in(budget: Budget, now: datetime) -> str:
    return f"in {in_words((budget.returns - now).total_seconds())}"


def _left(budget: Budget) -> str:
    if budget.limit is None:
        return f"{budget.endpoint} rests" + (f": {budget.reason}" if budget.reason else "")
    told = f"{budget.endpoint} {budget.left}/{budget.limit}"
    return told if budget.seconds is None else f"{told} {in_a_period(budget.seconds)}"


def _returning(budget: Budget, now: datetime) -> str:
    what = "a new window" if budget.seconds is None else "the next one back"
    return f"{what} {_in(budget, now)}"
