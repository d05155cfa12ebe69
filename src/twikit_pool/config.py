"""Settings of a pool, with their units, defaults and bounds.

The bounds of one setting stand in its type, so that msgspec's decoders and schemas know them too; how
settings must agree with each other stands in `_AGREEMENT`. Whatever is wrong is told in one error.
"""

from __future__ import annotations

import difflib
import operator
import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, Self, get_args, get_type_hints

import msgspec
from msgspec import Meta, inspect

from twikit_pool.errors import ConfigError

HEAD_STARTS: Final = (20.0, 10.0, 5.0, 2.0, 0.0)
"""Seconds that LOW, NORMAL, HIGH, CRITICAL and EMERGENCY yield to a request that is more urgent."""

MIN_CONNECTIONS: Final = 10
"""Connections to keep, unless the settings say otherwise or allow fewer."""

INITIAL_CONNECTIONS: Final = 20
"""Connections to begin with, unless the settings say otherwise or allow fewer."""

_UNTOUCHED: Any = msgspec.UNSET
"""The default of a size that follows the other sizes until somebody gives it."""

_FOLLOWING: Final = ("min_connections", "initial_connections")

# ---------------------------------------------------------------- what a setting may be

_FINITE: Final = sys.float_info.max
_FALLING: Final = "five durations that fall from LOW to EMERGENCY and are not negative"

Count = Annotated[int, Meta(ge=0, extra={"bounds": "at least 0"})]
Several = Annotated[int, Meta(ge=1, extra={"bounds": "at least 1"})]
Duration = Annotated[float, Meta(gt=0, le=_FINITE, extra={"bounds": "more than 0 seconds"})]
Pause = Annotated[float, Meta(ge=0, le=_FINITE, extra={"bounds": "at least 0 seconds"})]
Share = Annotated[float, Meta(ge=0, le=1, extra={"bounds": "at least 0 and at most 1"})]
PartialShare = Annotated[float, Meta(ge=0, lt=1, extra={"bounds": "at least 0 and less than 1"})]
HeadStarts = Annotated[tuple[Pause, Pause, Pause, Pause, Pause], Meta(extra={"bounds": _FALLING})]
WaitingLimits = Annotated[
    tuple[Count | None, Count | None, Count | None, Count | None, Count | None],
    Meta(extra={"bounds": "five whole numbers, LOW to EMERGENCY, each at least 0 or None"}),
]
LateShare = Annotated[float, Meta(ge=1e-6, le=0.5, extra={"bounds": "at least 0.000001 and at most 0.5"})]
Selection = Literal["hottest", "least_used", "best_quality"]
ScalingRule = Literal["utilisation", "queue", "demand", "rate_budget", "forecast"]
SCALING_RULES: Final[tuple[ScalingRule, ...]] = get_args(ScalingRule)
ScalingRules = Annotated[
    tuple[ScalingRule, ...], Meta(extra={"bounds": f"several of {', '.join(map(repr, SCALING_RULES))}"})
]

_AGREEMENT: Final[tuple[tuple[str, Callable[[Any, Any], bool], str, str], ...]] = (
    ("min_connections", operator.le, "at most", "max_connections"),
    ("initial_connections", operator.ge, "at least", "min_connections"),
    ("initial_connections", operator.le, "at most", "max_connections"),
    ("max_connections_per_account", operator.le, "at most", "max_connections"),
    ("open_backoff", operator.le, "at most", "open_backoff_max"),
    ("scale_up_threshold", operator.gt, "more than", "scale_down_threshold"),
    ("optimize_cpu_pause", operator.ge, "at least", "optimize_cpu_lower"),
    ("optimize_latency_close", operator.ge, "at least", "optimize_latency_lower"),
)

# ---------------------------------------------------------------- the settings


class ConnectionPoolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """How a pool behaves. Durations are seconds, sizes are counts, ratios go from 0 to 1.

    `min_connections` and `initial_connections` follow the other sizes as long as nobody gives them, so
    `ConnectionPoolConfig(max_connections=5)` keeps 5 and begins with 5.

    The pool itself does not act on `enable_auto_scaling` and what comes after it: the scaling engine, the
    optimizer and the metrics read those settings. They are here so that one place has all.

    Attributes:
        min_connections: connections to keep at least. 10 or `max_connections`, whichever is less.
        max_connections: connections that may be there at once, at least 1.
        initial_connections: connections to begin with. 20, but within the two above.
        max_connections_per_account: connections that one account may have at once, at least 1.

        acquire_timeout: how long a request waits for a connection when it does not say; None waits
            for ever.
        max_waiting: requests that may wait at once. Beyond it a request is refused with
            `PoolOverloadedError`, the least urgent first.
        max_waiting_by_priority: the same for each priority by itself, LOW to EMERGENCY; None sets no
            limit of its own.
        head_starts: seconds that LOW, NORMAL, HIGH, CRITICAL and EMERGENCY requests yield to a later,
            more urgent one; the order of service is arrival time plus head start, so nobody waits
            behind later arrivals for longer than his own.

        call_timeout: the overall deadline of one call to X, everything included. httpx's own timeouts
            do not bound a response that drips, so this one is enforced over the whole call.
        connection_timeout: how long each hook may take, and replacing a client between two leases.
        max_idle_time: how long a connection may go unused before it is closed; None for ever.
        max_lifetime: how old a connection may grow before it is replaced; None for ever.
        lifetime_jitter: share of its lifetime, below 1, by which each connection's life is shortened at
            random at most, so that they do not all end at once.
        open_backoff: seconds before an opening that failed is tried again, with jitter; doubled with each
            failure in a row.
        open_backoff_max: seconds that this wait grows to at most.

        lease_timeout: how long a lease may be held before it is reclaimed by closing its client; None
            for ever.
        leak_warning: how long a lease may be held before it is logged with its borrower; None logs none.
        debug: remember the stack of each borrower, to show where a leaked lease came from.

        enable_health_checks: check connections from time to time.
        health_check_interval: seconds between two checks of a connection, on average: each pause is
            drawn from half to one and a half of it, so that not all are checked at once.
        health_check_timeout: how long one check may take.
        health_check_failures: checks that may fail in a row before the connection is replaced, at least 1.
        health_checks_at_once: checks that may run at a time, at least 1; the others wait for their turn.
        replace_below: health below which a connection is replaced, if others do clearly better at the
            same time; 0 replaces none.

        refresh_interval: seconds between two looks at the source for new accounts, fresh cookies and changed
            states; None for none but `refresh`.
        ill_check_interval: seconds, on average, after which an account that is stale, locked or suspended is
            checked; doubled with each answer that it still is, up to a day. None leaves it to a person.

        enable_circuits: hold back what would fail anyway while X is down, an endpoint is broken or out of
            date for everyone, or an account fails where others do not; one call at a time tries again.

        enable_brake: let fewer calls be in flight, in all and through each proxy, while they take longer than
            usual or fail; otherwise only `max_concurrent_calls` limits them.
        max_concurrent_calls: calls that may be in flight at once, at least 1.
        max_attempts: attempts at a call that fails for a reason that passes, at least 1, which tries nothing
            again.

        selection: which of several idle connections serves: the one used last ("hottest"), the one used
            least ("least_used"), or the one that does best ("best_quality").
        enable_priority_queuing: serve by priority; otherwise in order of arrival.
        spread_evenly: take accounts first that have spent less of their rate windows and caps, by quarters;
            `selection` chooses among those that have spent alike.
        low_priority_reserve: share of each rate window and cap, below 1, that LOW requests leave to more
            urgent ones. It melts as a window passes, so nothing is lost at its end. Without priority
            queuing there is none.
        enable_connection_reuse: lend a returned connection again; otherwise replace it.

        emergency_pause: seconds that an emergency stop lasts when it does not say.
        shutdown_grace: seconds that running leases have to end when the pool shuts down.

        enable_auto_scaling: let the scaling engine resize the pool.
        scaling_interval: seconds between two of its decisions.
        enable_predictive_scaling: let its forecast raise the size ahead of the load.
        scale_up_threshold: share of connections in use above which the pool grows.
        scale_down_threshold: share of connections in use below which it shrinks; less than the former.
        scale_up_increment: connections added by one step, at least 1.
        scale_down_increment: connections given up by one step, at least 1.
        scaling_cooldown: seconds after a change in which the pool takes no step and does not shrink; growth
            that measured or expected load asks for does not wait.
        scaling_rules: the scaling engine's rules that count.
        scaling_target_wait: seconds that a caller may wait for a connection.
        scaling_late_share: share of the callers that may wait longer.
        scaling_stabilisation: seconds that the pool waits before it shrinks: to the highest size that was
            needed in them.
        scaling_tolerance: share of the size, below 1, by which it must exceed what is needed before the pool
            shrinks.
        scaling_error_brake: share of the calls that fail, or that X refuses with a 429, above which the pool
            does not grow.
        scaling_dry_run: decide and tell, but change nothing.
        enable_resource_optimization: let the optimizer free what connections waste.
        resource_check_interval: seconds between two looks at what connections cost.
        optimize_memory: bytes above which a connection is closed that is idle for `optimize_idle_after`.
        optimize_garbage: bytes of one connection above which garbage is collected.
        optimize_memory_share: share of the memory that the process may have above which it is, too.
        optimize_cpu_lower: share of one core above which a connection is taken last.
        optimize_cpu_pause: share above which it pauses; at least the former.
        optimize_pause: seconds for which it does.
        optimize_latency_lower: seconds of its latest calls above which it is taken last, if others are
            clearly quicker.
        optimize_latency_close: seconds above which an idle one is closed, likewise; at least the former.
        optimize_idle_after: seconds without use after which an account's further connections are surplus.
        optimize_long_idle: seconds without use after which any is closed that is not to be kept.
        optimize_dry_run: tell what the optimizer would do, and do nothing.
        enable_metrics: collect metrics.
        metrics_interval: seconds between two collections.
        metrics_retention_days: days that collected metrics are kept, at least 1.

    Raises:
        ConfigError: naming every setting that is wrong, its value, and what it must be.
    """

    min_connections: Count = _UNTOUCHED
    max_connections: Several = 100
    initial_connections: Count = _UNTOUCHED
    max_connections_per_account: Several = 1

    acquire_timeout: Duration | None = 30.0
    max_waiting: Count = 100_000
    max_waiting_by_priority: WaitingLimits = (None, None, None, None, None)
    head_starts: HeadStarts = HEAD_STARTS

    call_timeout: Duration = 30.0
    connection_timeout: Duration = 30.0
    max_idle_time: Duration | None = 300.0
    max_lifetime: Duration | None = 3600.0
    lifetime_jitter: PartialShare = 0.05
    open_backoff: Duration = 1.0
    open_backoff_max: Duration = 60.0

    lease_timeout: Duration | None = None
    leak_warning: Duration | None = 60.0
    debug: bool = False

    enable_health_checks: bool = True
    health_check_interval: Duration = 60.0
    health_check_timeout: Duration = 10.0
    health_check_failures: Several = 3
    health_checks_at_once: Several = 5
    replace_below: PartialShare = 0.2

    refresh_interval: Duration | None = 30.0
    ill_check_interval: Duration | None = 300.0

    enable_circuits: bool = True

    enable_brake: bool = True
    max_concurrent_calls: Several = 1000
    max_attempts: Several = 3

    selection: Selection = "hottest"
    enable_priority_queuing: bool = True
    spread_evenly: bool = True
    low_priority_reserve: PartialShare = 0.1
    enable_connection_reuse: bool = True

    emergency_pause: Duration = 300.0
    shutdown_grace: Pause = 10.0

    enable_auto_scaling: bool = True
    scaling_interval: Duration = 1.0
    enable_predictive_scaling: bool = True
    scale_up_threshold: Share = 0.8
    scale_down_threshold: Share = 0.3
    scale_up_increment: Several = 5
    scale_down_increment: Several = 2
    scaling_cooldown: Pause = 60.0
    scaling_rules: ScalingRules = SCALING_RULES
    scaling_target_wait: Duration = 0.1
    scaling_late_share: LateShare = 0.01
    scaling_stabilisation: Pause = 300.0
    scaling_tolerance: PartialShare = 0.1
    scaling_error_brake: Share = 0.1
    scaling_dry_run: bool = False
    enable_resource_optimization: bool = True
    resource_check_interval: Duration = 300.0
    optimize_memory: Several = 50_000_000
    optimize_garbage: Several = 100_000_000
    optimize_memory_share: Share = 0.9
    optimize_cpu_lower: Share = 0.8
    optimize_cpu_pause: Share = 0.95
    optimize_pause: Duration = 60.0
    optimize_latency_lower: Duration = 2.0
    optimize_latency_close: Duration = 5.0
    optimize_idle_after: Pause = 60.0
    optimize_long_idle: Pause = 1800.0
    optimize_dry_run: bool = False
    enable_metrics: bool = True
    metrics_interval: Duration = 10.0
    metrics_retention_days: Several = 7

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Self:
        """A configuration of settings by name, as a file or a JSON body holds them; a list is a tuple.

        Raises:
            ConfigError: naming every unknown setting, with the nearest known one, and all else that is wrong.
        """
        kinds = _kinds(cls)
        known: dict[str, Any] = {name: value for name, value in mapping.items() if name in kinds}
        wrong = [_unknown(name, kinds) for name in mapping if name not in kinds]
        try:
            config = cls(**known)
        except ConfigError as error:
            raise ConfigError("; ".join([*wrong, str(error)])) from None
        if wrong:
            raise ConfigError("; ".join(wrong))
        return config

    def changed(self, /, **changes: object) -> Self:
        """Another configuration with these settings in place of its own.

        What was given stays; the sizes that nobody gave follow the others again.

        Raises:
            ConfigError: as `from_mapping` does, about the new whole.
        """
        return self.from_mapping({**self._given(), **changes})

    def _given(self) -> dict[str, object]:
        """Every setting but the sizes that nobody gave."""
        untouched: frozenset[str] = vars(self)["untouched"]
        return {name: value for name, value in msgspec.structs.asdict(self).items() if name not in untouched}

    # msgspec's own copies and pickles would take every size as given.

    __replace__ = changed

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[Mapping[str, object]], Self], tuple[dict[str, object]]]:
        return self.from_mapping, (self._given(),)

    def __post_init__(self) -> None:
        settings = msgspec.structs.asdict(self)
        untouched = frozenset(name for name in _FOLLOWING if settings[name] is _UNTOUCHED)
        vars(self)["untouched"] = untouched
        right: dict[str, Any] = {}
        wrong: list[str] = []
        for name, kind in _kinds(type(self)).items():
            if name in untouched:
                continue
            try:
                right[name] = msgspec.convert(settings[name], kind)
            except msgspec.ValidationError:
                wrong.append(_must(name, _right(inspect.type_info(kind), settings[name]), settings[name]))
        _follow(right, untouched)
        wrong += _disagreements(right)
        if wrong:
            raise ConfigError("; ".join(wrong))
        for name, value in right.items():
            msgspec.structs.force_setattr(self, name, value)


