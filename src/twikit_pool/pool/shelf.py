"""What is free, put by in groups of those that lack the same.

A group is a dictionary, whose last item is taken first: hot stays hot. `RankedGroup` orders by something
else than the time of coming back. Groups lie in tiers, and a lower tier comes first: in the higher ones lies
what has been spent more, and in the last what is to be taken only where nothing else will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

T = TypeVar("T")

TIERS: Final = 5
"""Tiers of a shelf, 0 to 4."""

LAST: Final = TIERS - 1
"""The tier of what is taken last."""

STALE: Final = 64
"""Entries of items that were taken otherwise and may still lie in a ranked group's heap."""


class Shelf(Generic[T]):
    """Items by tier and by what they lack. Looking for one that fits costs a step for each different lack.

    Args:
        group: makes the group in which the items with one lack lie.
    """

    __slots__ = ("_group", "tiers")

    def __init__(self, group: Callable[[], dict[T, object]] = dict) -> None:
        self._group = group
        self.tiers: tuple[dict[int, dict[T, object]], ...] = tuple({} for _ in range(TIERS))

    def put(self, item: T, lacks: int, tier: int = 0) -> None:
        """Put an item by."""
        groups = self.tiers[tier]
        group = groups.get(lacks)
        if group is None:
            group = groups[lacks] = self._group()
        group[item] = None

    def remove(self, item: T, lacks: int, tier: int = 0) -> None:
        """Take this very item, which lies there."""
        groups = self.tiers[tier]
        group = groups[lacks]
        del group[item]
        if not group:
            del groups[lacks]

    def take(self, need: int) -> T | None:
        """Take the item that its group offers first, of those in the lowest tier that serve the need."""
        for groups in self.tiers:
            for lacks, group in groups.items():
                if not need & lacks:
                    item, _ = group.popitem()
                    if not group:
                        del groups[lacks]
                    return item
        return None

    def peek(self, need: int) -> T | None:
        """The item that lies there longest of those in a group that serves the need; it stays."""
        for groups in self.tiers:
            for lacks, group in groups.items():
                if not need & lacks:
                    return next(iter(group))
        return None

    def oldest(self) -> Iterator[T]:
        """Of each group the item that lies there longest."""
        return (next(iter(group)) for groups in self.tiers for group in groups.values())

    def __bool__(self) -> bool:
        return any(self.tiers)

    def __iter__(self) -> Iterator[T]:
        return (item for groups in self.tiers for group in groups.values() for item in group)


class RankedGroup(dict[T, object], Generic[T]):
    """A group of which the item with the lowest key is taken first; the key is read when it is put by."""

    def __init__(self, key: Callable[[T], float]) -> None:
        super().__init__()
        self._key = key
        self._heap: list[tuple[float, int, T]] = []
        self._entries = count()

    def __setitem__(self, item: T, _: object) -> None:
        entry = next(self._entries)
        super().__setitem__(item, entry)
        heappush(self._heap, (self._key(item), entry, item))
        if len(self._heap) > 2 * len(self) + STALE:
            self._heap = [each for each in self._heap if self.get(each[2]) == each[1]]
            heapify(self._heap)

    def popitem(self) -> tuple[T, object]:
        """Take the item with the lowest key."""
        while True:
            _, entry, item = heappop(self._heap)
            if self.get(item) == entry:
                del self[item]
                return item, None
