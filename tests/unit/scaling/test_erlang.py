from __future__ import annotations

from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.scaling import connections_for

SERVICE = 0.4


@pytest.mark.parametrize(("offered", "connections"), [(5, 11), (10, 17), (20, 28), (40, 50), (200, 214)])
def test_connections_at_100_ms_and_1_percent(offered: float, connections: int) -> None:
    assert connections_for(offered, SERVICE) == connections


def late(offered: float, connections: int, wait: float) -> float:
    """Erlang-C as its textbook has it, which a few connections do not overflow."""
    ratio = offered / connections
    last = offered**connections / factorial(connections) / (1 - ratio)
    waits = last / (sum(offered**k / factorial(k) for k in range(connections)) + last)
    return waits * exp(-(connections - offered) * wait / SERVICE)


@given(st.floats(0.01, 40), st.floats(0.001, 5), st.floats(0.0001, 0.5))
def test_it_is_the_fewest_that_are_enough(offered: float, wait: float, probability: float) -> None:
    found = connections_for(offered, SERVICE, wait, probability)
    assert late(offered, found, wait) <= probability * (1 + 1e-9)
    if found - 1 > offered:
        assert late(offered, found - 1, wait) >= probability * (1 - 1e-9)


@given(st.floats(0, 500), st.floats(0, 50), st.floats(0.001, 10))
def test_more_load_never_needs_fewer(offered: float, more: float, service: float) -> None:
    assert connections_for(offered, service) <= connections_for(offered + more, service)


def test_one_pool_shares_better_than_four() -> None:
    assert 4 * connections_for(5, SERVICE) == 44
    assert connections_for(20, SERVICE) == 28


@pytest.mark.parametrize("offered", [100.0, 1e9, float("inf")])
def test_it_stops_where_it_is_told(offered: float) -> None:
    assert connections_for(offered, SERVICE, at_most=100) == 100


def test_thousands_neither_overflow_nor_lose_precision() -> None:
    assert 10_000 < connections_for(10_000, SERVICE) < 10_100


def test_no_load_needs_none() -> None:
    assert connections_for(0, SERVICE) == 0
