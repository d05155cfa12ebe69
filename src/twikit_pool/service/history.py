"""The figures of the last day, for charts: in memory, bounded, and gone when the service ends.

Of the last hour each interval is kept as it was collected; of what is older, one point a minute. There
counts are means, and what one looks for a peak in (times, who waits) is the highest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from twikit_pool.events import MetricsCollected
from twikit_pool.pool.rounds import Rounds

if TYPE_CHECKING:
    from twikit_pool.manager.manager import TwikitConnectionPoolManager

FINE_SECONDS: Final = 3600.0
"""For which each interval is kept."""

COARSE_SECONDS: Final = 24 * 3600.0
"""For which minutes are kept."""

MINUTE: Final = 60.0

MOST_FINE: Final = 3_600
"""Intervals that are kept as they are; with shorter ones than a second, minutes begin earlier."""

MOST_COARSE: Final = int(COARSE_SECONDS / MINUTE)

WAITING: Final = 1_024
"""Collections that may wait to be noted."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One interval. Connections and requests are numbers, `calls` and `errors` are a second, times seconds.

    Attributes:
        at: when it ended, in seconds since 1970.
        seconds: how long it was.
        errors: calls that failed by no fault of their caller.
    """

    at: float
    seconds: float
    total: float
    active: float
    target: float | None
    most: float
    queued: float
    longest_wait: float
    calls: float
    errors: float
    acquisition_p50: float | None
    acquisition_p95: float | None
    acquisition_p99: float | None
    response_p95: float | None

    @classmethod
    def of(cls, at: float, metrics: Mapping[str, Any]) -> Point:
        """What charts need of an interval's metrics."""
        seconds: float = metrics["interval"]
        calls = metrics["calls"] / seconds if seconds else 0.0
        return cls(
            at=at,
            seconds=seconds,
            total=metrics["total_connections"],
            active=metrics["active_connections"],
            target=metrics["target_connections"],
            most=metrics["max_connections"],
            queued=metrics["queued_requests"],
            longest_wait=metrics["longest_wait"],
            calls=calls,
            errors=calls * (metrics["error_rate"] or 0.0),
            acquisition_p50=metrics["p50_acquisition_time"],
            acquisition_p95=metrics["p95_acquisition_time"],
            acquisition_p99=metrics["p99_acquisition_time"],
            response_p95=metrics["p95_response_time"],
        )


MEANS: Final = ("total", "active", "target", "most", "calls", "errors")
HIGHEST: Final = (
    "queued",
    "longest_wait",
    "acquisition_p50",
    "acquisition_p95",
    "acquisition_p99",
    "response_p95",
)


def as_one(points: Iterable[Point]) -> Point:
    """Several intervals as one: means, weighed by how long each was, and the highest of the rest."""
    every = tuple(points)
    whole: dict[str, Any] = {"at": every[-1].at, "seconds": sum(each.seconds for each in every)}
    for name in MEANS:
        known = [(value, each.seconds) for each in every if (value := getattr(each, name)) is not None]
        weight = sum(seconds for _, seconds in known)
        whole[name] = sum(value * seconds for value, seconds in known) / weight if weight else None
    for name in HIGHEST:
        whole[name] = max(
            (value for each in every if (value := getattr(each, name)) is not None), default=None
        )
    return Point(**whole)


def in_steps(points: Iterable[Point], step: float) -> Iterator[Point]:
    """One point for each so many seconds."""
    return (as_one(group) for _, group in groupby(points, key=lambda point: point.at // step))


class Kept:
    """What is kept of one pool."""

    __slots__ = ("_coarse", "_fine", "_minute")

    def __init__(self) -> None:
        self._fine: deque[Point] = deque()
        self._minute: list[Point] = []
        """What has left the last hour, and is not a whole minute yet."""
        self._coarse: deque[Point] = deque(maxlen=MOST_COARSE)

    def add(self, point: Point) -> None:
        """The latest interval."""
        self._fine.append(point)
        while len(self._fine) > MOST_FINE or self._fine[0].at < point.at - FINE_SECONDS:
            self._age(self._fine.popleft())
        while self._coarse and self._coarse[0].at < point.at - COARSE_SECONDS:
            self._coarse.popleft()

    def _age(self, point: Point) -> None:
        if self._minute and self._minute[0].at // MINUTE != point.at // MINUTE:
            self._coarse.append(as_one(self._minute))
            self._minute = []
        self._minute.append(point)

    def __iter__(self) -> Iterator[Point]:
        yield from self._coarse
        if self._minute:
            yield as_one(self._minute)
        yield from self._fine


class History:
    """Notes what the manager's collector collects while it is entered; it may be entered again.

    Args:
        manager: whose pools.
    """

    def __init__(self, manager: TwikitConnectionPoolManager) -> None:
        self._manager = manager
        self._kept: dict[str, Kept] = {}
        self._rounds = Rounds("metrics history")

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        self._rounds.begin(self._note_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rounds.end()

    @property
    def seconds(self) -> float:
        """For which figures are kept."""
        return COARSE_SECONDS

    def points(self, pool_id: str, since: float = 0.0, step: float = 0.0) -> list[Point]:
        """What was collected after `since`, the oldest first; a `step` makes one point of so many seconds."""
        kept = self._kept.get(pool_id)
        if kept is None:
            return []
        points = (each for each in kept if each.at > since)
        return list(in_steps(points, step) if step > 0 else points)

    def note(self, event: MetricsCollected) -> None:
        """An interval of a pool has ended."""
        pools = self._manager.pools
        for gone in self._kept.keys() - pools.keys():
            del self._kept[gone]
        if event.pool_id in pools:
            point = Point.of(event.at.timestamp(), event.metrics)
            self._kept.setdefault(event.pool_id, Kept()).add(point)

    async def _note_all(self) -> None:
        with self._manager.events.subscribe(MetricsCollected, maxlen=WAITING) as collected:
            async for event in collected:
                if isinstance(event, MetricsCollected):
                    self.note(event)


def in_columns(points: Iterable[Point]) -> dict[str, list[float | None]]:
    """The points by figure, as charts take them."""
    every = tuple(points)
    return {name: [_short(getattr(each, name)) for each in every] for name in Point.__struct_fields__}


def _short(value: float | None) -> float | None:
    """A number without digits that no chart shows; a day would take twice as many bytes with them."""
    return None if value is None else round(value, 6)
