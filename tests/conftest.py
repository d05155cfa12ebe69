from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import Account, Credentials
from twikit_pool.accounts.caps import read_caps
from twikit_pool.redaction import Cookies, Secret

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def full_account() -> Callable[[str], Account]:
    """Makes an account in which every field is set."""

    def make(account_id: str) -> Account:
        return Account(
            id=account_id,
            handle="Brand_UK",
            credentials=Credentials(
                cookies=Cookies(auth_token="canary-token", ct0="canary-csrf"),
                password=Secret("canary-password"),
                email=Secret("canary@example.org"),
                totp=Secret("canary-totp"),
            ),
            proxy=Secret("http://user:canary-proxy@localhost:8080"),
            tags=frozenset({"uk", "news"}),
            capabilities=frozenset({"long_posts"}),
            caps=read_caps({"CreateTweet": 50}),
            notes="two words",
        )

    return make
