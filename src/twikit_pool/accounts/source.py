"""Where accounts come from: one small protocol, so that a pool needs no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

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


@runtime_checkable
class Revisioned(Protocol):
    """A source that can tell cheaply whether anything in it has changed; any other is read anew to know."""

    def revision(self) -> Awaitable[object]:
        """Something that is another than before when an account was added, changed or removed."""
        ...


@runtime_checkable
class LedgerKeeper(Protocol):
    """A source that keeps the accounts' ledgers of rate windows over a restart; any other forgets them.

    Of several programs on one source, whoever saves an account's ledger last wins.
    """

    def ledgers(self) -> Awaitable[Mapping[str, bytes]]:
        """The ledgers that were saved, by the account's id: JSON, without secrets."""
        ...

    def save_ledgers(self, ledgers: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep these ledgers in place of those saved before, all or none; others stay."""
        ...
