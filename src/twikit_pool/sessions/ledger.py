"""The ledger of one (account, endpoint): X's window and the caps, one upon the other; the tightest holds.

A window is known by the server's reset time. Within one, `remaining` only falls, whatever order the
answers arrive in. Its length is `reset - Date`, both the server's, so a wrong clock on this machine changes
nothing. A 429 without headers says only "not now": the wait doubles from a minute up to a window.
"""

from __future__ import annotations

import random
from math import inf
from typing import TYPE_CHECKING, Final

from twikit_pool.sessions.budgets import STRAGGLING, RollingCap, Window
from twikit_pool.sessions.limits import KNOWN_LIMITS, WINDOW, Limit
from twikit_pool.sessions.prospects import Prospect, Supply
from twikit_pool.sessions.saved_ledger import SavedEndpoint, SavedWindow

if TYPE_CHECKING:
    from twikit_pool.sessions.responses import RawResponse

FIRST_BACKOFF: Final = 60.0
"""Seconds to wait after a first refusal that does not say how long."""
ROUNDING: Final = 1.0
"""Seconds added to a window's end: the server announces it in whole seconds."""


class Ledger:
    """What is known of one endpoint. `now` is always the time on the monotonic clock.

    Attributes:
        caps: the caps that its calls count against; some of them another endpoint's too.
        silent: X answers it well and tells no window.
        window: the window that was told last; it may have ended.
        learned: the limit that was told last.
        in_flight: requests that were sent and have not ended.
        refusals: refusals in a row.
    """

    __slots__ = (
        "_given_up",
        "_known",
        "caps",
        "in_flight",
        "learned",
        "refusals",
        "silent",
        "window",
    )

    def __init__(self, endpoint: str, *, silent: bool) -> None:
        self.caps: tuple[RollingCap, ...] = ()
        self.silent = silent
        self.window: Window | None = None
        self.learned: Limit | None = None
        self.in_flight = 0
        self.refusals = 0
        self._known = KNOWN_LIMITS.get(endpoint)
        self._given_up: tuple[float, ...] = ()

    @property
    def limit(self) -> Limit | None:
        """What X allows: as it told last, else as it is reported."""
        return self.learned or self._known

    # ------------------------------------------------------------ what may be sent

    def running(self, now: float) -> Window | None:
        """The window, if it has not ended."""
        window = self.window
        return window if window is not None and window.ends > now else None

    def opens(self, now: float, keep: float = 0.0) -> float:
        """When a call may be sent; at most `now` when it may be, `inf` when none can say or it never may."""
        window = self.running(now)
        if window is None:
            opens = inf if self.in_flight and not self.silent else -inf
        elif window.remembered and self.in_flight and window.remaining > 0:
            opens = inf
        else:
            opens = window.opens(self.in_flight, keep)
        for cap in self.caps:
            opens = max(opens, cap.opens(now, keep))
        return opens

    def left(self, now: float) -> int | None:
        """Calls that may be sent now; None when nothing limits them."""
        window = self.running(now)
        lefts = [cap.left(now) for cap in self.caps]
        if window is not None and not window.remembered:
            lefts.append(max(0, window.remaining - self.in_flight))
        elif not self.silent:
            lefts.append(int(self.opens(now) <= now))
        return min(lefts, default=None)

    def spent(self, now: float) -> tuple[float, float]:
        """The share of the budget that is spent most, and until when; `inf` when nothing is."""
        most = max((cap.spent(now) for cap in self.caps), default=(0.0, inf))
        window = self.running(now)
        if window is not None and window.limit:
            used = window.limit - window.remaining + self.in_flight
            most = max(most, (used / window.limit, window.ends))
        return most

    def state(self, now: float) -> tuple[object, ...]:
        """Something that is another value whenever `opens`, with any `keep`, is another moment."""
        window = self.running(now)
        for cap in self.caps:
            cap.roll(now)
        used = [cap.used for cap in self.caps]
        if window is None:
            return (self.in_flight > 0 and not self.silent, *used)
        probed = window.remembered and self.in_flight > 0
        return (window.ends, window.remaining - self.in_flight, window.limit, probed, *used)

    def prospect(self, now: float) -> Prospect:
        """What may be sent, now and later."""
        supplies = [_of_cap(cap, now) for cap in self.caps]
        if (of_x := self._supply_of_x(now)) is not None:
            supplies.append(of_x)
        return Prospect(
            left=self.left(now),
            limit=self.limit,
            opens_in=max(self.opens(now) - now, 0.0),
            returns_in=self._returns(now) - now,
            supplies=tuple(supplies),
        )

    def _returns(self, now: float) -> float:
        """When the tightest budget has calls back."""
        budgets = [
            (cap.left(now), min((leaves for leaves, _ in cap.slices(now)), default=inf)) for cap in self.caps
        ]
        if (window := self.running(now)) is not None:
            budgets.append((max(0, window.remaining - self.in_flight), window.ends))
        return min(budgets, key=lambda each: (each[0], -each[1]), default=(0, inf))[1]

    def _supply_of_x(self, now: float) -> Supply | None:
        window, limit = self.running(now), self.limit
        if window is None and (limit is None or self.silent):
            return None
        calls = inf if limit is None else float(limit.calls)
        period = (WINDOW if limit is None else limit.seconds) + ROUNDING
        rest = calls if window is None else window.remaining
        ends = period if window is None else window.ends - now
        return Supply(max(rest - self.in_flight, 0.0), ((ends, calls),), period, calls)

    # ------------------------------------------------------------ a request's life

    def send(self, now: float) -> None:
        """A request leaves."""
        self.in_flight += 1
        for cap in self.caps:
            cap.count(now)

    def answer(
        self, response: RawResponse, now: float, date: float, rng: random.Random, *, given_up: bool
    ) -> None:
        """Take in what an answer says; `date` is the server's time, in epoch seconds."""
        if not given_up:
            self._end_one()
        refused = response.status == 429 or response.code == 88
        if response.reset is not None and response.remaining is not None:
            remaining = 0 if refused else response.remaining
            self._follow(response.limit, remaining, response.reset, response.reset - date, now)
        elif not refused:
            self._untold(response, now, used=not given_up)
        if refused:
            self._refuse(now, rng, told=response.reset is not None)
        else:
            self.refusals = 0

    def lose(self, now: float) -> None:
        """A request ended without an answer: X may have counted it, now or in a moment, so it is used."""
        self._end_one()
        self._given_up = (*self._stragglers(now), now)
        self._use_one(now)

    def unsend(self, now: float) -> None:
        """A request never left after all."""
        self._end_one()
        for cap in self.caps:
            cap.give_back(now)

    def rest(self, now: float, seconds: float, reason: str) -> None:
        """Close it for so long, unless it is closed for longer."""
        ends = now + seconds
        window = self.window
        if window is None or window.remaining > 0 or window.ends < ends:
            self.silent = False
            limit = None if self.limit is None else self.limit.calls
            self.window = Window(limit, 0, None, ends, seconds, reason=reason)

    # ------------------------------------------------------------ over a restart

    def saved(self, now: float, wall: float, margin: int) -> SavedEndpoint | None:
        """What is worth keeping; None when nothing is."""
        window = self.running(now)
        if window is None and self.learned is None and not self.refusals:
            return None
        kept = None
        if window is not None:
            kept = SavedWindow(
                limit=window.limit,
                remaining=max(0, window.remaining - self.in_flight - margin),
                reset=window.reset,
                ends=window.ends - now + wall,
                length=window.length,
                told=window.told,
                reason=window.reason,
            )
        return SavedEndpoint(limit=self.learned, window=kept, refusals=self.refusals)

    def restore(self, saved: SavedEndpoint, now: float, wall: float) -> None:
        """Go on from what was kept. What has ended by the wall clock's time is forgotten."""
        self.learned, self.refusals = saved.limit, saved.refusals
        kept = saved.window
        if kept is not None and kept.ends > wall:
            # The clock may have jumped: nothing is closed for longer than it can have been.
            rest = min(kept.ends - wall, kept.length)
            self.silent = False
            self.window = Window(
                kept.limit,
                kept.remaining,
                kept.reset,
                now + rest,
                kept.length,
                told=kept.told,
                remembered=kept.reset is not None,
                reason=kept.reason,
            )

    # ------------------------------------------------------------ within

    def _end_one(self) -> None:
        self.in_flight = max(0, self.in_flight - 1)

    def _stragglers(self, now: float) -> tuple[float, ...]:
        """When those requests were given up that X may not have counted yet."""
        if self._given_up:
            self._given_up = tuple(at for at in self._given_up if now - at < STRAGGLING)
        return self._given_up

    def _follow(self, limit: int | None, remaining: int, reset: int, seconds: float, now: float) -> None:
        """Take in what an answer's headers say; `seconds` are those until its window's end."""
        straggling = len(self._stragglers(now))
        window = self.running(now)
        if window is not None:
            if window.reset is None:  # resting for a reason that headers do not know
                return
            if reset < window.reset and not window.remembered:  # an answer of an earlier window, late
                return
            if reset == window.reset and not window.remembered:
                window.told_anew(limit, remaining, straggling)
                self._learn(window.limit, self.learned.seconds if self.learned is not None else WINDOW)
                return
        self.silent = False
        seconds = min(max(seconds, 0.0), WINDOW)
        length = self._length(limit, remaining, seconds)
        self._learn(limit, length)
        self.window = Window(
            limit,
            max(0, remaining - straggling),
            reset,
            now + seconds + ROUNDING,
            length + ROUNDING,
            told=0 if limit is None else limit - remaining,
        )

    def _length(self, limit: int | None, remaining: int, seconds: float) -> float:
        """How long a window is of which so many seconds are left, by its first answer."""
        if limit is not None and remaining == limit - 1:  # the answer to its very first call
            return seconds
        return WINDOW if self.learned is None else max(self.learned.seconds, seconds)

    def _learn(self, calls: int | None, seconds: float) -> None:
        if calls is not None:
            self.learned = Limit(calls, seconds)

    def _untold(self, response: RawResponse, now: float, *, used: bool) -> None:
        """Take in an answer that says nothing about a window: X may have counted the call all the same."""
        if self.running(now) is not None:
            if used:
                self._use_one(now)
        elif response.status < 400 and response.readable and not response.errors:
            self.silent = True

    def _refuse(self, now: float, rng: random.Random, *, told: bool) -> None:
        self.refusals += 1
        window = self.running(now)
        shut = window.ends - now if window is not None and window.remaining <= 0 else 0.0
        if not told or (self.refusals > 1 and shut < FIRST_BACKOFF):
            # No word on how long, or a word that did not hold: asking again soon would be pressing.
            doublings = min(self.refusals - 1, 16)  # more exceed a window, and in the end a float
            most = min(WINDOW, FIRST_BACKOFF * 2.0**doublings)
            self.rest(now, most * rng.uniform(0.5, 1.0), "X refused it and did not say for how long")
        elif shut < ROUNDING:
            self.rest(now, ROUNDING, "")

    def _use_one(self, now: float) -> None:
        window = self.running(now)
        if window is not None:
            window.remaining = max(0, window.remaining - 1)


def _of_cap(cap: RollingCap, now: float) -> Supply:
    """What a cap will allow. What was sent past it must leave before anything comes back."""
    slices = cap.slices(now)
    free = cap.cap.calls - cap.used
    debt = max(0, -free)
    returning: list[tuple[float, float]] = [(0.0, max(0, free))]
    for leaves, calls in slices:
        paid = min(debt, calls)
        debt -= paid
        returning.append((leaves - now, calls - paid))
    return Supply(0, tuple(returning), cap.cap.seconds, cap.cap.calls)
