from __future__ import annotations

import random
from collections.abc import Iterable
from math import inf, isfinite, nan, pi, sin
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twikit_pool.errors import ConfigError
from twikit_pool.scaling import OnlineForecaster

MIDNIGHT = 1_700_006_400.0
DAY = 86_400.0
HORIZONS = (300, 900, 3600)

loads = st.one_of(
    st.none(),
    st.sampled_from([nan, inf, -inf, -1.0, 0.0, 5e-324, 1e-9, 1e300]),
    st.floats(0, 1e4),
)
steps = st.one_of(
    st.just(300.0),
    st.sampled_from([0.0, 1.0, -300.0, 600.0, 3000.0, 3600.0, 3900.0, -7200.0, DAY, -30 * DAY, 1e9, -1e9]),
    st.sampled_from([nan, inf, -inf, 1e300]),
)


def a_week(days: float = 7.0, seed: int = 1) -> list[tuple[float, float]]:
    """Buckets of 5 minutes with a daily course and noise."""
    rng = random.Random(seed)
    return [
        (MIDNIGHT + 300.0 * number, max(0.0, 40 + 30 * sin(2 * pi * number / 288) + rng.gauss(0, 5)))
        for number in range(round(days * 288))
    ]


def taught(history: Iterable[tuple[float, float | None]], bucket: float = 300.0) -> OnlineForecaster:
    forecaster = OnlineForecaster(bucket)
    forecaster.warm_up(history)
    return forecaster


def check(forecaster: OnlineForecaster) -> None:
    """What holds whatever was learned."""
    for prediction in forecaster.predict().values():
        assert isfinite(prediction.expected)
        assert isfinite(prediction.upper)
        assert 0 <= prediction.expected <= prediction.upper
        assert 0 <= prediction.width <= 19.01
        assert prediction.coverage is None or 0 <= prediction.coverage <= 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(steps, loads), max_size=60), st.sampled_from([10.0, 300.0, 1000.0, 3600.0, DAY]))
def test_no_input_leads_to_nonsense(changes: list[tuple[float, float | None]], bucket: float) -> None:
    forecaster = OnlineForecaster(bucket)
    moment = MIDNIGHT
    for step, load in changes:
        forecaster.learn(moment + step, load)
        check(forecaster)
        if isfinite(step) and abs(step) <= 1e9:
            moment += step
    again = OnlineForecaster(bucket)
    again.restore(forecaster.state())
    assert again.predict() == forecaster.predict()


@pytest.mark.parametrize("load", [0.0, 7.0, 1e300])
def test_a_constant_load_is_expected_for_ever(load: float) -> None:
    forecaster = taught((MIDNIGHT + 300.0 * number, load) for number in range(8 * 288))
    for prediction in forecaster.predict().values():
        assert prediction.expected == pytest.approx(min(load, 1e15), rel=0.02, abs=0.02)
        assert prediction.width < 0.05, "and the bound comes close"


def test_wild_jumps_between_extremes_stay_finite() -> None:
    rng = random.Random(3)
    forecaster = OnlineForecaster()
    for number in range(3000):
        forecaster.learn(MIDNIGHT + 300.0 * number, rng.choice([0.0, 1e15, 1e-9, 50.0]))
        check(forecaster)


def test_nothing_is_known_before_the_first_load() -> None:
    forecaster = OnlineForecaster()
    assert forecaster.predict() == {}
    forecaster.learn(MIDNIGHT, None)
    forecaster.learn(MIDNIGHT + 300, nan)
    assert forecaster.predict() == {}
    forecaster.learn(MIDNIGHT + 600, 12.0)
    assert tuple(forecaster.predict()) == HORIZONS
    assert forecaster.predict()[300].expected == pytest.approx(12, rel=0.2)
    assert forecaster.predict()[300].coverage is None, "no bound was measured yet"


def test_the_course_of_the_day_is_foreseen() -> None:
    history = a_week(7.25)  # the load is at its peak now, and goes down
    predictions = taught(history).predict()
    truth = 40 + 30 * sin(2 * pi * (len(history) + 11) / 288)
    assert predictions[3600].expected == pytest.approx(truth, rel=0.1)
    assert predictions[3600].upper > truth


def test_kept_hours_tell_the_course_of_the_week() -> None:
    def load(moment: float) -> float:
        return 10.0 if moment // DAY % 7 == 0 else 40.0

    begins = MIDNIGHT - MIDNIGHT % (7 * DAY)  # of a quiet day
    history = [(begins + 300.0 * number, load(begins + 300.0 * number)) for number in range(14 * 288)]
    hours = [(begins - 3600.0 * ago, load(begins - 3600.0 * ago)) for ago in range(2016, 0, -1)]
    informed, other = OnlineForecaster(), OnlineForecaster()
    informed.warm_up(history, hours=hours)
    other.warm_up(history)
    assert informed.predict()[3600].expected < other.predict()[3600].expected, "a quiet day is about to begin"


def test_twice_the_same_bucket_and_late_ones_change_nothing() -> None:
    history = a_week(2)
    forecaster = taught(history)
    before = forecaster.state()
    forecaster.learn(*history[-1])
    forecaster.learn(history[-1][0], 1e6)
    forecaster.learn(history[-5][0], 1e6)
    assert forecaster.state() == before


