"""A live, authenticated client of one account."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from twikit_pool.accounts.model import Account
from twikit_pool.clock import Clock
from twikit_pool.errors import PoolClosed, PoolError
from twikit_pool.redaction import Cookies, without_frames
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.backend import Link, SessionBackend
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.outcomes import NO_CONNECTION, CallFailed, Outcome, Taken, Verdict, judge
from twikit_pool.sessions.parking import LASTING_COOKIES, Parked, lasting
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME, RawResponse
from twikit_pool.sessions.traffic import Traffic
from twikit_pool.sessions.windows import HANDSHAKE, RateWindows

T = TypeVar("T")
SaveCookies = Callable[[Account, Cookies], Awaitable[None]]
NoteLogin = Callable[[str], None]
OnSend = Callable[[], None]
Gate = Callable[[], None]

HANDSHAKE_AGE: Final = 600.0
"""Seconds after which a 404 may mean that X has changed its transaction keys, not its operations."""

STORE_PATIENCE: Final = 5.0
"""Seconds that a call waits for the source to keep what it learned."""

CLOSING_PATIENCE: Final = 2 * STORE_PATIENCE
"""Seconds that closing waits for a call it has cut short; that call may yet save its cookies."""

CHECKED: Final = "account/settings"
"""The endpoint that tells whether X accepts an account, for the price of one cheap call."""

ILL_OR_STALE: Final = (Outcome.ACCOUNT_ILL, Outcome.SESSION_STALE)

logger = logging.getLogger(__name__)


class _Attempt:
    """What one call sent and saw.

    Attributes:
        deadline: cuts the call short, while it runs.
        begun: requests that count and were about to leave, stopped ones included.
        sent: those of them that left.
        stopped: what the gate raised, if it stopped a request.
        shut: the verdict, if the rate window was found shut when the request that counts was to leave.
    """

    __slots__ = ("begun", "deadline", "endpoint", "on_send", "responses", "sent", "shut", "stopped")

    def __init__(self, endpoint: str | None, on_send: OnSend | None) -> None:
        self.endpoint = endpoint
        self.on_send = on_send
        self.responses: list[RawResponse] = []
        self.deadline: asyncio.Timeout | None = None
        self.begun = 0
        self.sent = 0
        self.stopped: PoolError | None = None
        self.shut: Verdict | None = None

    def counts(self, endpoint: str) -> bool:
        """Whether a request to this endpoint is the one that counts, or one of them."""
        return endpoint not in HANDSHAKE if self.endpoint is None else endpoint == self.endpoint

    def verdict(self, error: Exception | None) -> Verdict:
        """What it came to. That a later request was stopped says nothing of those that had left before."""
        if self.shut is not None and not self.sent:
            return self.shut
        return judge(error, self.responses, sent=self.begun if self.sent else 0)


class TwikitSession:
    """One account's client. Calls on it run one after another.

    A call that is cancelled or times out leaves the HTTP client dirty: httpcore may hold a dead
    connection for it, and the next caller could read the last one's answer. Such a client is closed and
    replaced before it is used again; cookies and handshake stay.

    Every request of the client, made in a call or past it, is accounted for in the account's rate windows:
    it is answered, or given up when the call ends, the client is replaced or the session is closed.

    Opening one is cheap and sends nothing: the handshake happens with the first call.

    Attributes:
        account: the account, with the cookies and the standing that are known of it.
        windows: the account's rate windows, shared by all its sessions.
        gate: called just before each request leaves; what it raises stops the request.
        closed: whether it may not be used any more.
        superseded: whether the account has another log-in meanwhile.
        trusted: whether the account's next session may begin with this one's handshake. X's answers may speak
            against it; so may whoever finds that it serves badly.
        traffic: what its requests and answers took on the wire, also through clients that were replaced.
    """

    __slots__ = (
        "_attempt",
        "_clock",
        "_handshake_at",
        "_link",
        "_lock",
        "_note_login",
        "_running",
        "_save_cookies",
        "_unanswered",
        "_unfinished",
        "account",
        "closed",
        "gate",
        "superseded",
        "traffic",
        "trusted",
        "windows",
    )

    def __init__(
        self,
        account: Account,
        backend: SessionBackend,
        *,
        windows: RateWindows,
        clock: Clock,
        save_cookies: SaveCookies,
        note_login: NoteLogin,
    ) -> None:
        self.account = account
        self.windows = windows
        self.closed = False
        self.superseded = False
        self.trusted = True
        self.gate: Gate | None = None
        self._clock = clock
        self._save_cookies = save_cookies
        self._note_login = note_login
        self._attempt: _Attempt | None = None
        self._handshake_at = clock.monotonic()
        self._lock = asyncio.Lock()
        self._running = False
        self._unanswered: list[str] = []
        """The endpoints of requests in flight, as the rate windows count them."""
        self._unfinished = 0
        """The link's own count, kept here because the pool asks with every release."""
        self._link: Link = backend.open(account)
        self._link.on_request = self._about_to_send
        self._link.on_response = self._seen
        self.traffic = self._link.traffic = Traffic()

    @property
    def client(self) -> Any:
        """The backend's own client, for whatever the named actions lack."""
        return self._link.client

    @property
    def link(self) -> Link:
        """The client and its wire, to look at."""
        return self._link

    @property
    def dirty(self) -> bool:
        """Whether a request was left unfinished, so that the HTTP client must be replaced."""
        return self._link.unfinished > 0

    @property
    def unsettled(self) -> bool:
        """Whether the client may not be handed on yet: a call runs on it, or did not end."""
        return self._running or self._unfinished > 0

    async def execute(
        self, action: Action, *, timeout: float, files: Sequence[Media] = (), on_send: OnSend | None = None
    ) -> Any:
        """Carry an action out and return its record.

        Args:
            action: what to do, with checked parameters.
            timeout: the overall deadline in seconds, handshake included.
            files: the media the action carries, already read.
            on_send: called just before the request that counts leaves: the last moment at which nothing
                has happened on X yet. What it raises stops the request.

        Raises:
            CallFailed: the call did not succeed; its verdict says why and whether X took it.
            PoolClosed: the session is closed.
            PoolError: whatever the gate raises, when it stopped the call before the request that counts left.
        """
        return await self.call(
            action.name,
            lambda: self._link.perform(action, files),
            endpoint=action.spends,
            timeout=timeout,
            on_send=on_send,
        )

    async def check(self, *, timeout: float) -> None:
        """Prove that the account is logged in, with one cheap call; raises as `execute` does."""
        await self.call("check", self._link.check, endpoint=CHECKED, timeout=timeout)

    async def call(
        self,
        name: str,
        perform: Callable[[], Awaitable[T]],
        *,
        endpoint: str | None,
        timeout: float,
        on_send: OnSend | None = None,
    ) -> T:
        """Run any use of the client under the session's care; arguments and errors as in `execute`.

        Without an `endpoint`, every request but the handshake's counts as the one.
        """
        async with self._lock:
            self._running = True
            try:
                self._give_up()
                shut = self._shut_window(endpoint)
                if shut is not None:
                    raise CallFailed(self.account.id, name, shut)
                verdict, result, error = await self._once(perform, _Attempt(endpoint, on_send), timeout)
                if self._worth_repeating(verdict):
                    with suppress(PoolError):  # the gate shut or the session closed: the first verdict stands
                        verdict, result, error = await self._once(
                            perform, _Attempt(endpoint, on_send), timeout
                        )
                self._link.trim()
                if self._link.cookies_changed:
                    await self._keep_cookies()
            finally:
                self._running = False
        if verdict.outcome is Outcome.OK:
            return result
        if verdict.renew_handshake or verdict.outcome in ILL_OR_STALE:
            self.trusted = False
        raise CallFailed(self.account.id, name, verdict) from error

    async def _once(
        self, perform: Callable[[], Awaitable[T]], attempt: _Attempt, timeout: float
    ) -> tuple[Verdict, Any, Exception | None]:
        self._refuse_when_closed()
        if self.dirty:
            await self._renew_link()
            self._refuse_when_closed()  # it may have been closed meanwhile
        self._attempt = attempt
        result: T | None = None
        error: Exception | None = None
        try:
            async with asyncio.timeout(timeout) as attempt.deadline:
                result = await perform()
        except asyncio.CancelledError as cut:
            without_frames(cut)
            raise
        except Exception as raised:  # noqa: BLE001 - a boundary: twikit raises anything, and judge() reads it
            error = without_frames(raised)  # they hold cookies in their locals
        finally:
            self._attempt = None
            self._give_up(error)
        if attempt.stopped is not None and not attempt.sent:
            raise without_frames(attempt.stopped)
        verdict = attempt.verdict(error)
        if self.closed and isinstance(error, TimeoutError):
            verdict = replace(verdict, reason="the session was closed while the call ran")
        if self.superseded and verdict.outcome is Outcome.SESSION_STALE:
            # The account is not to blame: it has another log-in already, and so has its next session.
            verdict = replace(verdict, outcome=Outcome.TRANSIENT, bench=None)
        return verdict, result, error

    def _shut_window(self, endpoint: str | None) -> Verdict | None:
        """The verdict of a call that X must refuse, so that it is not sent; None when it may be."""
        if endpoint is not None and self.windows.wait(endpoint) > 0:
            return self._shut(endpoint)
        if self._link.handshake_due and self.windows.wait(HOME) > 0:
            return self._shut(HOME)
        return None

    def _shut(self, endpoint: str) -> Verdict:
        reason = f"{self.windows.why_shut(endpoint)}; nothing was sent"
        return Verdict(outcome=Outcome.RATE_LIMITED, reason=reason, endpoint=endpoint, taken=Taken.NO)

    def _worth_repeating(self, verdict: Verdict) -> bool:
        """Whether the same call may work at once: X took nothing, and what was wrong is mended."""
        if verdict.taken is not Taken.NO:
            return False
        if verdict.code == 353:
            return self._link.cookies_changed  # X sent the csrf cookie it wants
        if verdict.renew_handshake and self._clock.monotonic() - self._handshake_at > HANDSHAKE_AGE:
            self._link.renew_handshake()
            self._handshake_at = self._clock.monotonic()
            return True
        return False

    def _about_to_send(self, endpoint: str) -> None:
        attempt = self._attempt
        counts = attempt is not None and attempt.counts(endpoint)
        if attempt is not None and counts:
            attempt.begun += 1
        if self.gate is not None:
            try:
                self.gate()
            except PoolError as stop:
                if attempt is not None:
                    attempt.stopped = stop
                raise
        if attempt is not None and counts:
            if not attempt.sent and endpoint == attempt.endpoint and self.windows.wait(endpoint) > 0:
                # Another session of the account has sent what was left since this call began.
                attempt.shut = self._shut(endpoint)
                raise CallFailed(self.account.id, endpoint, attempt.shut)
            if attempt.on_send is not None:
                attempt.on_send()
            attempt.sent += 1
        self._unanswered.append(endpoint)
        self._unfinished += 1
        self.windows.sent(endpoint)

    def _seen(self, response: RawResponse) -> None:
        in_flight = response.endpoint in self._unanswered
        if in_flight:
            self._unanswered.remove(response.endpoint)
        self._unfinished = self._link.unfinished
        if response.endpoint == HANDSHAKE_SCRIPT:
            self._handshake_at = self._clock.monotonic()
        elif response.endpoint == HOME:
            self._note_login(self.account.id)
        if self._attempt is not None:
            self._attempt.responses.append(response)
        self.windows.note(response, given_up=not in_flight)

    def _give_up(self, error: Exception | None = None) -> None:
        """Settle with the rate windows what was sent and will not be answered, `error` being why."""
        if self._unanswered:
            unanswered, self._unanswered = self._unanswered, []
            settle = self.windows.lost
            if len(unanswered) == 1 and isinstance(error, NO_CONNECTION):
                settle = self.windows.unsent
            for endpoint in unanswered:
                settle(endpoint)

    async def _keep_cookies(self) -> None:
        """Save rotated cookies. A store that fails or hangs fails no call; the next one tries again."""
        cookies = self._link.cookies()
        known = self.account.credentials.cookies
        if any(cookies.get(name) != known.get(name) for name in LASTING_COOKIES):
            try:
                async with asyncio.timeout(STORE_PATIENCE):
                    await self._save_cookies(self.account, cookies)
            except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
                logger.warning("new cookies of %s are not saved yet: %s", self.account.id, error)
                return
            self.account = self.account.with_cookies(cookies)
        self._link.cookies_changed = False

    def park(self) -> Parked | None:
        """What the account's next session can begin with; None without a handshake that can be trusted."""
        try:
            kept = self._link.park() if self.trusted else None
            cookies = lasting(self._link.cookies()) if kept is not None else Cookies()
        except Exception as error:  # noqa: BLE001 - a boundary: the client library; closing must go on
            name = type(without_frames(error)).__name__
            logger.warning("what a session of %s leaves is not kept: %s", self.account.id, name)
            return None
        if kept is None:
            return None
        return Parked(account=self.account, cookies=cookies, handshake_at=self._handshake_at, kept=kept)

    def unpark(self, parked: Parked) -> None:
        """Begin with what another session of the account left; before the first call."""
        self._link.unpark(parked.kept)
        self._handshake_at = parked.handshake_at

    async def renew(self) -> None:
        """Replace a dirty HTTP client, so that the next caller need not wait for it."""
        async with self._lock:
            self._running = True
            try:
                if self.dirty and not self.closed:
                    await self._renew_link()
            finally:
                self._running = False

    def _refuse_when_closed(self) -> None:
        if self.closed:
            raise PoolClosed(f"the session of {self.account.id} is closed")

    async def _renew_link(self) -> None:
        self._give_up()
        try:
            await self._link.renew()
        finally:
            self._unfinished = self._link.unfinished

    async def aclose(self) -> None:
        """Save what is not saved and close the client. Calling it twice is harmless.

        A call that runs is cut short first: a request that is still connecting when its client is closed
        would leave its socket behind.
        """
        try:
            if not self.closed and self._link.cookies_changed:
                await self._keep_cookies()
        finally:
            self.closed = True
            self._give_up()
            try:
                await self._call_to_end()
            finally:
                await self._link.aclose()

    async def _call_to_end(self) -> None:
        deadline = self._attempt.deadline if self._attempt is not None else None
        if deadline is not None and not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time())
        with suppress(TimeoutError):  # what does not let itself be cut short is left to fail on its own
            async with asyncio.timeout(CLOSING_PATIENCE), self._lock:
                pass
