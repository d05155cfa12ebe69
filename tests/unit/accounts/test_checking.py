from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from twikit_pool.accounts import Account, AccountState, Credentials, Standing
from twikit_pool.accounts.checking import problems_of
from twikit_pool.redaction import Cookies

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def account(*, token: str = "a" * 40, csrf: str = "b" * 160, expires: datetime | None = None) -> Account:
    return Account(
        id="a", credentials=Credentials(cookies=Cookies(auth_token=token, ct0=csrf), expires=expires)
    )


@pytest.mark.parametrize("csrf", ["b" * 32, "b" * 160])
def test_a_sound_account_has_no_problem(csrf: str) -> None:
    assert problems_of(account(csrf=csrf, expires=NOW + timedelta(days=30)), NOW) == []


def test_each_problem_is_told_without_the_secret() -> None:
    suspended = replace(
        account(token="canary", csrf="canary", expires=NOW), standing=Standing(state=AccountState.SUSPENDED)
    )
    problems = problems_of(suspended, NOW)
    for problem, sign in zip(problems, ("40 hex", "ct0", "ended on 2026-01-01", "suspended"), strict=True):
        assert sign in problem
    assert "canary" not in str(problems)
    (soon,) = problems_of(account(expires=NOW + timedelta(days=3)), NOW)
    assert "ends on 2026-01-04" in soon
