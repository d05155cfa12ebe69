"""How many calls may be in flight at once, learned from how long they take and how many of them fail.

**The idea** is Gradient2's (Netflix concurrency-limits, `Gradient2Limit`): compare how long calls take now
with how long they usually take, and let the limit follow the quotient.

    limit = limit x max(1/2, min(1, tolerance x usual / now)) + headroom        headroom = sqrt(limit)

The headroom lets it grow while nothing speaks against it. It moves only while it is used, at least by half:
what nobody asks for tells nothing.

**What is different**, because one client of X makes different calls from many places:

- Each endpoint is compared with itself, so that a change of mix is no slowdown; of all comparisons of a round
  the median counts, so that a few slow accounts are none either.
- It moves in rounds of some dozen calls, not with each call. A round counts calls that began after the last
  move, and begins when two of them might have passed: what ends sooner tells of the limit before.
- What is usual is learned only while calls are not slower than that. Learned always, it would follow a queue
  that we fill ourselves, and the limit would never stop growing.
- Slowness that half the calls do not mend is not ours: it becomes what is usual, and the limit comes back.
- Failures lower the limit by their share, at most by half in a round. What grows from little doubles while it
  is used up, as in TCP's slow start: at first, and after failures up to half of what went well before.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import Final

INITIAL: Final = 20.0
"""The limit to begin with, as Gradient2's: what X surely bears, and six rounds below a thousand."""

TOLERANCE: Final = 1.25
"""Calls may take this many times as long as usual. Gradient2 has 1.5; medians of rounds are quieter than its
means, so less will do."""

CLEAR: Final = 1.5
"""From this quotient on one round is enough to say that the limit has grown too much; else it takes two."""

QUIET: Final = 1.1
"""Up to this quotient a round tells what is usual."""

ENOUGH: Final = 30
"""Calls of which a round has at least: with the scatter of latencies, a median right within a tenth or so."""

ENOUGH_FAILURES: Final = 10
"""Failures that end a round before."""

MOST: Final = 200
"""Latencies of a round that are looked at."""

MEMORY: Final = 100
"""Calls over which what is usual is averaged."""

LONGEST_PAUSE: Final = 2.0
"""Seconds at most between a move and the next round; twice as long as a round with enough calls lasts."""


