"""One call of a twikit method through the pool.

A method may send several requests: all of them leave as one account, each under a lease of its own. When one
fails for a reason that passes, or that another account does not share, the whole method starts over; it does
not once X took a write of it, or may have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from twikit_pool.drop_in.failures import ALREADY_DONE, as_twikit
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.pool.execution import Patience
from twikit_pool.sessions.outcomes import CallFailed, Taken

if TYPE_CHECKING:
    from twikit_pool.drop_in.client import PooledClient
    from twikit_pool.pool.pool import TwikitConnectionPool

T = TypeVar("T")

_UNPARSED: Final = (KeyError, IndexError, TypeError, AttributeError)
"""What twikit raises when an answer lacks what it looks for, as X's error answers do."""


@dataclass(slots=True, eq=False, kw_only=True)
class Turn:
    """One run of a twikit method.

    Attributes:
        name: the method.
        owner: the client it was called on.
        client: the client it runs on, to which everything that it returns belongs.
        needs: the endpoint to choose the account by; None for that of the first request.
        wrote: whether X took a write of this run.
        failure: why the last request failed; None when it did not.
        writing: whether the request that failed was a write.
        shown: whether twikit got to read the failed answer, since its HTTP status was a good one.
        headers: those of the last answer.
    """

    name: str
    owner: PooledClient
    client: PooledClient
    needs: str | None = None
    wrote: bool = False
    failure: CallFailed | None = None
    writing: bool = False
    shown: bool = False
    headers: dict[str, str] | None = None


CURRENT: Final[ContextVar[Turn | None]] = ContextVar("twikit_pool_turn", default=None)
"""The turn that runs; the tasks that twikit starts within it see it as well."""


async def take(
    pool: TwikitConnectionPool,
    begin: Callable[[str | None], Turn],
    run: Callable[[PooledClient], Awaitable[T]],
    *,
    any_account: bool,
) -> tuple[T, Turn]:
    """Run a method until it succeeds or trying again is not right; returns its result and its last turn.

    Args:
        pool: whose retry budget, time and chance are used.
        begin: makes a fresh turn that chooses its account by this endpoint.
        run: the method, to be run on the turn's client.
        any_account: whether another account may take the next turn.

    Raises:
        TwitterException: X did not do it; its cause is the `CallFailed` that says whose call it was.
        TwikitPoolError: no connection, or the call cannot be sent.
        Exception: whatever else twikit and httpx raise.
    """
    patience = Patience(pool, any_account=any_account)
    needs: str | None = None
    refusal: Exception | None = None
    while True:
        turn = begin(needs)
        token = CURRENT.set(turn)
        try:
            result = await run(turn.client)
        except Exception as error:  # a boundary: twikit raises anything, and it goes on to the caller
            failure = turn.failure
            if failure is None:
                if refusal is not None and isinstance(error, AcquireTimeoutError):
                    # The wait after a refusal was in vain: the refusal is what the caller knows to handle.
                    raise refusal from refusal.__cause__
                raise
            refusal = _fitting(turn, failure, error)
        else:
            failure = turn.failure
            refusal = _hidden(turn, failure) if failure is not None else None
            if failure is None or refusal is None:
                return result, turn
        finally:
            CURRENT.reset(token)
        taken = turn.wrote or (turn.writing and failure.verdict.taken is not Taken.NO)
        if not await patience.another(failure, repeatable=not taken):
            raise refusal from failure
        needs = failure.verdict.endpoint


def _fitting(turn: Turn, failure: CallFailed, error: Exception) -> Exception:
    """What to raise for a failure of which twikit made this error."""
    fitting = as_twikit(failure, turn.headers) if turn.shown and isinstance(error, _UNPARSED) else error
    fitting.__cause__ = failure
    return fitting


def _hidden(turn: Turn, failure: CallFailed) -> Exception | None:
    """What to raise for a failure that twikit overlooked.

    None where the method answers for itself: it caught its own exception, as `is_logged_in` does, or what
    was asked for is so already.
    """
    if not turn.shown or failure.verdict.code in ALREADY_DONE:
        return None
    hidden = as_twikit(failure, turn.headers)
    hidden.__cause__ = failure
    return hidden
