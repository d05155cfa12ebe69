from __future__ import annotations

import math

import pytest

from twikit_pool.metrics.rates import Rate


def test_a_steady_rate_is_seen_from_the_first_update_on() -> None:
    rate = Rate(100.0)
    assert rate.per_second == 0
    for second in range(1, 5):
        rate.update(7, 100.0 + second)
        assert rate.per_second == pytest.approx(7)


def test_how_often_it_is_updated_does_not_matter() -> None:
    coarse, fine = Rate(0.0), Rate(0.0)
    for now in range(10, 310, 10):
        coarse.update(20, now)
    for now in range(1, 301):
        fine.update(2, now)
    assert coarse.per_second == pytest.approx(fine.per_second) == pytest.approx(2)


def test_what_is_long_ago_weighs_less() -> None:
    rate = Rate(0.0, over=60.0)
    rate.update(6000, 600.0)
    rate.update(0, 660.0)
    assert rate.per_second == pytest.approx(10 / math.e, rel=1e-3)


def test_nothing_is_lost_when_no_time_has_passed() -> None:
    at_once, whole = Rate(0.0), Rate(0.0)
    at_once.update(60, 0.0)
    at_once.update(60, 60.0)
    whole.update(120, 60.0)
    assert at_once.per_second > whole.per_second * 0.5
    assert math.isfinite(at_once.per_second)
