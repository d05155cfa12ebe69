"""What an account is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts.caps import Cap, read_caps
from twikit_pool.errors import ConfigError, InvalidAccount
from twikit_pool.redaction import Cookies, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
"""What an id may look like: it stands in file names, log lines and job files."""

LOGIN_COOKIE: Final = "auth_token"
"""The cookie that is the log-in. `ct0`, the csrf cookie, is made anew when it is missing."""

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AccountState(StrEnum):
    """Whether an account may be used."""

    ACTIVE = "active"
    STALE = "stale"
    """X no longer accepts the cookies: import fresh ones."""
    LOCKED = "locked"
    """X asks its owner to prove something in a browser."""
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    """Set aside until a time, because of what X answered."""
    DISABLED = "disabled"
    """Switched off by a person."""


NEED_A_PERSON: Final = (AccountState.STALE, AccountState.LOCKED, AccountState.SUSPENDED)
"""The states that end when a person has done something: fresh cookies, an unlocking, an appeal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account's state, why it is so, since when and, for a quarantine, until when (UTC).

    `evidence` is what X answered (`HTTP 403, code 326, CreateTweet`), `by` the person who said so.
    """

    state: AccountState = AccountState.ACTIVE
    reason: str = ""
    since: datetime = _BEGINNING
    until: datetime | None = None
    evidence: str = ""
    by: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.why or 'no reason was given'}"

    @property
    def why(self) -> str:
        """The reason, with X's answer or who said so; empty where nothing was told."""
        told = f"{self.reason} ({self.evidence})" if self.evidence else self.reason
        return f"{told}, by {self.by}".removeprefix(", ") if self.by else told

    def usable(self, now: datetime) -> bool:
        """Whether the account may be used at this time: active, or its quarantine is over."""
        if self.state is AccountState.QUARANTINED:
            return self.until is not None and now >= self.until
        return self.state is AccountState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How an account logs in. Cookies are the way; the rest is kept for its owner and never needed.

    `expires` is when the log-in cookie ends (UTC), if the file that it came from told.
    """

    cookies: Cookies
    password: Secret | None = None
    email: Secret | None = None
    totp: Secret | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An identity that the operator owns.

    Attributes:
        id: the name it goes by here, unique in its source: 1 to 64 of letters, digits and `_.@-`.
        handle: its X handle without the @, when known.
        credentials: how it logs in; never shown.
        proxy: the proxy all its traffic takes, as a URL; wrapped, since it may hold a password.
        tags: free words to choose accounts by.
        capabilities: what it can do beyond the ordinary (`long_posts`, say).
        caps: most calls in a period, by endpoint or action, as `read_caps` makes them of `"50/day"`. An
            action's cap is its endpoint's, so what else spends that is capped too: replies and quotes are
            posts. It replaces the default caps of that endpoint; an empty tuple lifts them.
        notes: anything its owner wants to remember.
        standing: its state, with reason and time.

    Raises:
        InvalidAccount: the id is malformed, there is no log-in cookie, or a cap is not understood.
    """

    id: str
    credentials: Credentials
    handle: str | None = None
    proxy: Secret | None = None
    tags: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    caps: Mapping[str, tuple[Cap, ...]] = field(default_factory=dict[str, tuple[Cap, ...]])
    notes: str = ""
    standing: Standing = field(default_factory=Standing)

    def __post_init__(self) -> None:
        if not ACCOUNT_ID.fullmatch(self.id):
            raise InvalidAccount(
                f"account id {self.id!r}: use 1 to 64 letters, digits and _ . @ -, "
                "starting with a letter or digit"
            )
        if not self.credentials.cookies.get(LOGIN_COOKIE):
            raise InvalidAccount(
                f"account {self.id!r} has no {LOGIN_COOKIE} cookie: export the cookies of a logged-in browser"
            )
        try:
            object.__setattr__(self, "caps", read_caps(self.caps))
        except ConfigError as error:
            raise InvalidAccount(f"account {self.id!r}: {error}") from None

    def with_cookies(self, cookies: Cookies) -> Account:
        """The same account with other cookies."""
        return replace(self, credentials=replace(self.credentials, cookies=cookies))
