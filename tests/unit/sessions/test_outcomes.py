from __future__ import annotations

import asyncio

import httpx
import pytest
from twikit import errors as twikit_errors

from twikit_pool.accounts.model import AccountState
from twikit_pool.errors import MediaRefused
from twikit_pool.sessions.outcomes import CODES, CallFailed, Outcome, Taken, Verdict, judge
from twikit_pool.sessions.responses import RawResponse, XError

POST = "CreateTweet"


def answer(status: int = 200, code: int | None = None, message: str = "", **more: object) -> RawResponse:
    errors = (XError(code=code, message=message),) if code is not None or message else ()
    fields: dict[str, object] = {
        "endpoint": POST,
        "method": "POST",
        "status": status,
        "errors": errors,
        **more,
    }
    return RawResponse(**fields)  # type: ignore[arg-type]


def verdict(*answers: RawResponse, error: Exception | None = None, sent: int = 1) -> Verdict:
    return judge(error, answers, sent=sent)


EXPECTED: dict[int, tuple[Outcome, AccountState | None]] = {
    17: (Outcome.CALLER_FAULT, None),
    32: (Outcome.SESSION_STALE, AccountState.STALE),
    34: (Outcome.LIBRARY_STALE, None),
    50: (Outcome.CALLER_FAULT, None),
    64: (Outcome.ACCOUNT_ILL, AccountState.SUSPENDED),
    88: (Outcome.RATE_LIMITED, None),
    89: (Outcome.SESSION_STALE, AccountState.STALE),
    131: (Outcome.TRANSIENT, None),
    139: (Outcome.CALLER_FAULT, None),
    144: (Outcome.CALLER_FAULT, None),
    161: (Outcome.RATE_LIMITED, None),
    179: (Outcome.CALLER_FAULT, None),
    185: (Outcome.RATE_LIMITED, None),
    186: (Outcome.CALLER_FAULT, None),
    187: (Outcome.CALLER_FAULT, None),
    226: (Outcome.ACCOUNT_ILL, AccountState.QUARANTINED),
    324: (Outcome.CALLER_FAULT, None),
    326: (Outcome.ACCOUNT_ILL, AccountState.LOCKED),
    336: (Outcome.LIBRARY_STALE, None),
    344: (Outcome.RATE_LIMITED, None),
    349: (Outcome.CALLER_FAULT, None),
    353: (Outcome.SESSION_STALE, None),
    366: (Outcome.CALLER_FAULT, None),
    501: (Outcome.RATE_LIMITED, None),
}


def test_every_row_of_the_table_is_expected_here() -> None:
    assert EXPECTED.keys() == CODES.keys()


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("code", EXPECTED)
def test_a_code_means_the_same_at_any_status(code: int, status: int) -> None:
    outcome, bench = EXPECTED[code]
    found = verdict(answer(status, code), error=twikit_errors.CouldNotTweet("x") if status != 200 else None)
    assert (found.outcome, found.bench, found.code, found.status) == (outcome, bench, code, status)
    assert found.taken is (Taken.UNKNOWN if code == 131 else Taken.NO)
    assert found.reason


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        (37, "Your account is suspended and is not permitted", Outcome.ACCOUNT_ILL),
        (37, "User is not authorized to use bookmark collections", Outcome.CALLER_FAULT),
        (63, "User has been suspended.", Outcome.CALLER_FAULT),
        (63, "Your account has been suspended.", Outcome.ACCOUNT_ILL),
    ],
)
def test_codes_that_speak_of_others_bench_nobody(code: int, message: str, outcome: Outcome) -> None:
    found = verdict(answer(403, code, message))
    assert found.outcome is outcome
    assert (found.bench is not None) is (outcome is Outcome.ACCOUNT_ILL)


@pytest.mark.parametrize(
    ("status", "outcome", "taken"),
    [
        (400, Outcome.CALLER_FAULT, Taken.NO),
        (401, Outcome.SESSION_STALE, Taken.NO),
        (403, Outcome.UNKNOWN, Taken.NO),
        (404, Outcome.LIBRARY_STALE, Taken.NO),
        (408, Outcome.TRANSIENT, Taken.UNKNOWN),
        (418, Outcome.UNKNOWN, Taken.NO),
        (422, Outcome.LIBRARY_STALE, Taken.NO),
        (429, Outcome.RATE_LIMITED, Taken.NO),
        (500, Outcome.TRANSIENT, Taken.UNKNOWN),
        (503, Outcome.TRANSIENT, Taken.UNKNOWN),
    ],
)
def test_a_status_without_a_code(status: int, outcome: Outcome, taken: Taken) -> None:
    found = verdict(answer(status), error=twikit_errors.TwitterException("x"))
    assert (found.outcome, found.taken) == (outcome, taken)


