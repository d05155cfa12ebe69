"""What is written at once, and who keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import AccountFigures, Point


class AccountKey(NamedTuple):
    """An account of a pool, and the hour that it is about."""

    pool_id: str
    account_id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Written wholly or not at all, and once, however often it is tried.

    Attributes:
        writer: whose it is.
        number: rises from batch to batch of a writer.
        at: when it was made, in seconds since 1970.
        points: of which pool, and what it did.
        accounts: what each did in an hour since it was written last.
        events: in the order in which they came.
        days: for how long the points of each pool are kept.
    """

    writer: str
    number: int
    at: float
    points: Sequence[tuple[str, Point]] = ()
    accounts: Mapping[AccountKey, AccountFigures] = field(default_factory=dict[AccountKey, AccountFigures])
    events: Sequence[KeptEvent] = ()
    days: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def size(self) -> int:
        """Of how many things it is."""
        return len(self.points) + len(self.accounts) + len(self.events)


class HistoryStore(Protocol):
    """Where the recorder writes."""

    async def write(self, batch: Batch) -> None:
        """Keep a batch. When it returns the batch is kept, also over a crash.

        Raises:
            HistoryDamaged: nobody can read the store any more.
            HistoryError: it cannot be written now. Whether it was, nobody knows: it is tried again.
        """
        ...

    async def settle(self) -> None:
        """Do what the store does now and then between batches, so that no batch waits for it.

        Raises:
            HistoryError: the store cannot be used now.
        """
        ...

    async def prune(self, now: float) -> bool:
        """Delete some of what is too old by now (seconds since 1970); whether there may be more.

        Raises:
            HistoryError: the store cannot be used now.
        """
        ...

    async def set_aside(self) -> str:
        """Put a damaged store out of the way, so that a new one is begun; returns where it is.

        Raises:
            HistoryError: that is not possible.
        """
        ...

    async def aclose(self) -> None:
        """Let go of it."""
        ...
