"""What happens in pools, as numbers: collected, added up, and told.

`metrics.prometheus` needs the extra `metrics`.
"""

from __future__ import annotations

from twikit_pool.metrics.accounts import AccountTotals
from twikit_pool.metrics.collector import Collected, PoolCollector
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.loads import load_of
from twikit_pool.metrics.pool_metrics import PoolMetrics, aggregate
from twikit_pool.metrics.tally import PoolTotals
from twikit_pool.resources.figures import Usage

__all__ = [
    "AccountTotals",
    "Collected",
    "Histogram",
    "PoolCollector",
    "PoolMetrics",
    "PoolTotals",
    "Usage",
    "aggregate",
    "load_of",
]
