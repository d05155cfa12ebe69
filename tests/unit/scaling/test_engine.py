"""What the engine decides, sentence by sentence of docs/scaling.md."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import nan
from typing import Any

import pytest

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.scaling import EndpointDemand, Load, Prediction, ScalingDecision, ScalingEngine

SERVICE = 0.4
SEED_RULES = ("utilisation", "queue")
CONFIG = ConnectionPoolConfig(min_connections=2, max_connections=100)
SEARCH = EndpointDemand(endpoint="SearchTimeline", rate=5.0, sustained=50 / 900)


def load(erlangs: float, **changes: Any) -> Load:
    """Everything measured, and well."""
    measured = Load(
        moment=0.0,
        epoch=0.0,
        active=erlangs,
        arrivals=erlangs / SERVICE,
        service=SERVICE,
        acquisition=0.0,
        error_rate=0.0,
        limited_rate=0.0,
        accounts_usable=1000,
    )
    return replace(measured, **changes)


@dataclass
class Pool:
    """A pool that is always as large as was decided."""

    engine: ScalingEngine
    size: int
    now: float = 0.0

    def look(self, erlangs: float, queue: int = 0, after: float = 15.0, **changes: Any) -> ScalingDecision:
        self.now += after
        measured = load(erlangs, **{"moment": self.now, "epoch": self.now, **changes})
        decision = self.engine.analyze_scaling_needs(measured, self.size, queue)
        self.size = decision.target_size
        return decision

    def settle(self, erlangs: float, seconds: float = 1200.0, **changes: Any) -> None:
        for _ in range(int(seconds / 15)):
            self.look(erlangs, **changes)


def pool(size: int, config: ConnectionPoolConfig = CONFIG, **changes: Any) -> Pool:
    return Pool(ScalingEngine(config.changed(**changes)), size)


# ---------------------------------------------------------------- demand


def test_a_step_from_5_to_95_percent_is_answered_by_the_next_look() -> None:
    steep = pool(17)
    steep.settle(1.0)
    decision = steep.look(60.0, after=0.5)
    assert (decision.action, decision.target_size) == ("scale_up", 71)
    assert steep.look(80.0, after=0.5).target_size == 92  # which no cooldown holds back


def test_it_shrinks_to_the_highest_of_five_minutes_and_at_once() -> None:
    calm = pool(28)
    calm.settle(20.0)
    assert calm.size == 28
    at_half = [calm.look(12.0) for _ in range(20)]
    assert {each.target_size for each in at_half} == {28}
    assert "stabilisation" in at_half[-1].constraints
    calm.settle(12.0, 30)
    assert calm.size == 19


def test_a_size_that_is_nearly_right_is_right() -> None:
    calm = pool(30)
    calm.settle(20.0)
    assert calm.size == 30
    assert calm.look(20.0).constraints == ("tolerance",)


def test_what_cannot_serve_everyone_is_on_top() -> None:
    assert pool(1).look(20.0, reserved=3, unhealthy=2).target_size == 33


def test_no_load_needs_the_least_there_may_be() -> None:
    idle = pool(20)
    idle.settle(0.0, service=None, acquisition=None)
    assert idle.size == CONFIG.min_connections


def test_at_the_least_there_may_be_the_highest_of_five_minutes_holds_nothing_back() -> None:
    least = pool(CONFIG.min_connections)
    least.settle(0.0, service=None, acquisition=None)
    looks = [least.look(erlangs) for erlangs in (0.001, 0.0, 0.001, 0.0)]
    assert {each.constraints for each in looks} == {("minimum",)}


# ---------------------------------------------------------------- thresholds


def test_the_thresholds_alone_go_by_their_increments_and_the_cooldown() -> None:
    thresholds = pool(20, scaling_rules=SEED_RULES)
    assert thresholds.look(17.0).target_size == 25
    sizes = [thresholds.look(24.0).target_size for _ in range(8)]
    assert sizes == [25, 25, 25, 30, 30, 30, 30, 30]
    assert thresholds.look(13.0).target_size == 30  # between the two
    sizes = [thresholds.look(8.0).target_size for _ in range(26)]
    assert sizes == [30] * 20 + [28] * 4 + [26] * 2  # five minutes, then one step a minute


def test_a_queue_that_is_slow_is_a_step() -> None:
    queued = pool(20, scaling_rules=SEED_RULES)
    assert queued.look(10.0, queue=4, acquisition=0.05).action == "hold"
    assert queued.look(10.0, queue=0, acquisition=3.0).action == "hold"
    assert queued.look(10.0, queue=4, acquisition=3.0).target_size == 25


def test_a_pool_of_none_grows_for_whoever_waits() -> None:
    empty = pool(0, min_connections=0)
    assert empty.look(0.0, queue=1, arrivals=None, service=None, acquisition=None).target_size == 5


def test_more_in_use_than_the_threshold_is_a_step_where_demand_says_less() -> None:
    held_long = pool(20)
    assert held_long.look(2.0, active=19.0).target_size == 25


def test_it_never_shrinks_so_far_that_the_threshold_would_grow_it_again() -> None:
    held_long = pool(30)
    held_long.settle(2.0, active=20.0)
    assert held_long.size == 25


# ---------------------------------------------------------------- rate budgets


def test_the_budget_asks_for_accounts_where_utilisation_would_shrink() -> None:
    searching = pool(10)
    decision = searching.look(2.0, demand=(SEARCH,))
    # 4,500 searches a window, and the 156 that chance adds in one of a hundred, by 50 an account
    assert decision.target_size == 94
    assert "SearchTimeline" in decision.reason
    thresholds = pool(94, scaling_rules=SEED_RULES)
    thresholds.settle(2.0, demand=(SEARCH,))
    assert thresholds.size < 90


def test_the_endpoint_most_asked_for_counts() -> None:
    other = EndpointDemand(endpoint="UserTweets", rate=1.0, sustained=50 / 900)
    unlimited = EndpointDemand(endpoint="CreateTweet", rate=50.0, sustained=None)
    assert pool(10).look(2.0, demand=(other, SEARCH, unlimited)).target_size == 94


def test_there_are_no_more_connections_than_accounts_that_can_be_used() -> None:
    few = pool(10)
    decision = few.look(2.0, demand=(SEARCH,), accounts_usable=40)
    assert (decision.target_size, decision.constraints) == (40, ("accounts",))
    assert "40 accounts can be used" in decision.reason
    assert few.look(2.0, demand=(SEARCH,), accounts_usable=5).target_size == 40  # the pool closes what is ill


# ---------------------------------------------------------------- forecast


@dataclass
class Foretold:
    """A forecast that says what it is told to."""

    predictions: dict[float, Prediction] = field(default_factory=dict)
    learned: list[tuple[float, float | None]] = field(default_factory=list)

    def learn(self, moment: float, load: float | None) -> None:
        self.learned.append((moment, load))

    def predict(self) -> dict[float, Prediction]:
        return self.predictions


def foretold(upper: float, coverage: float | None = 0.95, **changes: Any) -> Pool:
    prediction = Prediction(expected=upper - 10, upper=upper, coverage=coverage, width=0.25)
    forecaster = Foretold({300.0: prediction, 900.0: replace(prediction, upper=2 * upper)})
    return Pool(ScalingEngine(CONFIG.changed(**changes), forecaster), 28)


@pytest.mark.parametrize(
    ("opening", "erlangs", "expected"), [(300.0, 40.0, 30.0), (150.0, 30.0, 25.0), (None, 40.0, 30.0)]
)
def test_the_forecast_raises_the_floor_for_when_a_connection_would_be_open(
    opening: float | None, erlangs: float, expected: float
) -> None:
    decision = foretold(40.0).look(20.0, opening=opening)
    assert decision.target_size == pool(1, scaling_rules=("demand",)).look(erlangs).target_size
    assert decision.predicted_load == expected
    assert decision.confidence == 0.95 / 1.25


def test_the_next_horizon_counts_for_a_longer_wait() -> None:
    assert foretold(20.0).look(20.0, opening=900.0).target_size == 50


def test_a_connection_that_opens_at_once_needs_no_forecast() -> None:
    assert foretold(40.0).look(20.0, opening=0.005).target_size == 28


@pytest.mark.parametrize(
    ("coverage", "changes"),
    [(None, {}), (0.95, {"enable_predictive_scaling": False}), (0.95, {"scaling_rules": ("demand",)})],
)
def test_a_forecast_that_nobody_measured_or_wants_says_nothing(
    coverage: float | None, changes: dict[str, Any]
) -> None:
    decision = foretold(40.0, coverage, **changes).look(20.0)
    assert (decision.target_size, decision.confidence, decision.predicted_load) == (28, 1.0, 20.0)


def test_a_forecast_of_less_shrinks_nothing() -> None:
    pessimist = foretold(1.0)
    pessimist.settle(20.0)
    assert pessimist.size == 28


def test_the_forecast_learns_the_mean_of_each_bucket() -> None:
    forecaster = Foretold()
    taught = Pool(ScalingEngine(CONFIG, forecaster), 28)
    taught.settle(10.0, 285)
    taught.settle(20.0, 300)
    taught.settle(30.0, 30)
    assert forecaster.learned == [(0, pytest.approx(10.0)), (300, pytest.approx(20.0))]


# ---------------------------------------------------------------- what holds it back


@pytest.mark.parametrize("ill", ["error_rate", "limited_rate"])
def test_failures_and_refusals_brake_growth(ill: str) -> None:
    braked = pool(10)
    decision = braked.look(20.0, **dict[str, Any]({ill: 0.2}))
    assert (decision.target_size, decision.constraints) == (10, ("brake",))
    assert braked.look(20.0, **dict[str, Any]({ill: 0.05})).target_size == 28


@pytest.mark.parametrize("gone", ["active", "arrivals", "service", "acquisition"])
@pytest.mark.parametrize("missing", [None, nan])
def test_it_does_not_shrink_while_a_measurement_is_missing(gone: str, missing: float | None) -> None:
    blind = pool(28)
    untold: dict[str, Any] = {gone: missing}
    blind.settle(5.0, 3600, **untold)
    decision = blind.look(5.0, **untold)
    assert (decision.target_size, decision.confidence) == (28, None)
    assert decision.constraints in (("missing",), ())


def test_a_measurement_of_a_rule_that_is_off_is_not_missed() -> None:
    partly = pool(28, scaling_rules=("demand",))
    partly.settle(5.0, 3600, active=None, acquisition=None)
    assert partly.size == 11


def test_a_fall_as_in_an_outage_is_believed_after_ten_minutes() -> None:
    out = pool(28)
    out.settle(20.0)
    decisions = [out.look(1.0) for _ in range(40)]
    assert {each.target_size for each in decisions} == {28}
    assert decisions[-1].constraints == ("outage",)
    out.settle(1.0, 30)
    assert out.size == 4


def test_a_load_that_comes_back_ends_the_doubt() -> None:
    out = pool(28)
    out.settle(20.0)
    out.look(1.0)
    assert out.look(12.0).constraints == ("stabilisation",)


def test_an_ebb_is_no_outage() -> None:
    ebb = pool(28)
    ebb.settle(20.0)
    for erlangs in range(19, 4, -1):
        ebb.look(erlangs)
        assert "outage" not in ebb.look(erlangs).constraints


def test_after_a_change_it_waits_before_it_shrinks() -> None:
    cooling = pool(10, scaling_stabilisation=0.0)
    cooling.look(20.0)
    sizes = [cooling.look(11.0).target_size for _ in range(5)]
    assert sizes == [28, 28, 28, 18, 18]


@pytest.mark.parametrize(("size", "erlangs", "target"), [(10, 500.0, 100), (1, 0.0, 2), (150, 500.0, 100)])
def test_it_stays_between_the_least_and_the_most(size: int, erlangs: float, target: int) -> None:
    assert pool(size).look(erlangs, error_rate=0.5 if size != 10 else 0.0).target_size == target


def test_a_dry_run_is_told() -> None:
    decision = pool(10, scaling_dry_run=True).look(20.0)
    assert (decision.target_size, decision.constraints) == (28, ("dry_run",))


def test_without_rules_it_holds() -> None:
    decision = pool(10, scaling_rules=()).look(90.0, queue=50)
    assert (decision.action, decision.reason) == ("hold", "no rule has anything to say")


def test_equal_histories_give_equal_decisions() -> None:
    one, other = pool(10), pool(10)
    for erlangs in (3.0, 30.0, 0.0, 18.0, 2.0):
        assert one.look(erlangs) == other.look(erlangs)
