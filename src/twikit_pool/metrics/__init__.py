"""What happens in pools, as numbers: collected, added up, and told.

`metrics.prometheus` needs the extra `metrics`.
"""

from __future__ import annotations

from twikit_pool.metrics.collector import Collected, PoolCollector
from twikit_pool.metrics.histogram import Histogram
from twikit_pool.metrics.pool_metrics import PoolMetrics, Usage, aggregate
from twikit_pool.metrics.tally import PoolTotals

__all__ = ["Collected", "Histogram", "PoolCollector", "PoolMetrics", "PoolTotals", "Usage", "aggregate"]
