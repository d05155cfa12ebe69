"""What is known of the pools, from the messages of the event socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

POINTS: Final = 240
"""Of a sparkline: more than a terminal has columns for one."""

EVENTS: Final = 1_000
"""That are kept to look at."""

WINDOW: Final = 900.0
"""Seconds of history that the sparklines begin with."""


@dataclass
class Line:
    """The values of one figure over time, the oldest first."""

    values: deque[float] = field(default_factory=lambda: deque[float](maxlen=POINTS))

    def begin(self, values: Sequence[float | None]) -> None:
        """Begin anew with these."""
        self.values.clear()
        self.values.extend(value or 0.0 for value in values)


@dataclass
class Pool:
    """One pool, as it was told last."""

    status: dict[str, Any] = field(default_factory=dict[str, Any])
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])
    active: Line = field(default_factory=Line)
    calls: Line = field(default_factory=Line)
    queued: Line = field(default_factory=Line)

    def note_history(self, columns: Mapping[str, Sequence[float | None]]) -> None:
        """The figures of the last quarter of an hour."""
        for name in ("active", "calls", "queued"):
            line: Line = getattr(self, name)
            line.begin(columns.get(name, ()))

    def note_interval(self, metrics: dict[str, Any]) -> None:
        """An interval has ended."""
        self.metrics = metrics
        seconds = metrics.get("interval") or 1.0
        self.active.values.append(metrics["active_connections"])
        self.calls.values.append(metrics["calls"] / seconds)
        self.queued.values.append(metrics["queued_requests"])


class Known:
    """All pools, and the latest events.

    Attributes:
        pools: by name.
        events: the latest first.
        stops: why a pool makes an emergency stop, as far as it was told.
    """

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self.stops: dict[str, str] = {}

    def note(self, message: dict[str, Any]) -> None:
        """Take in a message of the socket."""
        match message["type"]:
            case "snapshot":
                gone = self.pools.keys() - {each["pool_id"] for each in message["pools"]}
                for each in gone:
                    del self.pools[each]
                for each in message["pools"]:
                    pool = self.pools.setdefault(each["pool_id"], Pool())
                    pool.status, pool.metrics = each["status"], each["metrics"] or {}
            case "pool_status_update":
                self.pools.setdefault(message["pool_id"], Pool()).status.update(message["status"])
            case "pool_removed":
                self.pools.pop(message["pool_id"], None)
                self.events.appendleft(message)
            case "metrics_collected":
                self.pools.setdefault(message["pool_id"], Pool()).note_interval(message["metrics"])
            case "emergency_stop":
                self.stops[message["pool_id"]] = message["reason"]
                self.events.appendleft(message)
            case _ if "topic" in message:
                self.events.appendleft(message)
            case _:
                pass
