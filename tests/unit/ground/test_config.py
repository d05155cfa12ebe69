from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import ConfigError

DEFAULTS: dict[str, object] = {
    "min_connections": 10,
    "max_connections": 100,
    "initial_connections": 20,
    "max_connections_per_account": 1,
    "acquire_timeout": 30.0,
    "max_waiting": 100_000,
    "max_waiting_by_priority": (None, None, None, None, None),
    "head_starts": (20.0, 10.0, 5.0, 2.0, 0.0),
    "call_timeout": 30.0,
    "connection_timeout": 30.0,
    "max_idle_time": 300.0,
    "max_lifetime": 3600.0,
    "lifetime_jitter": 0.05,
    "open_backoff": 1.0,
    "open_backoff_max": 60.0,
    "lease_timeout": None,
    "leak_warning": 60.0,
    "debug": False,
    "enable_health_checks": True,
    "health_check_interval": 60.0,
    "health_check_timeout": 10.0,
    "health_check_failures": 3,
    "health_checks_at_once": 5,
    "replace_below": 0.2,
    "refresh_interval": 30.0,
    "ill_check_interval": 300.0,
    "enable_circuits": True,
    "enable_brake": True,
    "max_concurrent_calls": 1000,
    "max_attempts": 3,
    "selection": "hottest",
    "enable_priority_queuing": True,
    "spread_evenly": True,
    "low_priority_reserve": 0.1,
    "enable_connection_reuse": True,
    "emergency_pause": 300.0,
    "shutdown_grace": 10.0,
    "enable_auto_scaling": True,
    "scaling_interval": 1.0,
    "enable_predictive_scaling": True,
    "scale_up_threshold": 0.8,
    "scale_down_threshold": 0.3,
    "scale_up_increment": 5,
    "scale_down_increment": 2,
    "scaling_cooldown": 60.0,
    "scaling_rules": ("utilisation", "queue", "demand", "rate_budget", "forecast"),
    "scaling_target_wait": 0.1,
    "scaling_late_share": 0.01,
    "scaling_stabilisation": 300.0,
    "scaling_tolerance": 0.1,
    "scaling_error_brake": 0.1,
    "scaling_dry_run": False,
    "enable_resource_optimization": True,
    "resource_check_interval": 300.0,
    "optimize_memory": 50_000_000,
    "optimize_garbage": 100_000_000,
    "optimize_memory_share": 0.9,
    "optimize_cpu_lower": 0.8,
    "optimize_cpu_pause": 0.95,
    "optimize_pause": 60.0,
    "optimize_latency_lower": 2.0,
    "optimize_latency_close": 5.0,
    "optimize_idle_after": 60.0,
    "optimize_long_idle": 1800.0,
    "optimize_dry_run": False,
    "enable_metrics": True,
    "metrics_interval": 10.0,
    "metrics_retention_days": 7,
}

AT_LEAST_0 = ("min_connections", "initial_connections", "max_waiting")
AT_LEAST_1 = (
    "max_connections",
    "max_connections_per_account",
    "health_check_failures",
    "health_checks_at_once",
    "max_concurrent_calls",
    "max_attempts",
    "scale_up_increment",
    "scale_down_increment",
    "metrics_retention_days",
    "optimize_memory",
    "optimize_garbage",
)
DURATIONS = (
    "call_timeout",
    "connection_timeout",
    "open_backoff",
    "open_backoff_max",
    "health_check_interval",
    "health_check_timeout",
    "emergency_pause",
    "resource_check_interval",
    "metrics_interval",
    "scaling_interval",
    "scaling_target_wait",
    *("optimize_pause", "optimize_latency_lower", "optimize_latency_close"),
)
DURATIONS_OR_NONE = (
    *("acquire_timeout", "max_idle_time", "max_lifetime", "lease_timeout", "leak_warning"),
    *("refresh_interval", "ill_check_interval"),
)
PAUSES = (
    *("shutdown_grace", "scaling_cooldown", "scaling_stabilisation"),
    *("optimize_idle_after", "optimize_long_idle"),
)
SHARES = (
    *("scale_up_threshold", "scale_down_threshold", "scaling_error_brake"),
    *("optimize_cpu_lower", "optimize_cpu_pause", "optimize_memory_share"),
)
PARTIAL_SHARES = ("lifetime_jitter", "replace_below", "low_priority_reserve", "scaling_tolerance")
SWITCHES = (
    "debug",
    "enable_health_checks",
    "enable_brake",
    "enable_circuits",
    "spread_evenly",
    "enable_priority_queuing",
    "enable_connection_reuse",
    "scaling_dry_run",
    "optimize_dry_run",
    "enable_auto_scaling",
    "enable_predictive_scaling",
    "enable_resource_optimization",
    "enable_metrics",
)

