"""How many connections a pool should have: a decision, of the load now and what was seen before.

The engine decides and does nothing else: it reads no clock, opens nothing, and has no task. The largest of
its rules' answers is what is wanted (`rules`); what follows here is how fast a pool goes there, and what
holds it back. Growth that measured demand asks for goes at once, as far as it takes: callers wait meanwhile.
Shrinking can wait, and does for every doubt.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from twikit_pool.clock import in_words
from twikit_pool.scaling.buckets import LoadBuckets
from twikit_pool.scaling.outage import Outage
from twikit_pool.scaling.recent import Recent
from twikit_pool.scaling.rules import RULES, Advice, Situation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twikit_pool.config import ConnectionPoolConfig
    from twikit_pool.scaling.forecast import Forecaster, Prediction
    from twikit_pool.scaling.load import Ceiling, Load

Constraint = Literal[
    "dry_run",
    "minimum",
    "maximum",
    "accounts",
    "brake",
    "cooldown",
    "missing",
    "outage",
    "stabilisation",
    "tolerance",
    "shared",
    "container",
]
"""What kept a decision from what the rules wanted."""


Action = Literal["scale_up", "scale_down", "hold"]

_ACTIONS: Final[dict[int, Action]] = {1: "scale_up", 0: "hold", -1: "scale_down"}


class ScalingDecision(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections there should be, and why.

    Attributes:
        action: what to do; "hold" when `target_size` is the present size.
        reason: why, in a sentence.
        target_size: connections that there should be, from `min_connections` to `max_connections`.
        wanted_size: what the rules asked for, before anything held it back.
        confidence: how far what it rests on can be trusted, 0 to 1: 1 when that was measured; for a forecast
            the share of its bounds that held, less for a wide one; None while a measurement is missing.
        predicted_load: erlangs that are expected, or measured where nothing is forecast; None when neither.
        constraints: what held it back, or what limits it.
    """

    action: Action
    reason: str
    target_size: int
    wanted_size: int
    confidence: float | None
    predicted_load: float | None
    constraints: tuple[Constraint, ...] = ()


