"""What went wrong, as RFC 9457 has it: `application/problem+json`.

Each kind of error has a title that does not change and a status; the detail is the error's own message, which
says what to do. Nothing of an error that nobody foresaw is shown: its text may hold a secret.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from twikit_pool import errors
from twikit_pool.redaction import without_frames
from twikit_pool.sessions.outcomes import CallFailed, Outcome

if TYPE_CHECKING:
    from litestar import Request

    from twikit_pool.sessions.outcomes import Verdict

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer."""

ABOUT: Final = "https://github.com/twikit-pool/twikit-pool/blob/main/docs/service.md#problems"

STATUSES: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (errors.AccountNotFound, 404, "no such account"),
    (errors.PoolNotFound, 404, "no such pool"),
    (errors.ConnectionNotFound, 404, "no such connection"),
    (errors.UnknownAction, 404, "no such action"),
    (errors.AlertNotFound, 404, "no such alert, or it is over"),
    (errors.InvalidAccount, 422, "no account can be made of this"),
    (errors.AccountUnavailable, 409, "the account may not be used now"),
    (errors.AccountError, 409, "something about an account"),
    (errors.MediaUnavailable, 502, "media cannot be had now"),
    (errors.PostHeld, 422, "a person is to decide about the post"),
    (errors.PostBlocked, 422, "the content filter refuses the post"),
    (errors.ActionError, 422, "the action cannot be sent as asked"),
    (errors.ReservationConflict, 409, "the reservation is over, or none can be made"),
    (errors.AcquireTimeoutError, 503, "no connection came free in time"),
    (errors.PoolOverloadedError, 503, "too many requests wait"),
    (errors.EmergencyStopped, 503, "the pool makes an emergency stop"),
    (errors.LibraryOutOfDate, 503, "the client library is out of date for this"),
    (errors.NoAccountAvailable, 409, "no account can do this"),
    (errors.LeaseLost, 410, "the lease is over"),
    (errors.PoolClosed, 503, "the pool does not serve"),
    (errors.PoolError, 409, "the pool cannot do this"),
    (errors.ResultsError, 503, "results cannot be kept"),
    (errors.HistoryError, 503, "the history cannot be used"),
    (errors.StoreError, 503, "the account store cannot be used"),
    (errors.SafetyError, 503, "the content filter cannot remember"),
    (errors.ReviewNotFound, 404, "no such review that waits"),
    (errors.ConfigError, 422, "a setting is wrong"),
)
"""The most special first."""

OUTCOMES: Final[dict[Outcome, tuple[int, str]]] = {
    Outcome.RATE_LIMITED: (429, "the account has no calls left"),
    Outcome.ACCOUNT_ILL: (409, "X does not accept the account"),
    Outcome.SESSION_STALE: (409, "the account is logged out"),
    Outcome.CALLER_FAULT: (422, "X refuses this"),
    Outcome.LIBRARY_STALE: (503, "the client library is out of date for this"),
}
"""Those that are not simply X's fault (502)."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem. `type` is about all of them; `title` and `status` tell the kind, `detail` the case.

    Attributes:
        verdict: of a call that failed: what X answered, and whether it took a write.
        errors: of input that is wrong: where, and why.
        reasons: of a post that the content filter refuses: rule, severity, message, suggestion, field, span.
        review_id: its place in the review queue, if a person is to decide about it.
    """

    title: str
    status: int
    detail: str = ""
    type: str = ABOUT
    verdict: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    errors: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    reasons: list[Any] | msgspec.UnsetType = msgspec.UNSET
    review_id: int | msgspec.UnsetType = msgspec.UNSET


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    """The answer that tells it."""
    return Response(
        problem, status_code=problem.status, media_type=MEDIA_TYPE, headers={**HEADERS, **(headers or {})}
    )


def on_error(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """What anything that was raised is answered with."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, CallFailed):
        status, title = OUTCOMES.get(error.verdict.outcome, (502, "X did not do it"))
        return problem_response(
            Problem(title=title, status=status, detail=str(error), verdict=_plain(error.verdict))
        )
    for kind, status, title in STATUSES:
        if isinstance(error, kind):
            headers = {"Retry-After": "1"} if status == 503 else None
            problem = Problem(title=title, status=status, detail=str(error))
            if isinstance(error, errors.PostRefused):
                problem = _with_reasons(problem, error)
            return problem_response(problem, headers)
    logger.error("a request failed: %s", type(without_frames(error)).__name__)
    return problem_response(
        Problem(title="an error that nobody foresaw", status=500, detail="the service's log names it")
    )


def _with_reasons(problem: Problem, error: errors.PostRefused) -> Problem:
    told = list(error.reasons)
    if error.review_id is None:
        return msgspec.structs.replace(problem, reasons=told)
    return msgspec.structs.replace(problem, reasons=told, review_id=error.review_id)


def _of_http(error: HTTPException) -> Response[Problem]:
    wrong: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    if isinstance(error.extra, list):
        wrong = [{name: str(value) for name, value in each.items()} for each in error.extra]
    status = 422 if error.status_code == 400 and wrong else error.status_code
    detail = str(error.detail) if status < 500 else ""
    title = TITLES.get(status, "the request cannot be answered")
    return problem_response(
        Problem(title=title, status=status, detail=detail, errors=wrong), dict(error.headers or {})
    )


TITLES: Final[dict[int, str]] = {
    400: "the request is malformed",
    401: "a token is needed",
    403: "the token may not do this",
    404: "there is nothing here",
    405: "this cannot be done here",
    412: "it has changed meanwhile",
    413: "the body is too large",
    415: "the body is of another kind",
    422: "the input is wrong",
    429: "too many requests",
}


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": str(verdict.outcome),
        "reason": verdict.reason,
        "taken": str(verdict.taken),
        "status": verdict.status,
        "code": verdict.code,
        "endpoint": verdict.endpoint,
    }
