"""What a service's problems are here: the exceptions of a pool in this process, where there are such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from twikit_pool import errors


class RemoteError(errors.TwikitPoolError):
    """Something about the service, or the way to it."""


class ServiceUnreachable(RemoteError):
    """The service takes no requests now; nothing was done."""


class AnswerLost(RemoteError):
    """The request may have arrived, and its answer did not.

    Ask again with the same `idempotency_key`: while the service runs, it is carried out once. After the
    service was restarted nobody knows: look at the account first.
    """

    def __init__(self, message: str, idempotency_key: str | None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class AccessRefused(RemoteError):
    """The token does not hold, or may not do this."""


class RequestRefused(RemoteError):
    """The service does not do what was asked; `status` and `title` say of what kind it is.

    `errors` are the parts of the input that are wrong: of jobs, say, each with `line`, `id` and `error`.
    """

    def __init__(
        self, message: str, status: int, title: str, wrong: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.errors = tuple(wrong)


class RemoteVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt meant.

    Attributes:
        outcome: rate_limited, account_ill, session_stale, transient, caller_fault, library_stale, unknown.
        reason: a sentence for a person.
        taken: whether X carried it out: yes, no, unknown.
        status, code, endpoint: what X answered, to what.
    """

    outcome: str
    reason: str = ""
    taken: str = "unknown"
    status: int | None = None
    code: int | None = None
    endpoint: str | None = None


class RemoteCallFailed(errors.TwikitPoolError):
    """A call to X did not succeed; `verdict` says what it meant."""

    def __init__(self, message: str, verdict: RemoteVerdict) -> None:
        super().__init__(message)
        self.verdict = verdict


TITLES: Final[dict[str, type[errors.TwikitPoolError]]] = {
    "no such account": errors.AccountNotFound,
    "no such pool": errors.PoolNotFound,
    "no such connection": errors.ConnectionNotFound,
    "no such action": errors.UnknownAction,
    "no such alert, or it is over": errors.AlertNotFound,
    "no account can be made of this": errors.InvalidAccount,
    "the account may not be used now": errors.AccountUnavailable,
    "something about an account": errors.AccountError,
    "media cannot be had now": errors.MediaUnavailable,
    "a person is to decide about the post": errors.PostHeld,
    "the content filter refuses the post": errors.PostBlocked,
    "the action cannot be sent as asked": errors.InvalidParameters,
    "the reservation is over, or none can be made": errors.ReservationConflict,
    "no connection came free in time": errors.AcquireTimeoutError,
    "too many requests wait": errors.PoolOverloadedError,
    "the pool makes an emergency stop": errors.EmergencyStopped,
    "the client library is out of date for this": errors.LibraryOutOfDate,
    "no account can do this": errors.NoAccountAvailable,
    "the lease is over": errors.LeaseLost,
    "the pool does not serve": errors.PoolClosed,
    "the pool cannot do this": errors.PoolError,
    "results cannot be kept": errors.ResultsError,
    "the account store cannot be used": errors.StoreError,
    "the history cannot be used": errors.HistoryError,
    "the content filter cannot remember": errors.SafetyError,
    "no such review that waits": errors.ReviewNotFound,
    "a setting is wrong": errors.ConfigError,
}
"""What the service calls the errors of a pool."""

MOST_SHOWN: Final = 500


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem as it is answered (RFC 9457)."""

    title: str = ""
    status: int = 0
    detail: str = ""
    verdict: RemoteVerdict | None = None
    errors: list[dict[str, Any]] = []
    reasons: list[dict[str, Any]] = []
    review_id: int | None = None


def error_of(status: int, problem: Problem) -> errors.TwikitPoolError:
    """The exception for a problem."""
    told = problem.detail or problem.title or f"the service answered {status}"
    if problem.verdict is not None:
        return RemoteCallFailed(told, problem.verdict)
    kind = TITLES.get(problem.title)
    if kind is not None and issubclass(kind, errors.PostRefused):
        return kind(told, problem.reasons, problem.review_id)
    if kind is not None:
        return kind(told)
    if status in (401, 403):
        return AccessRefused(told)
    wrong = "; ".join(
        ", ".join(f"{name}: {value}" for name, value in each.items()) for each in problem.errors
    )
    message = ": ".join(part for part in (problem.title, problem.detail, wrong) if part)[:MOST_SHOWN]
    return RequestRefused(message or told, status, problem.title, problem.errors)
