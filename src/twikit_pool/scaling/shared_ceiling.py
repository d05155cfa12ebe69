"""A ceiling that the pools of a manager share: so many connections over all of them together.

What each may have is shared out anew at each decision (`sharing_out`): what is guaranteed, then what is
needed, by priority and by what it spares callers, and at last what nobody needs.

Pools are held to it by `limit_size`, so neither requests that wait nor a pool that is made later open more.
Those that autoscaling leaves alone hold connections too: they need what they have, and one for each request
that waits, if they serve anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from twikit_pool.errors import ConfigError
from twikit_pool.pool.control import Mode
from twikit_pool.pool.request import ConnectionPriority, priority_of
from twikit_pool.scaling.load import Ceiling
from twikit_pool.scaling.sharing_out import Claim, share_out

if TYPE_CHECKING:
    from twikit_pool.pool.pool import TwikitConnectionPool
    from twikit_pool.pool.pools import Pools
    from twikit_pool.scaling.autoscaler import PoolNeed

NOTHING: Final[Mapping[str, int]] = {}


class SharedCeiling:
    """Bounds all pools of a manager together: a source of ceilings for the `AutoScaler` of the same manager.

        shared = SharedCeiling(manager, 100, guarantees={"brand": 20},
                               priorities={"brand": ConnectionPriority.HIGH})
        async with AutoScaler(manager, ceilings=[shared]):
            ...

    Args:
        pools: the manager.
        most: connections that all its pools together may have, at least 1.
        guarantees: connections that a pool may always have, by its name: they are kept free for it, also
            while it does not need them, and before it is made. A pool that is not named has its
            `min_connections`; what is named and less than that counts as that, where there is room.
        priorities: who has the higher one is served the whole need first; NORMAL where a pool is not named.

    Raises:
        ConfigError: `most` is less than 1, there is no such priority, a guarantee is less than 0, or all of
            them together are more than `most`.
    """

    def __init__(
        self,
        pools: Pools,
        most: int,
        *,
        guarantees: Mapping[str, int] = NOTHING,
        priorities: Mapping[str, int] = NOTHING,
    ) -> None:
        if most < 1:
            raise ConfigError(f"pools can share 1 connection or more, not {most}")
        for pool_id, guaranteed in guarantees.items():
            if guaranteed < 0:
                raise ConfigError(f"{pool_id!r} can be guaranteed 0 connections or more, not {guaranteed}")
        self._pools = pools
        self._most: Final = most
        self._guarantees: Final = dict(guarantees)
        self._priorities: Final = {pool_id: priority_of(each) for pool_id, each in priorities.items()}
        self._refuse_too_many()

    def _refuse_too_many(self) -> None:
        held = self._guarantees | {
            pool_id: max(pool.config.min_connections, self._guarantees.get(pool_id, 0))
            for pool_id, pool in self._pools.pools.items()
        }
        whole = sum(held.values())
        if whole > self._most:
            each = ", ".join(f"{pool_id!r} {number}" for pool_id, number in held.items())
            raise ConfigError(
                f"{self._most} shared connections are fewer than the {whole} that are guaranteed ({each}): "
                "share more, guarantee less, or lower min_connections"
            )

    def ceilings(self, needs: Mapping[str, PoolNeed]) -> Mapping[str, Ceiling]:
        """What each pool may have, also those that are not decided about. Together it is at most `most`."""
        pools = self._pools.pools
        room = self._most - sum(self._guarantees[each] for each in self._guarantees.keys() - pools.keys())
        shares = share_out(
            room, (self._claim(pool_id, pool, needs.get(pool_id)) for pool_id, pool in pools.items())
        )
        return {
            pool_id: Ceiling(
                kind="shared",
                size=size,
                reason=f"{self._most - size} of the {self._most} connections that pools share are for others",
            )
            for pool_id, size in shares.items()
        }

    def _claim(self, pool_id: str, pool: TwikitConnectionPool, need: PoolNeed | None) -> Claim:
        config, size = pool.config, pool.size
        guaranteed = self._guarantees.get(pool_id, 0)
        least = 0 if pool.mode is Mode.CLOSED else config.min_connections
        serves = pool.mode in (Mode.NEW, Mode.OPEN, Mode.EMERGENCY)
        load = None if need is None else need.load.cleaned()
        return Claim(
            name=pool_id,
            priority=self._priorities.get(pool_id, ConnectionPriority.NORMAL),
            guaranteed=guaranteed,
            least=least,
            most=config.max_connections if serves else max(size, guaranteed, least),
            size=size,
            wanted=_of_use(need) if need is not None else _unmeasured(pool),
            arrivals=None if load is None else load.arrivals,
            service=None if load is None else load.service,
            target=config.scaling_target_wait,
            aside=0 if load is None else load.reserved + load.unhealthy,
        )


def _of_use(need: PoolNeed) -> int:
    """How many connections a pool needs, of those that it can make use of.

    What it could not open is left to others: without accounts for it, or while the brake holds it back.
    Within `scaling_tolerance` it needs those that it has, as when it shrinks by itself.
    """
    load, config, wanted = need.load.cleaned(), need.config, need.wanted
    if load.accounts_usable is not None:
        wanted = min(wanted, max(need.size, load.accounts_usable * config.max_connections_per_account))
    if max(load.error_rate or 0.0, load.limited_rate or 0.0) > config.scaling_error_brake:
        wanted = min(wanted, need.size)
    if need.size * (1 - config.scaling_tolerance) <= wanted < need.size:
        return need.size
    return wanted


def _unmeasured(pool: TwikitConnectionPool) -> int:
    """The same for a pool of which nothing is measured: it does not serve, is scaled by hand, or is new."""
    if pool.mode is Mode.NEW:
        return pool.config.initial_connections
    return pool.size + (pool.waiting if pool.mode is Mode.OPEN else 0)
