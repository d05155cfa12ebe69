"""Doing one thing through the pool: wait, try, and try again only where that is right.

- A used-up rate window is met by waiting, or by another account where none is named; so is a circuit that
  has opened since the connection was leased.
- An account that turns out ill passes the work on to another, where none is named.
- A passing failure is tried again within the retry budget, on another account where none is named. Where a
  circuit is open the next attempt waits for that. A circuit's trial that fails does not count: it was made
  for all who wait, and the circuit rations trials by itself.
- What X does not know as one account sends it is tried once on another.
- A write is sent again only when X certainly did not take it.
- What the pool's guard does not let go is not tried again.
- Nothing begins after the deadline, where there is one; what is under way then is cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.errors import AcquireTimeoutError, InvalidParameters, PostRefused, SafetyError
from twikit_pool.pool.needs import need_of
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict
from twikit_pool.sessions.records import Page

if TYPE_CHECKING:
    from twikit_pool.pool.pool import TwikitConnectionPool

SHORTEST_PAUSE: Final = 0.2
MOST_BENCHED: Final = 3
"""Accounts that one call may turn out ill on. What benches more of them is likely the call, or X."""
LONGEST_PAUSE: Final = 10.0
"""Seconds between attempts, drawn with decorrelated jitter: uniform(shortest, 3 x the last one)."""
MOST_HELD_BACK: Final = 10
"""Attempts of one call that the pool may hold back, or that may be a circuit's failed trial, unless it waits
without a timeout."""


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

    @property
    def left(self) -> float:
        """Retries that there are; below 1 there is none."""
        return self._left

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

    __slots__ = (
        "_any_account",
        "_benched",
        "_ends",
        "_failures",
        "_free",
        "_pause",
        "_pool",
        "attempts",
    )

    def __init__(
        self,
        pool: TwikitConnectionPool,
        *,
        any_account: bool,
        ends: float = inf,
        free: float = MOST_HELD_BACK,
    ) -> None:
        pool.retries.earn()
        self._pool = pool
        self._any_account = any_account
        self._ends = ends
        self._benched = 0
        self._failures = 0
        self._free = free
        """Attempts that may still end without having been one."""
        self._pause = SHORTEST_PAUSE
        self.attempts = 1

    async def another(self, failure: CallFailed, *, repeatable: bool) -> bool:
        """Whether to try again now, after a wait where the failure passes with time.

        Args:
            failure: how the last attempt failed.
            repeatable: whether X has taken nothing that a repetition would do twice.
        """
        failure.attempts = self.attempts
        if not repeatable or self._pool.clock.monotonic() >= self._ends:
            return False
        verdict = failure.verdict
        if not (self._elsewhere(verdict) or self._for_nothing(verdict) or await self._later(verdict)):
            return False
        self.attempts += 1
        return True

    def _elsewhere(self, verdict: Verdict) -> bool:
        """Whether the next attempt meets another window or another account: then it is no mere repetition."""
        if verdict.outcome is Outcome.RATE_LIMITED:
            return True
        self._benched += verdict.bench is not None
        return self._any_account and 0 < self._benched < MOST_BENCHED and verdict.bench is not None

    def _for_nothing(self, verdict: Verdict) -> bool:
        """Whether the attempt does not count: it was not made, or it was a circuit's trial."""
        if not verdict.held_back and not (verdict.on_trial and verdict.outcome is Outcome.TRANSIENT):
            return False
        self._free -= 1
        return self._free > 0

    async def _later(self, verdict: Verdict) -> bool:
        passing = verdict.outcome is Outcome.TRANSIENT and not verdict.held_back
        if passing and self._waits_for_a_circuit(verdict):
            return self._pool.retries.spend()
        self._failures += 1
        unknown_to_x = verdict.outcome is Outcome.LIBRARY_STALE and self._any_account and self._failures == 1
        if not (passing or unknown_to_x) or self._failures >= self._pool.config.max_attempts:
            return False
        self._pause = min(LONGEST_PAUSE, self._pool.rng.uniform(SHORTEST_PAUSE, self._pause * 3))
        if self._pool.clock.monotonic() + self._pause >= self._ends or not self._pool.retries.spend():
            return False
        await asyncio.sleep(self._pause)
        return True

    def _waits_for_a_circuit(self, verdict: Verdict) -> bool:
        return bool(self._pool.matching.shut & need_of(verdict.endpoint))


