from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.analytics import statistics as ours


def noise(count: int, memory: float, seed: int) -> list[float]:
    """Noise of which each value remembers so much of the one before."""
    rng = random.Random(seed)
    values = [rng.gauss(0, 1)]
    for _ in range(count - 1):
        values.append(memory * values[-1] + rng.gauss(0, 1))
    return values


def test_a_slope_is_found_through_outliers() -> None:
    moments = [float(n) for n in range(60)]
    values = [0.5 * each + noise for each, noise in zip(moments, noise(60, 0.0, 3), strict=True)]
    values[7] = values[41] = 1e6
    found = ours.theil_sen(moments, values)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.low < 0.5 < found.high
    assert found.p < 1e-6


@pytest.mark.parametrize("memory", [0.0, 0.4, 0.7])
def test_what_only_remembers_itself_is_seldom_a_trend(memory: float) -> None:
    moments = [float(n) for n in range(168)]
    found = sum(ours.theil_sen(moments, noise(168, memory, seed)).p < 0.01 for seed in range(60))
    assert found <= 3  # 1% of 60 are 0.6; without the inflation it would be 20 and more at 0.7


def test_equal_values_are_no_trend() -> None:
    found = ours.theil_sen([0.0, 1.0, 2.0, 3.0], [2.0] * 4)
    assert found.slope == 0
    assert found.p == 1


def test_memory_inflates_the_variance_of_a_mean() -> None:
    assert ours.inflation(noise(2_000, 0.0, 1)) == pytest.approx(1, abs=0.3)
    assert 4 < ours.inflation(noise(2_000, 0.7, 1)) < 10  # (1 + 0.7) / (1 - 0.7) is 5.7


def test_kolmogorov() -> None:
    assert ours.bridge_tail(1.358) == pytest.approx(0.05, abs=0.001)
    assert ours.bridge_tail(1.628) == pytest.approx(0.01, abs=0.0005)
    assert ours.bridge_tail(0.0) == 1


def test_shares_have_intervals() -> None:
    low, high = ours.wilson(10, 100)
    assert (low, high) == (pytest.approx(0.0552, abs=1e-3), pytest.approx(0.1744, abs=1e-3))
    assert ours.wilson(0, 0) == (0.0, 1.0)
    assert ours.binomial_tail(30, 100, 0.1) < 1e-6
    assert ours.binomial_tail(5, 100, 0.1) == 1


def test_a_bootstrap_repeats() -> None:
    days = [1.0, 2.0, 3.0, 4.0, 9.0]
    mean = lambda some: sum(some) / len(some)  # noqa: E731
    low, high = ours.bootstrap(days, mean)
    assert (low, high) == ours.bootstrap(days, mean)
    assert 1 < low < mean(days) < high < 9


@given(st.lists(st.integers(-5, 5), max_size=30))
def test_ranks_share(values: list[int]) -> None:
    ranks = ours.ranks(values)
    assert sum(ranks) == len(values) * (len(values) + 1) / 2
    for one, other in zip(ranks, values, strict=True):
        assert one == sum(each < other for each in values) + (values.count(other) + 1) / 2
