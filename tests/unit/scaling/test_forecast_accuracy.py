from __future__ import annotations

import os
from pathlib import Path
from statistics import mean

import pytest

from benchmarks._traces import traces_of
from benchmarks.forecast import Accuracy, measure

TRACES = os.environ.get("TWIKIT_POOL_TRACES")


def check(found: Accuracy) -> None:
    """What holds on every trace."""
    assert max(found.ratios) <= 1.02, "hardly worse than the last value at any horizon"
    assert all(0.93 <= coverage <= 0.97 for coverage in found.coverage)


@pytest.mark.parametrize("name", ["daily", "news"])
def test_on_a_synthetic_trace(name: str) -> None:
    found = measure(traces_of(None)[name])
    check(found)
    assert found.ratios[-1] <= 0.75
    assert all(ours < trend for ours, trend in zip(found.ours, found.trend, strict=True))


@pytest.mark.skipif(not TRACES, reason="TWIKIT_POOL_TRACES names no folder of real traces")
def test_on_real_traces() -> None:
    measured = [measure(trace) for trace in traces_of(Path(TRACES or "")).values()]
    for found in measured:
        check(found)
    assert mean(found.ratios[-1] for found in measured) <= 0.75
