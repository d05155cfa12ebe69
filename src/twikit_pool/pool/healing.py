"""Accounts that get well again: the operator's fresh cookies, and a cheap question to X from time to time.

Where the operator has a way of his own to fetch cookies, the hook `on_stale` is asked once for each time that
an account turns stale.

An account that is stale, locked or suspended is a patient. X is asked about it with one cheap call after
`ill_check_interval` seconds, and after twice as long each time that X still refuses it, up to a day. An
answer that says nothing about the account (X is down, say) changes nothing. A few are asked about at a time,
and none while the pool does not serve everyone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.model import LOGIN_COOKIE, NEED_A_PERSON, AccountState, Credentials
from twikit_pool.clock import Clock
from twikit_pool.errors import AccountError, PoolClosed, TwikitPoolError
from twikit_pool.pool.hooks import HookFailed, PoolHooks, run_hook

if TYPE_CHECKING:
    import random

    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.member import Member
    from twikit_pool.sessions.manager import TwikitSessionManager
    from twikit_pool.sessions.session import TwikitSession

AT_ONCE: Final = 5
"""Patients that X is asked about at a time."""

LONGEST: Final = 86400.0
"""Seconds between two questions about the same patient, at most."""

JITTER: Final = (0.75, 1.25)
"""Shares of the wait between which each is drawn, so that those who fell ill together are spread."""

logger = logging.getLogger(__name__)


class Patient:
    """An account that is stale, locked or suspended.

    Attributes:
        wait: seconds until the next question about it, jitter aside.
        deadline: when that comes; None while it is asked, or stands in line for it.
    """

    __slots__ = ("deadline", "member", "wait")

    def __init__(self, member: Member, wait: float) -> None:
        self.member = member
        self.wait = wait
        self.deadline: Deadline | None = None


class Healing:
    """Looks after a pool's ill accounts, from its opening to its shutdown.

    Args:
        own: `own(coroutine)` runs it as a task of the pool.
        serving: whether the pool serves everyone now.
        end_session: `end_session(account_id, session)` closes a session.
    """

    def __init__(
        self,
        matching: Matching,
        sessions: TwikitSessionManager,
        hooks: PoolHooks,
        *,
        clock: Clock,
        rng: random.Random,
        own: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        serving: Callable[[], bool],
        end_session: Callable[[str, TwikitSession], Coroutine[Any, Any, None]],
    ) -> None:
        self._matching = matching
        self._sessions = sessions
        self._hooks = hooks
        self._clock = clock
        self._rng = rng
        self._own = own
        self._serving = serving
        self._end_session = end_session
        self._patients: dict[str, Patient] = {}
        self._line: dict[Patient, None] = {}
        """Those whose time has come, in order, while enough are being asked about."""
        self._asking: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._interval: float | None = None
        self._closed = False

    def heed_settings(self) -> None:
        """The pool has been opened, or its settings have changed."""
        interval = self._matching.config.ill_check_interval
        if interval == self._interval:
            return
        self._interval = interval
        for patient in self._patients.values():
            patient.wait = interval or LONGEST
            self._ask_later(patient)

    def close(self) -> None:
        """Stop all of it, what is under way included."""
        self._closed = True
        for patient in list(self._patients.values()):
            self._forget(patient)
        for task in self._tasks:
            task.cancel()

    @property
    def deadlines(self) -> int:
        """How many deadlines it has set, to look at."""
        return sum(each.deadline is not None for each in self._patients.values())

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._own(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------ fresh cookies

    async def _ask_operator(self, member: Member) -> None:
        """Let the hook `on_stale` give fresh cookies."""
        try:
            given = await run_hook(
                "on_stale", self._hooks.on_stale, member.account, self._matching.config.connection_timeout
            )
            if given is None or member.standing.state is not AccountState.STALE:
                return
            fresh = given.cookies if isinstance(given, Credentials) else cookie_files.checked(dict(given))
            if fresh.get(LOGIN_COOKIE) == member.account.credentials.cookies[LOGIN_COOKIE]:
                logger.warning("on_stale gave %s the log-in that X has refused: nothing changed", member.id)
                return
            await self._sessions.give_cookies(member.id, fresh)
        except (HookFailed, AccountError) as error:
            logger.warning("%s has got no fresh cookies: %s", member.id, error)
        except (TypeError, ValueError) as error:
            logger.warning("on_stale gave %s no cookies by name (%s)", member.id, type(error).__name__)

    # ------------------------------------------------------------ ill accounts

    def heard(self, member: Member, before: AccountState | None) -> None:
        """An account was taken in, or is in another state than `before`."""
        state = member.standing.state
        patient = self._patients.get(member.id)
        if state not in NEED_A_PERSON:
            if patient is not None:
                self._forget(patient)
            return
        if state is AccountState.STALE is not before and self._hooks.on_stale is not None:
            self._start(self._ask_operator(member))
        if patient is None or patient.member is not member:
            if patient is not None:
                self._forget(patient)
            patient = Patient(member, self._matching.config.ill_check_interval or LONGEST)
            self._patients[member.id] = patient
            self._ask_later(patient)

    def _forget(self, patient: Patient) -> None:
        del self._patients[patient.member.id]
        self._ask_no_more(patient)

    def _ask_no_more(self, patient: Patient) -> None:
        self._line.pop(patient, None)
        if patient.deadline is not None:
            patient.deadline.cancel()
            patient.deadline = None

    def _ask_later(self, patient: Patient) -> None:
        self._ask_no_more(patient)
        if self._matching.config.ill_check_interval is not None and not self._closed:
            when = self._clock.monotonic() + patient.wait * self._rng.uniform(*JITTER)
            patient.deadline = self._matching.deadlines.add(when, partial(self._ask_now, patient))

    def _ask_now(self, patient: Patient) -> None:
        patient.deadline = None
        if self._matching.members.get(patient.member.id) is not patient.member:
            self._forget(patient)
        elif not self._serving():
            self._ask_later(patient)
        else:
            self._line[patient] = None
            self._ask_next()

    def _ask_next(self) -> None:
        while self._line and len(self._asking) < AT_ONCE:
            patient = next(iter(self._line))
            del self._line[patient]
            task = self._start(self._ask(patient))
            self._asking.add(task)
            task.add_done_callback(partial(self._asked, patient))

    def _asked(self, patient: Patient, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if self._patients.get(patient.member.id) is patient and patient.deadline is None:
            self._ask_later(patient)
        self._ask_next()

    async def _ask(self, patient: Patient) -> None:
        """Ask X whether it accepts an account again; if so, the session manager tells everyone."""
        member, timeout = patient.member, self._matching.config.health_check_timeout
        try:
            session = self._sessions.open_account(member.account)
            session.gate = self._may_send
            try:
                standing = await self._sessions.check_with(session, timeout=timeout)
            finally:
                self._own(self._end_session(member.id, session))  # to its end, though this is cancelled
            if standing.state in NEED_A_PERSON:
                patient.wait = min(patient.wait * 2, LONGEST)
        except TwikitPoolError as error:  # X could not be asked, or has not spoken of the account
            logger.debug("%s is still ill as far as anyone knows: %s", member.id, error)
        except Exception as error:  # noqa: BLE001 - a boundary: the client library
            logger.warning("%s could not be checked: %s", member.id, type(error).__name__)

    def _may_send(self) -> None:
        if not self._serving():
            raise PoolClosed("the pool does not serve everyone now: an ill account is asked about later")
