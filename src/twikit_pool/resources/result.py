"""What a look at a pool's resources came to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

ActionKind = Literal["close", "lower", "restore", "pause", "resume", "collect", "expire"]
Cause = Literal["memory", "cpu", "network", "idle", "surplus", "expired", "relief"]


class OptimizationAction(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, or would be.

    Attributes:
        kind: what: a connection was closed, is taken last (lower), pauses, is as before (restore, resume), an
            expired reservation was ended, or garbage was collected.
        cause: why; "relief" when the cause of something done before is gone.
        what: the connection or the account of the reservation; "process" for a collection.
        reason: why, in a sentence.
        memory: bytes that it is estimated to have freed.
    """

    kind: ActionKind
    cause: Cause
    what: str
    reason: str
    memory: int = 0


class ResourceOptimizationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool's connections cost, and what was done about it. Nothing happens that is not in `actions`.

    Attributes:
        pool_id: whose.
        timestamp: when, in UTC.
        duration: seconds that it took, a garbage collection included.
        dry_run: whether all of it was left undone.
        actions: what was done, in this order.
        connections_before, connections_after: how many there were.
        connections_closed, connections_lowered, connections_paused, connections_restored: how many were; the
            last counts both those that are taken as before and those whose pause is over.
        lowered, paused: connections that are so now.
        reservations_expired: how many were ended.
        objects_collected: by the garbage collection; 0 when there was none.
        memory_before, memory_after: bytes of the process (RSS); None where the system does not tell.
        memory_freed: bytes that the actions are estimated to have freed: connections closed, and what the
            process shrank by during a collection.
        memory_usage, cpu_usage, network_usage: of the pool, as in `Usage`; before anything was done.
        network_quality: mean of `quality_of` over the connections with calls lately; None without any.
    """

    pool_id: str
    timestamp: datetime
    duration: float
    dry_run: bool
    actions: tuple[OptimizationAction, ...] = ()
    connections_before: int
    connections_after: int
    connections_closed: int = 0
    connections_lowered: int = 0
    connections_paused: int = 0
    connections_restored: int = 0
    lowered: int = 0
    paused: int = 0
    reservations_expired: int = 0
    objects_collected: int = 0
    memory_before: int | None = None
    memory_after: int | None = None
    memory_freed: int = 0
    memory_usage: int | None = None
    cpu_usage: float | None = None
    network_usage: float | None = None
    network_quality: float | None = None

    def plain(self) -> dict[str, Any]:
        """The same as JSON could hold it."""
        return msgspec.to_builtins(self)
