"""Reports over what pools did, what to expect of them, and what to change; docs/reports.md."""

from __future__ import annotations

from twikit_pool.analytics.live import Unusual
from twikit_pool.analytics.pool_analytics import PoolAnalytics
from twikit_pool.analytics.recording import Facts, Recording, facts_of
from twikit_pool.analytics.report import PoolReport, Recommendation

__all__ = ["Facts", "PoolAnalytics", "PoolReport", "Recommendation", "Recording", "Unusual", "facts_of"]
