"""What is known of each account: as its source has it, and what was learned here since.

What is learned counts at once, and is told to whoever watches in the same step. The source is told next; one
that fails or hangs hides nothing, and is told again with the next thing that is learned. A person who
disables an account, or gives it another log-in, in the source meanwhile counts for more than X's answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from twikit_pool.accounts.model import LOGIN_COOKIE, Account, AccountState, Standing
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.session import STORE_PATIENCE

if TYPE_CHECKING:
    from twikit_pool.accounts.source import AccountSource
    from twikit_pool.clock import Clock
    from twikit_pool.sessions.outcomes import Verdict
    from twikit_pool.sessions.session import TwikitSession

logger = logging.getLogger(__name__)


class SessionObserver(Protocol):
    """Who is told what the manager learns, in the very step in which it does. Its methods must not raise."""

    def standing_changed(self, account_id: str, standing: Standing, verdict: Verdict | None = None) -> None:
        """The account has this standing now; the source may not have kept it yet.

        `verdict` is what it came from, when it was an answer of X's.
        """
        ...

    def login_changed(self, account: Account) -> None:
        """The account has another log-in now; sessions with the one before will not do any more."""
        ...

    def logged_in(self, account_id: str, today: int) -> None:
        """One of the account's sessions has made a handshake: its log-in number `today` in 24 hours."""
        ...

    def window_changed(self, account_id: str, endpoint: str) -> None:
        """What `windows(account_id)` says of this endpoint may have changed, time's passing aside."""
        ...


