"""A live, authenticated client of one account."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from twikit_pool.accounts.model import Account
from twikit_pool.clock import Clock
from twikit_pool.errors import PoolClosed
from twikit_pool.redaction import Cookies, without_frames
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.backend import Link, SessionBackend
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict, judge
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME, USER_STATE, RawResponse
from twikit_pool.sessions.windows import RateWindows

T = TypeVar("T")
SaveCookies = Callable[[Account, Cookies], Awaitable[None]]
OnSend = Callable[[], None]

HANDSHAKE_AGE: Final = 600.0
"""Seconds after which a 404 may mean that X has changed its transaction keys, not its operations."""

STORE_PATIENCE: Final = 5.0
"""Seconds that a call waits for the source to keep what it learned."""

LASTING_COOKIES: Final = frozenset({"auth_token", "ct0", "kdt", "twid"})
"""The cookies worth keeping; the others (`__cf_bm`, `guest_id`, …) change with nearly every answer."""

_HANDSHAKE: Final = frozenset({HOME, HANDSHAKE_SCRIPT, USER_STATE})

logger = logging.getLogger(__name__)


class _Attempt:
    """What one call sent and saw."""

    __slots__ = ("endpoint", "on_send", "responses", "sent")

    def __init__(self, endpoint: str | None, on_send: OnSend | None) -> None:
        self.endpoint = endpoint
        self.on_send = on_send
        self.responses: list[RawResponse] = []
        self.sent = 0

    def begin(self, endpoint: str) -> None:
        """A request is about to leave; the caller is told when it is the one that counts."""
        counts = endpoint not in _HANDSHAKE if self.endpoint is None else endpoint == self.endpoint
        if counts:
            if self.on_send is not None:
                self.on_send()
            self.sent += 1


class TwikitSession:
    """One account's client. Calls on it run one after another.

    A call that is cancelled or times out leaves the HTTP client dirty: httpcore may hold a dead
    connection for it, and the next caller could read the last one's answer. Such a client is closed and
    replaced before it is used again; cookies and handshake stay.

    Opening one is cheap and sends nothing: the handshake happens with the first call.
    """

    __slots__ = (
        "_attempt",
        "_clock",
        "_handshake_at",
        "_link",
        "_lock",
        "_save_cookies",
        "account",
        "closed",
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
    ) -> None:
        self.account = account
        self.windows = windows
        self.closed = False
        self._clock = clock
        self._save_cookies = save_cookies
        self._attempt: _Attempt | None = None
        self._handshake_at = clock.monotonic()
        self._lock = asyncio.Lock()
        self._link: Link = backend.open(account)
        self._link.on_request = self._about_to_send
        self._link.on_response = self._seen

    @property
    def client(self) -> Any:
        """The backend's own client, for whatever the named actions lack."""
        return self._link.client

    @property
    def dirty(self) -> bool:
        """Whether a request was left unfinished, so that the HTTP client must be replaced."""
        return self._link.unfinished > 0

    @property
    def unsettled(self) -> bool:
        """Whether the client may not be handed on yet: a call runs on it, or did not end."""
        return self.dirty or self._lock.locked()

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
        await self.call("check", self._link.check, endpoint="account/settings", timeout=timeout)

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
            closed = self._closed_window(endpoint)
            if closed is not None:
                raise CallFailed(self.account.id, name, closed)
            verdict, result, error = await self._once(perform, _Attempt(endpoint, on_send), timeout)
            if self._worth_repeating(verdict):
                verdict, result, error = await self._once(perform, _Attempt(endpoint, on_send), timeout)
            self._link.trim()
            if self._link.cookies_changed:
                await self._keep_cookies()
        if verdict.outcome is Outcome.OK:
            return result
        raise CallFailed(self.account.id, name, verdict) from error

    async def _once(
        self, perform: Callable[[], Awaitable[T]], attempt: _Attempt, timeout: float
    ) -> tuple[Verdict, Any, Exception | None]:
        if self.closed:
            raise PoolClosed(f"the session of {self.account.id} is closed")
        if self.dirty:
            await self._link.renew()
        self._attempt = attempt
        result: T | None = None
        error: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                result = await perform()
        except asyncio.CancelledError as cut:
            without_frames(cut)
            raise
        except Exception as raised:  # noqa: BLE001 - a boundary: twikit raises anything, and judge() reads it
            error = without_frames(raised)  # they hold cookies in their locals
        finally:
            self._attempt = None
        return judge(error, attempt.responses, sent=attempt.sent), result, error

    def _closed_window(self, endpoint: str | None) -> Verdict | None:
        """The verdict of a call that X must refuse, so that it is not sent; None when it may be."""
        needed = [endpoint] if endpoint is not None else []
        if self._link.handshake_due:
            needed.append(HOME)
        for each in needed:
            wait = self.windows.wait(each)
            if wait > 0:
                reason = f"the rate window opens in {wait:.0f} s; nothing was sent"
                return Verdict(outcome=Outcome.RATE_LIMITED, reason=reason, endpoint=each, taken=Taken.NO)
        return None

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
        if self._attempt is not None:
            self._attempt.begin(endpoint)

    def _seen(self, response: RawResponse) -> None:
        self.windows.note(response)
        if response.endpoint == HANDSHAKE_SCRIPT:
            self._handshake_at = self._clock.monotonic()
        if self._attempt is not None:
            self._attempt.responses.append(response)

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

    async def renew(self) -> None:
        """Replace a dirty HTTP client, so that the next caller need not wait for it."""
        async with self._lock:
            if self.dirty and not self.closed:
                await self._link.renew()

    async def aclose(self) -> None:
        """Save what is not saved and close the client. Calling it twice is harmless."""
        try:
            if not self.closed and self._link.cookies_changed:
                await self._keep_cookies()
        finally:
            self.closed = True
            await self._link.aclose()
