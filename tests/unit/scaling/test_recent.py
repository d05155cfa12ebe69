from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.scaling.recent import Recent

WINDOW = 10.0


@pytest.mark.parametrize("beats", [max, min])
@given(seen=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20)), min_size=1))
def test_it_is_the_extreme_of_the_window(
    beats: Callable[[float, float], float], seen: list[tuple[float, int]]
) -> None:
    recent, now = Recent(beats), 0.0
    every: list[tuple[float, float]] = []
    for pause, value in seen:
        now += pause
        recent.note(now, value)
        every.append((now, value))
        assert recent.extreme(now, WINDOW) == reduce(
            beats, (value for at, value in every if at >= now - WINDOW)
        )


def test_what_lies_ahead_of_a_clock_that_went_back_is_of_now() -> None:
    recent = Recent(max)
    recent.note(1000, 7)
    assert recent.extreme(100, WINDOW) == 7
    assert recent.extreme(110, WINDOW) == 7
    assert recent.extreme(111, WINDOW) is None


def test_a_clock_that_stands_keeps_one_value() -> None:
    recent = Recent(min)
    for value in range(1000):
        recent.note(5, value)
    assert len(recent._seen) == 1
    assert recent.extreme(5, WINDOW) == 0
