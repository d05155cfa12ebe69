"""twikit's exceptions for what the pool knows.

A program written for twikit catches twikit's exceptions. Most of them come from twikit itself; these are for
the failures that twikit does not see: those that X hides in an HTTP 200, and windows that are known to be
closed, so that nothing was sent at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Final

from twikit import errors as twikit_errors
from twikit.errors import TwitterException

from twikit_pool.accounts.model import AccountState
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.sessions.outcomes import CallFailed, Outcome

if TYPE_CHECKING:
    from twikit_pool.pool.pool import TwikitConnectionPool
    from twikit_pool.pool.request import ConnectionRequest

ALREADY_DONE: Final = frozenset({139, 327})
"""X's codes for "liked already" and "reposted already": what was asked for is so, and twikit says nothing."""

_BY_CODE: Final[Mapping[int | None, type[TwitterException]]] = {
    17: twikit_errors.UserNotFound,
    34: twikit_errors.NotFound,
    50: twikit_errors.UserNotFound,
    144: twikit_errors.NotFound,
    179: twikit_errors.Forbidden,
    185: twikit_errors.CouldNotTweet,
    186: twikit_errors.CouldNotTweet,
    187: twikit_errors.DuplicateTweet,
    226: twikit_errors.Forbidden,
    324: twikit_errors.InvalidMedia,
    349: twikit_errors.Forbidden,
    353: twikit_errors.Forbidden,
    501: twikit_errors.CouldNotTweet,
}
"""What twikit raises for these codes when X sends them with the HTTP status that is theirs."""

_BY_OUTCOME: Final[Mapping[Outcome, type[TwitterException]]] = {
    Outcome.RATE_LIMITED: twikit_errors.TooManyRequests,
    Outcome.SESSION_STALE: twikit_errors.Unauthorized,
    Outcome.TRANSIENT: twikit_errors.ServerError,
}


class OutOfCalls(AcquireTimeoutError, twikit_errors.TooManyRequests):
    """No account that could make this call had one left within the timeout; nothing was sent.

    `rate_limit_reset` is when the first window opens, in epoch seconds, as in twikit's own exception.
    """

    def __init__(self, message: str, reset: int) -> None:
        twikit_errors.TooManyRequests.__init__(  # pyright: ignore[reportUnknownMemberType] - twikit says `dict`
            self, message, headers={"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
        )


def as_twikit(failure: CallFailed, headers: dict[str, str] | None) -> TwitterException:
    """The exception that twikit would raise, had X used the fitting HTTP status; headers are the answer's."""
    verdict = failure.verdict
    kind = _BY_CODE.get(verdict.code) or _BY_OUTCOME.get(verdict.outcome, TwitterException)
    if verdict.bench is AccountState.LOCKED:
        kind = twikit_errors.AccountLocked
    elif verdict.bench is AccountState.SUSPENDED:
        kind = twikit_errors.AccountSuspended
    return kind(str(failure), headers=headers)


def out_of_calls(
    pool: TwikitConnectionPool, request: ConnectionRequest, late: AcquireTimeoutError
) -> OutOfCalls | None:
    """The same timeout as twikit's exception, if closed windows alone are what the request waited for."""
    waits = [each.wait_for(request) for each in pool.accounts() if each.could_serve(request) and each.hopeful]
    if not waits or not 0 < min(waits) < inf:
        return None
    return OutOfCalls(str(late), int(pool.clock.now().timestamp() + min(waits)) + 1)