NO_WHOLE_NUMBER = ("ten", True, 2.0, None)
NO_FINITE_NUMBER = ("ten", True, math.nan, math.inf, -math.inf, 10**400)
RIGHT_BY_KIND: list[tuple[tuple[str, ...], tuple[object, ...], str]] = [
    (AT_LEAST_0, (-1,), "at least 0"),
    (AT_LEAST_0, NO_WHOLE_NUMBER, "a whole number, at least 0"),
    (AT_LEAST_1, (0, -1), "at least 1"),
    (AT_LEAST_1, NO_WHOLE_NUMBER, "a whole number, at least 1"),
    (DURATIONS, (0, -0.5), "more than 0 seconds"),
    (DURATIONS, (*NO_FINITE_NUMBER, None), "a finite number, more than 0 seconds"),
    (DURATIONS_OR_NONE, (0, -0.5), "more than 0 seconds, or None"),
    (DURATIONS_OR_NONE, NO_FINITE_NUMBER, "a finite number, more than 0 seconds, or None"),
    (PAUSES, (-0.5,), "at least 0 seconds"),
    (PAUSES, (*NO_FINITE_NUMBER, None), "a finite number, at least 0 seconds"),
    (SHARES, (-0.1, 1.1), "at least 0 and at most 1"),
    (SHARES, (*NO_FINITE_NUMBER, None), "a finite number, at least 0 and at most 1"),
    (PARTIAL_SHARES, (-0.1, 1), "at least 0 and less than 1"),
    (("scaling_late_share",), (0, 0.6), "at least 0.000001 and at most 0.5"),
    (
        ("scaling_rules",),
        (("demand", "luck"), "demand", None, 3),
        "several of 'utilisation', 'queue', 'demand', 'rate_budget', 'forecast'",
    ),
    (SWITCHES, (1, 0, "true", None), "True or False"),
    (("selection",), ("fastest", 1, None), "one of 'best_quality', 'hottest', 'least_used'"),
    (
        ("head_starts",),
        (
            (1, 2, 3, 4, 5),
            (4, 3, 2, 1),
            (5, 4, 3, 2, 1, 0),
            (3, 2, 1, 0, -1),
            (math.inf, 3, 2, 1, 0),
            (4, 3, math.nan, 1, 0),
            ("4", 3, 2, 1, 0),
            20.0,
        ),
        "five durations that fall from LOW to EMERGENCY and are not negative",
    ),
    (
        ("max_waiting_by_priority",),
        ((1, 1, 1, 1), (-1, None, None, None, None), (1, 1, 1, 1, 1.5), (True,) * 5, None, 7),
        "five whole numbers, LOW to EMERGENCY, each at least 0 or None",
    ),
]
WRONG = [(name, value, right) for names, values, right in RIGHT_BY_KIND for name in names for value in values]


def made(**settings: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**settings)


def complaints(**settings: object) -> list[str]:
    """What `from_mapping` finds wrong, sentence by sentence."""
    with pytest.raises(ConfigError) as caught:
        ConnectionPoolConfig.from_mapping(settings)
    return str(caught.value).split("; ")


def test_the_defaults() -> None:
    assert msgspec.structs.asdict(DEFAULT_CONNECTION_POOL_CONFIG) == DEFAULTS
    assert made() == DEFAULT_CONNECTION_POOL_CONFIG


def test_every_setting_is_described() -> None:
    described = re.findall(r"^    (\w+): ", inspect.getdoc(ConnectionPoolConfig) or "", re.MULTILINE)
    assert [name for name in described if name != "ConfigError"] == list(
        ConnectionPoolConfig.__struct_fields__
    )


def test_every_setting_is_tried_below() -> None:
    assert {name for name, _, _ in WRONG} == set(DEFAULTS)


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_wrong_value_is_named_with_what_is_right(name: str, value: object, right: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**{name: value})
    (only,) = str(caught.value).split("; ")
    start, shown = only.rsplit(", not ", 1)
    assert start == f"{name} must be {right}"
    assert isinstance(value, tuple) or shown[:15] == repr(value)[:15]