class KnownAccounts:
    """The latest of every account that was read or used.

    Args:
        source: where the accounts are, and where what changes about them is kept. It may be replaced.
        clock: stamps what is learned here.
        sessions: the open sessions, by account id; they hear of other standings and log-ins.
        observers: who else does.
        caps_changed: called with the id of an account that has other caps.
    """

    def __init__(
        self,
        source: AccountSource,
        *,
        clock: Clock,
        sessions: Mapping[str, Sequence[TwikitSession]],
        observers: Sequence[SessionObserver],
        caps_changed: Callable[[str], None],
    ) -> None:
        self.source = source
        self._clock = clock
        self._sessions = sessions
        self._observers = observers
        self._caps_changed = caps_changed
        self._known: dict[str, Account] = {}
        self._unsaved: dict[str, Standing] = {}
        self._unsaved_cookies: set[str] = set()

    def get(self, account_id: str) -> Account | None:
        """The latest of an account; None for one that was neither read nor met."""
        return self._known.get(account_id)

    # ------------------------------------------------------------ from the source

    async def read_all(self) -> Sequence[Account]:
        """The latest of every account that the source has now."""
        before = {each: self._as_saved(each) for each in self._known}
        learned = [self._learn(read, before.get(read.id)).id for read in await self.source.accounts()]
        await self.save_standings()
        return [self._known[each] for each in learned]

    async def read(self, account_id: str) -> Account:
        """The latest of one account, which is read for it.

        Raises:
            AccountNotFound: the source does not know the account.
        """
        before = self._as_saved(account_id)
        return self._learn(await self.source.account(account_id), before)

    def meet(self, account: Account) -> Account:
        """The latest of an account; it is as it is given if it was not known."""
        if account.id not in self._known:
            self._know(account)
        return self._known[account.id]

    def _as_saved(self, account_id: str) -> Account | None:
        """What is known of an account, if its source knows it too."""
        unsaved = account_id in self._unsaved or account_id in self._unsaved_cookies
        return None if unsaved else self._known.get(account_id)

    def _learn(self, read: Account, before: Account | None) -> Account:
        """Take in an account as its source has it, and return the latest of both.

        What is known here wins where it was not saved (`before`) or has changed while the source was asked.
        """
        known = self._known.get(read.id)
        if known is not None and known is not before:
            return known
        return self._take_in(read)

    def _take_in(self, account: Account) -> Account:
        """An account is so from now on; what its old log-in was refused for does not hold for another."""
        known = self._known.get(account.id)
        self._know(account)
        if known is None:
            return account
        standing = account.standing
        if not _same_login(known, account):
            if standing.state is AccountState.STALE and standing == known.standing:
                standing = Standing(reason="it has fresh cookies", since=self._clock.now())
                self._unsaved[account.id] = standing
            for session in self._sessions.get(account.id, ()):
                session.superseded = not _same_login(session.account, account)
            for observer in tuple(self._observers):
                observer.login_changed(account)
        if standing != known.standing:
            self._spread(account.id, standing)
        return self._known[account.id]

    def _know(self, account: Account) -> None:
        """Take an account in, as it is now."""
        before = self._known.get(account.id)
        self._known[account.id] = account
        if account.caps != (before.caps if before is not None else {}):
            self._caps_changed(account.id)

    # ------------------------------------------------------------ what is learned here

    async def stand(self, account_id: str, standing: Standing, verdict: Verdict | None = None) -> None:
        """Keep a new standing: here first, for a store that fails must not hide an illness."""
        self._unsaved[account_id] = standing
        self._spread(account_id, standing, verdict)
        await self.save_standings()

    def _spread(self, account_id: str, standing: Standing, verdict: Verdict | None = None) -> None:
        """Take a new standing in, wherever the account is known."""
        known = self._known.get(account_id)
        if known is not None:
            self._known[account_id] = replace(known, standing=standing)
        for session in self._sessions.get(account_id, ()):
            session.account = replace(session.account, standing=standing)
        for observer in tuple(self._observers):
            observer.standing_changed(account_id, standing, verdict)

    async def save_standings(self) -> None:
        """Save every standing that is not saved yet; what fails is tried again with the next one."""
        for account_id, standing in list(self._unsaved.items()):
            try:
                async with asyncio.timeout(STORE_PATIENCE):
                    read = await self.source.account(account_id)
                    overruled = self._overruled(read, standing)
                    if not overruled:
                        await self.source.set_standing(account_id, standing)
            except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
                logger.warning("the state of %s is not saved yet: %s", account_id, error)
                return
            if self._unsaved.get(account_id) is standing:
                del self._unsaved[account_id]
                if overruled:
                    self._take_in(read)

    def _overruled(self, read: Account, standing: Standing) -> bool:
        """Whether a person has said something meanwhile that counts for more than what X answered."""
        if read.id in self._unsaved_cookies:
            return False
        known = self._known.get(read.id)
        fresh = known is not None and not _same_login(known, read)
        return read.standing.state is AccountState.DISABLED or (
            fresh and standing.state is AccountState.STALE
        )

    async def rotated(self, account: Account, cookies: Cookies) -> None:
        """X has rotated a session's cookies: save them, unless a person has given a new log-in meanwhile."""
        known = self._known.get(account.id)
        if known is not None and _same_login(known, account):
            self._known[account.id] = known.with_cookies(cookies)
            self._unsaved_cookies.add(account.id)
        if _same_login(await self.source.account(account.id), account):
            await self.source.save_cookies(account.id, cookies)
        self._unsaved_cookies.discard(account.id)

    async def give_cookies(self, account_id: str, cookies: Mapping[str, str]) -> None:
        """Use the account with these cookies from now on, and keep them. A new log-in heals a stale account.

        Raises:
            AccountNotFound: the source does not know the account.
            InvalidAccount: the log-in cookie is not among them.
        """
        known = self._known.get(account_id) or await self.source.account(account_id)
        credentials = replace(known.credentials, cookies=Cookies(cookies), expires=None)
        fresh = replace(known, credentials=credentials)
        self._unsaved_cookies.add(account_id)
        self._take_in(fresh)
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                await self.source.save_cookies(account_id, fresh.credentials.cookies)
            self._unsaved_cookies.discard(account_id)
        except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
            logger.warning("the cookies given to %s are not saved yet: %s", account_id, error)
        await self.save_standings()


def _same_login(one: Account, other: Account) -> bool:
    return one.credentials.cookies.get(LOGIN_COOKIE) == other.credentials.cookies.get(LOGIN_COOKIE)
