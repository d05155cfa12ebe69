"""Whose fault it is when calls fail: X's, one endpoint's, one account's, or the library's.

One call that fails tells nothing. What tells is who else fails, and who does well meanwhile:

- nobody gets any answer, on several endpoints, or there is no connection to X at all: X is down;
- nobody gets a good answer from one endpoint: that endpoint is broken;
- one account fails again and again where others do well meanwhile: it is that account, or its proxy;
- X refuses to know an operation, to several accounts: the client library is out of date.

Failures count only while they are in a row, and only of calls that began after the last good answer: what
was under way when it came says nothing of now. A good answer ends the row.

While X fails at random, some accounts fail often in a row by mere chance. So an account's row must be so
long that it would be next to impossible on one that is well; how often calls fail there is learned from the
rows that good answers have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from twikit_pool.sessions.outcomes import Verdict

ACCOUNTS: Final = 3
"""Different accounts on which X, or an endpoint, must have failed; all that are in use, if they are fewer.
Two may share a proxy, or a fate."""

X_FAILURES: Final = 3
"""Failures in a row after which X is taken to be down. Few: no answer of any kind came in between."""

ENDPOINT_FAILURES: Final = 5
"""Failures in a row after which an endpoint is taken to be broken. X answers a single 5xx now and then."""

ENDPOINTS: Final = 2
"""Different endpoints that must have failed; with one alone, it is that endpoint and not X."""

ACCOUNT_FAILURES: Final = 3
"""Failures in a row after which an account is taken to be ill, when others never fail."""

REFUSALS: Final = 2
"""Refusals to know an operation after which the library is out of date: on as many accounts, unless only
one is in use. One alone may be that account's session."""

CHANCE: Final = 1e-6
"""How likely an account's row may be at most on one that is well."""

WEIGHT: Final = 0.1
"""Share of the latest answer in how often calls fail on accounts that are well."""

LONGEST_ROW: Final = 50
"""Failures of one row that are learned from; more change nothing."""

BURST: Final = 30.0
"""Seconds within which many accounts turning stale are one incident."""


class Kind(StrEnum):
    """Whose fault it is."""

    X = "x"
    ENDPOINT = "endpoint"
    ACCOUNT = "account"
    LIBRARY = "library"


class Row:
    """Failures in a row."""

    __slots__ = ("accounts", "endpoints", "failures", "last", "reason", "since", "unconnected")

    def __init__(self, now: float) -> None:
        self.since = self.last = now
        """When the first and the last of them ended."""
        self.failures = 0
        self.reason = ""
        """The last one's."""
        self.accounts: set[str] = set()
        self.endpoints: set[str] = set()
        self.unconnected: set[str] = set()
        """The accounts that found no connection to X."""

    def add(self, now: float, account_id: str, endpoint: str | None, verdict: Verdict) -> None:
        """One more."""
        self.last, self.reason = now, verdict.reason
        self.failures += 1
        self.accounts.add(account_id)
        if not verdict.connected:
            self.unconnected.add(account_id)
        elif endpoint is not None:
            self.endpoints.add(endpoint)


class Fault(NamedTuple):
    """Something that is broken, and the failures that tell so."""

    kind: Kind
    name: str
    row: Row