@pytest.mark.parametrize(
    "settings",
    [
        {"min_connections": 0, "initial_connections": 0, "max_connections": 1},
        {"min_connections": 7, "initial_connections": 7, "max_connections": 7},
        {"max_connections_per_account": 100},
        {"max_waiting": 0, "max_waiting_by_priority": (0, 1, None, 3, 10**6)},
        {"head_starts": (0, 0, 0, 0, 0)},
        {"scale_up_threshold": 1, "scale_down_threshold": 0},
        {"lifetime_jitter": 0, "shutdown_grace": 0, "scaling_cooldown": 0},
        {"open_backoff": 60, "open_backoff_max": 60},
        dict.fromkeys(DURATIONS_OR_NONE),
        dict.fromkeys(DURATIONS + DURATIONS_OR_NONE, 1e-9),
    ],
)
def test_what_lies_on_the_bounds_is_right(settings: dict[str, object]) -> None:
    config = made(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"min_connections": 101}, "min_connections must be at most max_connections (100), not 101"),
        ({"initial_connections": 9}, "initial_connections must be at least min_connections (10), not 9"),
        ({"initial_connections": 101}, "initial_connections must be at most max_connections (100), not 101"),
        (
            {"max_connections": 2, "max_connections_per_account": 3},
            "max_connections_per_account must be at most max_connections (2), not 3",
        ),
        ({"open_backoff": 61}, "open_backoff must be at most open_backoff_max (60.0), not 61.0"),
        (
            {"scale_up_threshold": 0.2},
            "scale_up_threshold must be more than scale_down_threshold (0.3), not 0.2",
        ),
        (
            {"scale_up_threshold": 0.5, "scale_down_threshold": 0.5},
            "scale_up_threshold must be more than scale_down_threshold (0.5), not 0.5",
        ),
        (
            {"optimize_cpu_lower": 0.96},
            "optimize_cpu_pause must be at least optimize_cpu_lower (0.96), not 0.95",
        ),
        (
            {"optimize_latency_lower": 3, "optimize_latency_close": 2.5},
            "optimize_latency_close must be at least optimize_latency_lower (3.0), not 2.5",
        ),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], complaint: str) -> None:
    assert complaints(**settings) == [complaint]


def test_one_error_names_everything() -> None:
    found = complaints(
        max_conections=5,
        min_connections=50,
        max_connections=40,
        initial_connections=30,
        debug="yes",
        colour="blue",
        call_timeout=-1,
        head_starts=[0, 1, 2, 3, 4],
        max_waiting=-1,
    )
    assert sorted(found) == [
        "call_timeout must be more than 0 seconds, not -1",
        "debug must be True or False, not 'yes'",
        "head_starts must be five durations that fall from LOW to EMERGENCY and are not negative, "
        "not (0.0, 1.0, 2.0, 3.0, 4.0)",
        "initial_connections must be at least min_connections (50), not 30",
        "max_waiting must be at least 0, not -1",
        "min_connections must be at most max_connections (40), not 50",
        "there is no setting 'colour': ConnectionPoolConfig describes them all",
        "there is no setting 'max_conections': did you mean max_connections?",
    ]


def test_a_wrong_setting_is_not_blamed_twice() -> None:
    for other in ({"min_connections": 5000}, {"initial_connections": 5}):
        assert complaints(max_connections="ten", **other) == [
            "max_connections must be a whole number, at least 1, not 'ten'"
        ]
    assert complaints(min_connections=50, max_connections=40) == [
        "min_connections must be at most max_connections (40), not 50"
    ]


def test_a_long_value_is_shown_short() -> None:
    (only,) = complaints(selection="x" * 10_000)
    assert len(only) < 120


@pytest.mark.parametrize(
    ("given", "minimum", "initial"),
    [
        ({}, 10, 20),
        ({"max_connections": 5}, 5, 5),
        ({"max_connections": 15}, 10, 15),
        ({"max_connections": 10_000}, 10, 20),
        ({"min_connections": 3}, 3, 20),
        ({"min_connections": 40}, 40, 40),
        ({"min_connections": 3, "max_connections": 7}, 3, 7),
        ({"initial_connections": 12}, 10, 12),
        ({"initial_connections": 4, "max_connections": 4}, 4, 4),
    ],
)
def test_sizes_that_nobody_gave_follow(given: dict[str, int], minimum: int, initial: int) -> None:
    for config in (
        made(**given),
        ConnectionPoolConfig.from_mapping(given),
        made().changed(**given),
        msgspec.convert(given, ConnectionPoolConfig),
    ):
        assert (config.min_connections, config.initial_connections) == (minimum, initial)


sizes = st.fixed_dictionaries(
    {},
    optional={
        "min_connections": st.integers(0, 130),
        "max_connections": st.integers(1, 130),
        "initial_connections": st.integers(0, 130),
    },
)


@given(sizes)
def test_only_what_was_given_can_contradict(given: dict[str, int]) -> None:
    most = given.get("max_connections", 100)
    least = given.get("min_connections", min(10, most))
    initial = given.get("initial_connections", min(max(20, least), most))
    if least <= initial <= most:
        config = made(**given)
        assert (config.min_connections, config.initial_connections, config.max_connections) == (
            least,
            initial,
            most,
        )
    else:
        for complaint in complaints(**given):
            assert complaint.split()[0] in given


