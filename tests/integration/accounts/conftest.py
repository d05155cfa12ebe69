from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import AccountStore, Keyring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
async def store(tmp_path: Path, keyring: Keyring) -> AsyncGenerator[AccountStore]:
    async with await AccountStore.open(tmp_path / "home" / "accounts.db", keyring=keyring) as opened:
        yield opened