class Evidence:
    """What calls have come to lately.

    Args:
        now: seconds on the monotonic clock.
        in_use: `in_use(most)` counts the accounts that may be used, up to so many.
        at_once: how many accounts can be used at once; no others are heard of while all fail.
    """

    def __init__(
        self,
        now: Callable[[], float],
        in_use: Callable[[int], int],
        at_once: Callable[[], int] = lambda: ACCOUNTS,
    ) -> None:
        self._now = now
        self._in_use = in_use
        self._at_once = at_once
        self._x: Row | None = None
        self._answered = -inf
        """When X last answered anything."""
        self._worked: dict[str, float] = {}
        """When each endpoint last did its work."""
        self._worked_at_all = -inf
        self._endpoints: dict[str, Row] = {}
        self._refused: dict[str, Row] = {}
        self._accounts: dict[str, dict[str | None, Row]] = {}
        """By account and endpoint; None for finding no connection."""
        self._usual = 0.0
        """How often calls fail on accounts that are well."""
        self._stale: dict[str, float] | None = {}
        """When accounts turned stale; None once it was told."""

    def answered(self, account_id: str, endpoint: str | None, *, works: bool) -> None:
        """X has answered; `works` when the endpoint did what it is for."""
        now = self._now()
        self._x, self._answered = None, now
        for row in self._accounts.pop(account_id, {}).values():
            for _ in range(min(row.failures, LONGEST_ROW)):
                self._usual += WEIGHT * (1 - self._usual)
        self._usual -= WEIGHT * self._usual
        if works:
            self._worked_at_all = now
            self._stale = {}
            if endpoint is not None:
                self._worked[endpoint] = now
                self._endpoints.pop(endpoint, None)
                self._refused.pop(endpoint, None)

    def failed(self, account_id: str, endpoint: str | None, verdict: Verdict, began: float) -> Fault | None:
        """A call that began then has failed for a passing reason; whose fault that is by now, if anyone's."""
        now = self._now()
        if began >= self._answered:
            self._x = self._x or Row(now)
            self._x.add(now, account_id, endpoint, verdict)
            if self._is_x(self._x):
                fault = Fault(Kind.X, "X", self._x)
                self.forget()
                return fault
        if endpoint is not None and verdict.connected and began >= self._worked.get(endpoint, -inf):
            row = self._endpoints.setdefault(endpoint, Row(now))
            row.add(now, account_id, endpoint, verdict)
            if row.failures >= ENDPOINT_FAILURES and self._many(row.accounts):
                self._forget_endpoint(endpoint)
                return Fault(Kind.ENDPOINT, endpoint, row)
        if endpoint is None and verdict.connected:
            return None  # a call by hand: whether others do well at the same is not known
        return self._of_account(account_id, endpoint if verdict.connected else None, verdict, began)

    def _is_x(self, row: Row) -> bool:
        wide = len(row.endpoints) >= ENDPOINTS or self._many(row.unconnected)
        return wide and row.failures >= X_FAILURES and self._many(row.accounts)

    def _many(self, accounts: set[str]) -> bool:
        return len(accounts) >= max(self._in_use(min(self._at_once(), ACCOUNTS)), 1)

    def _of_account(
        self, account_id: str, endpoint: str | None, verdict: Verdict, began: float
    ) -> Fault | None:
        now = self._now()
        row = self._accounts.setdefault(account_id, {}).setdefault(endpoint, Row(now))
        if row.failures and began < row.last:
            return None  # it ran beside the last one: both may have met the same moment of X's
        row.add(now, account_id, endpoint, verdict)
        # A good answer of its own would have ended the row: whoever did well meanwhile is somebody else.
        others = self._worked_at_all if endpoint is None else self._worked.get(endpoint, -inf)
        if row.failures < ACCOUNT_FAILURES or others <= row.since or self._usual**row.failures > CHANCE:
            return None
        self.forget_account(account_id)
        return Fault(Kind.ACCOUNT, account_id, row)

    def refused(self, account_id: str, endpoint: str, verdict: Verdict, accounts: int) -> Fault | None:
        """X does not know this operation, as it has told so many accounts by now."""
        row = self._refused.setdefault(endpoint, Row(self._now()))
        row.add(self._now(), account_id, endpoint, verdict)
        row.reason = verdict.evidence
        if row.failures < REFUSALS or accounts < min(REFUSALS, self._in_use(REFUSALS)):
            return None
        self._forget_endpoint(endpoint)
        return Fault(Kind.LIBRARY, endpoint, row)

    def turned_stale(self, account_id: str) -> tuple[str, ...]:
        """X refused this account's cookies; the accounts of the incident, once, if it is one."""
        if self._stale is None:
            return ()
        now = self._now()
        self._stale = {each: when for each, when in self._stale.items() if now - when <= BURST}
        self._stale[account_id] = now
        if len(self._stale) < ACCOUNTS:
            return ()
        incident, self._stale = tuple(self._stale), None
        return incident

    def forget(self) -> None:
        """Begin anew: what has failed while X was down tells nothing else."""
        self._x = None
        self._endpoints.clear()
        self._refused.clear()
        self._accounts.clear()

    def forget_account(self, account_id: str) -> None:
        """What is known of this account tells nothing any more, and nothing of those that are well."""
        self._accounts.pop(account_id, None)

    def _forget_endpoint(self, endpoint: str) -> None:
        self._endpoints.pop(endpoint, None)
        self._refused.pop(endpoint, None)
        for rows in self._accounts.values():
            rows.pop(endpoint, None)
