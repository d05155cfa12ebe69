"""Where accounts come from: one small protocol, so that a pool needs no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.redaction import Cookies


class AccountSource(Protocol):
    """Accounts to use, and the place where what changes about them is kept."""

    async def accounts(self) -> Sequence[Account]:
        """Every account, in any state, ordered by id."""
        ...

    async def account(self, account_id: str) -> Account:
        """One account, as it is kept now.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        """Keep rotated cookies, all or nothing.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    async def set_standing(self, account_id: str, standing: Standing) -> None:
        """Keep an account's new state.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    async def aclose(self) -> None:
        """Let go of files and connections. Calling it twice is harmless."""
        ...
