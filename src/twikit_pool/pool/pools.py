"""Several pools by name, as those see them who measure them or say how large they are to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from twikit_pool.events import EventBus
from twikit_pool.pool.pool import TwikitConnectionPool


class Pools(Protocol):
    """Pools that come and go, on one bus; a manager is one.

    Attributes:
        events: where all of them publish.
        on_pool: called with each pool that is made, before it opens.
    """

    events: EventBus
    on_pool: list[Callable[[TwikitConnectionPool], None]]

    @property
    def pools(self) -> Mapping[str, TwikitConnectionPool]:
        """The pools by name, as they are now."""
        ...


def pools_of(source: TwikitConnectionPool | Pools) -> Mapping[str, TwikitConnectionPool]:
    """The pools of a source that may be a single one."""
    return {source.pool_id: source} if isinstance(source, TwikitConnectionPool) else source.pools
