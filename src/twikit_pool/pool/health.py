"""How well a connection serves, as one number from 0 to 1.

    score = success rate * min(1, usual time / its own time) / 2 ** (checks failed in a row)

The success rate and the time are exponentially weighted means, in which the latest call weighs a tenth: what
is seen is the last twenty calls or so. Times are compared with what the same action usually takes in this
pool, since a search is slower than a like on the best of connections. Checks are calls like any others, and
one that fails halves the score besides, so that an idle connection whose proxy has died does not keep the
good name it had.

Only what a connection can be blamed for counts. X's refusals for the account (a used-up window, an illness,
a log-in that is over) would be the same on any other connection, and a library that is out of date fails on
all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from math import inf
from statistics import median
from typing import Final, NamedTuple

from twikit_pool.sessions.outcomes import Outcome

REMEMBERED: Final = 64
"""Latencies of the latest calls that a connection remembers."""

LATEST: Final = 20
"""Calls whose outcome it remembers, to be looked at: some two kilobytes."""

LATELY: Final = 8
"""Those of them that tell how it is now: few, so that it is soon seen when it has got well."""

WEIGHT: Final = 0.1
"""Weight of the latest call in the means."""

ENOUGH: Final = 20
"""Calls before a connection is judged: with fewer, its first ones would weigh too much."""

MOST_SLOW: Final = 10.0
"""Times the usual time that one call counts as at most, so that a single one does not decide."""

SLOW: Final = 2.0
"""Times the usual time beyond which an answer does not show that X serves well just now."""

QUICK: Final = 0.001
"""Seconds below which all answers are equally quick."""

STEADY: Final = 0.02
"""Weight of the latest call in what is usual, once there were as many calls as that takes."""

ACTIONS: Final = 256
"""Actions whose usual time is remembered: the table's, and the names that callers give their own calls."""

RECENT: Final = 60.0
"""Seconds within which others must have served well to show that X is not to blame."""

CLEARLY: Final = 1 / 3
"""Share of the others' score below which a connection is clearly worse than they are."""

FIRST_PAUSE: Final = 300.0
"""Seconds between two replacements of an account's connections; doubled with each in a row."""

LONGEST_PAUSE: Final = 4 * 3600.0
"""Seconds that this pause grows to at most."""


class Pace:
    """What each action usually takes in a pool."""

    __slots__ = ("_usual", "served_well_at")

    def __init__(self) -> None:
        self.served_well_at = -inf
        """When any connection last had a good answer in about the usual time."""
        self._usual: dict[str, tuple[float, float]] = {}
        """Seconds that it takes, and what the latest call weighed in that."""

    def compare(self, action: str, seconds: float) -> float:
        """How many times the usual time a call took that went well; it counts for what is usual, too."""
        known = self._usual.get(action)
        if known is None:
            if len(self._usual) >= ACTIONS:
                del self._usual[next(iter(self._usual))]
            self._usual[action] = (max(seconds, QUICK), 1.0)
            return 1.0
        usual, weight = known
        times = min(max(seconds, QUICK) / usual, MOST_SLOW)
        weight = max(weight / (1.0 + weight), STEADY)
        self._usual[action] = (usual * (1.0 + weight * (times - 1.0)), weight)
        return times


class PastCall(NamedTuple):
    """A call that was sent: when it ended (monotonic), what it was, what it came to, and its seconds."""

    ended: float
    action: str
    outcome: Outcome
    seconds: float


