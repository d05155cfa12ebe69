from __future__ import annotations

import logging
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from statistics import mean
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from benchmarks._traces import BUCKETS_A_DAY, traces_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.scaling import Forecaster, Load, Prediction, ScalingEngine

pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
from twikit_pool.scaling import lightgbm_forecaster  # after the skip: it needs the extra
from twikit_pool.scaling.lightgbm_forecaster import LightGBMForecaster

BUCKET = 300.0
NEWS = traces_of(None)["daily"].counts


@pytest.fixture
def forecaster() -> Iterator[LightGBMForecaster]:
    with LightGBMForecaster(every=10 * 86_400.0) as made:
        yield made


def taught(forecaster: LightGBMForecaster, loads: list[float | None], begin: int = 0) -> None:
    """Learn these, and wait for the training that may begin meanwhile."""
    for number, load in enumerate(loads, begin):
        forecaster.learn(number * BUCKET, load)
    forecaster.wait()


def days(number: float, begin: int = 0) -> list[float | None]:
    return list(NEWS[begin : begin + round(number * BUCKETS_A_DAY)])


def test_it_is_a_forecaster() -> None:
    with LightGBMForecaster() as made:
        forecaster: Forecaster = made
        assert forecaster.predict() == {}


def test_before_two_days_and_the_first_training_there_is_nothing_to_predict(
    forecaster: LightGBMForecaster,
) -> None:
    taught(forecaster, days(1.9))
    assert forecaster.predict() == {}
    taught(forecaster, days(0.2, len(days(1.9))), len(days(1.9)))
    predictions = forecaster.predict()
    assert list(predictions) == [300, 900, 3600]
    for each in predictions.values():
        assert 0 <= each.expected <= each.upper < math.inf
        assert each.coverage is None, "no bound was measured yet"
        assert each.width == pytest.approx((each.upper - each.expected) / (1 + each.expected))


def test_it_is_better_than_the_last_value_and_its_bound_holds() -> None:
    learned, scored = 10 * BUCKETS_A_DAY, 4 * BUCKETS_A_DAY
    with LightGBMForecaster(every=3 * 86_400.0) as forecaster:
        said: list[Mapping[float, Prediction]] = []
        for number, load in enumerate(NEWS[: learned + scored + 12]):
            forecaster.learn(number * BUCKET, load)
            forecaster.wait()
            said.append(forecaster.predict())
    for horizon, ahead, at_most in ((300, 1, 1.02), (900, 3, 1.0), (3600, 12, 0.85)):
        origins = range(learned, learned + scored)
        error = sum(abs(said[each][horizon].expected - NEWS[each + ahead]) for each in origins)
        naive = sum(abs(NEWS[each] - NEWS[each + ahead]) for each in origins)
        assert error <= at_most * naive
        held = mean(NEWS[each + ahead] <= said[each][horizon].upper for each in origins)
        assert 0.92 <= held <= 0.98
        assert said[-1][horizon].coverage == pytest.approx(held, abs=0.02)


