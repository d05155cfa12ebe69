"""The load of a pool as its metrics tell it."""

from __future__ import annotations

from twikit_pool.metrics.pool_metrics import PoolMetrics
from twikit_pool.scaling.load import Load
from twikit_pool.sessions.outcomes import Outcome


def load_of(
    metrics: PoolMetrics,
    *,
    moment: float | None = None,
    accounts_usable: int | None = None,
    opening: float | None = None,
) -> Load:
    """What a scaling engine can be asked with by whoever has only metrics, of one pool or of several.

    They do not tell the demand by endpoint, so the rule `rate_budget` has nothing to say.

    Args:
        metrics: those of the last interval.
        moment: when it ended, in seconds of a monotonic clock; by the wall clock when not given.
        accounts_usable: accounts that could be used now.
        opening: seconds that opening a connection takes.
    """
    epoch, interval, calls = metrics.timestamp.timestamp(), metrics.interval, metrics.calls
    acquired, busy = metrics.acquired, metrics.busy_time
    came = acquired + metrics.timed_out
    # Where leases only went on, nobody knows how long they take: the load is not 0.
    told = interval > 0 and (came or not busy)
    limited = metrics.calls_by_outcome.get(Outcome.RATE_LIMITED, 0)
    return Load(
        moment=epoch if moment is None else moment,
        epoch=epoch,
        active=busy / interval if interval > 0 else None,
        reserved=metrics.reserved_connections,
        unhealthy=metrics.unhealthy_connections,
        arrivals=came / interval if told else None,
        service=busy / acquired if acquired else None,
        acquisition=metrics.average_acquisition_time,
        error_rate=metrics.error_rate,
        limited_rate=limited / calls if calls else None,
        accounts_usable=accounts_usable,
        opening=opening,
    )
