from __future__ import annotations

from math import inf, nan

from twikit_pool.scaling.buckets import LoadBuckets


def test_a_bucket_is_told_when_the_next_begins() -> None:
    buckets = LoadBuckets(300)
    assert [buckets.add(epoch, load) for epoch, load in ((600, 2.0), (700, 4.0), (899, 6.0))] == [None] * 3
    assert buckets.add(900, 1.0) == (600, 4.0)
    assert buckets.add(1800, 1.0) == (900, 1.0)  # the one between had nothing


def test_what_is_no_measurement_counts_for_nothing() -> None:
    buckets = LoadBuckets(300)
    buckets.add(0, 2.0)
    assert [buckets.add(epoch, load) for epoch, load in ((10, None), (nan, 9.0), (inf, 9.0))] == [None] * 3
    assert buckets.add(300, 9.0) == (0, 2.0)


def test_a_clock_that_goes_back_drops_what_it_leaves() -> None:
    buckets = LoadBuckets(300)
    buckets.add(900, 2.0)
    assert buckets.add(0, 4.0) is None
    assert buckets.add(300, 1.0) == (0, 4.0)