def test_learning_never_waits_for_a_training(
    forecaster: LightGBMForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, threads, real = threading.Event(), list[int](), lightgbm_forecaster.trained

    def slow(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        assert goes_on.wait(30)
        return real(*arguments)

    monkeypatch.setattr(lightgbm_forecaster, "trained", slow)
    for number, load in enumerate(days(2.2)):
        forecaster.learn(number * BUCKET, load)
    assert forecaster.predict() == {}
    goes_on.set()
    forecaster.wait()
    assert forecaster.predict()
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_it_is_trained_again_only_when_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    def noted(past: Any, number: int, *_: Any) -> Any:
        trained.append(number)
        return {}

    monkeypatch.setattr(lightgbm_forecaster, "trained", noted)
    with LightGBMForecaster(every=6 * 3600.0) as forecaster:
        for number, load in enumerate(days(3)):
            forecaster.learn(number * BUCKET, load)
            forecaster.wait()
    assert trained == [575, 647, 719, 791, 863]


def test_a_training_that_fails_is_told_and_the_former_models_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: LogCaptureFixture
) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("canary")

    with LightGBMForecaster(every=86_400.0) as forecaster:
        taught(forecaster, days(2))
        monkeypatch.setattr(lightgbm_forecaster, "trained", fails)
        with caplog.at_level(logging.WARNING):
            taught(forecaster, days(1.1, 2 * BUCKETS_A_DAY), 2 * BUCKETS_A_DAY)
        assert forecaster.predict()
    assert "training LightGBM failed: ValueError; the former models go on" in caplog.text
    assert "canary" not in caplog.text


def test_after_it_is_closed_it_goes_on_without_training() -> None:
    forecaster = LightGBMForecaster(every=600.0)
    taught(forecaster, days(2))
    forecaster.close()
    taught(forecaster, days(0.1, 2 * BUCKETS_A_DAY), 2 * BUCKETS_A_DAY)
    assert forecaster.predict()


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -1.0])
def test_missing_buckets_are_no_fall(forecaster: LightGBMForecaster, missing: float | None) -> None:
    taught(forecaster, days(2.2))
    before = forecaster.predict()[300].expected
    taught(forecaster, [missing] * 2, len(days(2.2)))
    assert forecaster.predict()[300].expected == pytest.approx(before, rel=0.5)
    taught(forecaster, [missing] * 10, len(days(2.2)) + 2)
    assert forecaster.predict() == {}, "no level is known any more"
    taught(forecaster, days(0.1), len(days(2.2)) + 12)
    assert forecaster.predict()


def test_what_comes_twice_or_late_is_left_out(forecaster: LightGBMForecaster) -> None:
    taught(forecaster, days(2.2))
    before = forecaster.predict()
    for number in (len(days(2.2)) - 1, len(days(2.2)) - 5):
        forecaster.learn(number * BUCKET, 1e6)
    forecaster.learn(math.nan, 1e6)
    assert forecaster.predict() == before


def test_a_gap_and_a_clock_set_back_are_survived(forecaster: LightGBMForecaster) -> None:
    taught(forecaster, days(2.2))
    taught(forecaster, days(0.5), 10_000_000)
    assert forecaster.predict()
    taught(forecaster, days(0.5))
    assert forecaster.predict()
    assert all(math.isfinite(each.upper) for each in forecaster.predict().values())


def test_nothing_is_foreseen_beyond_twice_the_highest_load(forecaster: LightGBMForecaster) -> None:
    taught(forecaster, [0.0] * 600)
    assert forecaster.predict()[3600].upper <= 1
    taught(forecaster, [1e300], 600)
    assert all(math.isfinite(each.upper) for each in forecaster.predict().values())


def test_an_engine_takes_it() -> None:
    with LightGBMForecaster() as forecaster:
        taught(forecaster, days(2.5))
        engine = ScalingEngine(ConnectionPoolConfig(), forecaster)
        begin = len(days(2.5)) * BUCKET
        for number in range(300):
            moment = begin + number * BUCKET
            load = Load(moment=moment, epoch=moment, active=20.0, arrivals=50.0, service=0.4, opening=300.0)
            expected = engine.analyze_scaling_needs(load, 30, 0).predicted_load
            said = forecaster.predict()[300]
            assert expected == pytest.approx(said.expected if said.coverage is not None else 20.0)
        assert forecaster.predict()[300].coverage is not None


def test_a_step_takes_milliseconds(forecaster: LightGBMForecaster) -> None:
    taught(forecaster, days(7))
    began = time.process_time()
    taught(forecaster, days(0.2), 7 * BUCKETS_A_DAY)
    assert (time.process_time() - began) / len(days(0.2)) < 0.02


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bucket": 10.0}, "bucket is 10.0: give seconds between 60 and 3600"),
        ({"horizons": ()}, "horizons are"),
        ({"horizons": (1e6,)}, "horizons are"),
        ({"upper": 0.5}, "upper is 0.5"),
        ({"every": 0.0}, "every is 0.0"),
        ({"every": math.nan}, "every is nan"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        LightGBMForecaster(**wrong)


def test_without_the_extra_the_error_names_it() -> None:
    program = """
import sys
sys.modules["lightgbm"] = None
import twikit_pool.scaling
try:
    import twikit_pool.scaling.lightgbm_forecaster
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'twikit-pool[lightgbm]'" in done.stdout
