"""Rules: when an alert fires, when it is over again, and how loud it is.

Some are about a figure, which has a level to fire and another to be over (or else a value that swings about
the level would fire again and again). The others are about a state that something is in: an account, an
endpoint, a pool.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from twikit_pool.alerts.figures import FIGURES, Figure
from twikit_pool.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
"""What a rule may be called."""

MOST_RULES: Final = 200
MOST_SECONDS: Final = 30 * 86_400.0


class Severity(StrEnum):
    """How much an alert matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When an alert fires.

    Attributes:
        name: by which it is set, silenced and shown.
        metric: the figure that it is about (`FIGURES`); None for a rule about a state.
        above, below: it fires beyond this level; one of them.
        clear_at: it is over at this level, on the other side; the level itself when not given.
        lasting: seconds that it must hold before the alert fires; `for` in settings.
        severity: how much it matters.
        cooldown: seconds in which it is told once at most, however often it comes and goes.
        pools: the pools that it is for; none named is all of them.
        message: what is wrong, in a sentence.
        advice: what to do about it.
        of_accounts: whether what is named in its alerts are accounts, so that one of them can be silenced.
        enabled: whether it is looked at.
    """

    name: str
    metric: str | None = None
    above: float | None = None
    below: float | None = None
    clear_at: float | None = None
    lasting: float = msgspec.field(default=60.0, name="for")
    severity: Severity = Severity.WARNING
    cooldown: float = 1800.0
    pools: tuple[str, ...] = ()
    message: str = ""
    advice: str = ""
    of_accounts: bool = False
    enabled: bool = True

    @property
    def figure(self) -> Figure:
        """What it is about, where that is a figure."""
        return FIGURES[self.metric or ""]

    @property
    def level(self) -> float | None:
        """Where it fires; None for a state."""
        return self.above if self.above is not None else self.below

    @property
    def clears(self) -> float | None:
        """Where it is over; None for a state."""
        return self.clear_at if self.clear_at is not None else self.level

    def holds(self, value: float, *, held: bool) -> bool:
        """Whether it holds at this value, where it held before or did not."""
        level = self.clears if held else self.level
        assert level is not None  # noqa: S101 - only rules about a figure are asked
        return value > level if self.above is not None else value < level


def _metric(name: str, metric: str, above: float, clear_at: float, **more: Any) -> Rule:
    return Rule(name=name, metric=metric, above=above, clear_at=clear_at, **more)


_WARNING, _CRITICAL = Severity.WARNING, Severity.CRITICAL

_ALL: Final = (
    _metric(
        "pool_busy",
        "utilization",
        0.9,
        0.8,
        lasting=300.0,
        message="nearly all connections are in use",
        advice="raise max_connections, add accounts, or ask less; `twikit-pool explain` says what is scarce",
    ),
    _metric(
        "queue_long",
        "queued_requests",
        10.0,
        5.0,
        message="requests wait in a long line",
        advice="`twikit-pool explain ACTION` says what they wait for: accounts, windows or connections",
    ),
    _metric(
        "connections_unhealthy",
        "unhealthy_share",
        0.2,
        0.1,
        lasting=120.0,
        message="many connections are unhealthy",
        advice="see which with `twikit-pool connections`; one proxy in common is often the cause",
    ),
    _metric(
        "scaling_restless",
        "turns",
        8.0,
        4.0,
        message="the pool grows and shrinks again and again",
        advice="raise scaling_cooldown or scaling_stabilisation, or min_connections",
    ),
    _metric(
        "memory_high",
        "process_memory_share",
        0.9,
        0.8,
        severity=_CRITICAL,
        message="the process has hardly any memory left",
        advice="lower max_connections or give the container more memory, before the system ends the process",
    ),
    _metric(
        "cpu_high",
        "loop_cpu",
        0.9,
        0.75,
        lasting=120.0,
        message="the event loop takes nearly all of its core",
        advice="calls become slow: run fewer at once, or a second process with other accounts",
    ),
    _metric(
        "calls_failing",
        "recent_error_rate",
        0.5,
        0.25,
        severity=_CRITICAL,
        message="most calls fail",
        advice="see the circuits of the pool: X, an endpoint, a proxy or the client library may be broken",
    ),
    Rule(
        name="retries_spent",
        metric="retries_left",
        below=1.0,
        clear_at=5.0,
        lasting=30.0,
        message="the retry budget is spent: calls that fail are not tried again",
        advice="more than a tenth of the calls fail; find out why before anything else",
    ),
    _metric(
        "above_ceiling",
        "missing_connections",
        0.0,
        0.0,
        lasting=600.0,
        message="the load, or its forecast, wants more connections than the pool may have",
        advice="the last scaling decision names the ceiling: raise max_connections, add accounts, ask less",
    ),
    Rule(
        name="endpoint_spent",
        message="no account can call an endpoint until its window opens again",
        advice="wait, add accounts, or ask less; the pool's budgets say how much comes back when",
    ),
    Rule(
        name="circuit_open",
        severity=_CRITICAL,
        message="something is broken for every account, and is tried from time to time",
        advice="a library that is out of date is updated; all else comes back by itself, or X has to mend it",
    ),
    Rule(
        name="account_lost",
        lasting=15.0,
        severity=_CRITICAL,
        cooldown=900.0,
        of_accounts=True,
        message="accounts are suspended or locked",
        advice="stop what they did; log in by browser, unlock or appeal, then `twikit-pool accounts refresh`",
    ),
    Rule(
        name="emergency_stop",
        lasting=0.0,
        severity=_CRITICAL,
        cooldown=0.0,
        message="an emergency stop is in force: only CRITICAL and EMERGENCY requests are served",
        advice="`twikit-pool resume` ends it",
    ),
    Rule(
        name="component_degraded",
        lasting=30.0,
        severity=_CRITICAL,
        message="a part of the program works less well than it should",
        advice="the pool goes on; the log says what fails: often a full disk, or a database that is away",
    ),
)

BUILT_IN: Final = MappingProxyType({rule.name: rule for rule in _ALL})
"""Those that there are without any settings, by name."""


# ---------------------------------------------------------------- settings

_NUMBERS: Final = {"above", "below", "clear_at"}
_SECONDS: Final = {"for", "cooldown"}
_FIELDS: Final = ("metric", "above", "below", "clear_at", "for", "severity", "cooldown")
SETTINGS: Final = (*_FIELDS, "pools", "message", "advice", "enabled")
"""What may be set of a rule."""


def rules_of(tables: Mapping[str, Any]) -> dict[str, Rule]:
    """The built-in rules, changed by these tables, and those that the tables add.

    Args:
        tables: by the rule's name, what is set of it (`SETTINGS`); one of the name of a built-in rule changes
            what it sets, and `enabled = false` switches it off.

    Raises:
        ConfigError: naming everything that is wrong.
    """
    wrong = list(problems(tables))
    if wrong:
        raise ConfigError("; ".join(wrong))
    rules = dict(BUILT_IN)
    for name, table in tables.items():
        given = dict(table)
        before = msgspec.to_builtins(BUILT_IN[name]) if name in BUILT_IN else {"name": name}
        if given.keys() & {"above", "below"}:
            before = {key: value for key, value in before.items() if key not in _NUMBERS}
        rules[name] = msgspec.convert({**before, **given}, Rule)
    return rules


def problems(tables: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with these tables, each thing a sentence that begins with the setting's name."""
    if len(tables) > MOST_RULES:
        yield f"alerts.rules may be {MOST_RULES}, not {len(tables)}"
        return
    for name, table in tables.items():
        if not NAME.fullmatch(name):
            yield f"alerts.rules: a rule's name has 1 to 64 letters, digits, - and _, not {name[:80]!r}"
        elif not isinstance(table, Mapping):
            yield f"alerts.rules.{name} must be a table, as [alerts.rules.{name}] begins"
        else:
            yield from _problems_of(name, dict(table))  # pyright: ignore[reportUnknownArgumentType] - TOML


