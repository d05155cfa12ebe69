"""Rate windows of one account: what the server says is left, kept on our own monotonic clock.

A window is known by the server's reset time. Within one, `remaining` only falls, whatever order the
answers arrive in. Its length is `reset - Date`, both the server's, so a wrong clock on this machine
changes nothing. A 429 without headers says only "not now": the wait doubles from a minute up to a window.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import Clock

if TYPE_CHECKING:
    from twikit_pool.sessions.responses import RawResponse

WINDOW: Final = 900.0
"""Seconds of X's rate windows."""
FIRST_BACKOFF: Final = 60.0
"""Seconds to wait after a first refusal that does not say how long."""
ROUNDING: Final = 1.0
"""Seconds added to a window's end: the server announces it in whole seconds."""


@dataclass(slots=True)
class Window:
    """One rate-limit period of one (account, endpoint); `ends` is on the monotonic clock."""

    limit: int | None
    remaining: int
    reset: int | None
    ends: float


class RateWindows:
    """The windows of one account, by endpoint. An endpoint without a window is open."""

    __slots__ = ("_clock", "_refusals", "_rng", "_windows")

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._windows: dict[str, Window] = {}
        self._refusals: dict[str, int] = {}

    def wait(self, endpoint: str) -> float:
        """Seconds until a call to this endpoint may be sent; 0 when it may be now."""
        window = self._windows.get(endpoint)
        if window is None:
            return 0.0
        left = window.ends - self._clock.monotonic()
        if left <= 0:
            del self._windows[endpoint]
            return 0.0
        return left if window.remaining <= 0 else 0.0

    def known(self) -> dict[str, Window]:
        """The windows that run now, by endpoint."""
        now = self._clock.monotonic()
        return {endpoint: window for endpoint, window in self._windows.items() if window.ends > now}

    def note(self, response: RawResponse) -> None:
        """Take in what an answer says about its endpoint's window."""
        endpoint = response.endpoint
        refused = response.status == 429 or response.code == 88
        if response.reset is not None and response.remaining is not None:
            self._follow(response, response.reset, 0 if refused else response.remaining)
        if not refused:
            self._refusals.pop(endpoint, None)
            return
        refusals = self._refusals[endpoint] = self._refusals.get(endpoint, 0) + 1
        if response.reset is None or (refusals > 1 and self.wait(endpoint) < FIRST_BACKOFF):
            # No word on how long, or a word that did not hold: asking again soon would be pressing.
            most = min(WINDOW, FIRST_BACKOFF * 2.0 ** (refusals - 1))
            self.rest(endpoint, most * self._rng.uniform(0.5, 1.0))
        elif self.wait(endpoint) < ROUNDING:
            self.rest(endpoint, ROUNDING)

    def rest(self, endpoint: str, seconds: float) -> None:
        """Close an endpoint for this long, whatever its headers say."""
        ends = self._clock.monotonic() + seconds
        window = self._windows.get(endpoint)
        if window is None or window.remaining > 0 or window.ends < ends:
            self._windows[endpoint] = Window(limit=None, remaining=0, reset=None, ends=ends)

    def _follow(self, response: RawResponse, reset: int, remaining: int) -> None:
        now = self._clock.monotonic()
        window = self._windows.get(response.endpoint)
        if window is not None and window.ends > now:
            if window.reset is None:  # resting for a reason that headers do not know
                return
            if reset < window.reset:  # an answer of an earlier window, late
                return
            if reset == window.reset:
                window.remaining = min(window.remaining, remaining)
                return
        server_now = response.date if response.date is not None else self._clock.now().timestamp()
        length = min(max(reset - server_now, 0.0), WINDOW) + ROUNDING
        self._windows[response.endpoint] = Window(
            limit=response.limit, remaining=remaining, reset=reset, ends=now + length
        )
