"""Sessions by account: opened when needed, kept, checked and closed."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from twikit_pool.accounts.caps import Cap, GivenCaps
from twikit_pool.accounts.model import NEED_A_PERSON, Account, AccountState, Standing
from twikit_pool.accounts.source import AccountSource, Revisioned
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import AccountUnavailable
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.backend import SessionBackend
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.known_accounts import KnownAccounts, SessionObserver
from twikit_pool.sessions.ledger_book import LedgerBook
from twikit_pool.sessions.limits import DEFAULT_CAPS, caps_by_endpoint, caps_of_account
from twikit_pool.sessions.logins import Logins
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict
from twikit_pool.sessions.parking import Parking
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME
from twikit_pool.sessions.session import TwikitSession
from twikit_pool.sessions.windows import HANDSHAKE, RateWindows

logger = logging.getLogger(__name__)

CALL_TIMEOUT: Final = 30.0
"""Seconds a call may take, everything included, when nothing else is said."""


class TwikitSessionManager:
    """The sessions of all accounts of a source; works with or without a pool above it.

    An account may have several sessions. They share its rate windows and its standing; what is learned of an
    account stays known when they are closed, and so does the handshake of a session that was well: it is
    parked, and the account's next session begins with it.

    Args:
        source: where the accounts are, and where what changes about them is kept.
        backend: the client library; twikit by default.
        clock: the time.
        rng: chance, for jitter.
        caps: most calls of each account in a period, by endpoint or action: `{"post_tweet": "20/day"}`. They
            replace those of `DEFAULT_CAPS` for the same endpoint (`"none"` lifts them), and an account's own
            replace them.
        parked_sessions: handshakes of closed sessions that are kept at most, of all accounts, some 10 KB
            each; the longest parked make room. 0 parks none.
        parked_for: seconds for which a handshake is used again. X changes its keys every few days; where it
            has done so earlier, they are fetched anew by themselves.

    Attributes:
        logins: how often the accounts have logged in.

    Raises:
        ConfigError: a cap is not understood, or one of the last two is below 0.
        UnknownAction: a cap is for an action that there is not.
    """

    def __init__(
        self,
        source: AccountSource,
        *,
        backend: SessionBackend | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        caps: Mapping[str, GivenCaps] | None = None,
        parked_sessions: int = 10_000,
        parked_for: float = 86_400.0,
    ) -> None:
        self._caps = caps_by_endpoint(DEFAULT_CAPS, caps or {})
        self.clock = clock
        self._backend = backend or TwikitBackend()
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, guards nothing
        self._sessions: dict[str, list[TwikitSession]] = {}
        self._windows: dict[str, RateWindows] = {}
        self._out_of_date: dict[str, set[str]] = {}
        """The accounts to which X refused to know an endpoint."""
        self._observers: list[SessionObserver] = []
        self._known = KnownAccounts(
            source, clock=clock, sessions=self._sessions, observers=self._observers, caps_changed=self._recap
        )
        self._ledgers = LedgerBook(source, self._windows, self._sessions)
        self._parking = Parking(parked_sessions, parked_for, clock)
        self.logins = Logins(clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def source(self) -> AccountSource:
        """Where the accounts are. Another that is put here is looked at next; ledgers stay with the first."""
        return self._known.source

    @source.setter
    def source(self, source: AccountSource) -> None:
        self._known.source = source

    def watch(self, observer: SessionObserver) -> None:
        """Tell this observer what is learned, from now on."""
        self._observers.append(observer)

    def unwatch(self, observer: SessionObserver) -> None:
        """Tell it no more. Harmless for one that is not told anyway."""
        if observer in self._observers:
            self._observers.remove(observer)

    async def accounts(self) -> Sequence[Account]:
        """Every account of the source, in any state, with what is known here and not there yet."""
        await self._ledgers.load()
        return await self._known.read_all()

    async def revision(self) -> object | None:
        """Something that is another than before when the source has changed; None if it cannot tell."""
        return await self.source.revision() if isinstance(self.source, Revisioned) else None

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
            await self._ledgers.load()
            account = await self._known.read(account_id)
            session = self._first(account_id) or self.open_account(account)
        return session

    def open_account(self, account: Account) -> TwikitSession:
        """A new session of an account, as it is known here; as it is given only when it is not known yet.

        It begins with the handshake of one that was closed, if there is one that still holds.
        """
        known = self._known.meet(account)
        session = TwikitSession(
            known,
            self._backend,
            windows=self.windows(account.id),
            clock=self.clock,
            save_cookies=self._known.rotated,
            note_login=self._logged_in,
        )
        parked = self._parking.take(known)
        if parked is not None:
            session.unpark(parked)
        self._sessions.setdefault(account.id, []).append(session)
        return session

    def _first(self, account_id: str) -> TwikitSession | None:
        sessions = self._sessions.get(account_id, ())
        return next((each for each in sessions if not (each.closed or each.superseded)), None)

    def windows(self, account_id: str) -> RateWindows:
        """The account's rate windows; they outlive its sessions."""
        windows = self._windows.get(account_id)
        if windows is None:
            changed = partial(self._window_changed, account_id)
            caps = self._caps_of(account_id)
            windows = self._windows[account_id] = RateWindows(self.clock, self._rng, changed, caps)
            self._ledgers.restore(account_id)
        return windows

    def _recap(self, account_id: str) -> None:
        """An account has other caps of its own."""
        if account_id in self._windows:
            self._windows[account_id].cap(self._caps_of(account_id))

    def _caps_of(self, account_id: str) -> Mapping[str, tuple[Cap, ...]]:
        account = self._known.get(account_id)
        if account is None or not account.caps:
            return self._caps
        caps, wrong = caps_of_account(self._caps, account.caps)
        for each in wrong:
            logger.warning("one of the caps of %s does not hold, the others do: %s", account_id, each)
        return caps

    def _window_changed(self, account_id: str, endpoint: str) -> None:
        if endpoint not in HANDSHAKE:  # of which X tells no windows
            self._ledgers.note(account_id)
        for observer in tuple(self._observers):
            observer.window_changed(account_id, endpoint)

    def _logged_in(self, account_id: str) -> None:
        self.logins.note(account_id)
        for observer in tuple(self._observers):
            observer.logged_in(account_id, self.logins.today(account_id))

    @property
    def parked(self) -> int:
        """How many handshakes of closed sessions are kept."""
        return len(self._parking)

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
            raise AccountUnavailable(f"{account_id} is {standing}")
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
        return await self.check_with(await self.open(account_id), timeout=timeout)

    async def check_with(self, session: TwikitSession, *, timeout: float = CALL_TIMEOUT) -> Standing:
        """The same, with a session of the account; raises also what its gate raises."""
        account_id = session.account.id
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
        await self._known.stand(account_id, standing)
        return standing

    async def settle(self, account_id: str, verdict: Verdict) -> Standing | None:
        """Carry a verdict's consequences out; returns the account's new standing if it has one."""
        if verdict.cool_seconds and verdict.endpoint:
            self.windows(account_id).rest(verdict.endpoint, verdict.cool_seconds, verdict.reason)
        if verdict.outcome is Outcome.LIBRARY_STALE and verdict.endpoint:
            self._out_of_date.setdefault(verdict.endpoint, set()).add(account_id)
        if verdict.bench is None:
            return None
        known = self._known.get(account_id)
        if known is not None and (
            known.standing.state is AccountState.DISABLED
            or known.standing.state is verdict.bench in NEED_A_PERSON
        ):
            return known.standing  # a person's word counts for more, and the first evidence too
        now = self.clock.now()
        until = now + timedelta(seconds=verdict.bench_seconds) if verdict.bench_seconds else None
        standing = Standing(
            state=verdict.bench, reason=verdict.reason, since=now, until=until, evidence=verdict.evidence
        )
        await self._known.stand(account_id, standing, verdict)
        return standing

    async def give_cookies(self, account_id: str, cookies: Mapping[str, str]) -> None:
        """Use the account with these cookies from now on, and keep them. A new log-in heals a stale account.

        Raises:
            AccountNotFound: the source does not know the account.
            InvalidAccount: the log-in cookie is not among them.
        """
        await self._known.give_cookies(account_id, cookies)

    def went_well(self, endpoint: str) -> None:
        """An endpoint answered as it should: the library is not out of date for it."""
        for each in (endpoint, HOME, HANDSHAKE_SCRIPT):
            self._out_of_date.pop(each, None)

    def out_of_date(self) -> Mapping[str, int]:
        """Endpoints that X refused to know, with the number of accounts it did so to.

        On one account alone it may be that account's session; on two or more the client library is out
        of date for this operation.
        """
        return {endpoint: len(accounts) for endpoint, accounts in self._out_of_date.items()}

    def forget(self, session: TwikitSession) -> None:
        """Give this session to nobody any more; whoever has it is to close it.

        Its handshake is parked in this step, so that one that is opened in its place can begin with it,
        unless the account is ill or has another log-in. After one that is not `trusted` it begins anew.
        """
        account_id = session.account.id
        opened = self._sessions.get(account_id, ())
        if session not in opened:
            return
        left = [each for each in opened if each is not session]
        if left:
            self._sessions[account_id] = left
        else:
            del self._sessions[account_id]
        if not session.trusted:
            self._parking.drop(account_id)
        known, parked = self._known.get(account_id), session.park()
        if parked and known and parked.agrees(known) and known.standing.usable(self.clock.now()):
            self._parking.add(parked)

    async def close_session(self, session: TwikitSession) -> None:
        """Close this session and no other. Calling it twice is harmless."""
        self.forget(session)
        await session.aclose()

    async def close(self, account_id: str) -> None:
        """Close all sessions of an account; what was learned of it and its windows stay known."""
        for session in tuple(self._sessions.get(account_id, ())):
            await self.close_session(session)

    async def aclose(self) -> None:
        """Close every session and keep what was learned. The source stays open: its maker closes it.

        What is parked is let go.
        """
        self._parking.close()
        await self._known.save_standings()
        for account_id in list(self._sessions):
            await self.close(account_id)
        await self._ledgers.aclose()
