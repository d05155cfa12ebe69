"""What an attempt meant, and what follows.

One table reads (HTTP status, X's code, exception) as an outcome. Two rules stand above it: an unknown
error never benches an account, and a write is called "not taken" only where that is certain, because
only then may it be sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
from twikit import errors as twikit_errors

from twikit_pool.accounts.model import AccountState
from twikit_pool.errors import TwikitPoolError
from twikit_pool.sessions.responses import HOME, USER_STATE, RawResponse

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outcome(StrEnum):
    """What an attempt meant."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    """The endpoint is used up for this account for a while."""
    ACCOUNT_ILL = "account_ill"
    """X holds something against the account: a person must look at it."""
    SESSION_STALE = "session_stale"
    """X does not accept the cookies or the csrf token."""
    TRANSIENT = "transient"
    """The network or X had a moment; the same call may work soon."""
    CALLER_FAULT = "caller_fault"
    """The call itself cannot work: a duplicate, a protected account, no such tweet."""
    LIBRARY_STALE = "library_stale"
    """X changed this operation; the client library must be updated. No account is to blame."""
    UNKNOWN = "unknown"
    """Nothing in the table fits. Reported as it is; nobody is benched for it."""


FINE: Final = frozenset({Outcome.OK, Outcome.CALLER_FAULT})
"""Outcomes that neither X, an account nor a connection can be blamed for."""


class Taken(StrEnum):
    """Whether X carried out a write."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome, its evidence and its consequences.

    Attributes:
        outcome: what the attempt meant.
        reason: a sentence for a person, without secrets.
        endpoint: the operation that decided it.
        status, code: the evidence: HTTP status and X's code, where there were any.
        taken: whether X carried the call out; for a read it does not matter.
        bench: the state the account goes into, or None to leave it.
        bench_seconds: how long a quarantine lasts.
        cool_seconds: how long the endpoint rests for this account; 0 leaves that to the window.
        renew_handshake: whether twikit's transaction keys may be out of date.
        connected: whether a connection to X was found; False where there was none to leave on.
        held_back: whether the pool itself did not send it: that says nothing about X.
        on_trial: whether it was a circuit's trial: others wait for what comes of it.
    """

    outcome: Outcome
    reason: str = ""
    endpoint: str | None = None
    status: int | None = None
    code: int | None = None
    taken: Taken = Taken.UNKNOWN
    bench: AccountState | None = None
    bench_seconds: float = 0.0
    cool_seconds: float = 0.0
    renew_handshake: bool = False
    connected: bool = True
    held_back: bool = False
    on_trial: bool = False

    @property
    def evidence(self) -> str:
        """What X answered, in brief: `HTTP 403, code 326, CreateTweet`; empty when it did not."""
        told = (
            self.status is not None and f"HTTP {self.status}",
            self.code is not None and f"code {self.code}",
            self.endpoint,
        )
        return ", ".join(part for part in told if part)


WELL: Final = Verdict(outcome=Outcome.OK, taken=Taken.YES)
"""The verdict of every call that went well."""


def call_held_back(reason: str, endpoint: str | None) -> Verdict:
    """The verdict of a call that the pool itself did not send, for a reason that passes."""
    return Verdict(
        outcome=Outcome.TRANSIENT, reason=reason, endpoint=endpoint, taken=Taken.NO, held_back=True
    )


class CallFailed(TwikitPoolError):
    """A call to X did not succeed; `verdict` says what it meant and `account_id` whose it was.

    The exception that twikit or httpx raised, if any, is its `__cause__`.
    """

    def __init__(self, account_id: str, action: str, verdict: Verdict) -> None:
        super().__init__(account_id, action, verdict)
        self.account_id = account_id
        self.action = action
        self.verdict = verdict
        self.attempts = 1
        """How many attempts were made, when the pool made them."""

    def __str__(self) -> str:
        evidence = f" ({self.verdict.evidence})" if self.verdict.evidence else ""
        return f"{self.action} as {self.account_id}: {self.verdict.outcome}{evidence}: {self.verdict.reason}"


class Row(NamedTuple):
    """What one X code means."""

    outcome: Outcome
    reason: str
    taken: Taken = Taken.NO
    bench: AccountState | None = None
    bench_seconds: float = 0.0
    cool_seconds: float = 0.0


DAILY_PAUSE: Final = 3600.0
"""Seconds an endpoint rests after a daily cap. X counts posts over half-hour slices of a rolling day, so
one try an hour finds the next free slot without pressing."""

AUTOMATION_PAUSE: Final = 6 * 3600.0
"""Seconds an account rests after X called a request automated (226): a judgement on the account that only
quiet and a person's look can lift."""

_LOOK = "open x.com in a browser as this account, settle it there, then enable the account"
_COOKIES = "import fresh cookies of a logged-in browser"

