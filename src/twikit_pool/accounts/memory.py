"""Accounts in a list, for programs that keep them elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twikit_pool.errors import AccountNotFound, InvalidAccount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twikit_pool.accounts.model import Account, Standing
    from twikit_pool.redaction import Cookies


class MemoryAccounts:
    """An `AccountSource` of the accounts given; what changes about them lives as long as it does.

    Raises:
        InvalidAccount: two accounts have the same id.
    """

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._accounts: dict[str, Account] = {}
        for account in accounts:
            if account.id in self._accounts:
                raise InvalidAccount(f"account {account.id!r} is given twice: each id stands for one account")
            self._accounts[account.id] = account

    async def accounts(self) -> Sequence[Account]:
        """Every account, in any state, ordered by id."""
        return [self._accounts[account_id] for account_id in sorted(self._accounts)]

    async def account(self, account_id: str) -> Account:
        """One account, as it is now.

        Raises:
            AccountNotFound: there is no such account.
        """
        return self._found(account_id)

    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        """Keep rotated cookies.

        Raises:
            AccountNotFound: there is no such account.
            InvalidAccount: the log-in cookie is not among them.
        """
        self._accounts[account_id] = self._found(account_id).with_cookies(cookies)

    async def set_standing(self, account_id: str, standing: Standing) -> None:
        """Keep an account's new state.

        Raises:
            AccountNotFound: there is no such account.
        """
        self._accounts[account_id] = replace(self._found(account_id), standing=standing)

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _found(self, account_id: str) -> Account:
        try:
            return self._accounts[account_id]
        except KeyError:
            raise AccountNotFound(f"no account {account_id!r} among those given") from None
