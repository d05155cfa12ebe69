from __future__ import annotations

import pytest
from twikit import errors

from twikit_pool.drop_in import OutOfCalls
from twikit_pool.drop_in.failures import as_twikit
from twikit_pool.errors import AcquireTimeoutError, TwikitPoolError
from twikit_pool.sessions.outcomes import CODES, CallFailed, Outcome, Verdict


def failure(code: int) -> CallFailed:
    row = CODES[code]
    return CallFailed("a", "call", Verdict(outcome=row.outcome, code=code, bench=row.bench))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (17, errors.UserNotFound),
        (32, errors.Unauthorized),
        (64, errors.AccountSuspended),
        (88, errors.TooManyRequests),
        (89, errors.Unauthorized),
        (131, errors.ServerError),
        (144, errors.NotFound),
        (179, errors.Forbidden),
        (185, errors.CouldNotTweet),
        (187, errors.DuplicateTweet),
        (226, errors.Forbidden),
        (324, errors.InvalidMedia),
        (326, errors.AccountLocked),
        (344, errors.TooManyRequests),
        (353, errors.Forbidden),
    ],
)
def test_a_code_becomes_the_exception_that_twikit_programs_catch(code: int, kind: type[Exception]) -> None:
    fitting = as_twikit(failure(code), {"x-rate-limit-reset": "99"})
    assert type(fitting) is kind
    assert "a" in str(fitting)
    if kind is errors.TooManyRequests:
        assert fitting.rate_limit_reset == 99  # type: ignore[attr-defined]


def test_an_unknown_failure_is_twikits_root() -> None:
    unknown = CallFailed("a", "call", Verdict(outcome=Outcome.UNKNOWN, code=999_999))
    assert type(as_twikit(unknown, None)) is errors.TwitterException


@pytest.mark.parametrize(
    "caught", [errors.TooManyRequests, AcquireTimeoutError, TwikitPoolError, TimeoutError]
)
def test_out_of_calls_is_caught_as_either_library_names_it(caught: type[Exception]) -> None:
    with pytest.raises(caught, match="no connection") as raised:
        raise OutOfCalls("no connection of a within 3 s", reset=1234)
    assert raised.value.rate_limit_reset == 1234  # type: ignore[attr-defined]
