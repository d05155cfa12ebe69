"""Rules: what may be set, what is wrong with what is set, and figures that there are."""

from __future__ import annotations

import math
import types
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from twikit_pool.alerts.figures import COLLECTED, FIGURES, Figure
from twikit_pool.alerts.rules import BUILT_IN, SETTINGS, Rule, Severity, problems, rules_of
from twikit_pool.errors import ConfigError
from twikit_pool.metrics import PoolMetrics


def numbers_of_metrics() -> set[str]:
    found: set[str] = set()
    for name, kind in get_type_hints(PoolMetrics).items():
        kinds = set(get_args(kind)) - {types.NoneType} if get_args(kind) else {kind}
        if get_origin(kind) is not dict and kinds <= {int, float}:
            found.add(name)
    return found


def test_every_number_of_the_metrics_is_a_figure_but_those_that_are_settings() -> None:
    assert numbers_of_metrics() - set(COLLECTED) == {"interval", "max_connections"}
    assert set(COLLECTED) <= numbers_of_metrics()


def test_built_in_rules_are_whole() -> None:
    for rule in BUILT_IN.values():
        assert rule.message, rule.name
        assert rule.advice, rule.name
        if rule.metric is not None:
            assert rule.metric in FIGURES
            assert (rule.above is None) != (rule.below is None)
            assert rule.level is not None
            assert rule.clears is not None


@pytest.mark.parametrize(
    ("unit", "value", "told"),
    [
        ("share", 0.914, "91%"),
        ("s", 1.25, "1.25 s"),
        ("bytes", 3 * 2**20, "3.0 MB"),
        ("bytes/s", 2**19, "0.5 MB/s"),
        ("/s", 2.5, "2.5/s"),
        ("cores", 0.5, "0.50 cores"),
        ("", 12_345, "12,345"),
    ],
)
def test_figures_are_told_in_their_unit(unit: Any, value: float, told: str) -> None:
    assert Figure(words="", unit=unit).told(value) == told


def test_a_rule_of_ones_own() -> None:
    table: dict[str, Any] = {
        "metric": "p95_response_time",
        "above": 3,
        "clear_at": 1.5,
        "for": 120,
        "severity": "critical",
        "cooldown": 600,
        "pools": ["posting"],
        "message": "X is slow",
        "advice": "wait",
    }
    rule = rules_of({"slow": table})["slow"]
    assert rule == Rule(
        name="slow",
        metric="p95_response_time",
        above=3.0,
        clear_at=1.5,
        lasting=120.0,
        severity=Severity.CRITICAL,
        cooldown=600.0,
        pools=("posting",),
        message="X is slow",
        advice="wait",
    )


def test_built_in_rules_are_changed_in_part_or_switched_off() -> None:
    rules = rules_of(
        {
            "pool_busy": {"above": 0.5, "severity": "info"},
            "queue_long": {"enabled": False},
            "account_lost": {"for": 0},
            "retries_spent": {"clear_at": 7},
            "connections_unhealthy": {"cooldown": 5},
        }
    )
    busy = rules["pool_busy"]
    assert (busy.above, busy.clears, busy.severity, busy.lasting) == (0.5, 0.5, "info", 300)
    assert not rules["queue_long"].enabled
    assert rules["account_lost"].lasting == 0
    assert (rules["retries_spent"].below, rules["retries_spent"].clears) == (1, 7)
    unhealthy = rules["connections_unhealthy"]
    assert (unhealthy.above, unhealthy.clear_at, unhealthy.cooldown) == (0.2, 0.1, 5)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "mine.metric is missing: it is one of acquired, active_connections"),
        ({"metric": "calls"}, "mine.above or alerts.rules.mine.below is missing"),
        ({"metric": "calls", "above": 1, "below": 2}, "mine.below exclude each other"),
        ({"metric": "calls", "above": 1, "clear_at": 2}, "mine.clear_at must be at most above (1), not 2"),
        ({"metric": "calls", "below": 2, "clear_at": 1}, "mine.clear_at must be at least below (2), not 1"),
        ({"metric": "calls", "above": "1"}, "mine.above must be a number, not '1'"),
        ({"metric": "calls", "above": True}, "mine.above must be a number, not True"),
        ({"metric": "calls", "above": math.inf}, "mine.above must be a number, not inf"),
        ({"metric": "calls", "above": math.nan}, "mine.above must be a number, not nan"),
        ({"metric": "calls", "above": 1, "for": -1}, "mine.for must be 0 to 2592000 seconds, not -1"),
        ({"metric": "calls", "above": 1, "severity": "bad"}, "must be one of 'info', 'warning', 'critical'"),
        ({"metric": "calls", "above": 1, "pools": "a"}, 'mine.pools must be a list of pools, as ["posting"]'),
        (
            {"metric": "calls", "above": 1, "message": ""},
            "mine.message must be a text of 1 to 500 characters",
        ),
        ({"metric": "calls", "above": 1, "enabled": 1}, "mine.enabled must be true or false"),
        ({"metric": 5, "above": 1}, "mine.metric must be a text"),
        ({"metric": "cals", "above": 1}, "names no figure, 'cals': did you mean calls? there are acquired, "),
        ({"metric": "calls", "over": 1}, "mine.over is no setting of a rule: "),
        (5, "alerts.rules.mine must be a table, as [alerts.rules.mine] begins"),
    ],
)
def test_what_is_wrong_is_told(table: Any, says: str) -> None:
    assert any(says in told for told in problems({"mine": table})), list(problems({"mine": table}))
    with pytest.raises(ConfigError):
        rules_of({"mine": table})


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"pool_busy": {"metric": "calls"}}, "pool_busy.metric cannot be another"),
        ({"account_lost": {"above": 1}}, "account_lost.above has no meaning"),
        ({"pool_busy": {"clear_at": 0.95}}, "pool_busy.clear_at must be at most above (0.9), not 0.95"),
        ({"a b": {}}, "a rule's name has 1 to 64 letters"),
        ({f"r{each}": {} for each in range(201)}, "alerts.rules may be 200, not 201"),
    ],
)
def test_what_is_wrong_with_built_in_rules_and_names(tables: Any, says: str) -> None:
    assert any(says in told for told in problems(tables)), list(problems(tables))


def test_every_setting_of_a_rule_may_be_set() -> None:
    fields = {each.encode_name for each in msgspec.structs.fields(Rule)}
    assert set(SETTINGS) == fields - {"name", "of_accounts"}