CODES: Final[dict[int, Row]] = {
    17: Row(Outcome.CALLER_FAULT, "no such user"),
    32: Row(Outcome.SESSION_STALE, f"X does not accept the cookies; {_COOKIES}", bench=AccountState.STALE),
    34: Row(Outcome.LIBRARY_STALE, "X no longer has this operation; update the client library"),
    50: Row(Outcome.CALLER_FAULT, "no such user"),
    64: Row(Outcome.ACCOUNT_ILL, f"the account is suspended; {_LOOK}", bench=AccountState.SUSPENDED),
    88: Row(Outcome.RATE_LIMITED, "the rate window is used up"),
    89: Row(Outcome.SESSION_STALE, f"the token is invalid or expired; {_COOKIES}", bench=AccountState.STALE),
    131: Row(Outcome.TRANSIENT, "X had an internal error", Taken.UNKNOWN),
    139: Row(Outcome.CALLER_FAULT, "the account likes this post already"),
    144: Row(Outcome.CALLER_FAULT, "no post with this id"),
    161: Row(
        Outcome.RATE_LIMITED, "X lets this account follow no more people for now", cool_seconds=DAILY_PAUSE
    ),
    179: Row(Outcome.CALLER_FAULT, "the post belongs to a protected account"),
    185: Row(Outcome.RATE_LIMITED, "the account's daily posts are used up", cool_seconds=DAILY_PAUSE),
    186: Row(Outcome.CALLER_FAULT, "the post is too long; set long=true for an account that may post long"),
    187: Row(Outcome.CALLER_FAULT, "the account posted the same text already"),
    226: Row(
        Outcome.ACCOUNT_ILL,
        f"X takes the request for automated and holds it against the account; {_LOOK}",
        bench=AccountState.QUARANTINED,
        bench_seconds=AUTOMATION_PAUSE,
    ),
    324: Row(Outcome.CALLER_FAULT, "X refuses the media; check its type, size and that the upload is recent"),
    326: Row(Outcome.ACCOUNT_ILL, f"the account is locked; {_LOOK}", bench=AccountState.LOCKED),
    336: Row(Outcome.LIBRARY_STALE, "X asks for features this client library does not send; update it"),
    344: Row(Outcome.RATE_LIMITED, "the account's daily limit is reached", cool_seconds=DAILY_PAUSE),
    349: Row(Outcome.CALLER_FAULT, "this user accepts no direct message from the account"),
    353: Row(
        Outcome.SESSION_STALE, "the csrf token did not match the cookie; the next call carries the new one"
    ),
    366: Row(Outcome.CALLER_FAULT, f"X retired logging in by password; {_COOKIES}"),
    501: Row(Outcome.RATE_LIMITED, "the account's daily posts are used up", cool_seconds=DAILY_PAUSE),
}
"""Meanings of X's codes, from twikit's notes, X's archived error reference and users' reports."""

