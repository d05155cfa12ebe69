"""How well a pool was sized: against somebody who knows each minute's load, and has exactly what it needs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from twikit_pool.scaling.erlang import connections_for

FLAP: Final = 900.0
"""Seconds within which a step back takes back the step before it."""

LARGE: Final = 3
LARGE_SHARE: Final = 0.25
"""Connections, and share of the smaller size, from which on a step is a large one."""


def clairvoyant(loads: Iterable[float], service: float, wait: float = 0.1, late: float = 0.01) -> list[int]:
    """The connections that each minute's load asks for, in erlangs; as `connections_for` has them."""
    return [connections_for(load, service, wait, late) for load in loads]


def waste(had: float, needed: float) -> float | None:
    """Connection-hours over the clairvoyant's, less one: 0.5 is half more; None if none were needed."""
    return had / needed - 1 if needed > 0 else None


class SizeStep(NamedTuple):
    """A change of a pool's size: when, in seconds, from how many connections, and to how many."""

    at: float
    before: int
    size: int

    @property
    def large(self) -> bool:
        """Whether it was of more than the connection or two by which chance moves a small pool."""
        return abs(self.size - self.before) >= max(LARGE, LARGE_SHARE * min(self.before, self.size))


def flaps(steps: Iterable[SizeStep], within: float = FLAP) -> int:
    """How often a large step was taken back by another within so many seconds."""
    large = [each for each in steps if each.large]
    return sum(
        (earlier.size > earlier.before) != (later.size > later.before) and later.at - earlier.at <= within
        for earlier, later in pairwise(large)
    )