class ConcurrencyLimit:
    """A limit that begins at 20 and follows what becomes of the calls.

    Attributes:
        limit: calls that may be in flight now.
        in_flight: those that are.
        why: what lowered it last, until it grows again.
    """

    __slots__ = (
        "_adaptive",
        "_busiest",
        "_ceiling",
        "_doubles_to",
        "_enough",
        "_exact",
        "_failed",
        "_floor",
        "_latencies",
        "_least",
        "_looks_from",
        "_looks_until",
        "_moved",
        "_slow",
        "_sound",
        "_typical",
        "_usual",
        "_well",
        "in_flight",
        "limit",
        "why",
    )

    def __init__(self, least: int) -> None:
        self.in_flight = 0
        self.limit = int(INITIAL)
        self.why = ""
        self._least = self._floor = least
        self._ceiling: float = inf
        self._adaptive = True
        self._exact = INITIAL
        self._doubles_to: float = inf
        self._sound = INITIAL
        """The limit with which all went well, last."""
        self._slow: tuple[float, float] | None = None
        """The limit and the quotient with which calls became slow, while they are."""
        self._usual: dict[str, float] = {}
        """Logarithms of the usual latency, by endpoint."""
        self._typical = 0.0
        self._moved = self._looks_from = self._looks_until = -inf
        self._begin_round()

    def set_bounds(self, ceiling: int, *, adaptive: bool) -> None:
        """Stay within these bounds from now on; one that does not adapt stays at its ceiling."""
        level = max(self._exact, INITIAL) if self._exact >= self._ceiling else self._exact
        self._ceiling, self._adaptive = ceiling, adaptive
        self._floor = min(self._least, ceiling)
        self._begin_round()
        if adaptive:
            self._move(level)
        else:
            self.limit, self.why = ceiling, ""

    def begin(self) -> None:
        """A call begins."""
        self.in_flight += 1
        if self.in_flight > self._busiest:
            self._busiest = self.in_flight

    def end(self, now: float, began: float, endpoint: str | None, *, well: bool | None) -> bool:
        """A call has ended.

        Args:
            now: seconds on the monotonic clock.
            began: when it began, likewise.
            endpoint: what it was for; None when that is not known, so that nothing compares with it.
            well: whether it went well, or failed for a reason that fewer calls may mend; None for all else,
                which says nothing.

        Returns:
            Whether the limit may have changed.
        """
        self.in_flight -= 1
        if well is None or now < self._looks_from or began < self._moved or not self._adaptive:
            return False
        if not well:
            self._failed += 1
        else:
            self._well += 1
            if endpoint is not None and len(self._latencies) < MOST:
                self._latencies.append((endpoint, now - began))
        if now < self._looks_until or (
            self._well + self._failed < self._enough and self._failed < ENOUGH_FAILURES
        ):
            return False
        self._conclude(now)
        return True

    # ------------------------------------------------------------ the end of a round

    def _begin_round(self) -> None:
        self._latencies: list[tuple[str, float]] = []
        self._well = self._failed = 0
        self._busiest = self.in_flight
        self._enough = min(max(ENOUGH, self.limit), MOST) if self._usual else MEMORY

    def _conclude(self, now: float) -> None:
        by_endpoint: dict[str, list[float]] = {}
        for endpoint, latency in self._latencies:
            by_endpoint.setdefault(endpoint, []).append(log(max(latency, 1e-3)))
        slowness = self._slowness(by_endpoint)
        used, bound = 2 * self._busiest >= self.limit, self._busiest >= self.limit
        if not used:
            if slowness > TOLERANCE or self._share < 0.5:
                # What lies beyond the use says nothing, so come near; a burst still begins as at first.
                self._move(max(2.0 * self._busiest, min(self._exact, INITIAL)))
        elif slowness > TOLERANCE:
            self._slowed_down(slowness)
        else:
            self._grow(doubling=bound)
        if not used or slowness <= (1.0 if bound and not self._failed else QUIET):
            self._learn(by_endpoint)
        if self._latencies:
            latencies = sorted(each for _, each in self._latencies)
            self._typical = min(latencies[len(latencies) // 2], LONGEST_PAUSE / 2)
        self._moved = now
        self._looks_from = now + 2 * self._typical
        self._looks_until = self._looks_from + self._typical
        self._begin_round()

    def _slowness(self, by_endpoint: dict[str, list[float]]) -> float:
        """How many times as long as usual the calls took: the median."""
        usual = self._usual
        differences = sorted(
            each - usual[endpoint]
            for endpoint, logs in by_endpoint.items()
            if endpoint in usual
            for each in logs
        )
        return exp(differences[len(differences) // 2]) if differences else 1.0

    def _learn(self, by_endpoint: dict[str, list[float]]) -> None:
        for endpoint, logs in by_endpoint.items():
            mean, known = sum(logs) / len(logs), self._usual.get(endpoint)
            weight = len(logs) / (len(logs) + MEMORY)
            self._usual[endpoint] = mean if known is None else known + weight * (mean - known)

    def _slowed_down(self, slowness: float) -> None:
        again = self._slow is not None
        began, by = self._slow = self._slow or (self._exact, slowness)
        if again and self._exact <= max(began / 2, self._floor) and slowness > 0.8 * by:
            for endpoint in self._usual:
                self._usual[endpoint] += log(slowness)
            self._slow, self._doubles_to = None, began
            return
        self.why = f"calls take {slowness:.1f} times as long as usual"
        self._move(self._exact * max(0.5, TOLERANCE / slowness * self._share))
        if again or slowness > CLEAR:
            self._doubles_to = self._exact

    def _grow(self, *, doubling: bool) -> None:
        self._slow = None
        before, share = self._exact, self._share
        if not self._failed:
            self.why, self._sound = "", before
        doubling = doubling and before < self._doubles_to and not self._failed
        self._move(before * max(0.5, share) + share * (before if doubling else sqrt(before)))
        if self._exact < before:
            self.why = f"{self._failed} of {self._failed + self._well} calls failed"
            self._doubles_to = self._sound / 2

    @property
    def _share(self) -> float:
        """Of the round's calls those that did not fail."""
        return self._well / (self._well + self._failed)

    def _move(self, to: float) -> None:
        self._exact = min(max(to, self._floor), self._ceiling)
        self.limit = int(self._exact)