class ScalingEngine:
    """Decides for one pool. Equal histories give equal decisions.

    Args:
        config: the pool's settings; may be replaced at any time.
        forecaster: what the load will be, in erlangs. It is told the mean of every finished bucket; give it a
            history before, and it is of use from the beginning. None forecasts nothing.
        bucket: seconds of one of the forecaster's buckets.
    """

    def __init__(
        self, config: ConnectionPoolConfig, forecaster: Forecaster | None = None, *, bucket: float = 300.0
    ) -> None:
        self.config = config
        self._forecaster: Final = forecaster
        self._buckets: Final = LoadBuckets(bucket)
        self._now = -inf
        self._changed = -inf
        """When a step was decided last."""
        self._low_since = inf
        """Since when less has been in use than the lower threshold; `inf` when it is not so."""
        self._known_size = -1
        """What has been seen or decided last; a larger size has come from elsewhere."""
        self._outage = Outage()
        self._advised = Recent(max)

    def analyze_scaling_needs(self, metrics: Load, current_size: int, queue_length: int) -> ScalingDecision:
        """What to do now. Two loads that differ in size alone are answered in that order, outages apart.

        Args:
            metrics: the load, as measured since the last call.
            current_size: connections that there are, those being opened included.
            queue_length: requests that wait.
        """
        load, config = metrics.cleaned(), self.config
        now = self._tick(metrics.moment)
        if current_size > self._known_size:  # somebody waited, or asked for it
            self._advised.note(now, current_size)
        self._learn(metrics.epoch, load.offered)
        self._outage.look(now, load.offered)
        low = self._low(now, load, current_size)
        predictions: Mapping[float, Prediction] = {}
        if self._forecaster is not None and config.enable_predictive_scaling:
            predictions = self._forecaster.predict()
        situation = Situation(
            load=load, size=current_size, queue=queue_length, low=low, predictions=predictions, config=config
        )
        advices = [advice for name in config.scaling_rules if (advice := RULES[name].advise(situation))]
        missing = [gap for name in config.scaling_rules if (gap := RULES[name].missing(load))]
        expected = next((each.load for each in advices if each.rule == "forecast"), load.offered)
        cooled = now - self._changed >= config.scaling_cooldown
        for advice in advices:
            if not advice.step:
                self._advised.note(now, advice.size)
        wanted = self._wanted(cooled, current_size, advices)
        if wanted.size >= current_size:
            paced = self._grown(situation, wanted.size)
        else:
            paced = self._shrunk(now, cooled, missing, wanted, current_size)
        bound = self._within(paced, load.ceilings)
        self._known_size = max(current_size, bound.size)
        if bound.size != current_size:
            self._changed = now
        held: list[Constraint | None] = [paced.constraint, bound.constraint]
        if bound.constraint == "minimum" and paced.constraint == "stabilisation":
            held.remove("stabilisation")  # the minimum is above what it held: it comes and goes with chance
        if wanted.rule == "cooldown":
            held.append("cooldown")
        if config.scaling_dry_run:
            held.append("dry_run")
        return ScalingDecision(
            action=_ACTIONS[(bound.size > current_size) - (bound.size < current_size)],
            reason="; but ".join(filter(None, (wanted.reason, bound.why))),
            target_size=bound.size,
            wanted_size=wanted.size,
            confidence=None if missing else wanted.confidence,
            predicted_load=expected,
            constraints=tuple(dict.fromkeys(each for each in held if each is not None)),
        )

    # ------------------------------------------------------------ history

    def _tick(self, moment: float) -> float:
        """The time, which stands still while nobody knows it. What lies ahead, after a jump back, is now."""
        if isfinite(moment):
            self._now = moment
        elif self._now == -inf:
            self._now = 0.0
        self._changed = min(self._changed, self._now)
        if self._low_since != inf:
            self._low_since = min(self._low_since, self._now)
        return self._now

    def _learn(self, epoch: float, offered: float | None) -> None:
        finished = self._buckets.add(epoch, offered)
        if finished is not None and self._forecaster is not None:
            self._forecaster.learn(*finished)

    def _low(self, now: float, load: Load, size: int) -> bool:
        """Whether less than the lower threshold has been in use for as long as a pool waits to shrink."""
        if load.active is None or load.active + load.reserved >= self.config.scale_down_threshold * size:
            self._low_since = inf
        elif self._low_since == inf:
            self._low_since = now
        return now - self._low_since >= self.config.scaling_stabilisation

    # ------------------------------------------------------------ the decision

    def _wanted(self, cooled: bool, size: int, advices: list[Advice]) -> Advice:
        """The largest answer; a step up only when the last change is long enough ago."""
        if not cooled and any(each.step and each.size > size for each in advices):
            reason = (
                f"less than {in_words(self.config.scaling_cooldown)} after the last change there is no step"
            )
            advices = [each for each in advices if not each.step or each.size <= size]
            advices.append(Advice(rule="cooldown", size=size, reason=reason, step=True))
        silence = Advice(rule="none", size=size, reason="no rule has anything to say", step=True)
        return max(advices, key=lambda each: each.size, default=silence)

    def _grown(self, situation: Situation, wanted: int) -> _Bound:
        """How far to grow, and why not as far as wanted."""
        config, load, size = self.config, situation.load, situation.size
        ill = max(load.error_rate or 0.0, load.limited_rate or 0.0)
        if wanted > size and ill > config.scaling_error_brake:
            return _Bound(size, "brake", f"{ill:.0%} of the calls fail or are refused, and more would too")
        if load.accounts_usable is not None:
            most = max(size, load.accounts_usable * config.max_connections_per_account)
            if wanted > most:
                return _Bound(most, "accounts", f"{load.accounts_usable} accounts can be used")
        return _Bound(wanted)

    def _shrunk(self, now: float, cooled: bool, missing: list[str], wanted: Advice, size: int) -> _Bound:
        """How far to shrink, and why not as far as wanted."""
        config = self.config
        if missing:
            return _Bound(size, "missing", f"{missing[0]} not measured")
        if self._outage.suspected(now):
            return _Bound(size, "outage", "the load fell as it does when something is out")
        if not cooled:
            since = in_words(config.scaling_cooldown)
            return _Bound(size, "cooldown", f"it has changed less than {since} ago")
        highest = int(self._advised.extreme(now, config.scaling_stabilisation) or 0)
        target = max(wanted.size, highest)
        if target < size and not wanted.step and size - target <= config.scaling_tolerance * size:
            return _Bound(size, "tolerance", f"{target} is too near to {size}")
        if target > wanted.size:
            target, ago = min(size, target), in_words(config.scaling_stabilisation)
            return _Bound(target, "stabilisation", f"{highest} were needed in the last {ago}")
        return _Bound(target)

    def _within(self, bound: _Bound, ceilings: Sequence[Ceiling]) -> _Bound:
        """The same within the ceilings and what the settings allow, whatever else holds."""
        config = self.config
        lowest = min(ceilings, key=lambda each: each.size, default=None)
        if lowest is not None and lowest.size < min(bound.size, config.max_connections):
            return _Bound(max(lowest.size, config.min_connections), lowest.kind, lowest.reason)
        if bound.size > config.max_connections:
            most = config.max_connections
            return _Bound(most, "maximum", f"max_connections is {most}")
        if bound.size < config.min_connections:
            least = config.min_connections
            return _Bound(least, "minimum", f"min_connections is {least}")
        return bound


class _Bound(NamedTuple):
    """A size, and what it is that keeps it from another."""

    size: int
    constraint: Constraint | None = None
    why: str = ""
