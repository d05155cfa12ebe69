"""What a fleet costs, and how much LOW work that leaves."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.errors import ConfigError
from twikit_pool.scaling import Consumption, Cost, CostLimits, CostModel, LowWork
from twikit_pool.scaling.costs import LowWorkRules

# ---------------------------------------------------------------- what it costs


def test_each_part_has_its_price() -> None:
    model = CostModel(per_account_hour=0.5, per_gb=4, per_cpu_hour=0.1, watts_per_core=10)
    used = Consumption(account_hours=3, cpu_seconds=7200, traffic=2_500_000_000)
    cost = model.cost(used, price=200, carbon=300)
    assert (cost.accounts, cost.traffic, cost.cpu) == (1.5, 10, 0.2)
    assert cost.electricity == pytest.approx(0.02 / 1000 * 200), "20 Wh are 0.02 kWh"
    assert cost.carbon == pytest.approx(6)
    assert cost.total == pytest.approx(1.5 + 10 + 0.2 + 0.004), "carbon is no money"


def test_what_nobody_knows_is_none_and_costs_nothing() -> None:
    cost = CostModel(per_account_hour=1).cost(Consumption(account_hours=2, cpu_seconds=9))
    assert (cost.traffic, cost.electricity, cost.carbon) == (None, None, None)
    assert cost.total == 2


def test_a_negative_price_lowers_the_sum() -> None:
    cost = CostModel(watts_per_core=1000).cost(Consumption(cpu_seconds=3600), price=-50)
    assert cost.electricity == pytest.approx(-0.05)
    assert cost.total == pytest.approx(-0.05)


def test_sums_keep_what_is_known() -> None:
    one, other = Consumption(account_hours=1, cpu_seconds=2), Consumption(account_hours=3, traffic=5)
    assert one + other == Consumption(account_hours=4, cpu_seconds=2, traffic=5)
    assert other + other == Consumption(account_hours=6, traffic=10)
    assert one + one == Consumption(account_hours=2, cpu_seconds=4)
    assert Cost(accounts=1, carbon=2) + Cost(cpu=3, electricity=-1) == Cost(
        accounts=1, cpu=3, electricity=-1, carbon=2
    )


@pytest.mark.parametrize("name", [each.name for each in fields(CostModel)])
@pytest.mark.parametrize("value", [-0.01, inf, -inf, nan])
def test_a_price_is_a_finite_number_from_0(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        CostModel(**{name: value})


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"carbon_above": {-1: 0.5}}, "a threshold of carbon_above"),
        ({"carbon_above": {inf: 0.5}}, "a threshold of carbon_above"),
        ({"price_above": {nan: 0.5}}, "a threshold of price_above"),
        ({"price_above": {100: 1.1}}, "a share of price_above must be from 0 to 1"),
        ({"price_above": {100: nan}}, "a share of price_above"),
        ({"budget_per_day": -1}, "budget_per_day"),
        ({"budget_per_day": inf}, "budget_per_day"),
        ({"budget_eases": 1.5}, "budget_eases"),
        ({"hysteresis": -0.1}, "hysteresis"),
    ],
)
def test_a_limit_is_in_its_range(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        CostLimits(**settings)


def test_limits_do_not_change_with_what_they_were_made_of() -> None:
    steps = {250.0: 0.5}
    limits = CostLimits(carbon_above=steps)
    steps[0.0] = 0.0
    assert dict(limits.carbon_above) == {250: 0.5}


# ---------------------------------------------------------------- how much LOW work there may be


def test_without_limits_nothing_is_held_back() -> None:
    rules = LowWorkRules(CostLimits())
    assert rules.decide(carbon=2000, price=4000, spent=1e9) == LowWork()
    assert LowWork().connections(50) is None


@pytest.mark.parametrize(
    ("carbon", "share", "reason"),
    [
        (None, 1.0, ""),
        (250, 1.0, ""),
        (250.4, 0.5, "carbon intensity is 250.4 gCO2/kWh, above 250"),
        (400, 0.5, "carbon intensity is 400 gCO2/kWh, above 250"),
        (401, 0.0, "carbon intensity is 401 gCO2/kWh, above 400"),
    ],
)
def test_steps_of_carbon(carbon: float | None, share: float, reason: str) -> None:
    rules = LowWorkRules(CostLimits(carbon_above={400: 0, 250: 0.5}))
    assert rules.decide(carbon=carbon) == LowWork(share=share, reason=reason)


def test_a_higher_step_that_allows_more_changes_nothing() -> None:
    rules = LowWorkRules(CostLimits(price_above={100: 0.2, 200: 0.8}))
    assert rules.decide(price=300) == LowWork(share=0.2, reason="electricity is 300 a MWh, above 100")


def test_a_step_of_the_whole_share_is_no_limit() -> None:
    assert LowWorkRules(CostLimits(price_above={100: 1})).decide(price=300) == LowWork()


def test_the_strictest_rule_counts() -> None:
    rules = LowWorkRules(CostLimits(carbon_above={200: 0.6}, price_above={100: 0.4}, budget_per_day=10))
    assert rules.decide(carbon=300, price=150).share == 0.4
    assert rules.decide(carbon=300, price=150, spent=9.9).share == 0.1
    assert rules.decide(carbon=300).share == 0.6


@pytest.mark.parametrize(
    ("spent", "share"),
    [(-5, 1.0), (0, 1.0), (10, 1.0), (10.9, 1.0), (11.5, 0.9), (15, 0.5), (19.9, 0.1), (20, 0.0), (99, 0.0)],
)
def test_a_budget_eases_by_tenths(spent: float, share: float) -> None:
    low = LowWorkRules(CostLimits(budget_per_day=20)).decide(spent=spent)
    assert low.share == share
    assert bool(low.reason) == (share < 1), "what limits nothing has no reason"


def test_a_budget_rule_that_limits_nothing_yet_gives_no_reason() -> None:
    rules = LowWorkRules(CostLimits(budget_per_day=20))
    assert rules._budget(10.5) == LowWork()


def test_a_budget_of_nothing_allows_nothing_and_one_that_does_not_ease_all() -> None:
    assert LowWorkRules(CostLimits(budget_per_day=0)).decide().share == 0
    sudden = LowWorkRules(CostLimits(budget_per_day=20, budget_eases=1))
    assert [sudden.decide(spent=spent).share for spent in (19.99, 20)] == [1, 0]
    gentle = LowWorkRules(CostLimits(budget_per_day=20, budget_eases=0))
    assert [gentle.decide(spent=spent).share for spent in (0, 2.1, 18.1)] == [1, 0.9, 0.1]
    assert LowWorkRules(CostLimits(budget_per_day=5e-324)).decide(spent=1.0).share == 0


def test_connections_are_rounded_up() -> None:
    assert [LowWork(share=0.5).connections(capacity) for capacity in (0, 1, 2, 3)] == [1, 1, 1, 2]
    assert LowWork(share=0.1).connections(30) == 3, "and not 4 because of a float's dust"
    assert LowWork(share=0.0).connections(30) == 0


def test_a_small_share_of_a_small_pool_is_one_connection_not_none() -> None:
    assert LowWork(share=1e-9).connections(5) == 1
    assert LowWork(share=0.5).connections(0) == 1, "whose accounts may come back before the next decision"


# ---------------------------------------------------------------- whatever the numbers

shares = st.floats(0, 1)
amounts = st.floats(-1e6, 1e6)
known = st.none() | st.floats(-500, 5000)
limits_of_any_kind = st.builds(
    CostLimits,
    carbon_above=st.dictionaries(st.floats(0, 2000), shares, max_size=4),
    price_above=st.dictionaries(st.floats(0, 4000), shares, max_size=4),
    budget_per_day=st.none() | st.floats(0, 1e5),
    budget_eases=shares,
    hysteresis=shares,
)
moments = st.fixed_dictionaries({"carbon": known, "price": known, "spent": amounts})


@given(
    limits_of_any_kind, st.lists(moments, max_size=4), moments, st.sampled_from(["carbon", "price", "spent"])
)
def test_more_never_gives_low_work_a_larger_share(
    limits: CostLimits, before: list[dict[str, Any]], now: dict[str, Any], what: str
) -> None:
    """From the same past, more of anything lowers the share, or leaves it as it is."""
    found: list[float] = []
    for more in (None if what != "spent" else -1e6, 0.0, 1e-9, 10.0, 400.0, 1e6):
        rules = LowWorkRules(limits)
        for each in before:
            rules.decide(**each)
        value = more if now[what] is None or more is None else now[what] + more
        found.append(rules.decide(**{**now, what: value}).share)
    assert all(less >= more for less, more in pairwise(found)), found


@given(limits_of_any_kind, st.lists(moments, min_size=1, max_size=6), st.integers(0, 1000))
def test_every_decision_is_about_low_work_alone_and_within_the_pool(
    limits: CostLimits, all_moments: list[dict[str, Any]], capacity: int
) -> None:
    rules = LowWorkRules(limits)
    assert {each.name for each in fields(LowWork)} == {"share", "reason"}, "there is no field for others"
    for moment in all_moments:
        low = rules.decide(**moment)
        assert 0 <= low.share <= 1
        assert bool(low.reason) == (low.share < 1)
        most = low.connections(capacity)
        assert (most is None) == (low.share == 1)
        assert most is None or 0 <= most <= max(capacity, 1)
        assert most is None or (most == 0) == (low.share == 0)


@given(
    st.floats(10, 1000),
    st.floats(0.01, 0.5),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30),
    st.sampled_from(["carbon", "price"]),
)
def test_what_moves_about_a_threshold_by_less_than_the_hysteresis_does_not_flap(
    threshold: float, hysteresis: float, noise: list[float], what: str
) -> None:
    steps = {threshold: 0.5}
    limits = CostLimits(**{f"{what}_above": steps, "hysteresis": hysteresis})  # type: ignore[arg-type]
    rules = LowWorkRules(limits)
    margin = threshold * hysteresis
    inside = [threshold + margin * (0.001 + 0.998 * each - 0.9) for each in noise]
    found = [rules.decide(**{what: value}).share for value in inside]
    assert sum(a != b for a, b in pairwise(found)) <= 1, "it may begin to hold back, and does not end"


def test_a_value_must_fall_well_below_a_threshold() -> None:
    rules = LowWorkRules(CostLimits(carbon_above={250: 0.5}))
    found = [rules.decide(carbon=value) for value in (249, 251, 249, 226, 225, 249)]
    assert [each.share for each in found] == [1, 0.5, 0.5, 0.5, 1, 1]
    assert found[2].reason == "carbon intensity is 249 gCO2/kWh, not yet well below 250"


def test_what_is_not_known_limits_nothing_and_is_not_remembered() -> None:
    rules = LowWorkRules(CostLimits(carbon_above={250: 0.5}))
    assert [rules.decide(carbon=value).share for value in (251, None, 249)] == [0.5, 1, 1]
