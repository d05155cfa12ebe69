"""Accounts as lines of JSON: what `export` writes and `import` reads back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.caps import render_caps
from twikit_pool.accounts.fields import caps_from, proxy_from
from twikit_pool.accounts.model import Account, AccountState, Credentials, Standing
from twikit_pool.errors import InvalidAccount
from twikit_pool.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable


class Line(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One account. The secret fields, last here, are there only on request."""

    id: str
    handle: str | None = None
    tags: list[str] = []
    capabilities: list[str] = []
    caps: Mapping[str, str | int] = {}
    notes: str = ""
    state: AccountState = AccountState.ACTIVE
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    evidence: str = ""
    by: str = ""
    expires: datetime | None = None
    cookies: dict[str, str] | None = None
    password: str | None = None
    email: str | None = None
    totp: str | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Line({self.id})"


def public_line(account: Account) -> Line:
    """The account without its secrets."""
    return Line(
        id=account.id,
        handle=account.handle,
        tags=sorted(account.tags),
        capabilities=sorted(account.capabilities),
        caps=render_caps(account.caps),
        notes=account.notes,
        state=account.standing.state,
        reason=account.standing.reason,
        since=None if account.standing.since == Standing().since else account.standing.since,
        until=account.standing.until,
        evidence=account.standing.evidence,
        by=account.standing.by,
        expires=account.credentials.expires,
    )


def render(accounts: Iterable[Account], *, include_secrets: bool) -> bytes:
    """One line of JSON for each account."""
    lines: list[Line] = []
    for account in accounts:
        line = public_line(account)
        if include_secrets:
            credentials = account.credentials
            line.cookies = dict(credentials.cookies)
            line.password = _revealed(credentials.password)
            line.email = _revealed(credentials.email)
            line.totp = _revealed(credentials.totp)
            line.proxy = _revealed(account.proxy)
        lines.append(line)
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def parse(text: str) -> Account:
    """The account of a line.

    Raises:
        InvalidAccount: it is malformed, or was exported without its secrets.
    """
    problem = ""
    try:
        line = msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, RecursionError) as error:
        # Only the kind of mistake and its place: msgspec quotes an unknown state or field.
        problem = f"{error}".partition(" - at ")[2] or "the line"
        line = None
    if line is None:
        raise InvalidAccount(f"{problem} is not what an exported account has: export it again")
    if line.cookies is None:
        raise InvalidAccount("it was exported without its secrets: export with --include-secrets")
    return Account(
        id=line.id,
        handle=line.handle,
        credentials=Credentials(
            cookies=cookie_files.checked(line.cookies),
            password=_wrapped(line.password),
            email=_wrapped(line.email),
            totp=_wrapped(line.totp),
            expires=line.expires,
        ),
        proxy=proxy_from(line.proxy) if line.proxy else None,
        tags=frozenset(line.tags),
        capabilities=frozenset(line.capabilities),
        caps=caps_from(line.caps),
        notes=line.notes,
        standing=Standing(
            state=line.state,
            reason=line.reason,
            since=line.since or Standing().since,
            until=line.until,
            evidence=line.evidence,
            by=line.by,
        ),
    )


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _wrapped(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)