class Health:
    """What a connection's calls and checks say of it.

    Args:
        pace: what is usual in its pool.

    Attributes:
        pace: the same.
        success_rate: 0 to 1, of the calls that count.
        counted: how many those were.
        errors: how many of them failed.
        failed_checks: checks that failed in a row.
        served_well_at: when it last had a good answer in about the usual time.
        failing_since: when the first call after that ended otherwise; None if none has.
    """

    __slots__ = (
        "_latencies",
        "_latest",
        "_times",
        "counted",
        "errors",
        "failed_checks",
        "failing_since",
        "pace",
        "served_well_at",
        "success_rate",
    )

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._times = 1.0
        """How many times the usual time its good answers take."""
        self._latencies: deque[float] | None = None
        self._latest: deque[PastCall] | None = None
        self.success_rate = 1.0
        self.counted = 0
        self.errors = 0
        self.failed_checks = 0
        self.served_well_at = -inf
        self.failing_since: float | None = None

    def called(self, action: str, outcome: Outcome, began: float, ended: float) -> None:
        """A call was sent and has ended. Cheap, and bounded in memory."""
        if self._latest is None:
            self._latest = deque(maxlen=LATEST)
        self._latest.append(PastCall(ended, action, outcome, ended - began))
        well = False
        if outcome is Outcome.OK or outcome is Outcome.CALLER_FAULT:
            self.success_rate += WEIGHT * (1.0 - self.success_rate)
            times = self.pace.compare(action, ended - began)
            self._times += WEIGHT * (times - self._times)
            well = times <= SLOW
        elif outcome is Outcome.TRANSIENT or outcome is Outcome.UNKNOWN:
            self.success_rate -= WEIGHT * self.success_rate
            self.errors += 1
        else:
            return
        self.counted += 1
        if well:
            self.served_well_at = self.pace.served_well_at = ended
            self.failing_since = None
        elif self.failing_since is None:
            self.failing_since = ended
        if self._latencies is None:
            self._latencies = deque(maxlen=REMEMBERED)
        self._latencies.append(ended - began)

    def checked(self, *, well: bool) -> None:
        """A check has ended; its call counts by itself."""
        self.failed_checks = 0 if well else self.failed_checks + 1

    @property
    def latest(self) -> tuple[PastCall, ...]:
        """Its latest calls and checks, the oldest first: those too that it cannot be blamed for."""
        return tuple(self._latest or ())

    @property
    def quality(self) -> float:
        """The score, but above 1 for one that is quicker than usual: to choose the best by."""
        return self.success_rate / self._times * 0.5**self.failed_checks

    @property
    def score(self) -> float:
        """How well it serves, from 0 to 1."""
        return min(self.quality, 1.0)

    @property
    def lately(self) -> float | None:
        """Seconds that its last few calls took on average; None before the first."""
        latest = list(islice(reversed(self._latencies or ()), LATELY))
        return sum(latest) / len(latest) if latest else None

    @property
    def average(self) -> float | None:
        """Seconds that its latest calls took on average; None before the first."""
        return sum(self._latencies) / len(self._latencies) if self._latencies else None

    def percentiles(self, *shares: int) -> tuple[float | None, ...]:
        """Seconds within which this many of a hundred of its latest calls ended; None before the first."""
        latencies = sorted(self._latencies or ())
        return tuple(latencies[(len(latencies) - 1) * each // 100] if latencies else None for each in shares)


def outdone(health: Health, others: Iterable[Health], now: float) -> float | None:
    """The score of the others, if this connection does clearly worse than they do, at the same time.

    None otherwise, and whenever nobody else served well since it began to fail: then it may be X that is down
    or slow for all, and another connection would be no better.
    """
    if health.counted < ENOUGH or health.failing_since is None:
        return None
    since = max(health.failing_since, now - RECENT)
    if health.pace.served_well_at <= since:
        return None  # nobody: when X is down, each of thousands would look at all the others
    scores = [each.score for each in others if each.counted >= ENOUGH and each.served_well_at > since]
    if not scores:
        return None
    usual = median(scores)
    return usual if health.score < CLEARLY * usual else None


class Replacements:
    """An account's connections that were replaced because they served badly.

    If another connection does not help, replacing that one soon does not either.
    """

    __slots__ = ("_in_a_row", "_latest")

    def __init__(self) -> None:
        self._in_a_row = 0
        self._latest = -inf

    @property
    def _pause(self) -> float:
        doublings = min(self._in_a_row - 1, 16)  # more exceed the longest, and in the end a float
        return min(FIRST_PAUSE * 2.0**doublings, LONGEST_PAUSE) if self._in_a_row else 0.0

    def may_go_on(self, now: float) -> bool:
        """Whether the latest was long enough ago for another."""
        return now >= self._latest + self._pause

    def note(self, now: float) -> None:
        """Another was replaced."""
        again = now < self._latest + 2 * self._pause
        self._in_a_row = self._in_a_row + 1 if again else 1
        self._latest = now
