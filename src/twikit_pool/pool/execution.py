"""Doing one thing through the pool: wait, try, and try again only where that is right.

- A used-up rate window is met by waiting, or by another account where none is named.
- An account that turns out ill passes the work on to another, where none is named.
- A passing failure is tried again within the retry budget.
- A write is sent again only when X certainly did not take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.errors import InvalidParameters
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict
from twikit_pool.sessions.records import Page

if TYPE_CHECKING:
    from twikit_pool.pool.pool import TwikitConnectionPool

MOST_ATTEMPTS: Final = 3
"""Attempts at a call that fails for a passing reason."""
SHORTEST_PAUSE: Final = 0.2
MOST_BENCHED: Final = 3
"""Accounts that one call may turn out ill on. What benches more of them is likely the call, or X."""
LONGEST_PAUSE: Final = 10.0
"""Seconds between attempts, drawn with decorrelated jitter: uniform(shortest, 3 x the last one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What was done: the record, who did it, in how many attempts, and how many seconds it all took."""

    result: Any
    account_id: str
    attempts: int
    seconds: float


class RetryBudget:
    """Retries may be a tenth of the calls: when X is down, everyone trying again makes it worse."""

    SHARE: Final = 0.1
    FIRST: Final = 10.0
    """Retries allowed before there is any traffic to take a share of."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = self.FIRST

    def earn(self) -> None:
        """A call was made that is no retry."""
        self._left = min(self._left + self.SHARE, 10 * self.FIRST)

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Patience:
    """Whether one call that failed is worth another attempt; counts them and waits in between."""

    __slots__ = ("_any_account", "_benched", "_failures", "_pause", "_pool", "attempts")

    def __init__(self, pool: TwikitConnectionPool, *, any_account: bool) -> None:
        pool.retries.earn()
        self._pool = pool
        self._any_account = any_account
        self._benched = 0
        self._failures = 0
        self._pause = SHORTEST_PAUSE
        self.attempts = 1

    async def another(self, failure: CallFailed, *, repeatable: bool) -> bool:
        """Whether to try again now, after a wait where the failure passes with time.

        Args:
            failure: how the last attempt failed.
            repeatable: whether X has taken nothing that a repetition would do twice.
        """
        failure.attempts = self.attempts
        if not repeatable or not (self._elsewhere(failure.verdict) or await self._later(failure.verdict)):
            return False
        self.attempts += 1
        return True

    def _elsewhere(self, verdict: Verdict) -> bool:
        """Whether the next attempt meets another window or another account: then it is no mere repetition."""
        if verdict.outcome is Outcome.RATE_LIMITED:
            return True
        self._benched += verdict.bench is not None
        return self._any_account and 0 < self._benched < MOST_BENCHED and verdict.bench is not None

    async def _later(self, verdict: Verdict) -> bool:
        self._failures += 1
        passing = verdict.outcome is Outcome.TRANSIENT and self._failures < MOST_ATTEMPTS
        if not passing or not self._pool.retries.spend():
            return False
        self._pause = min(LONGEST_PAUSE, self._pool.rng.uniform(SHORTEST_PAUSE, self._pause * 3))
        await asyncio.sleep(self._pause)
        return True


async def execute(
    pool: TwikitConnectionPool,
    action: Action,
    request: ConnectionRequest,
    *,
    on_send: Callable[[str], None] | None,
    on_refused: Callable[[], None] | None,
) -> Execution:
    """Carry an action out through the pool; arguments and errors as `TwikitConnectionPool.perform` says."""
    began = pool.clock.monotonic()
    files = await attachments(action)
    patience = Patience(pool, any_account=request.account_id is None)
    while True:
        try:
            async with pool.acquire(request) as lease:
                account_id = lease.account_id
                told = None if on_send is None else partial(on_send, account_id)
                result = await lease.carry_out(action, files, on_send=told)
        except CallFailed as failure:
            refused = failure.verdict.taken is Taken.NO
            if refused and on_refused is not None:
                on_refused()
            repeatable = refused or not action.writes
            if not await patience.another(failure, repeatable=repeatable):
                raise
        else:
            seconds = pool.clock.monotonic() - began
            return Execution(
                result=result, account_id=account_id, attempts=patience.attempts, seconds=seconds
            )


async def pages(
    pool: TwikitConnectionPool,
    action: Action,
    *,
    account: str | None,
    priority: ConnectionPriority,
    limit: int | None,
) -> AsyncIterator[Any]:
    """The items of a paged action; see `TwikitConnectionPool.iterate`."""
    if not hasattr(action, "cursor"):
        raise InvalidParameters(f"{action.name} does not come in pages; use execute()")
    left = limit
    while left is None or left > 0:
        done = await pool.perform(action, account=account, priority=priority)
        page = page_of(done.result)
        for item in page.items[:left]:
            yield item
        if left is not None:
            left -= len(page.items)
        if page.next_cursor is None or page.next_cursor == getattr(action, "cursor", None):
            return
        if action.personal:
            account = done.account_id
        action = msgspec.structs.replace(action, cursor=page.next_cursor)


def page_of(result: Any) -> Page[Any]:
    """The page in a result: the result itself, or the answers that a post came with."""
    return cast("Page[Any]", result if isinstance(result, Page) else result.replies_page or Page())