# ---------------------------------------------------------------- what is wrong with them


@cache
def _kinds(config: type[msgspec.Struct]) -> dict[str, Any]:
    """The type of each setting, bounds included."""
    hints = get_type_hints(config, include_extras=True)
    return {name: hints[name] for name in config.__struct_fields__}


def _follow(right: dict[str, Any], untouched: frozenset[str]) -> None:
    """Work out the sizes that nobody gave, as far as those that they follow are right."""
    most = right.get("max_connections")
    if most is None:
        return
    if "min_connections" in untouched:
        right["min_connections"] = min(MIN_CONNECTIONS, most)
    least = right.get("min_connections", 0)
    if "initial_connections" in untouched and least <= most:
        right["initial_connections"] = min(max(INITIAL_CONNECTIONS, least), most)


def _disagreements(right: Mapping[str, Any]) -> list[str]:
    """What is wrong between settings of which each by itself is right."""
    wrong = [
        _must(name, f"{words} {other} ({right[other]})", right[name])
        for name, agrees, words, other in _AGREEMENT
        if name in right and other in right and not agrees(right[name], right[other])
    ]
    starts = right.get("head_starts", ())
    if list(starts) != sorted(starts, reverse=True):
        wrong.append(_must("head_starts", _FALLING, starts))
    return wrong


def _right(kind: inspect.Type, value: object) -> str:
    """What a setting of this kind must be, in words for whoever gave this value."""
    match kind:
        case inspect.UnionType(types=(some, inspect.NoneType())):
            return f"{_right(some, value)}, or None"
        case inspect.Metadata(type=inspect.IntType(), extra={"bounds": str(bounds)}):
            return bounds if _fits(value, int) else f"a whole number, {bounds}"
        case inspect.Metadata(type=inspect.FloatType(), extra={"bounds": str(bounds)}):
            finite = Annotated[float, Meta(ge=-_FINITE, le=_FINITE)]
            return bounds if _fits(value, finite) else f"a finite number, {bounds}"
        case inspect.Metadata(extra={"bounds": str(bounds)}):
            return bounds
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(repr, values))}"
        case _:
            return "True or False"


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _must(name: str, right: str, value: object) -> str:
    return f"{name} must be {right}, not {reprlib.repr(value)}"


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "ConnectionPoolConfig describes them all"
    return f"there is no setting {reprlib.repr(name)}: {hint}"


DEFAULT_CONNECTION_POOL_CONFIG: Final = ConnectionPoolConfig()
