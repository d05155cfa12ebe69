from __future__ import annotations

import pytest

from tests.unit.analytics.weeks import Fleet, Week, rate_with_noon, usual_rate, week
from twikit_pool.config import ConnectionPoolConfig

FAULTY = ConnectionPoolConfig(
    max_connections=20,
    min_connections=2,
    scaling_rules=("utilisation", "queue"),
    scale_up_threshold=0.6,
    scale_down_threshold=0.55,
    scale_down_increment=5,
    scaling_cooldown=0,
    scaling_stabilisation=0,
)
"""Too small at noon, and with thresholds that take back what they do."""


@pytest.fixture(scope="session")
def clean_week() -> Week:
    return week(ConnectionPoolConfig(max_connections=40, min_connections=2), usual_rate)


@pytest.fixture(scope="session")
def faulty_week() -> Week:
    return week(FAULTY, rate_with_noon, fleet=Fleet(bad_proxy="bad.example:3128", dying="account_30"))