def tried(make: Any, *args: Any, **settings: Any) -> object:
    """What comes of it: the configuration, or the words of the error."""
    try:
        return make(*args, **settings)
    except ConfigError as error:
        return str(error)


@given(sizes, sizes, sizes)
def test_a_change_is_as_if_all_had_been_given_at_once(
    first: dict[str, int], second: dict[str, int], third: dict[str, int]
) -> None:
    steps: object = tried(made, **first)
    whole = dict(first)
    for step in (second, third):
        if not isinstance(steps, ConnectionPoolConfig):
            return
        whole |= step
        steps = tried(steps.changed, **step)
        assert steps == tried(made, **whole)


def test_a_change_leaves_the_original_and_checks_the_whole() -> None:
    config = made(acquire_timeout=5, open_backoff=30)
    assert config.changed(call_timeout=2) == made(acquire_timeout=5, open_backoff=30, call_timeout=2)
    assert config == made(acquire_timeout=5, open_backoff=30)
    with pytest.raises(ConfigError, match=r"open_backoff must be at most open_backoff_max \(20\.0\), not 30"):
        config.changed(open_backoff_max=20)
    with pytest.raises(ConfigError, match="no setting 'call_timout': did you mean call_timeout"):
        config.changed(call_timout=3)


def test_a_size_that_was_given_stays() -> None:
    assert made().changed(max_connections=5).changed(max_connections=50) == made(max_connections=50)
    with pytest.raises(ConfigError, match=r"min_connections must be at most max_connections \(5\), not 10"):
        made(min_connections=10).changed(max_connections=5)


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))],  # noqa: S301 - our own
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_follows_alike(again: Any) -> None:
    for config in (made(max_connections=5), made(min_connections=2, head_starts=(4, 3, 2, 1, 0))):
        twin = again(config)
        assert twin == config
        assert tried(twin.changed, max_connections=1) == tried(config.changed, max_connections=1)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace is new in Python 3.13")
def test_the_standard_replace_is_a_change() -> None:
    replace = vars(copy)["replace"]
    assert replace(made(), max_connections=5) == made(max_connections=5)


@pytest.mark.parametrize(
    "config",
    [made(), made(max_connections=3), made(max_waiting_by_priority=(1, 2, 3, None, 0), acquire_timeout=None)],
)
def test_settings_go_out_and_come_back(config: ConnectionPoolConfig) -> None:
    assert ConnectionPoolConfig.from_mapping(msgspec.structs.asdict(config)) == config
    text = msgspec.json.encode(config)
    assert ConnectionPoolConfig.from_mapping(msgspec.json.decode(text)) == config
    assert msgspec.json.decode(text, type=ConnectionPoolConfig) == config
    assert eval(repr(config)) == config  # noqa: S307 - a struct's repr is what makes it again


def test_settings_are_values() -> None:
    config = made(head_starts=[4, 3, 2, 1, 0], acquire_timeout=5)
    assert config.head_starts == (4.0, 3.0, 2.0, 1.0, 0.0)
    assert isinstance(config.acquire_timeout, float)
    assert {config, made(head_starts=(4, 3, 2, 1, 0), acquire_timeout=5.0)} == {config}
    with pytest.raises(AttributeError):
        config.max_connections = 5  # type: ignore[misc]


def test_bounds_are_in_the_schema() -> None:
    _, defined = msgspec.json.schema_components([ConnectionPoolConfig])
    properties = defined["ConnectionPoolConfig"]["properties"]
    assert properties["max_connections"]["minimum"] == 1
    assert properties["call_timeout"]["exclusiveMinimum"] == 0


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.one_of(st.none(), st.integers(-1, 9), st.floats()), max_size=6),
    st.builds(object),
)


@given(st.dictionaries(st.one_of(st.sampled_from(list(DEFAULTS)), st.text(max_size=5)), anything, max_size=6))
def test_whatever_is_given_is_taken_or_refused_by_name(given: dict[str, object]) -> None:
    config = tried(ConnectionPoolConfig.from_mapping, given)
    unknown = [name for name in given if name not in DEFAULTS]
    if isinstance(config, ConnectionPoolConfig):
        assert not unknown
        assert config.changed() == config
        assert 0 <= config.min_connections <= config.initial_connections <= config.max_connections
        assert config.scale_down_threshold < config.scale_up_threshold
        assert config.open_backoff <= config.open_backoff_max < math.inf
    else:
        assert str(config).count("there is no setting ") == len(unknown)
