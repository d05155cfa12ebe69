"""Rate windows of one account: what the server says is left, kept on our own monotonic clock.

A window is known by the server's reset time. Within one, `remaining` only falls, whatever order the
answers arrive in. Its length is `reset - Date`, both the server's, so a wrong clock on this machine
changes nothing. A 429 without headers says only "not now": the wait doubles from a minute up to a window.

Calls in flight count as if they were used: X may have counted them, and only their answers can tell. To an
endpoint whose window is not known, one call at a time is sent. So calls used and calls in flight never
exceed a budget that is known, however many sessions of the account send at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import Clock
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME, USER_STATE

if TYPE_CHECKING:
    from twikit_pool.sessions.responses import RawResponse

WINDOW: Final = 900.0
"""Seconds of X's rate windows."""
FIRST_BACKOFF: Final = 60.0
"""Seconds to wait after a first refusal that does not say how long."""
ROUNDING: Final = 1.0
"""Seconds added to a window's end: the server announces it in whole seconds."""
STRAGGLING: Final = 30.0
"""Seconds in which a request that was given up may yet reach X, and so be missing in what X says is left."""

HANDSHAKE: Final = frozenset({HOME, HANDSHAKE_SCRIPT, USER_STATE})
"""What twikit asks for itself. X tells no windows of these."""


@dataclass(slots=True)
class Window:
    """One rate-limit period of one (account, endpoint); `ends` is on the monotonic clock."""

    limit: int | None
    remaining: int
    reset: int | None
    ends: float


@dataclass(slots=True)
class _Ledger:
    """What is known of one endpoint. `silent`: X answers it well and tells no window."""

    silent: bool
    window: Window | None = None
    in_flight: int = 0
    refusals: int = 0
    given_up: tuple[float, ...] = ()
    """When requests were given up, the latest `STRAGGLING` seconds of them."""

    def running(self, now: float) -> Window | None:
        """The window, if it has not ended."""
        window = self.window
        return window if window is not None and window.ends > now else None

    def opens(self, now: float) -> float:
        """When a call may be sent, on the monotonic clock: `-inf` when it may be, `inf` when none can say."""
        window = self.window
        if window is not None and window.ends > now:
            return window.ends if window.remaining <= self.in_flight else -inf
        return inf if self.in_flight and not self.silent else -inf

    def shut_for(self, now: float) -> float:
        """Seconds until the end of a window that is used up, calls in flight aside; 0 if none is."""
        window = self.running(now)
        return window.ends - now if window is not None and window.remaining <= 0 else 0.0

    def stragglers(self, now: float) -> tuple[float, ...]:
        """When those requests were given up that X may not have counted yet."""
        if self.given_up:
            self.given_up = tuple(at for at in self.given_up if now - at < STRAGGLING)
        return self.given_up