NO_CONNECTION: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What a request ends with that found no connection to leave on."""

_UNPARSED: Final = (KeyError, IndexError, TypeError, AttributeError, ValueError)
_EXCEPTIONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], Row], ...]] = (
    (twikit_errors.AccountSuspended, CODES[64]),
    (twikit_errors.AccountLocked, CODES[326]),
    (twikit_errors.InvalidSession, CODES[32]),
    (
        twikit_errors.ClientTransactionError,
        Row(Outcome.LIBRARY_STALE, "the handshake with X failed: {error}"),
    ),
    (
        (twikit_errors.UserNotFound, twikit_errors.UserUnavailable, twikit_errors.TweetNotAvailable),
        Row(Outcome.CALLER_FAULT, "X has nothing there: {error}"),
    ),
    (
        NO_CONNECTION,
        Row(Outcome.TRANSIENT, "no connection to X ({kind})"),
    ),
    (
        TimeoutError,
        Row(Outcome.TRANSIENT, "no complete answer within the call's deadline", Taken.UNKNOWN),
    ),
    (
        (httpx.TransportError, httpx.DecodingError),
        Row(Outcome.TRANSIENT, "the connection broke ({kind})", Taken.UNKNOWN),
    ),
    (TwikitPoolError, Row(Outcome.CALLER_FAULT, "{error}")),
)
"""Meanings of exceptions that no answer explains; the first that fits."""


_UNREADABLE: Final = Row(Outcome.TRANSIENT, "the answer was not JSON", Taken.UNKNOWN)
_NOT_X: Final = Row(
    Outcome.TRANSIENT, "x.com answered with a page that is not X's: a challenge, maintenance or a proxy's own"
)


def judge(error: BaseException | None, responses: Sequence[RawResponse], *, sent: int) -> Verdict:
    """What an attempt meant.

    Args:
        error: what the client raised, None when it returned.
        responses: every raw response of the attempt, oldest first.
        sent: how many requests that count began to leave. When none did, X took nothing.
    """
    deciding = _deciding(error, responses)
    if deciding is not None and isinstance(error, twikit_errors.AccountSuspended) and deciding.status == 429:
        verdict = _verdict(CODES[64], deciding)  # twikit asked X, which says why it refuses
    elif deciding is not None and (deciding.errors or deciding.status >= 300):
        verdict = _by_answer(deciding, error)
    elif error is not None:
        verdict = _by_exception(error, deciding)
    elif deciding is not None and not deciding.readable:
        verdict = _verdict(_UNREADABLE, deciding)
    else:
        return WELL
    if verdict.taken is not Taken.NO and (not sent or (deciding and deciding.endpoint == HOME)):
        return replace(verdict, taken=Taken.NO)
    if verdict.taken is Taken.NO and sent > 1:
        # What was refused is the last of several requests that count; the others may have had their effect.
        return replace(verdict, taken=Taken.UNKNOWN)
    return verdict


def _verdict(row: Row, response: RawResponse | None, *, reason: str | None = None) -> Verdict:
    return Verdict(
        outcome=row.outcome,
        reason=reason or row.reason,
        endpoint=response.endpoint if response else None,
        status=response.status if response else None,
        code=response.code if response else None,
        taken=row.taken,
        bench=row.bench,
        bench_seconds=row.bench_seconds,
        cool_seconds=row.cool_seconds,
        renew_handshake=row.outcome is Outcome.LIBRARY_STALE
        and response is not None
        and response.status == 404,
    )


def _deciding(error: BaseException | None, responses: Sequence[RawResponse]) -> RawResponse | None:
    """The response that decides: the last one, without twikit's own question after a 429.

    None when a later request was answered by nothing at all: then the exception decides.
    """
    asked = [response for response in responses if response.endpoint != USER_STATE]
    if not asked:
        return None
    limited = asked[-1].status == 429  # what broke afterwards can only be twikit's own question
    broke = isinstance(error, httpx.TransportError | TimeoutError)
    return None if broke and not limited else asked[-1]


def _by_answer(response: RawResponse, error: BaseException | None) -> Verdict:
    code, message = response.code, response.message.lower()
    row = CODES.get(code) if code is not None else None
    if code in (37, 63):
        # X uses both for the account itself and for refusals about somebody else's.
        ours = "your account" in message or (code == 37 and "suspend" in message)
        refusal = Row(Outcome.CALLER_FAULT, f"X refuses this to the account: {response.message}")
        row = CODES[64] if ours else refusal
    if row is None and response.endpoint == HOME and response.status < 400 and error is not None:
        return _by_exception(error, response)
    return _verdict(row or _by_status(response), response)


def _by_status(response: RawResponse) -> Row:
    status, said = response.status, response.message or "nothing more"
    if status == 429:
        return Row(Outcome.RATE_LIMITED, "the rate window is used up")
    if status == 401:
        return Row(
            Outcome.SESSION_STALE, f"X does not accept the cookies; {_COOKIES}", bench=AccountState.STALE
        )
    if status in (404, 422):
        return Row(
            Outcome.LIBRARY_STALE,
            f"X does not know this request ({status}); if so on every account, update the client library",
        )
    if status == 408 or status >= 500:
        return Row(Outcome.TRANSIENT, f"X answered {status}", Taken.UNKNOWN)
    if status == 400:
        return Row(Outcome.CALLER_FAULT, f"X rejects the request: {said}")
    if status < 400:
        return Row(Outcome.UNKNOWN, f"X sent the call elsewhere ({status})", Taken.UNKNOWN)
    taken = Taken.NO if 400 <= status < 500 else Taken.UNKNOWN
    return Row(Outcome.UNKNOWN, f"X answered {status} and said: {said}", taken)


def _by_exception(error: BaseException, response: RawResponse | None) -> Verdict:
    row = next((row for kinds, row in _EXCEPTIONS if isinstance(error, kinds)), None)
    if response is not None and not response.readable and (row is None or response.endpoint == HOME):
        row = _NOT_X if response.endpoint == HOME else _UNREADABLE
    elif row is None and response is not None and isinstance(error, _UNPARSED):
        # X answered well: what was asked is done, only the library cannot read it.
        row = Row(
            Outcome.LIBRARY_STALE, "X's answer has a shape that the client library cannot read", Taken.YES
        )
    row = row or Row(Outcome.UNKNOWN, "{kind}: {error}", Taken.UNKNOWN)
    verdict = _verdict(row, response, reason=row.reason.format(kind=type(error).__name__, error=error))
    return replace(verdict, connected=not isinstance(error, NO_CONNECTION))
