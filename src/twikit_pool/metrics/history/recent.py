"""What happened lately, in memory: read when the store cannot be, or when there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import HOUR, MINUTE, TEN_SECONDS, Point, slot
from twikit_pool.metrics.history.reading import Placed, Wanted
from twikit_pool.metrics.history.spans import Span

FINE_SECONDS: Final = HOUR
"""For which intervals are kept as they were collected."""

COARSE_SECONDS: Final = 24 * HOUR
"""For which minutes are."""

MOST_FINE: Final = 3_600
"""Intervals of a pool that are kept as they were; with shorter ones than a second, minutes begin earlier."""

MOST_COARSE: Final = COARSE_SECONDS // MINUTE
MOST_EVENTS: Final = 2_000

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Point).decode


class _OfPool:
    """What is kept of one pool; encoded, for a day of points is thousands of objects."""

    __slots__ = ("_coarse", "_fine", "_minute")

    def __init__(self) -> None:
        self._fine: deque[tuple[int, float, bytes]] = deque()
        """Start, end and what it was."""
        self._minute: list[Point] = []
        """What has left the last hour, and is not a whole minute yet."""
        self._coarse: deque[tuple[int, float, bytes]] = deque(maxlen=MOST_COARSE)

    def add(self, point: Point) -> None:
        self._fine.append((slot(point.middle, TEN_SECONDS), point.ended, _encode(point)))
        while len(self._fine) > MOST_FINE or self._fine[0][1] < point.ended - FINE_SECONDS:
            self._age(_decode(self._fine.popleft()[2]))
        while self._coarse and self._coarse[0][1] < point.ended - COARSE_SECONDS:
            self._coarse.popleft()

    def _age(self, point: Point) -> None:
        if self._minute and slot(self._minute[0].middle, MINUTE) != slot(point.middle, MINUTE):
            whole = Point.merged(self._minute)
            self._coarse.append((slot(self._minute[0].middle, MINUTE), whole.ended, _encode(whole)))
            self._minute = []
        self._minute.append(point)

    def placed(self, begin: int, end: int) -> Iterator[Placed]:
        for at, _, encoded in self._coarse:
            if begin <= at < end:
                yield Placed(at, _decode(encoded))
        for point in self._minute:
            if begin <= (at := slot(point.middle, TEN_SECONDS)) < end:
                yield Placed(at, point)
        for at, _, encoded in self._fine:
            if begin <= at < end:
                yield Placed(at, _decode(encoded))


class Recent:
    """Points of the last day and the latest events, as long as the program runs."""

    def __init__(self) -> None:
        self._pools: dict[str, _OfPool] = {}
        self._events: deque[tuple[int, KeptEvent]] = deque(maxlen=MOST_EVENTS)
        self._count = 0

    def add(self, pool_id: str, point: Point) -> None:
        """An interval of a pool has ended."""
        self._pools.setdefault(pool_id, _OfPool()).add(point)

    def tell(self, event: KeptEvent) -> None:
        """Something has happened."""
        self._count += 1
        self._events.append((self._count, event))

    def retain(self, pools: Iterable[str]) -> None:
        """Forget the pools that are not among these."""
        for gone in self._pools.keys() - set(pools):
            del self._pools[gone]

    def points(self, pool_id: str, spans: Iterable[Span]) -> list[Placed]:
        """A pool's points in these spans, as fine as they are, in the order in which they came."""
        kept = self._pools.get(pool_id)
        if kept is None:
            return []
        return list(chain.from_iterable(kept.placed(span.begin, span.end) for span in spans))

    def events(self, wanted: Wanted) -> list[tuple[tuple[float, int], KeptEvent]]:
        """As `Reading.events`."""
        found: list[tuple[tuple[float, int], KeptEvent]] = []
        for number, event in reversed(self._events):
            place = event.at.timestamp(), number
            if (
                len(found) < wanted.limit
                and (wanted.before is None or place < wanted.before)
                and _fits(event, wanted)
            ):
                found.append((place, event))
        return found


def _fits(event: KeptEvent, wanted: Wanted) -> bool:
    return (
        event.pool_id == wanted.pool_id
        and wanted.since <= event.at.timestamp() < wanted.until
        and wanted.kind in (None, event.kind, event.type)
        and wanted.account_id in (None, event.account_id)
    )
