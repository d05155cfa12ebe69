"""The load of a pool, measured for the scaling engine.

Everything is counted up by the pool anyway; a measurement is the difference between two such counts. It is
averaged over the last 15 seconds: in one second chance alone moves the calls that come by their square root,
and the engine, which goes for the highest of the last minutes, would follow every crest.

A load that has jumped must not be averaged with what was before. So each count is compared with those before
it, and where the difference is beyond chance, the average begins anew behind it. Calls that come at random
are a Poisson number, and so are those that are under way where nobody waits (in an M/G/oo system; Takacs,
Introduction to the Theory of Queues, 1962). Twice the square root of such a number plus 3/8 scatters by 1,
whatever its mean is (Anscombe, Biometrika 35, 1948, 246-254), so one distance serves small and large loads.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from math import sqrt
from typing import TYPE_CHECKING, Final

from twikit_pool.pool.connection import ConnectionState
from twikit_pool.pool.needs import USABLE
from twikit_pool.pool.usage import Use, use_of
from twikit_pool.scaling.load import EndpointDemand, Load
from twikit_pool.sessions.limits import WINDOW
from twikit_pool.sessions.outcomes import FINE, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twikit_pool.pool.member import Member
    from twikit_pool.pool.pool import TwikitConnectionPool

SPAN: Final = 15.0
"""Seconds that are averaged over."""

SHORTEST: Final = 0.5
"""Seconds below which a count says too little to be compared."""

SIGMAS: Final = 5.0
"""Standard deviations that are beyond chance: it brings them about once in days, at one look a second."""

ASKED: Final = 256
"""Accounts, spread over all, whose windows are asked what they sustain; asking each of 10,000 takes 20 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What had happened by a moment, since the pool was made.

    Attributes:
        moment: seconds of the monotonic clock.
        came: requests, whether they had a connection or not.
        leases: those that had one.
        busy: seconds that connections were leased.
        waited: seconds that those waited who had a connection.
        in_line: seconds that anybody waited, as seen at each count.
        leased, waiting: connections and requests at this moment.
        ended: calls that ended, by outcome.
        asked: calls that were asked for, by endpoint.
    """

    moment: float
    came: int
    leases: int
    busy: float
    waited: float
    in_line: float
    leased: int
    waiting: int
    ended: Counter[Outcome]
    asked: Counter[str]


class LoadMeter:
    """Measures the load of one pool, from now until `close`."""

    def __init__(self, pool: TwikitConnectionPool) -> None:
        self._pool = pool
        self._waited = self._in_line = 0.0
        self._looked = pool.clock.monotonic()
        self._counts: deque[Count] = deque()
        """Those that the average may begin with, the first of them does."""
        self._counts.append(self._count(use_of(pool.matching, self._looked), self._looked))
        pool.matching.waiting.listeners += (self._served,)

    def close(self) -> None:
        """Measure no more."""
        waiting = self._pool.matching.waiting
        waiting.listeners = tuple(each for each in waiting.listeners if each != self._served)

    def _served(self, _priority: int, seconds: float) -> None:
        self._waited += seconds

    def measure(self) -> Load:
        """The load now. What the time was too short to measure is None."""
        pool, now = self._pool, self._pool.clock.monotonic()
        use = use_of(pool.matching, now)
        latest, counts = self._count(use, now), self._counts
        if now - counts[-1].moment >= SHORTEST:
            for _ in range(_changed(counts, latest)):
                counts.popleft()
            counts.append(latest)
            while counts[1].moment <= now - SPAN:
                counts.popleft()
        return self._load(counts[0], latest, use)

    # ------------------------------------------------------------ counting

    def _count(self, use: Use, now: float) -> Count:
        matching, calls = self._pool.matching, self._pool.calls
        waiting = matching.waiting
        self._in_line += waiting.total * (now - self._looked)
        self._looked = now
        asked = calls.begun.copy()
        for endpoint, requests in waiting.unmet.items():
            if endpoint is not None:
                asked[endpoint] += requests
        return Count(
            moment=now,
            came=use.leases + waiting.unmet.total(),
            leases=use.leases,
            busy=use.seconds,
            waited=self._waited,
            in_line=self._in_line,
            leased=use.states[ConnectionState.LEASED],
            waiting=waiting.total,
            ended=calls.ended.copy(),
            asked=asked,
        )

    # ------------------------------------------------------------ the load between two counts

    def _load(self, since: Count, latest: Count, use: Use) -> Load:
        pool = self._pool
        seconds, leases = latest.moment - since.moment, latest.leases - since.leases
        usable = [each for each in pool.accounts() if not each.lacks & USABLE]
        ended = latest.ended - since.ended
        calls = ended.total()
        return Load(
            moment=latest.moment,
            epoch=pool.clock.now().timestamp(),
            active=(latest.busy - since.busy) / seconds if seconds else None,
            reserved=use.states[ConnectionState.RESERVED],
            unhealthy=use.unhealthy,
            arrivals=(latest.came - since.came) / seconds if seconds else None,
            service=_service(since, latest),
            acquisition=(latest.waited - since.waited) / leases if leases else None,
            error_rate=1 - sum(ended[each] for each in FINE) / calls if calls else None,
            limited_rate=ended[Outcome.RATE_LIMITED] / calls if calls else None,
            demand=tuple(
                _demand(endpoint, times / seconds, usable)
                for endpoint, times in (latest.asked - since.asked).items()
                if seconds
            ),
            accounts_usable=len(usable),
            opening=pool.opening,
        )


def _service(since: Count, latest: Count) -> float | None:
    """Mean seconds that a call held its connection.

    Of those that began and of those that ended as many seconds lie outside on the mean as are cut off inside,
    so the mean of their numbers is right for calls that run across either end, and after a jump too.
    """
    began = latest.leases - since.leases
    ended = began - (latest.leased - since.leased)
    return 2 * (latest.busy - since.busy) / (began + ended) if began + ended > 0 else None


def _demand(endpoint: str, rate: float, usable: list[Member]) -> EndpointDemand:
    """What is asked of an endpoint, and what one account sustains, on the mean of those that can be used."""
    asked = list(islice(usable, 0, None, len(usable) // ASKED + 1))
    rates = [each.windows.sustained(endpoint) for each in asked]
    known = [each for each in rates if each is not None]
    limits = (each.windows.limit(endpoint) for each in asked)
    return EndpointDemand(
        endpoint=endpoint,
        rate=rate,
        sustained=sum(known) / len(known) if known else None,
        window=max((each.seconds for each in limits if each is not None), default=WINDOW),
    )


# ---------------------------------------------------------------- what is beyond chance


def _changed(counts: deque[Count], latest: Count) -> int:
    """How many of the counts lie before a change of the load; 0 when there was none."""
    first, last = counts[0], counts[-1]
    if last is not first and _crowded(first, last, latest):
        return len(counts) - 1
    for number, since in _backwards(counts):
        lately, before = latest.moment - since.moment, since.moment - first.moment
        expected = (since.came - first.came) * lately / before
        if _beyond_chance(latest.came - since.came, expected, lately / before):
            return number
    return 0


def _backwards(counts: deque[Count]) -> Iterator[tuple[int, Count]]:
    """All but the first, the latest first, with their numbers."""
    return zip(range(len(counts) - 1, 0, -1), reversed(counts), strict=False)


def _crowded(first: Count, last: Count, latest: Count) -> bool:
    """Whether more are in use and wait than chance explains: calls take longer, say."""
    before = last.moment - first.moment
    mean = (last.busy - first.busy + last.in_line - first.in_line) / before
    now = latest.leased + latest.waiting
    return now > mean and _beyond_chance(now, mean, 0.0)


def _beyond_chance(seen: float, expected: float, part: float) -> bool:
    """Whether a Poisson number has another mean than this, which was seen in a time `1 / part` as long."""
    distance = 2 * abs(sqrt(seen + 0.375) - sqrt(expected + 0.375))
    return distance > SIGMAS * sqrt(1 + part)
