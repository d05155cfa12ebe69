from __future__ import annotations

import random
from math import exp, log1p

import pytest

from twikit_pool.scaling.conformal import ENOUGH, FURTHEST, ConformalBound
from twikit_pool.scaling.experts import Mixture
from twikit_pool.scaling.horizon import Horizon
from twikit_pool.scaling.least_squares import TRUST, LeastSquares
from twikit_pool.scaling.profile import DAY, HOUR, Profile

WEEK = 7 * DAY


class TestLeastSquares:
    def test_finds_the_weights(self) -> None:
        rng, squares = random.Random(1), LeastSquares.starting_at([0.0, 0.0])
        for _ in range(2000):
            x = rng.gauss(0, 1)
            squares.learn([1.0, x], 2 + 3 * x + rng.gauss(0, 0.1), 0.999)
        assert squares.weights == pytest.approx([2, 3], abs=0.05)

    def test_forgets(self) -> None:
        squares = LeastSquares.starting_at([0.0])
        for value in [1.0] * 1000 + [2.0] * 1000:
            squares.learn([1.0], value, 0.99)
        assert squares.predict([1.0]) == pytest.approx(2, abs=0.01)

    def test_does_not_follow_a_single_wild_value(self) -> None:
        squares = LeastSquares.starting_at([0.0])
        for _ in range(1000):
            squares.learn([1.0], 1.0, 0.99)
        squares.learn([1.0], 1e6, 0.99)
        assert squares.predict([1.0]) == pytest.approx(1, abs=0.01)

    def test_features_that_never_vary_do_no_harm(self) -> None:
        squares = LeastSquares.starting_at([0.5, 0.5, 0.0])
        for _ in range(50_000):
            squares.learn([1.0, 1.0, 0.0], 1.0, 0.99)
        assert max(abs(each) for row in squares.covariance for each in row) < 1000
        squares.learn([1.0, 2.0, 1.0], 1.2, 0.99)
        assert all(abs(weight) < 1 for weight in squares.weights)

    def test_begins_anew_when_rounding_has_eaten_up_the_covariance(self) -> None:
        squares = LeastSquares.starting_at([0.0])
        squares.covariance = [[-1.0]]
        squares.learn([1.0], 1.0, 1.0)
        assert squares == LeastSquares(weights=[0.0], covariance=[[TRUST]], scale=squares.scale)


class TestMixture:
    def test_follows_whoever_does_well_lately(self) -> None:
        mixture = Mixture(losses=[0.0, 0.0])
        assert mixture.mix([10.0, 20.0]) == 15, "nothing is known of them"
        for _ in range(200):
            mixture.learn([10.0, 20.0], 10.0, 0.99)
        assert mixture.mix([10.0, 20.0]) == pytest.approx(10, abs=0.01)
        for _ in range(400):
            mixture.learn([10.0, 20.0], 20.0, 0.99)
        assert mixture.mix([10.0, 20.0]) == pytest.approx(20, abs=0.2)

    def test_is_never_worse_than_the_experts_by_weight(self) -> None:
        rng, mixture = random.Random(5), Mixture(losses=[0.0] * 3)
        for _ in range(300):
            load = rng.uniform(0, 100)
            forecasts = [max(0.0, load + rng.gauss(0, spread)) for spread in (5, 20, 80)]
            assert min(forecasts) <= mixture.mix(forecasts) <= max(forecasts)
            mixture.learn(forecasts, load, 0.99)
        assert mixture.mix([1.0, 0.0, 0.0]) > 0.9, "the first was the best by far"

    def test_a_burst_does_not_decide_for_long(self) -> None:
        mixture = Mixture(losses=[0.0, 0.0])
        for _ in range(300):
            mixture.learn([10.0, 13.0], 10.0, 0.99)
        mixture.learn([10.0, 1e6], 1e6, 0.99)
        for _ in range(100):
            mixture.learn([10.0, 13.0], 10.0, 0.99)
        assert mixture.mix([1.0, 0.0]) > 0.9

    def test_no_load_at_all(self) -> None:
        mixture = Mixture(losses=[0.0, 0.0])
        mixture.learn([1.0, 3.0], 0.0, 0.99)
        assert mixture.mix([1.0, 3.0]) == 2