@pytest.mark.parametrize("moment", [nan, inf, -inf, 1e300])
def test_a_moment_that_is_none_changes_nothing(moment: float) -> None:
    forecaster = taught(a_week(1))
    before = forecaster.state()
    forecaster.learn(moment, 5.0)
    assert forecaster.state() == before


def test_a_bucket_may_begin_a_little_late() -> None:
    rng = random.Random(2)
    shifted = [(moment + rng.uniform(-100, 100), load) for moment, load in a_week(2)]
    assert taught(shifted).predict() == taught(a_week(2)).predict()


@pytest.mark.parametrize("gap", [300.0, 1500.0, 6 * 3600.0, 3 * DAY])
@pytest.mark.parametrize("absent", [True, False], ids=["left out", "told as missing"])
def test_a_gap_is_no_fall(gap: float, absent: bool) -> None:
    forecaster = taught((moment, 40.0) for moment, _ in a_week(3))
    ended = MIDNIGHT + 3 * DAY + gap
    if not absent:
        forecaster.warm_up((MIDNIGHT + 3 * DAY + 300.0 * n, None) for n in range(int(gap / 300)))
        assert forecaster.predict()[300].expected == pytest.approx(40, rel=0.05)
    forecaster.learn(ended, 40.0)
    for prediction in forecaster.predict().values():
        assert prediction.expected == pytest.approx(40, rel=0.05)


def test_after_a_long_gap_the_load_may_be_another() -> None:
    forecaster = taught((moment, 40.0) for moment, _ in a_week(3))
    forecaster.learn(MIDNIGHT + 4 * DAY, 400.0)
    assert forecaster.predict()[300].expected == pytest.approx(400, rel=0.2)


def test_a_clock_that_was_set_back_goes_on_from_there() -> None:
    forecaster = taught(a_week(3))
    coverage = forecaster.predict()[300].coverage
    forecaster.learn(MIDNIGHT - 10 * DAY, 5.0)
    assert forecaster.predict()[300].coverage == coverage, "nothing was foretold for that moment"
    forecaster.warm_up((MIDNIGHT - 10 * DAY + 300 * number, 5.0) for number in range(1, 12))
    assert forecaster.predict()[300].expected == pytest.approx(5, rel=0.5)


def test_after_a_jump_no_forecast_is_held_against_the_wrong_bucket() -> None:
    forecaster = taught(a_week(3))
    before = msgspec.json.decode(forecaster.state())["ahead"]
    forecaster.learn(MIDNIGHT + 9 * DAY, 1e6)
    after = msgspec.json.decode(forecaster.state())["ahead"]
    assert [each["bound"] for each in after] == [each["bound"] for each in before]
    assert [each["mixture"] for each in after] == [each["mixture"] for each in before]


def test_a_saved_state_goes_on_exactly() -> None:
    history = a_week(4)
    whole, first = taught(history), taught(history[:700])
    second = OnlineForecaster()
    second.restore(first.state())
    second.warm_up(history[700:])
    assert second.predict() == whole.predict()
    assert second.state() == whole.state()


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (b"not json", "cannot be read"),
        (b"{}", "cannot be read"),
        (OnlineForecaster().state().replace(b'"version":1', b'"version":2'), "cannot be read"),
        (OnlineForecaster(60).state(), "bucket 60.0, this one 300.0"),
        (OnlineForecaster(horizons=[300]).state(), "horizons"),
        (OnlineForecaster(upper=0.9).state(), "upper 0.9, this one 0.95"),
    ],
)
def test_what_is_no_state_of_its_own_is_refused(state: bytes, complaint: str) -> None:
    forecaster = taught(a_week(1))
    before = forecaster.state()
    with pytest.raises(ConfigError, match=complaint):
        forecaster.restore(state)
    assert forecaster.state() == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"bucket": 9.0},
        {"bucket": nan},
        {"bucket": 2 * DAY},
        {"horizons": []},
        {"horizons": [0]},
        {"horizons": [nan]},
        {"upper": 0.5},
        {"upper": 1.0},
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        OnlineForecaster(**arguments)


@pytest.mark.parametrize("bucket", [120.0, 900.0, 3600.0])
def test_buckets_of_other_lengths(bucket: float) -> None:
    buckets = round(7.25 * DAY / bucket)
    times = [MIDNIGHT + bucket * number for number in range(buckets)]
    forecaster = taught(((moment, 40 + 30 * sin(2 * pi * moment / DAY)) for moment in times), bucket)
    assert forecaster.predict()[3600].coverage == pytest.approx(0.95, abs=0.06)
    then = times[-1] + max(3600.0, bucket)
    assert forecaster.predict()[3600].expected == pytest.approx(40 + 30 * sin(2 * pi * then / DAY), rel=0.1)


def test_the_same_on_every_python() -> None:
    """Sums must not depend on how a version of Python adds up floats."""
    prediction = taught(a_week(3)).predict()[3600]
    known = (44.114455239649686, 81.24185402895483)
    assert (prediction.expected, prediction.upper) == pytest.approx(known, rel=1e-9)
