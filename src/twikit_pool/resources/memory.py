"""How many bytes a connection's Python objects hold: an estimate.

From the session's link on, everything that the garbage collector says is referred to is counted, by
`sys.getsizeof`, but not what belongs to the program as a whole: modules, classes, functions, the TLS
context, the event loop and its tasks, loggers; nor the session, from which the way leads into the pool.
What is seen from two links is shared by them, and counted for neither.

Not seen: what libraries allocate outside of Python's objects (OpenSSL some tens of KB for each TLS
connection), and what the allocator loses between objects.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Final

from twikit_pool.pool.connection import PooledTwikitConnection
from twikit_pool.sessions.backend import Link
from twikit_pool.sessions.session import TwikitSession

ELSEWHERE: Final = (
    ModuleType,
    type,
    FunctionType,
    BuiltinFunctionType,
    CodeType,
    FrameType,
    ssl.SSLContext,
    asyncio.AbstractEventLoop,
    asyncio.Future,  # tasks as well
    logging.Logger,
    TwikitSession,
)
"""What a connection does not hold by itself, and where the walk ends."""

MOST_OBJECTS: Final = 4_000
"""Objects of one link that are looked at; a link that holds more holds at least what was found."""

MOST_LINKS: Final = 8
"""Links that are looked at in one round."""

PATIENCE: Final = 0.001
"""Seconds in a round after which no further link is begun."""

MANAGED_DICT: Final = 1 << 4
"""Py_TPFLAGS_MANAGED_DICT: instances of the class keep their attributes apart, unseen by getsizeof."""

SLOT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Bytes that a connection holds, and when that was estimated, in seconds of the loop's clock."""

    size: int
    at: float


class MemoryEstimates:
    """Estimates of a pool's connections: a few are made in each round, and kept until they are made anew."""

    __slots__ = ("_next", "found")

    def __init__(self) -> None:
        self.found: dict[str, Estimate] = {}
        """By connection id."""
        self._next = 0

    def look(self, connections: Collection[PooledTwikitConnection], now: float) -> None:
        """Estimate the next few connections anew, and forget those that there are no more."""
        opened = [(each, each.session.link) for each in connections if each.session is not None]
        there = {connection.id for connection, _ in opened}
        self.found = {each: found for each, found in self.found.items() if each in there}
        links: dict[PooledTwikitConnection, dict[int, int]] = {}
        ends = time.perf_counter() + PATIENCE
        first = self._next if self._next < len(opened) else 0
        for connection, link in [*opened[first:], *opened[:first]][:MOST_LINKS]:
            # Two at least, if there are two: what is shared shows only in a second one.
            if len(links) > 1 and time.perf_counter() > ends:
                break
            links[connection] = sizes_within(link)
        self._next = first + len(links)
        shared = Counter(each for sizes in links.values() for each in sizes)
        for connection, sizes in links.items():
            size = sum(size for each, size in sizes.items() if shared[each] == 1)
            self.found[connection.id] = Estimate(size=size, at=now)
            connection.memory = size

    @property
    def mean(self) -> float | None:
        """Bytes of a connection; None before the first was estimated."""
        found = self.found.values()
        return sum(each.size for each in found) / len(found) if found else None


def sizes_within(link: Link) -> dict[int, int]:
    """Bytes of each object that a link holds, by the object's id, itself included."""
    sizes: dict[int, int] = {}
    pending: list[object] = [link]
    while pending:
        following: list[object] = []
        for each in pending:
            if id(each) not in sizes and not issubclass(type(each), ELSEWHERE):
                sizes[id(each)] = _size(each)
                following.append(each)
                if len(sizes) >= MOST_OBJECTS:
                    return sizes
        pending = gc.get_referents(*following)
    return sizes


def _size(each: object) -> int:
    kind = type(each)
    attributes = SLOT * len(gc.get_referents(each)) if kind.__flags__ & MANAGED_DICT else 0
    return sys.getsizeof(each, 0) + attributes  # 0 for one that cannot say it
