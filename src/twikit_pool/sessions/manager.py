"""Sessions by account: opened when needed, kept, checked and closed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Final, Protocol, Self

from twikit_pool.accounts.model import LOGIN_COOKIE, Account, AccountState, Standing
from twikit_pool.accounts.source import AccountSource
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import AccountUnavailable
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.backend import SessionBackend
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME
from twikit_pool.sessions.session import STORE_PATIENCE, TwikitSession
from twikit_pool.sessions.windows import RateWindows

logger = logging.getLogger(__name__)

CALL_TIMEOUT: Final = 30.0
"""Seconds a call may take, everything included, when nothing else is said."""


class SessionObserver(Protocol):
    """Who is told what the manager learns, in the very step in which it does. Its methods must not raise."""

    def standing_changed(self, account_id: str, standing: Standing) -> None:
        """The account has this standing now; the source may not have kept it yet."""
        ...

    def window_changed(self, account_id: str, endpoint: str) -> None:
        """`windows(account_id).wait(endpoint)` has changed, by more than the passing of time."""
        ...


class TwikitSessionManager:
    """The sessions of all accounts of a source; works with or without a pool above it.

    An account may have several sessions. They share its rate windows and its standing; what is learned of an
    account stays known when they are closed.

    Args:
        source: where the accounts are, and where what changes about them is kept.
        backend: the client library; twikit by default.
        clock: the time.
        rng: chance, for jitter.
    """

    def __init__(
        self,
        source: AccountSource,
        *,
        backend: SessionBackend | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self.source = source
        self.clock = clock
        self._backend = backend or TwikitBackend()
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, guards nothing
        self._sessions: dict[str, list[TwikitSession]] = {}
        self._known: dict[str, Account] = {}
        self._windows: dict[str, RateWindows] = {}
        self._stale: dict[str, set[str]] = {}
        self._unsaved: dict[str, Standing] = {}
        self._unsaved_cookies: set[str] = set()
        self._observers: list[SessionObserver] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def watch(self, observer: SessionObserver) -> None:
        """Tell this observer what is learned, from now on."""
        self._observers.append(observer)

    def unwatch(self, observer: SessionObserver) -> None:
        """Tell it no more. Harmless for one that is not told anyway."""
        if observer in self._observers:
            self._observers.remove(observer)

    async def accounts(self) -> Sequence[Account]:
        """Every account of the source, in any state, with what is known here and not there yet."""
        before = {each: self._as_saved(each) for each in self._known}
        return [self._learn(read, before.get(read.id)) for read in await self.source.accounts()]

    def known(self, account_id: str) -> Account | None:
        """The latest of an account: cookies as X last set them, standing as last heard.

        None before its first session and the first look at the source.
        """
        return self._known.get(account_id)

    async def open(self, account_id: str) -> TwikitSession:
        """The account's first open session, or a new one. Nothing is sent until its first call.

        Raises:
            AccountNotFound: the source does not know the account.
        """
        session = self._first(account_id)
        if session is None:
            before = self._as_saved(account_id)
            account = self._learn(await self.source.account(account_id), before)
            session = self._first(account_id) or self.open_account(account)
        return session

    def open_account(self, account: Account) -> TwikitSession:
        """A new session of an account, as it is known here; as it is given only when it is not known yet."""
        session = TwikitSession(
            self._known.setdefault(account.id, account),
            self._backend,
            windows=self.windows(account.id),
            clock=self.clock,
            save_cookies=self._save_cookies,
        )
        self._sessions.setdefault(account.id, []).append(session)
        return session

    def _first(self, account_id: str) -> TwikitSession | None:
        return next((each for each in self._sessions.get(account_id, ()) if not each.closed), None)

    def windows(self, account_id: str) -> RateWindows:
        """The account's rate windows; they outlive its sessions."""
        windows = self._windows.get(account_id)
        if windows is None:
            changed = partial(self._window_changed, account_id)
            windows = self._windows[account_id] = RateWindows(self.clock, self._rng, changed)
        return windows

    def _window_changed(self, account_id: str, endpoint: str) -> None:
        for observer in tuple(self._observers):
            observer.window_changed(account_id, endpoint)

    async def execute_action(
        self,
        account_id: str,
        action: str | Action,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = CALL_TIMEOUT,
    ) -> Any:
        """Do one thing as one account, without any pool.

        Args:
            account_id: who does it.
            action: a name of the table and its `parameters`, or an action made from them.
            parameters: the action's parameters, when it is named.
            timeout: seconds for the whole call.

        Returns:
            The action's record.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            AccountNotFound, AccountUnavailable: the account is unknown or may not be used.
            CallFailed: X did not do it; the verdict says why.
        """
        checked = action if isinstance(action, Action) else parse_action(action, parameters or {})
        session = await self.open(account_id)
        standing = session.account.standing
        if not standing.usable(self.clock.now()):
            raise AccountUnavailable(
                f"{account_id} is {standing.state}: {standing.reason or 'no reason was given'}"
            )
        files = await attachments(checked)
        try:
            result = await session.execute(checked, timeout=timeout, files=files)
        except CallFailed as failure:
            await self.settle(account_id, failure.verdict)
            raise
        self.went_well(checked.spends)
        return result

    async def check(self, account_id: str, *, timeout: float = CALL_TIMEOUT) -> Standing:
        """Ask X whether it accepts the account, and keep what it says.

        Raises:
            CallFailed: X could not be asked, or its answer says nothing about the account.
        """
        session = await self.open(account_id)
        try:
            await session.check(timeout=timeout)
        except CallFailed as failure:
            standing = await self.settle(account_id, failure.verdict)
            if standing is None:
                raise
            return standing
        if session.account.standing.state in (AccountState.ACTIVE, AccountState.DISABLED):
            return session.account.standing
        standing = Standing(since=self.clock.now(), reason="checked and well")
        await self._stand(account_id, standing)
        return standing

    async def settle(self, account_id: str, verdict: Verdict) -> Standing | None:
        """Carry a verdict's consequences out; returns the account's new standing if it has one."""
        if verdict.cool_seconds and verdict.endpoint:
            self.windows(account_id).rest(verdict.endpoint, verdict.cool_seconds)
        if verdict.outcome is Outcome.LIBRARY_STALE and verdict.endpoint:
            self._stale.setdefault(verdict.endpoint, set()).add(account_id)
        if verdict.bench is None:
            return None
        now = self.clock.now()
        until = now + timedelta(seconds=verdict.bench_seconds) if verdict.bench_seconds else None
        reason = f"{verdict.reason} ({verdict.evidence})" if verdict.evidence else verdict.reason
        standing = Standing(state=verdict.bench, reason=reason, since=now, until=until)
        await self._stand(account_id, standing)
        return standing

    def went_well(self, endpoint: str) -> None:
        """An endpoint answered as it should: the library is not out of date for it."""
        for each in (endpoint, HOME, HANDSHAKE_SCRIPT):
            self._stale.pop(each, None)

    def out_of_date(self) -> Mapping[str, int]:
        """Endpoints that X refused to know, with the number of accounts it did so to.

        On one account alone it may be that account's session; on two or more the client library is out
        of date for this operation.
        """
        return {endpoint: len(accounts) for endpoint, accounts in self._stale.items()}

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
        self._known[read.id] = read
        if known is not None and known.standing != read.standing:
            self._spread(read.id, read.standing)
        return read

    def _spread(self, account_id: str, standing: Standing) -> None:
        """Take a new standing in, wherever the account is known."""
        known = self._known.get(account_id)
        if known is not None:
            self._known[account_id] = replace(known, standing=standing)
        for session in self._sessions.get(account_id, ()):
            session.account = replace(session.account, standing=standing)
        for observer in tuple(self._observers):
            observer.standing_changed(account_id, standing)

    async def _stand(self, account_id: str, standing: Standing) -> None:
        """Keep a new standing: here first, for a store that fails must not hide an illness."""
        self._unsaved[account_id] = standing
        self._spread(account_id, standing)
        await self._save_standings()

    async def _save_standings(self) -> None:
        """Save every standing that is not saved yet; what fails is tried again with the next one."""
        for account_id, standing in list(self._unsaved.items()):
            try:
                async with asyncio.timeout(STORE_PATIENCE):
                    await self.source.set_standing(account_id, standing)
            except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
                logger.warning("the state of %s is not saved yet: %s", account_id, error)
                return
            if self._unsaved.get(account_id) is standing:
                del self._unsaved[account_id]

    async def _save_cookies(self, account: Account, cookies: Cookies) -> None:
        """Save rotated cookies, unless a person has given the account a new log-in meanwhile."""
        known = self._known.get(account.id)
        if known is not None and _same_login(known, account):
            self._known[account.id] = known.with_cookies(cookies)
            self._unsaved_cookies.add(account.id)
        if _same_login(await self.source.account(account.id), account):
            await self.source.save_cookies(account.id, cookies)
        else:
            logger.warning("%s has new cookies in its source; restart to use them", account.id)
        self._unsaved_cookies.discard(account.id)

    def forget(self, session: TwikitSession) -> None:
        """Give this session to nobody any more; whoever has it is to close it."""
        account_id = session.account.id
        left = [each for each in self._sessions.get(account_id, ()) if each is not session]
        if left:
            self._sessions[account_id] = left
        else:
            self._sessions.pop(account_id, None)

    async def close_session(self, session: TwikitSession) -> None:
        """Close this session and no other. Calling it twice is harmless."""
        self.forget(session)
        await session.aclose()

    async def close(self, account_id: str) -> None:
        """Close all sessions of an account; what was learned of it and its windows stay known."""
        for session in tuple(self._sessions.get(account_id, ())):
            await self.close_session(session)

    async def aclose(self) -> None:
        """Close every session. The source stays open: it belongs to whoever made it."""
        await self._save_standings()
        for account_id in list(self._sessions):
            await self.close(account_id)


def _same_login(one: Account, other: Account) -> bool:
    return one.credentials.cookies.get(LOGIN_COOKIE) == other.credentials.cookies.get(LOGIN_COOKIE)
