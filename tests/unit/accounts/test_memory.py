from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import Account, AccountState, MemoryAccounts, Standing
from twikit_pool.errors import AccountNotFound, InvalidAccount
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_keeps_cookies_and_standing_and_orders_by_id(full_account: Callable[[str], Account]) -> None:
    source = MemoryAccounts([full_account("b"), full_account("a")])
    await source.save_cookies("b", Cookies(auth_token="new"))
    await source.set_standing("a", Standing(state=AccountState.LOCKED))
    first, second = await source.accounts()
    assert (first.id, second.id) == ("a", "b")
    assert first.standing.state is AccountState.LOCKED
    assert second.credentials.cookies == {"auth_token": "new"}
    assert (await source.account("b")) == second


async def test_refuses_what_would_lose_the_login(full_account: Callable[[str], Account]) -> None:
    source = MemoryAccounts([full_account("a")])
    with pytest.raises(InvalidAccount, match="auth_token"):
        await source.save_cookies("a", Cookies(ct0="x"))
    assert (await source.account("a")).credentials.cookies["auth_token"] == "canary-token"


async def test_unknown_and_double_ids(full_account: Callable[[str], Account]) -> None:
    with pytest.raises(AccountNotFound, match="'nobody'"):
        await MemoryAccounts().account("nobody")
    with pytest.raises(InvalidAccount, match="'a' is given twice"):
        MemoryAccounts([full_account("a"), full_account("a")])