class RateWindows:
    """The windows of one account, by endpoint.

    Each request is announced with `sent` and ends with exactly one of `note`, `lost` and `unsent`.

    Args:
        clock: the time.
        rng: chance, for jitter.
        changed: told an endpoint in the step in which `wait` for it becomes zero, ceases to be zero, or comes
            to end at another time; not when time alone changes it. It may ask `wait`, and must not raise.
    """

    __slots__ = ("_changed", "_clock", "_ledgers", "_rng")

    def __init__(
        self, clock: Clock, rng: random.Random, changed: Callable[[str], None] | None = None
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._ledgers: dict[str, _Ledger] = {}

    def wait(self, endpoint: str) -> float:
        """Seconds until a call to this endpoint may be sent; 0 when it may be now.

        `math.inf` when only the answer to a call under way can tell. An answer may end any wait early.
        """
        ledger = self._ledgers.get(endpoint)
        if ledger is None:
            return 0.0
        now = self._clock.monotonic()
        return max(ledger.opens(now) - now, 0.0)

    def known(self) -> dict[str, Window]:
        """The windows that run now, by endpoint."""
        now = self._clock.monotonic()
        running = ((endpoint, ledger.running(now)) for endpoint, ledger in self._ledgers.items())
        return {endpoint: window for endpoint, window in running if window is not None}

    def in_flight(self, endpoint: str) -> int:
        """How many requests to this endpoint were sent and have not ended."""
        ledger = self._ledgers.get(endpoint)
        return 0 if ledger is None else ledger.in_flight

    # ------------------------------------------------------------ a request's life

    def sent(self, endpoint: str) -> None:
        """A request leaves."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.opens(now)
        ledger.in_flight += 1
        self._tell(endpoint, ledger, before, now)

    def note(self, response: RawResponse, *, given_up: bool = False) -> None:
        """A request was answered: take in what that says about its endpoint's window.

        `given_up` says that it had ended with `lost` already and is not in flight any more.
        """
        endpoint = response.endpoint
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.opens(now)
        if not given_up and ledger.in_flight:
            ledger.in_flight -= 1
        refused = response.status == 429 or response.code == 88
        if response.reset is not None and response.remaining is not None:
            self._follow(ledger, response, response.reset, 0 if refused else response.remaining, now)
        elif not refused:
            self._untold(ledger, response, now, used=not given_up)
        if refused:
            self._refused(ledger, now, told=response.reset is not None)
        else:
            ledger.refusals = 0
        self._tell(endpoint, ledger, before, now)

    def lost(self, endpoint: str) -> None:
        """A request ended without an answer: X may have counted it, now or in a moment, so it is used."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.opens(now)
        ledger.in_flight = max(0, ledger.in_flight - 1)
        ledger.given_up = (*ledger.stragglers(now), now)
        self._use_one(ledger, now)
        self._tell(endpoint, ledger, before, now)

    def unsent(self, endpoint: str) -> None:
        """A request never left after all: there was no connection to send it on."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.opens(now)
        ledger.in_flight = max(0, ledger.in_flight - 1)
        self._tell(endpoint, ledger, before, now)

    def rest(self, endpoint: str, seconds: float) -> None:
        """Close an endpoint for this long, whatever its headers say."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.opens(now)
        self._rest(ledger, now, seconds)
        self._tell(endpoint, ledger, before, now)

    # ------------------------------------------------------------ within

    def _ledger(self, endpoint: str) -> _Ledger:
        ledger = self._ledgers.get(endpoint)
        if ledger is None:
            ledger = self._ledgers[endpoint] = _Ledger(silent=endpoint in HANDSHAKE)
        return ledger

    def _tell(self, endpoint: str, ledger: _Ledger, before: float, now: float) -> None:
        if self._changed is not None and ledger.opens(now) != before:
            self._changed(endpoint)

    def _follow(self, ledger: _Ledger, response: RawResponse, reset: int, remaining: int, now: float) -> None:
        """Take in what an answer's headers say."""
        remaining = max(0, remaining - len(ledger.stragglers(now)))
        window = ledger.running(now)
        if window is not None:
            if window.reset is None:  # resting for a reason that headers do not know
                return
            if reset < window.reset:  # an answer of an earlier window, late
                return
            if reset == window.reset:
                window.remaining = min(window.remaining, remaining)
                return
        server_now = response.date if response.date is not None else self._clock.now().timestamp()
        length = min(max(reset - server_now, 0.0), WINDOW) + ROUNDING
        ledger.silent = False
        ledger.window = Window(limit=response.limit, remaining=remaining, reset=reset, ends=now + length)

    def _untold(self, ledger: _Ledger, response: RawResponse, now: float, *, used: bool) -> None:
        """Take in an answer that says nothing about a window: X may have counted the call all the same."""
        if ledger.running(now) is not None:
            if used:
                self._use_one(ledger, now)
        elif response.status < 400 and response.readable and not response.errors:
            ledger.silent = True

    def _refused(self, ledger: _Ledger, now: float, *, told: bool) -> None:
        ledger.refusals += 1
        shut = ledger.shut_for(now)
        if not told or (ledger.refusals > 1 and shut < FIRST_BACKOFF):
            # No word on how long, or a word that did not hold: asking again soon would be pressing.
            most = min(WINDOW, FIRST_BACKOFF * 2.0 ** (ledger.refusals - 1))
            self._rest(ledger, now, most * self._rng.uniform(0.5, 1.0))
        elif shut < ROUNDING:
            self._rest(ledger, now, ROUNDING)

    def _rest(self, ledger: _Ledger, now: float, seconds: float) -> None:
        ends = now + seconds
        window = ledger.window
        if window is None or window.remaining > 0 or window.ends < ends:
            ledger.silent = False
            ledger.window = Window(limit=None, remaining=0, reset=None, ends=ends)

    def _use_one(self, ledger: _Ledger, now: float) -> None:
        window = ledger.running(now)
        if window is not None:
            window.remaining = max(0, window.remaining - 1)
