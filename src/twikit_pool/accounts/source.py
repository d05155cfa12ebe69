"""Where accounts come from: one small protocol, so that a pool needs no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.redaction import Cookies


class AccountSource(Protocol):
    """Accounts to use, and the place where what changes about them is kept."""

    def accounts(self) -> Awaitable[Sequence[Account]]:
        """Every account, in any state, ordered by id."""
        ...

    def account(self, account_id: str) -> Awaitable[Account]:
        """One account, as it is kept now.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    def save_cookies(self, account_id: str, cookies: Cookies) -> Awaitable[None]:
        """Keep rotated cookies, all or nothing.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    def set_standing(self, account_id: str, standing: Standing) -> Awaitable[None]:
        """Keep an account's new state.

        Raises:
            AccountNotFound: there is no such account.
        """
        ...

    def aclose(self) -> Awaitable[None]:
        """Let go of files and connections. Calling it twice is harmless."""
        ...