def _problems_of(name: str, table: dict[str, Any]) -> Iterator[str]:
    full = f"alerts.rules.{name}"
    built_in = BUILT_IN.get(name)
    for key, value in table.items():
        if key not in SETTINGS:
            yield f"{full}.{key} is no setting of a rule: {_near(key, SETTINGS)}"
        elif (must := _must_be(key, value)) is not None:
            yield f"{full}.{key} must be {must}, not {value!r:.80}"
    metric = table.get("metric", None if built_in is None else built_in.metric)
    if built_in is not None and "metric" in table and table["metric"] != built_in.metric:
        yield f"{full}.metric cannot be another: give a rule of your own another name"
    elif built_in is not None and metric is None:
        for key in _NUMBERS & table.keys():
            yield f"{full}.{key} has no meaning: the rule is about a state, not about a figure"
    elif metric is None:
        yield f"{full}.metric is missing: it is one of {', '.join(sorted(FIGURES))}"
    elif isinstance(metric, str) and metric not in FIGURES:
        yield f"{full}.metric names no figure, {metric[:80]!r}: {_near(metric, FIGURES)}"
    elif not _NUMBERS & table.keys() and built_in is not None:
        return
    else:
        yield from _problems_of_levels(full, table, built_in)


def _problems_of_levels(full: str, table: Mapping[str, Any], built_in: Rule | None) -> Iterator[str]:
    given = {key: table[key] for key in _NUMBERS & table.keys() if _must_be(key, table[key]) is None}
    if "above" in given and "below" in given:
        yield f"{full}.above and {full}.below exclude each other: give one of them"
        return
    if not table.keys() & {"above", "below"}:
        if built_in is None:
            yield f"{full}.above or {full}.below is missing: the level beyond which it fires"
            return
        given |= {
            key: level
            for key, level in (("above", built_in.above), ("below", built_in.below))
            if level is not None
        }
    clear = given.get("clear_at")
    if clear is not None and "above" in given and clear > given["above"]:
        yield f"{full}.clear_at must be at most above ({given['above']:g}), not {clear:g}"
    if clear is not None and "below" in given and clear < given["below"]:
        yield f"{full}.clear_at must be at least below ({given['below']:g}), not {clear:g}"


def _must_be(key: str, value: Any) -> str | None:
    """What this setting must be, where it is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if key in _NUMBERS:
        return None if number else "a number"
    if key in _SECONDS:
        return None if number and 0 <= value <= MOST_SECONDS else "0 to 2592000 seconds"
    if key == "severity":
        return None if value in list(Severity) else f"one of {', '.join(map(repr, map(str, Severity)))}"
    if key == "enabled":
        return None if isinstance(value, bool) else "true or false"
    if key == "pools":
        several = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)  # pyright: ignore[reportUnknownVariableType] - TOML
        return None if several else 'a list of pools, as ["posting"]'
    text = isinstance(value, str) and 0 < len(value) <= 500
    return None if text else "a text of 1 to 500 characters"


def _near(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word[:80], list(known), n=1)
    every = f"there are {', '.join(sorted(known))}"
    return f"did you mean {near[0]}? {every}" if near else every