@pytest.mark.parametrize(
    ("error", "outcome", "taken", "bench"),
    [
        (twikit_errors.AccountSuspended("x"), Outcome.ACCOUNT_ILL, Taken.NO, AccountState.SUSPENDED),
        (twikit_errors.AccountLocked("x"), Outcome.ACCOUNT_ILL, Taken.NO, AccountState.LOCKED),
        (twikit_errors.InvalidSession("x"), Outcome.SESSION_STALE, Taken.NO, AccountState.STALE),
        (twikit_errors.ClientTransactionError("x"), Outcome.LIBRARY_STALE, Taken.NO, None),
        (twikit_errors.UserNotFound("x"), Outcome.CALLER_FAULT, Taken.NO, None),
        (twikit_errors.TweetNotAvailable("x"), Outcome.CALLER_FAULT, Taken.NO, None),
        (httpx.ConnectError("x"), Outcome.TRANSIENT, Taken.NO, None),
        (httpx.ConnectTimeout("x"), Outcome.TRANSIENT, Taken.NO, None),
        (httpx.PoolTimeout("x"), Outcome.TRANSIENT, Taken.NO, None),
        (httpx.ReadTimeout("x"), Outcome.TRANSIENT, Taken.UNKNOWN, None),
        (httpx.ReadError("x"), Outcome.TRANSIENT, Taken.UNKNOWN, None),
        (httpx.RemoteProtocolError("x"), Outcome.TRANSIENT, Taken.UNKNOWN, None),
        (TimeoutError(), Outcome.TRANSIENT, Taken.UNKNOWN, None),
        (MediaRefused("too large"), Outcome.CALLER_FAULT, Taken.NO, None),
        (RuntimeError("x"), Outcome.UNKNOWN, Taken.UNKNOWN, None),
    ],
)
def test_an_exception_that_no_answer_explains(
    error: Exception, outcome: Outcome, taken: Taken, bench: AccountState | None
) -> None:
    found = verdict(error=error)
    assert (found.outcome, found.taken, found.bench) == (outcome, taken, bench)


def test_what_did_not_leave_was_not_taken() -> None:
    assert verdict(error=TimeoutError(), sent=0).taken is Taken.NO
    assert verdict(answer(503, endpoint="media/upload"), error=RuntimeError(), sent=0).taken is Taken.NO


def test_a_good_answer_is_ok_though_others_came_before() -> None:
    assert verdict(answer(200, endpoint="home"), answer()).outcome is Outcome.OK
    assert verdict().outcome is Outcome.OK


def test_twikits_own_question_after_a_429_does_not_decide() -> None:
    state = answer(429, 88, "Rate limit exceeded.", endpoint="user_state")
    found = verdict(answer(429, 88), state, error=twikit_errors.TooManyRequests("x"))
    assert (found.endpoint, found.outcome) == (POST, Outcome.RATE_LIMITED)
    found = verdict(answer(429), error=httpx.ReadError("user_state broke"))
    assert (found.outcome, found.taken) == (Outcome.RATE_LIMITED, Taken.NO)


def test_an_answer_the_library_cannot_read() -> None:
    shape = verdict(answer(), error=KeyError("legacy"))
    assert (shape.outcome, shape.taken) == (Outcome.LIBRARY_STALE, Taken.YES)
    garbage = verdict(answer(readable=False), error=TypeError("str"))
    assert (garbage.outcome, garbage.taken) == (Outcome.TRANSIENT, Taken.UNKNOWN)
    assert verdict(answer(readable=False)).outcome is Outcome.TRANSIENT


def test_a_404_asks_for_a_new_handshake_and_a_gone_operation_does_not() -> None:
    assert verdict(answer(404)).renew_handshake
    assert not verdict(answer(422)).renew_handshake
    assert not verdict(answer(200, 34)).renew_handshake


def test_an_unknown_error_never_benches_an_account() -> None:
    for status in (200, 400, 403, 404, 418, 422, 429, 500, 502, 503):
        for code in (1, 99, 999, 424242):
            assert verdict(answer(status, code, "who knows")).bench is None
    assert verdict(error=asyncio.InvalidStateError()).bench is None


def test_the_message_says_whose_call_failed_how_and_why() -> None:
    failure = CallFailed("brand_uk", "post_tweet", verdict(answer(403, 326)))
    assert str(failure).startswith(
        "post_tweet as brand_uk: account_ill (HTTP 403, code 326, CreateTweet): the account is locked"
    )
