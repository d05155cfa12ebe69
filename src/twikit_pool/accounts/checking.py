"""What can be said of an account without asking X."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts.model import LOGIN_COOKIE, AccountState

if TYPE_CHECKING:
    from datetime import datetime

    from twikit_pool.accounts.model import Account

_LOGIN_TOKEN: Final = re.compile(r"[0-9a-f]{40}")
_CSRF_TOKEN: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{160}")
SOON: Final = timedelta(days=7)
"""How long before its end a log-in is worth a word."""

_NEEDS_A_PERSON: Final = {
    AccountState.STALE: "X no longer accepts its cookies: `accounts refresh` it with fresh ones",
    AccountState.LOCKED: "X has locked it: log in with a browser, unlock it, then enable it",
    AccountState.SUSPENDED: "X has suspended it: appeal, or remove it",
}


def problems_of(account: Account, now: datetime) -> list[str]:
    """What is wrong with the account, or soon will be; nothing of its secrets."""
    problems: list[str] = []
    cookies, expires = account.credentials.cookies, account.credentials.expires
    if not _LOGIN_TOKEN.fullmatch(cookies[LOGIN_COOKIE]):
        problems.append(f"{LOGIN_COOKIE} is not 40 hex digits, as X writes it: copy the whole value")
    if "ct0" in cookies and not _CSRF_TOKEN.fullmatch(cookies["ct0"]):
        problems.append("ct0 is not 32 or 160 hex digits, as X writes it: leave it out or copy all of it")
    if expires is not None and expires <= now:
        problems.append(f"its log-in ended on {expires:%Y-%m-%d}: import fresh cookies")
    elif expires is not None and expires <= now + SOON:
        problems.append(f"its log-in ends on {expires:%Y-%m-%d}: import fresh cookies soon")
    if account.standing.state in _NEEDS_A_PERSON:
        problems.append(_NEEDS_A_PERSON[account.standing.state])
    return problems
