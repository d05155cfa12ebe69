"""How a number of connections is shared out between pools: of what each of them asks for, and nothing else.

Room is given away one connection after another, in this order:

1. What is guaranteed to a pool, and then its `least`.
2. What it wants, the pools of a higher priority first. Among equals:

   a. What it takes to keep up with the calls that come, so that no line grows without end. Where there is
      too little for that, each has the same share of it.
   b. Each further connection goes where it spares most callers a second a wait that is too long: to the pool
      with the largest  arrivals * (P(wait > target) with c connections - P with c + 1), by Erlang-C.
   c. Where that is less than a caller in a day, to the pool that has the smallest share of what it wants.

3. What nobody wants: first to those that have it already, so that nobody closes what nobody else needs; then
   evenly, so that each can take a step at once.

Step b need not look ahead: from where a pool keeps up, each further connection spares fewer callers than the
one before (Erlang-C is convex in c: Jagers and van Doorn, SIAM Review 33, 1991, 281-282; and so is the share
of those that wait longer than the target). Below that point all are late, whatever is added; so by step b
alone, one pool would have all and the others nothing.

What a pool has already counts more than what it would have to open, in a by `KEPT` and in b by `STICKY`: a
load that is measured scatters, and connections must not go to and fro with it.

A pool that has more than its share gives connections back as its leases end. Until it has, nobody else gets
them: what others grow by is taken from the room that is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from itertools import groupby
from math import exp, floor, isfinite
from typing import Final

KEPT: Final = 0.9
"""What a pool has already counts as so much less of what it needs."""

STICKY: Final = 1.5
"""What a pool has already spares so many times as many callers. A connection more or less changes that by
about as much (at 20 erlangs of 0.4 s and a target of 0.1 s)."""

LEAST_GAIN: Final = 1 / 86_400
"""Callers a second that are spared: fewer count as none."""

NONE_WAIT: Final = 1e18
"""One in so many calls finds all connections in use: that is nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a pool has, and what it asks for.

    Attributes:
        name: the pool's.
        priority: who has the higher one is served first.
        guaranteed: connections that it may always have.
        least: connections that it keeps for itself, where there is room for them.
        most: connections that it could have at most.
        size: connections that there are.
        wanted: connections that it needs.
        arrivals: calls that come a second; None when not measured.
        service: mean seconds that a call holds a connection; None when not measured.
        target: seconds that a caller may wait.
        aside: connections that serve nobody: reserved, or ill.
    """

    name: str
    priority: int
    guaranteed: int
    least: int
    most: int
    size: int
    wanted: int
    arrivals: float | None
    service: float | None
    target: float
    aside: int = 0


def share_out(room: int, claims: Iterable[Claim]) -> dict[str, int]:
    """How many connections each pool may have now. Together they are no more than `room`.

    Nor are the connections that there will be: each pool's size or what it may have, whichever is more, add
    up to no more than `room`, if the sizes do.
    """
    ordered = sorted(claims, key=lambda each: (-each.priority, each.name))
    aims = _shared([_Share(each, 0, each.most) for each in ordered], room)
    growing = [each for each in ordered if each.size < aims[each.name]]
    free = room - sum(each.size for each in ordered if each.size >= aims[each.name])
    if sum(aims[each.name] for each in growing) <= free:
        return aims
    return aims | _shared([_Share(each, each.size, aims[each.name]) for each in growing], free)


class _Share:
    """What a pool has got so far.

    Attributes:
        has: how many.
        most: and can have at most.
        wants: how many it needs, within that.
        keeps_up: how many of those keep its line from growing without end.
    """

    __slots__ = ("aside", "claim", "has", "keeps_up", "most", "offered", "wants")

    def __init__(self, claim: Claim, has: int, most: int) -> None:
        self.claim = claim
        self.has = has
        self.most = max(most, has)
        self.wants = min(max(claim.wanted, claim.least, claim.guaranteed), self.most)
        self.aside = max(claim.aside, 0)
        offered = 0.0 if claim.arrivals == 0 else (claim.arrivals or 0.0) * (claim.service or 0.0)
        measured = claim.arrivals == 0 or None not in (claim.arrivals, claim.service)
        self.offered = offered if measured and isfinite(offered) else None
        self.keeps_up = self.wants
        if self.offered is not None:
            self.keeps_up = min(self.wants, floor(self.offered) + 1 + self.aside)


def _shared(shares: Sequence[_Share], room: int) -> dict[str, int]:
    """Room for those shares, which come in the order of their priorities."""
    room -= sum(each.has for each in shares)
    classes = [list(group) for _, group in groupby(shares, key=lambda each: each.claim.priority)]
    for equals in classes:
        room = _fill(equals, room, [min(each.claim.guaranteed, each.most) for each in equals])
    for equals in classes:
        held = [min(max(each.claim.least, each.claim.guaranteed), each.most) for each in equals]
        room = _fill(equals, room, held)
    for equals in classes:
        room = _serve(equals, room)
    room = _fill(shares, room, [min(each.claim.size, each.most) for each in shares])
    _fill(shares, room, [each.most for each in shares], evenly=True)
    return {each.claim.name: each.has for each in shares}


def _serve(equals: Sequence[_Share], room: int) -> int:
    """Give equals what they want; returns the room that is left."""
    if sum(max(each.wants - each.has, 0) for each in equals) > room:
        room = _fill(equals, room, [each.keeps_up for each in equals])
        room = _spare_waits(equals, room)
    return _fill(equals, room, [each.wants for each in equals])


# ---------------------------------------------------------------- the same share for everyone


def _fill(shares: Sequence[_Share], room: int, goals: Sequence[int], *, evenly: bool = False) -> int:
    """Give each up to its goal: the next to who has the smallest share of it. Returns the room that is left.

    Args:
        shares: who is given to.
        room: how much, at most.
        goals: that of each.
        evenly: the same number of connections for each, in place of the same share of its goal.
    """
    missing = [_Missing(each, goal, evenly=evenly) for each, goal in zip(shares, goals, strict=True)]
    missing = [each for each in missing if each.lacks > 0]
    if (whole := sum(each.lacks for each in missing)) <= room:
        for each in missing:
            each.take(each.lacks)
        return room - whole
    if room <= 0:
        return room
    # Nearly all of it at once: the highest level to which all can be filled, by bisection.
    low, high = 0.0, max(each.level(each.goal) for each in missing)
    left = room
    for _ in range(64):  # as many as a float can tell apart
        level = (low + high) / 2
        taken = sum(each.up_to(level) for each in missing)
        if taken > room:
            high = level
        else:
            low, left = level, room - taken
            if left <= 2 * len(missing):
                break
    if left < room:
        for each in missing:
            each.take(each.up_to(low))
    heap = [(each.level(each.has), number, each) for number, each in enumerate(missing) if each.lacks]
    heapify(heap)
    for _ in range(left):
        _, number, each = heap[0]
        each.take(1)
        if each.lacks:
            heapreplace(heap, (each.level(each.has), number, each))
        else:
            heappop(heap)
    return 0


class _Missing:
    """What a share lacks of a goal. Its connections come at rising levels."""

    __slots__ = ("begin", "goal", "has", "kept", "share", "size", "weight")

    def __init__(self, share: _Share, goal: int, *, evenly: bool) -> None:
        self.share = share
        self.goal = goal
        self.has = share.has
        self.begin, self.weight = (share.has, 1) if evenly else (0, max(goal, 1))
        self.kept = 1.0 if evenly else KEPT
        self.size = share.claim.size

    @property
    def lacks(self) -> int:
        """How many; 0 or less when it is full."""
        return self.goal - self.has

    def level(self, number: int) -> float:
        """At which it gets one more than this number."""
        level = (number - self.begin) / self.weight
        return level * self.kept if number < self.size else level

    def up_to(self, level: float) -> int:
        """How many more it has surely got below this level."""
        reach = level * self.weight
        number = self.begin + floor(reach)
        if number < self.size:
            number = max(number, min(self.size, self.begin + floor(reach / self.kept)))
        return min(max(number, self.has), self.goal) - self.has

    def take(self, number: int) -> None:
        """It gets so many."""
        self.has += number
        self.share.has = self.has


# ---------------------------------------------------------------- where it spares most


def _spare_waits(equals: Sequence[_Share], room: int) -> int:
    """Give each next one to the pool where it spares most callers a wait; returns the room that is left."""
    if room <= 0:
        return room
    heap: list[tuple[float, int, _Share, _Late]] = []
    for number, each in enumerate(equals):
        if each.has < each.wants and each.offered:
            late = _Late(each)
            heap.append((-late.gain, number, each, late))
    heapify(heap)
    while room and heap and -heap[0][0] >= LEAST_GAIN:
        _, number, each, late = heap[0]
        each.has += 1
        room -= 1
        if each.has < each.wants:
            late.one_more()
            heapreplace(heap, (-late.gain, number, each, late))
        else:
            heappop(heap)
    return room


class _Late:
    """How many of a pool's callers wait too long, with one connection after another.

    Attributes:
        gain: callers a second that the next connection spares that.
    """

    __slots__ = ("_arrivals", "_blocked", "_decay", "_late", "_offered", "_serving", "_size", "gain")

    def __init__(self, share: _Share) -> None:
        claim = share.claim
        assert share.offered is not None  # noqa: S101 - for the type checker: none is made without
        self._offered = share.offered
        self._arrivals = claim.arrivals or 0.0
        self._decay = claim.target / (claim.service or 1.0)
        self._serving = share.has - share.aside
        self._size = claim.size - share.aside
        self._blocked = _blocked(self._serving, self._offered)
        self._late = self._share_late()
        self.gain = 0.0
        self.one_more()

    def one_more(self) -> None:
        """It has got the next; look at the one after it."""
        before, sticky = self._late, STICKY if self._serving < self._size else 1.0
        self._serving += 1
        load = self._offered * self._blocked
        self._blocked = load / (self._serving + load)
        self._late = self._share_late()
        self.gain = self._arrivals * (before - self._late) * sticky

    def _share_late(self) -> float:
        """Erlang-C, as `erlang` has it."""
        spare = self._serving - self._offered
        if spare <= 0 or not self._blocked:
            return 1.0 if spare <= 0 else 0.0
        waits = self._blocked / (1 - self._offered / self._serving * (1 - self._blocked))
        return waits * exp(-spare * self._decay)


def _blocked(connections: int, offered: float) -> float:
    """Erlang's B at once: 1/B is the sum of c (c-1) ... (c-k+1) / a^k over k from 0 to c.

    About c - a terms and some times the square root of a matter, where the recursion takes c steps.
    """
    term = total = 1.0
    for left in range(connections, 0, -1):
        term *= left / offered
        total += term
        if total > NONE_WAIT:
            return 0.0
        if term < total * 1e-12 and left < offered:
            break
    return 1 / total
