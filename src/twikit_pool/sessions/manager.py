"""Sessions by account: opened when needed, kept, checked and closed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from twikit_pool.accounts.model import Account, AccountState, Standing
from twikit_pool.accounts.source import AccountSource
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import AccountUnavailable
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.backend import SessionBackend
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict
from twikit_pool.sessions.session import TwikitSession
from twikit_pool.sessions.windows import RateWindows

CALL_TIMEOUT: Final = 30.0
"""Seconds a call may take, everything included, when nothing else is said."""


class TwikitSessionManager:
    """The sessions of all accounts of a source; works with or without a pool above it.

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
        self._sessions: dict[str, TwikitSession] = {}
        self._windows: dict[str, RateWindows] = {}
        self._stale: dict[str, set[str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def accounts(self) -> Sequence[Account]:
        """Every account of the source, in any state."""
        return await self.source.accounts()

    async def open(self, account_id: str) -> TwikitSession:
        """The account's session, opened if it is not. Nothing is sent until its first call.

        Raises:
            AccountNotFound: the source does not know the account.
        """
        session = self._sessions.get(account_id)
        if session is None:
            account = await self.source.account(account_id)
            session = self._sessions.get(account_id) or self.open_account(account)
        return session

    def open_account(self, account: Account) -> TwikitSession:
        """A session for an account that is at hand; replaces nothing that is open."""
        session = self._sessions.get(account.id)
        if session is None:
            session = self._sessions[account.id] = TwikitSession(
                account,
                self._backend,
                windows=self.windows(account.id),
                clock=self.clock,
                save_cookies=self.source.save_cookies,
            )
        return session

    def windows(self, account_id: str) -> RateWindows:
        """The account's rate windows; they outlive its sessions."""
        windows = self._windows.get(account_id)
        if windows is None:
            windows = self._windows[account_id] = RateWindows(self.clock, self._rng)
        return windows

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
        return await self._stand(session, Standing(since=self.clock.now(), reason="checked and well"))

    async def settle(self, account_id: str, verdict: Verdict) -> Standing | None:
        """Carry a verdict's consequences out; returns the account's new standing if it has one."""
        session = await self.open(account_id)
        if verdict.cool_seconds and verdict.endpoint:
            session.windows.rest(verdict.endpoint, verdict.cool_seconds)
        if verdict.outcome is Outcome.LIBRARY_STALE and verdict.endpoint:
            self._stale.setdefault(verdict.endpoint, set()).add(account_id)
        if verdict.bench is None:
            return None
        now = self.clock.now()
        until = now + timedelta(seconds=verdict.bench_seconds) if verdict.bench_seconds else None
        reason = f"{verdict.reason} ({verdict.evidence})" if verdict.evidence else verdict.reason
        return await self._stand(
            session,
            Standing(state=verdict.bench, reason=reason, since=now, until=until),
        )

    def went_well(self, endpoint: str) -> None:
        """An endpoint answered as it should: the library is not out of date for it."""
        self._stale.pop(endpoint, None)

    def out_of_date(self) -> Mapping[str, int]:
        """Endpoints that X refused to know, with the number of accounts it did so to.

        On one account alone it may be that account's session; on two or more the client library is out
        of date for this operation.
        """
        return {endpoint: len(accounts) for endpoint, accounts in self._stale.items()}

    async def _stand(self, session: TwikitSession, standing: Standing) -> Standing:
        """Keep a new standing, in the session first: a store that fails must not hide an illness."""
        session.account = replace(session.account, standing=standing)
        await self.source.set_standing(session.account.id, standing)
        return standing

    async def close(self, account_id: str) -> None:
        """Close the account's session if it is open; its windows stay known."""
        session = self._sessions.pop(account_id, None)
        if session is not None:
            await session.aclose()

    async def aclose(self) -> None:
        """Close every session. The source stays open: it belongs to whoever made it."""
        for account_id in list(self._sessions):
            await self.close(account_id)
