"""Which events are kept, and as what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from twikit_pool import events as told
from twikit_pool.events import ConnectionEvent, Event

KINDS: Final[Mapping[str, tuple[type[Event], ...]]] = {
    "scaling": (told.ScalingDecided, told.ScalingExecuted, told.LowWorkLimited, told.PoolResized),
    "optimizer": (told.ResourcesOptimized,),
    "pool": (
        told.PoolOpened,
        told.PoolSuspended,
        told.PoolResumed,
        told.PoolDrained,
        told.PoolReconfigured,
        told.PoolShutDown,
        told.BrakeChanged,
        told.HistoryFailed,
        told.HistoryResumed,
    ),
    "emergency": (told.EmergencyStop, told.EmergencyStopEnded),
    "circuit": (told.CircuitOpened, told.CircuitHalfOpened, told.CircuitClosed),
    "account": (
        told.AccountStateChanged,
        told.AccountQuarantined,
        told.AccountLoggedIn,
        told.ManyTurnedStale,
    ),
    "connection": (
        told.ConnectionCreated,
        told.ConnectionOpenFailed,
        told.ConnectionClosed,
        told.ConnectionReclaimed,
        told.LeaseOverdue,
    ),
}
"""Those that are kept, by kind."""

MANY: Final = "connection"
"""The kind of which there are many: kept for as long as minutes are, the others for as long as hours."""

_KIND_OF: Final[Mapping[type[Event], str]] = {each: kind for kind, every in KINDS.items() for each in every}
KEPT: Final = tuple(_KIND_OF)

_OWN: Final = frozenset({"pool_id", "at", "account_id"})
MOST_TEXT: Final = 16_384
"""Characters of an event's fields; what is longer is kept without them."""


class KeptEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event, as it is kept.

    Attributes:
        at: when it happened, in UTC.
        kind: scaling, optimizer, pool, emergency, circuit, account or connection.
        type: as it appears on the wire (`scaling_decided`).
        pool_id: the pool it happened in.
        account_id: the account that it is about; None when it is about none.
        fields: the rest of it.
    """

    at: datetime
    kind: str
    type: str
    pool_id: str
    account_id: str | None
    fields: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> KeptEvent:
        """As it is to be kept."""
        values = {each.name: getattr(event, each.name) for each in fields(event) if each.name not in _OWN}
        return cls(
            at=event.at,
            kind=_KIND_OF[type(event)],
            type=event.type,
            pool_id=event.pool_id,
            account_id=event.account_id if isinstance(event, ConnectionEvent) else None,
            fields=msgspec.to_builtins(values, str_keys=True),
        )


def as_text(values: Mapping[str, Any]) -> str:
    """Fields as every database takes them: ASCII, and not without end."""
    text = json.dumps(values, separators=(",", ":"))
    return text if len(text) <= MOST_TEXT else json.dumps({"left_out": f"{len(text)} characters"})


def plain(text: str) -> str:
    """A name that every database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def moment_of(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, UTC)
