from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import Account, AccountStore, Credentials, Keyring
from twikit_pool.redaction import Cookies, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path


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
            caps={"CreateTweet": 50},
            notes="two words",
        )

    return make


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
async def store(tmp_path: Path, keyring: Keyring) -> AsyncGenerator[AccountStore]:
    async with await AccountStore.open(tmp_path / "home" / "accounts.db", keyring=keyring) as opened:
        yield opened
