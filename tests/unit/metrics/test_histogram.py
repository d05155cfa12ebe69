from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.metrics import Histogram
from twikit_pool.metrics.histogram import ERROR, LARGEST, SMALLEST

values = st.floats(min_value=0.0, max_value=LARGEST)
several = st.lists(values, max_size=60)


def of(numbers: list[float]) -> Histogram:
    histogram = Histogram()
    for number in numbers:
        histogram.add(number)
    return histogram


@given(st.lists(several, max_size=6))
def test_merging_loses_nothing(parts: list[list[float]]) -> None:
    assert Histogram.merged(map(of, parts)) == of([number for part in parts for number in part])


@given(several, several, several)
def test_it_does_not_matter_in_which_order_is_merged(
    one: list[float], two: list[float], three: list[float]
) -> None:
    a, b, c = of(one), of(two), of(three)
    assert Histogram.merged([Histogram.merged([a, b]), c]) == Histogram.merged([b, Histogram.merged([c, a])])
    assert a == of(one), "merging changes what is merged"


@given(st.lists(values, min_size=1, max_size=200), st.floats(min_value=0.0, max_value=1.0))
def test_a_quantile_is_the_value_that_is_meant_to_one_percent(numbers: list[float], share: float) -> None:
    meant = sorted(numbers)[max(math.ceil(share * len(numbers)), 1) - 1]
    found = of(numbers).quantile(share)
    assert found is not None
    assert abs(found - meant) <= ERROR * meant * (1 + 1e-9) + SMALLEST
    assert found <= max(numbers)


@given(several)
def test_count_sum_and_maximum_are_exact(numbers: list[float]) -> None:
    histogram = of(numbers)
    assert histogram.count == len(numbers)
    assert histogram.max == max(numbers, default=0.0)
    assert histogram.sum == pytest.approx(math.fsum(numbers), rel=1e-12, abs=SMALLEST * len(numbers))


@given(several, st.lists(st.floats(min_value=SMALLEST, max_value=LARGEST), max_size=8).map(sorted))
def test_values_are_at_most_a_bound_to_one_percent(numbers: list[float], bounds: list[float]) -> None:
    for bound, count in zip(bounds, of(numbers).at_most(bounds), strict=True):
        assert sum(each <= bound * (1 - 2 * ERROR) for each in numbers) <= count
        assert count <= sum(each <= bound * (1 + 2 * ERROR) for each in numbers)


@given(several)
def test_it_comes_back_from_bytes_and_json(numbers: list[float]) -> None:
    histogram = of(numbers)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram
    assert msgspec.json.decode(msgspec.json.encode(histogram), type=Histogram) == histogram


def test_it_is_small() -> None:
    assert len(of([1.02**step / 10 for step in range(200)]).to_bytes()) < 1024


@pytest.mark.parametrize(
    "wrong",
    [
        [2, 0, 0, 0, 0.0, {}],
        [1, 3, 0, 0, 0.0, {5: 2}],
        [1, 0, -1, 0, 0.0, {0: 1}],
        [1, 0, 0, 0, math.inf, {}],
    ],
)
def test_what_is_of_another_version_or_does_not_agree_is_refused(wrong: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        Histogram.from_bytes(msgspec.msgpack.encode(wrong))


@pytest.mark.parametrize("wrong", [-0.001, math.nan, math.inf, 1e10])
def test_what_is_no_measurement_is_refused_and_changes_nothing(wrong: float) -> None:
    histogram = of([1.0])
    with pytest.raises(ValueError, match="histogram"):
        histogram.add(wrong)
    assert histogram == of([1.0])


def test_without_values_there_is_nothing_to_tell() -> None:
    empty = Histogram()
    assert (empty.average, empty.quantile(0.5), empty.max) == (None, None, 0.0)
    empty.add(3.0, times=0)
    assert empty.quantiles(0.5, 0.99) == (None, None)


def test_a_value_can_be_added_many_times_at_once() -> None:
    histogram = Histogram()
    histogram.add(0.0, times=98)
    histogram.add(2.0, times=2)
    assert histogram == of([0.0] * 98 + [2.0] * 2)
    assert histogram.quantiles(0.5, 0.98, 0.99) == (0.0, 0.0, pytest.approx(2.0, rel=ERROR))
