"""What kept the jobs of a run waiting: looked at now and then, and added up by endpoint and cause."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from twikit_pool.pool.connection import ConnectionState
from twikit_pool.pool.request import ConnectionRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twikit_pool.jobs.job import Job
    from twikit_pool.pool import TwikitConnectionPool

WINDOWS: Final = "used-up calls"
BUSY: Final = "busy accounts"
ILL: Final = "ill accounts"

NOTABLE: Final = 1.0
"""Seconds; what held jobs up for less was met by a single look."""

_AT_WORK: Final = frozenset({*map(str, ConnectionState), "not open"})
"""What an account does that will do the job as soon as it can."""


class Holdups:
    """Adds up for how long jobs of each endpoint waited for what.

    Attributes:
        seconds: by endpoint and cause; a cause is one of `WINDOWS`, `BUSY` and `ILL`, or what the whole pool
            waits for, in its own words.
    """

    def __init__(self, pool: TwikitConnectionPool) -> None:
        self._pool = pool
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def longest(self, most: int) -> list[tuple[str, str, float]]:
        """Endpoint, cause and seconds of what held jobs up longest, and for a second at least."""
        ordered = sorted(self.seconds.items(), key=lambda pair: -pair[1])
        return [(*what, seconds) for what, seconds in ordered[:most] if seconds >= NOTABLE]

    def look(self, waiting: Iterable[Job], seconds: float) -> None:
        """Take it that the jobs which wait now have waited so long for what they wait for now.

        Of each endpoint one job speaks for all: O(endpoints x accounts).
        """
        speakers = {job.action.spends: job for job in waiting}
        for endpoint, job in speakers.items():
            self.seconds[endpoint, self._cause(job)] += seconds

    def _cause(self, job: Job) -> str:
        request = ConnectionRequest.to(job.action, account_id=job.account, priority=job.priority)
        why = self._pool.explain(request)
        if why.notice:
            return why.notice
        if not _AT_WORK.isdisjoint(why.doing):
            return BUSY
        return ILL if why.opens_in is None else WINDOWS
