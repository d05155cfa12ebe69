"""What is to be done about connections that cost more than they should: a list of actions, and no more.

A slow connection is compared with the others of its pool at the same time: while all of them are as slow it
is X that is slow, and another connection would be no better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import in_words
from twikit_pool.resources.result import OptimizationAction

if TYPE_CHECKING:
    from twikit_pool.config import ConnectionPoolConfig
    from twikit_pool.resources.result import ActionKind, Cause

CLEARLY: Final = 2.0
"""Times the usual latency beyond which a connection is clearly slower than the others."""

RELIEVED: Final = 0.9
"""Share of a threshold below which its cause is gone, so that nothing flaps about it."""

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A connection as the rules see it.

    Attributes:
        id: its own.
        account_id: its account's.
        idle_for: seconds for which it has been idle; None when it is not idle.
        cpu: share of one core that its calls took lately.
        memory: bytes, an estimate; None without one.
        latency: seconds of its latest calls; None when there were none lately.
        lowered: whether it is taken last already.
        paused: whether it pauses already.
        kept: whether it is reserved.
        replaceable: whether another connection of its account may be tried in its place by now.
    """

    id: str
    account_id: str
    idle_for: float | None = None
    cpu: float = 0.0
    memory: int | None = None
    latency: float | None = None
    lowered: bool = False
    paused: bool = False
    kept: bool = False
    replaceable: bool = True


def quality_of(latency: float, config: ConnectionPoolConfig) -> float:
    """How good a network is with this latency in seconds: 1 at best, a half at `optimize_latency_lower`."""
    return config.optimize_latency_lower / (config.optimize_latency_lower + latency)


def advise(
    connections: Collection[Seen], config: ConnectionPoolConfig, floor: int
) -> Iterator[OptimizationAction]:
    """What is to be done about a pool's connections, those that are closed first.

    Args:
        connections: all of the pool.
        config: its settings.
        floor: connections that are to be kept.
    """
    usual = _usual(connections)
    closed: set[str] = set()
    for action in _to_close(connections, config, usual, floor):
        closed.add(action.what)
        yield action
    left = [each for each in connections if each.id not in closed]
    free = sum(not each.paused and not each.kept for each in left)
    for each in left:
        if each.cpu > config.optimize_cpu_pause and not each.paused and not each.kept and free > 1:
            free -= 1
            seconds = in_words(config.optimize_pause)
            yield _act(
                "pause", "cpu", each, f"its calls took {each.cpu:.0%} of a core: nobody has it for {seconds}"
            )
        elif (why := _why_last(each, config, usual)) is not None:
            if not each.lowered:
                yield _act("lower", *why)
        elif each.lowered:
            yield _act("restore", "relief", each, "it costs no more than others")


def wants_collection(
    connections: Iterable[Seen], config: ConnectionPoolConfig, used: int | None, limit: int | None
) -> str:
    """Why garbage is to be collected; "" when it is not.

    Args:
        connections: all of the pool.
        config: its settings.
        used: bytes that the process has; None where that is not known.
        limit: bytes that it may have; None likewise.
    """
    large = max(connections, key=lambda each: each.memory or 0, default=None)
    if large is not None and (large.memory or 0) > config.optimize_garbage:
        return f"{large.id} holds an estimated {(large.memory or 0) / MB:,.0f} MB"
    if used is not None and limit is not None and used > config.optimize_memory_share * limit:
        return f"the process has {used / MB:,.0f} of the {limit / MB:,.0f} MB that it may have"
    return ""


def _to_close(
    connections: Collection[Seen], config: ConnectionPoolConfig, usual: float | None, floor: int
) -> Iterator[OptimizationAction]:
    of_account = Counter(each.account_id for each in connections)
    spare = len(connections) - floor
    for each in sorted(
        connections, key=lambda each: each.idle_for or 0.0, reverse=True
    ):  # the longest idle first
        if each.idle_for is None:
            continue
        idle, long = (
            f"it has been idle for {in_words(each.idle_for)}",
            each.idle_for >= config.optimize_idle_after,
        )
        if long and each.memory is not None and each.memory > config.optimize_memory:
            action = _act(
                "close", "memory", each, f"it holds an estimated {each.memory / MB:,.0f} MB, and {idle}"
            )
        elif each.replaceable and _slow(each.latency, config.optimize_latency_close, usual):
            action = _act("close", "network", each, _in_words(each, usual))
        elif spare > 0 and long and of_account[each.account_id] > 1:
            action = _act("close", "surplus", each, f"its account has another, and {idle}")
        elif spare > 0 and each.idle_for >= config.optimize_long_idle:
            action = _act("close", "idle", each, idle)
        else:
            continue
        spare -= 1
        of_account[each.account_id] -= 1
        yield action


def _why_last(
    each: Seen, config: ConnectionPoolConfig, usual: float | None
) -> tuple[Cause, Seen, str] | None:
    """Why a connection is to be taken last; None when it is not."""
    margin = RELIEVED if each.lowered else 1.0
    if each.cpu > margin * config.optimize_cpu_lower:
        return "cpu", each, f"its calls took {each.cpu:.0%} of a core"
    if _slow(each.latency, margin * config.optimize_latency_lower, usual):
        return "network", each, _in_words(each, usual)
    return None


def _usual(connections: Iterable[Seen]) -> float | None:
    """The latency of half of the connections, or less; None where nobody has called lately."""
    latencies = [each.latency for each in connections if each.latency is not None]
    return median_low(latencies) if latencies else None


def _slow(latency: float | None, limit: float, usual: float | None) -> bool:
    return latency is not None and usual is not None and latency > limit and latency > CLEARLY * usual


def _in_words(each: Seen, usual: float | None) -> str:
    return f"its calls take {each.latency or 0.0:.1f} s, and those of others {usual or 0.0:.1f} s"


def _act(kind: ActionKind, cause: Cause, each: Seen, reason: str) -> OptimizationAction:
    memory = each.memory or 0 if kind == "close" else 0
    return OptimizationAction(kind=kind, cause=cause, what=each.id, reason=reason, memory=memory)
