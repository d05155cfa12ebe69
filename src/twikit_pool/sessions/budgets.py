"""The two kinds of budget that an endpoint's calls are taken from: X's window, and a cap.

X's window is fixed: it begins with a call and ends at a time that X tells. A cap counts the calls of a
period that rolls on, as X itself counts posts, by half hours of a day; what leaves the period may be
called again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor, inf
from typing import Final

from twikit_pool.accounts.caps import Cap

STRAGGLING: Final = 30.0
"""Seconds in which a request that was given up may yet reach X, and so be missing in what X says is left."""

SLICES: Final = 48
"""Slices of a cap's period that are told apart, which bounds the memory; X has half hours of a day."""


@dataclass(slots=True)
class Window:
    """One rate-limit period of one (account, endpoint).

    Attributes:
        limit: calls that X allows in it; None where it has not told.
        remaining: those of them that are left, calls in flight not taken off.
        reset: X's epoch second that names it; None when the endpoint rests for a reason that headers do
            not know.
        ends: on the monotonic clock.
        length: seconds from its beginning to its end.
        told: the most calls that X has said were used in it.
        remembered: from before a restart; the first answer tells what is really left.
        reason: why the endpoint rests, in words for a person.
    """

    limit: int | None
    remaining: int
    reset: int | None
    ends: float
    length: float
    told: int = 0
    remembered: bool = False
    reason: str = ""

    def opens(self, in_flight: int, keep: float) -> float:
        """When a call may be sent, on the monotonic clock, that leaves the share `keep` to others.

        What is kept back melts with the window, so that at its end nothing of it is lost: while the
        share s of its length is left, `floor(limit * keep * s)` calls are kept.
        """
        left = self.remaining - in_flight
        if left <= 0:
            return self.ends
        kept = (self.limit or 0) * keep
        return self.ends - self.length * left / kept if kept else -inf

    def told_anew(self, limit: int | None, remaining: int, straggling: int) -> None:
        """X has told of this very window again; its answers may come in any order.

        How many calls it says were used puts them in order, even when the limit changes in between. So what
        remains only falls, unless the newest answer knows of a higher limit.
        """
        left = max(0, remaining - straggling)
        if limit is None:
            self.remaining = min(self.remaining, left)
            return
        used = limit - remaining
        if used < self.told and remaining:  # else the limit has fallen below what was used
            return
        rises = self.limit is not None and limit > self.limit
        self.remaining = left if rises else min(self.remaining, left)
        self.limit = limit
        self.told = max(self.told, used)


class RollingCap:
    """The calls of the latest period, against one cap.

    They are kept in slices, each until its last call is as old as the period is long. So a call never counts
    for less than the period, and for a slice longer at most; where a cap allows no more calls than there are
    slices, each call is a slice of its own.
    """

    __slots__ = ("_latest_began", "_slices", "_width", "cap", "used")

    def __init__(self, cap: Cap) -> None:
        self.cap: Final = cap
        self.used = 0
        """Calls that count; `roll` takes off those that do no more."""
        self._slices: deque[tuple[float, int]] = deque()
        """When the last call of each slice was counted, and how many it has."""
        self._width = cap.seconds / (SLICES - 1) if cap.calls > SLICES else 0.0
        self._latest_began = -inf

    def roll(self, now: float) -> None:
        """Let go of what has left the period."""
        while self._slices and self._slices[0][0] <= now - self.cap.seconds:
            self.used -= self._slices.popleft()[1]

    def count(self, now: float) -> None:
        """A call leaves."""
        self.roll(now)
        self._add(now, 1)

    def _add(self, at: float, calls: int) -> None:
        self.used += calls
        crowded = len(self._slices) >= SLICES  # by calls that a person's own use of the client made past it
        if self._slices and (crowded or at - self._latest_began < self._width):
            calls += self._slices.pop()[1]
        else:
            self._latest_began = at
        self._slices.append((at, calls))

    def give_back(self, now: float) -> None:
        """A call that was counted in the last half minute never left."""
        self.roll(now)
        # The oldest that it may have been: what stays is then let go too late rather than too early.
        recent = (i for i, (at, _) in enumerate(self._slices) if now - at <= STRAGGLING)
        at = next(recent, len(self._slices) - 1)
        if at >= 0:
            self.used -= 1
            last, calls = self._slices[at]
            self._slices[at] = (last, calls - 1)
            if calls == 1:
                del self._slices[at]

    def left(self, now: float) -> int:
        """Calls that may be sent now."""
        self.roll(now)
        return max(0, self.cap.calls - self.used)

    def opens(self, now: float, keep: float) -> float:
        """When a call may be sent that leaves the share `keep` to others; `inf` when it never may.

        A rolling period has no end at which a rest would be lost, so what is kept back does not melt.
        """
        self.roll(now)
        calls = self.cap.calls
        if not calls:
            return inf
        too_many = self.used + 1 + floor(calls * keep) - calls
        if too_many <= 0:
            return -inf
        for at, number in self._slices:
            too_many -= number
            if too_many <= 0:
                return at + self.cap.seconds
        return inf

    def spent(self, now: float) -> tuple[float, float]:
        """The share of the calls that is used, and when the first of them leave the period."""
        self.roll(now)
        if not self._slices or not self.cap.calls:
            return 0.0, inf
        return self.used / self.cap.calls, self._slices[0][0] + self.cap.seconds

    def slices(self, now: float) -> tuple[tuple[float, int], ...]:
        """The calls that count: when those of each slice leave the period, and how many they are."""
        self.roll(now)
        return tuple((at + self.cap.seconds, calls) for at, calls in self._slices)

    def follow(self, before: Iterable[tuple[float, Iterable[tuple[float, int]]]], now: float) -> None:
        """Count the calls that other caps of the same endpoint have counted.

        Args:
            before: for each of them the seconds of its period, and when its slices were counted and how many
                calls each has. The one that best tells of this period is taken.
            now: the time; slices after it are taken for calls of this moment.
        """
        period = self.cap.seconds
        best = min(before, key=lambda each: (each[0] < period, abs(each[0] - period)), default=None)
        for at, calls in () if best is None else sorted(best[1]):
            self._add(min(at, now), calls)
        self.roll(now)

    def __iter__(self) -> Iterator[tuple[float, int]]:
        """When each slice was counted, and how many calls it has."""
        return iter(tuple(self._slices))
