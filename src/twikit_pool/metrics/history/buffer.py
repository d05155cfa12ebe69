"""What waits to be written: bounded, the oldest is dropped first, and what was dropped is counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from twikit_pool.events import CallFinished
from twikit_pool.metrics.histogram import LARGEST, Histogram
from twikit_pool.metrics.history.batch import AccountKey, Batch
from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import HOUR, AccountFigures, Point, Times, slot
from twikit_pool.sessions.outcomes import FINE

MOST_POINTS: Final = 20_000
"""Intervals that may wait: nearly three hours of 20 pools; some 20 MB."""

MOST_EVENTS: Final = 20_000
MOST_ACCOUNTS: Final = 20_000

ACCOUNTS_WAIT: Final = 60.0
"""Seconds for which what an account does is added up before it is written."""


class Most(NamedTuple):
    """Of what a batch has how many at most."""

    points: int
    events: int
    accounts: int


class _Doing:
    """What an account does, since it was written last."""

    __slots__ = ("calls", "errors", "response", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.calls = self.errors = 0
        self.response = Histogram()

    def figures(self) -> AccountFigures:
        return AccountFigures(calls=self.calls, errors=self.errors, response=Times.of(self.response))


class Buffer:
    """Filled as things happen, emptied a batch at a time."""

    def __init__(self) -> None:
        self._points: deque[tuple[str, Point]] = deque()
        self._events: deque[KeptEvent] = deque()
        self._accounts: dict[AccountKey, _Doing] = {}
        """The one that has waited longest is the first."""
        self.lost: Counter[str] = Counter()
        """Intervals, events and accounts' hours that were dropped, by pool."""

    def __len__(self) -> int:
        return len(self._points) + len(self._events) + len(self._accounts)

    def add(self, pool_id: str, point: Point) -> None:
        """An interval of a pool has ended."""
        if len(self._points) >= MOST_POINTS:
            self.lost[self._points.popleft()[0]] += 1
        self._points.append((pool_id, point))

    def tell(self, event: KeptEvent) -> None:
        """Something has happened."""
        if len(self._events) >= MOST_EVENTS:
            self.lost[self._events.popleft().pool_id] += 1
        self._events.append(event)

    def called(self, event: CallFinished, now: float) -> None:
        """An account has made a call; `now` is in seconds of the monotonic clock."""
        key = AccountKey(event.pool_id, event.account_id, slot(event.at.timestamp(), HOUR))
        doing = self._accounts.get(key)
        if doing is None:
            if len(self._accounts) >= MOST_ACCOUNTS:
                oldest = next(iter(self._accounts))
                del self._accounts[oldest]
                self.lost[oldest.pool_id] += 1
            doing = self._accounts[key] = _Doing(now)
        doing.calls += 1
        doing.errors += event.outcome not in FINE
        doing.response.add(min(max(event.latency, 0.0), LARGEST))

    def take(
        self, writer: str, number: int, at: float, now: float, days: Mapping[str, int], *, most: Most
    ) -> Batch | None:
        """What is due, as a batch; None when nothing is.

        Args:
            writer: as in `Batch`.
            number: as in `Batch`.
            at: as in `Batch`.
            now: seconds of the monotonic clock; infinite when all is due.
            days: as in `Batch`.
            most: how large it may be.
        """
        points = [self._points.popleft() for _ in range(min(len(self._points), most.points))]
        events = [self._events.popleft() for _ in range(min(len(self._events), most.events))]
        accounts: dict[AccountKey, AccountFigures] = {}
        while self._accounts and len(accounts) < most.accounts:
            key = next(iter(self._accounts))
            if self._accounts[key].since > now - ACCOUNTS_WAIT:
                break
            accounts[key] = self._accounts.pop(key).figures()
        if not points and not events and not accounts:
            return None
        return Batch(
            writer=writer, number=number, at=at, points=points, events=events, accounts=accounts, days=days
        )