class TestConformalBound:
    def test_holds_as_often_as_asked_for_whatever_comes(self) -> None:
        rng, bound, held = random.Random(2), ConformalBound(), 0
        for number in range(6000):
            spread = 0.1 if number // 1500 % 2 else 1.0  # it changes for good, four times
            error = rng.gauss(0, spread)
            holds = error <= bound.reach
            held += holds
            bound.learn(error, held=holds, may_fail=0.05, memory=0.999)
        assert held / 6000 == pytest.approx(0.95, abs=0.01)
        assert bound.coverage == pytest.approx(0.95, abs=0.03)

    def test_says_nothing_before_enough_was_measured(self) -> None:
        bound = ConformalBound()
        for _ in range(int(ENOUGH) - 1):
            bound.learn(0.0, held=True, may_fail=0.05, memory=1.0)
        assert bound.coverage is None
        bound.learn(0.0, held=False, may_fail=0.05, memory=1.0)
        assert bound.coverage == 0.99

    def test_is_back_after_a_long_calm(self) -> None:
        bound, missed = ConformalBound(), 0
        for _ in range(20_000):
            bound.learn(0.0, held=True, may_fail=0.05, memory=0.99)
        for _ in range(300):
            holds = bound.reach >= 1
            missed += not holds
            bound.learn(1.0, held=holds, may_fail=0.05, memory=0.99)
        assert missed < 200

    def test_is_never_too_far_nor_below_the_forecast(self) -> None:
        bound = ConformalBound()
        for _ in range(500):
            bound.learn(30.0, held=False, may_fail=0.05, memory=0.99)
        assert bound.reach == FURTHEST
        for _ in range(50_000):
            bound.learn(0.0, held=True, may_fail=0.05, memory=0.99)
        assert bound.reach == 0
        assert exp(FURTHEST) == pytest.approx(20)


class TestHorizon:
    def test_nothing_is_above_twice_the_highest_load(self) -> None:
        horizon = Horizon.ahead(1, [1.0], experts=0)
        outlook = horizon.look([50.0], [], peak=log1p(9))
        assert outlook.expected == pytest.approx(19), "one more than the load, doubled"
        assert outlook.upper == pytest.approx(19)

    def test_the_bound_is_never_below_the_forecast(self) -> None:
        horizon = Horizon.ahead(1, [1.0], experts=0)
        horizon.bound.reach = 0.0
        for number in range(1000):
            outlook = horizon.look([number / 100], [], peak=20.0)
            assert outlook.upper >= outlook.expected


class TestProfile:
    def test_the_usual_day(self) -> None:
        profile = Profile.for_buckets(300)
        assert profile.usual(0) is None
        assert profile.a_day_before(0) is None
        for number in range(20 * 288):
            profile.learn(300.0 * number, 5.0 if number % 288 < 144 else 1.0, 300)
        assert profile.usual(20 * DAY + 6 * HOUR) == pytest.approx(5)
        assert profile.usual(20 * DAY + 18 * HOUR) == pytest.approx(1)
        assert 1 < (profile.usual(20 * DAY) or 0) < 5, "smoothed over midnight"

    def test_follows_days_that_change(self) -> None:
        profile = Profile.for_buckets(3600)
        for day in range(30):
            profile.learn(day * DAY, 1.0 if day < 15 else 2.0, 3600)
        assert profile.usual(0) == pytest.approx(2 - 0.85**15)
        assert profile.a_day_before(30 * DAY) == 2

    def test_short_buckets_share_a_slot(self) -> None:
        short, long = Profile.for_buckets(60), Profile.for_buckets(300)
        for number in range(10):
            value = float(number)
            long.learn(number * DAY, value, 300)
            for minute in range(5):
                short.learn(number * DAY + 60 * minute, value, 60)
        assert len(short.daily) == 288
        assert short.usual(0) == pytest.approx(long.usual(0))

    def test_an_hour_of_the_week_is_believed_the_second_time(self) -> None:
        profile = Profile.for_buckets(3600)
        for day in range(7):
            profile.learn(day * DAY + HOUR, 3.0, 3600)
        hour = 6 * DAY + HOUR
        for week, known in ((0, 0.0), (1, 0.0), (2, 1.0)):
            assert profile.of_the_week(WEEK + hour) == known, f"seen {week} times"
            profile.learn_hour(hour, 4.0)

    def test_buckets_make_up_hours(self) -> None:
        profile = Profile.for_buckets(300)
        for number in range(13):
            profile.learn(300.0 * number, float(number), 300)
        assert profile.weekly[0] == sum(range(12)) / 12
        assert profile.weeks[:2] == [1, 0], "the second hour is not over"