async def execute(
    pool: TwikitConnectionPool,
    action: Action,
    request: ConnectionRequest,
    *,
    deadline: float | None,
    on_send: Callable[[str], None] | None,
    on_refused: Callable[[], None] | None,
) -> Execution:
    """Carry an action out through the pool; arguments and errors as `TwikitConnectionPool.perform` says."""
    began = pool.clock.monotonic()
    ends = inf if deadline is None else began + deadline
    _ask_guard(pool, action, request)
    files = await _media_of(action, deadline)
    timeout = pool.config.acquire_timeout if request.timeout is None else request.timeout
    waits_for_ever = timeout is None or timeout == inf
    patience = Patience(
        pool,
        any_account=request.account_id is None,
        ends=ends,
        free=inf if waits_for_ever else MOST_HELD_BACK,
    )
    failed: CallFailed | None = None
    while True:
        try:
            async with pool.acquire(_cut(request, pool, ends)) as lease:
                account_id = lease.account_id
                told = None if on_send is None else partial(on_send, account_id)
                call_timeout = min(pool.config.call_timeout, _left(pool, action, deadline, ends))
                result = await lease.carry_out(action, files, timeout=call_timeout, on_send=told)
        except AcquireTimeoutError as late:
            if failed is not None and pool.clock.monotonic() >= ends:
                raise failed from late
            raise
        except (PostRefused, SafetyError):
            if on_refused is not None:
                on_refused()
            raise
        except CallFailed as failure:
            refused = failure.verdict.taken is Taken.NO
            if refused and on_refused is not None:
                on_refused()
            repeatable = refused or not action.writes
            if not await patience.another(failure, repeatable=repeatable):
                raise
            failed = failure
            if request.account_id is None:
                request = replace(request, avoid=failure.account_id)
        else:
            seconds = pool.clock.monotonic() - began
            return Execution(
                result=result, account_id=account_id, attempts=patience.attempts, seconds=seconds
            )


def _ask_guard(pool: TwikitConnectionPool, action: Action, request: ConnectionRequest) -> None:
    """Let nobody wait for what no account may write."""
    if pool.guard is None:
        return
    try:
        pool.guard.look(action, request.account_id)
    except PostRefused as refused:
        pool.tell_refused(action, request.account_id, refused)
        raise


async def _media_of(action: Action, deadline: float | None) -> tuple[Media, ...]:
    try:
        async with asyncio.timeout(deadline):
            return await attachments(action)
    except TimeoutError:
        raise AcquireTimeoutError(_too_late(action, deadline, "its media were read")) from None


def _cut(request: ConnectionRequest, pool: TwikitConnectionPool, ends: float) -> ConnectionRequest:
    """The request, waiting until then at most."""
    timeout = pool.config.acquire_timeout if request.timeout is None else request.timeout
    left = ends - pool.clock.monotonic()
    if left == inf or (timeout is not None and timeout <= left):
        return request
    return replace(request, timeout=max(left, 0.0))


def _left(pool: TwikitConnectionPool, action: Action, deadline: float | None, ends: float) -> float:
    """Seconds until the deadline, for a call that is about to be made."""
    left = ends - pool.clock.monotonic()
    if left <= 0:
        raise AcquireTimeoutError(_too_late(action, deadline, "a connection was had"))
    return left


def _too_late(action: Action, deadline: float | None, before: str) -> str:
    return f"the deadline of {deadline:g} s for {action.name} was over before {before}; nothing was sent"


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
