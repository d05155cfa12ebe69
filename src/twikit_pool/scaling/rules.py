"""The rules that say how many connections a pool should have; the largest answer counts.

Each looks at one side of the load, and answers with a size and a sentence why, or nothing. The rules of the
thresholds move from the size that there is by a step; the others say a size, whatever the present one is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from twikit_pool.scaling.erlang import connections_for

if TYPE_CHECKING:
    from twikit_pool.config import ConnectionPoolConfig, ScalingRule
    from twikit_pool.scaling.forecast import Prediction
    from twikit_pool.scaling.load import EndpointDemand, Load

USED_UP: Final = "use up the windows of"
"""In the reason of a size that rate budgets ask for, before how many accounts that takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What rules look at.

    Attributes:
        load: the present one.
        size: connections that there are, those being opened included.
        queue: requests that wait.
        low: whether less than the lower threshold has been in use for long enough.
        predictions: the forecast of the offered load in erlangs, by seconds ahead; empty without one.
        config: the pool's settings.
    """

    load: Load
    size: int
    queue: int
    low: bool
    predictions: Mapping[float, Prediction]
    config: ConnectionPoolConfig

    @property
    def used(self) -> float:
        """Connections that are leased or reserved."""
        return (self.load.active or 0) + self.load.reserved

    @property
    def demand_is_measured(self) -> bool:
        """Whether the `demand` rule says how many connections the load needs."""
        return "demand" in self.config.scaling_rules and self.load.offered is not None

    def serving(self, offered: float) -> int:
        """Connections of which those that serve everyone are enough for so many erlangs.

        Where nobody knows how long calls take, a second each is taken.
        """
        config = self.config
        needed = connections_for(
            offered,
            self.load.service or 1.0,
            config.scaling_target_wait,
            config.scaling_late_share,
            at_most=config.max_connections,
        )
        return needed + self.load.reserved + self.load.unhealthy


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a rule says.

    Attributes:
        rule: its name.
        size: connections that there should be.
        reason: why, in a sentence.
        step: whether it is a step from the present size: paced by the cooldown, and of no use later.
        confidence: how far it can be trusted, 0 to 1; 1 for what was measured.
        load: the load in erlangs that it expects; None when it expects nothing.
    """

    rule: str
    size: int
    reason: str
    step: bool = False
    confidence: float = 1.0
    load: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and what must be measured for it: without, the pool does not shrink."""

    advise: Callable[[Situation], Advice | None]
    missing: Callable[[Load], str | None]


# ---------------------------------------------------------------- thresholds


def _utilisation(situation: Situation) -> Advice | None:
    """A step up above the upper threshold, a step down when long below the lower one.

    Where demand is measured it decides how far to shrink, but never so far that this would grow it again.
    """
    config, size = situation.config, situation.size
    if situation.load.active is None:
        return None
    name, used, upper = "utilisation", situation.used, config.scale_up_threshold
    if used > upper * size:
        reason = f"{used:.1f} of {size} connections are in use, more than {upper:.0%}"
        return Advice(rule=name, size=size + config.scale_up_increment, reason=reason, step=True)
    if situation.demand_is_measured:
        reason = f"with fewer, more than {upper:.0%} would be in use"
        return Advice(rule=name, size=ceil(min(size, used / upper)), reason=reason)
    if situation.low:
        reason = (
            f"less than {config.scale_down_threshold:.0%} of {size} connections have been in use for long"
        )
        return Advice(rule=name, size=max(0, size - config.scale_down_increment), reason=reason, step=True)
    return Advice(rule=name, size=size, reason="as many are in use as should be", step=True)


def _queue(situation: Situation) -> Advice | None:
    """A step up while requests wait and were late on the mean."""
    config, waited = situation.config, situation.load.acquisition
    if not situation.queue or (waited is not None and waited <= config.scaling_target_wait):
        return None
    late = "nobody has had a connection" if waited is None else f"a connection is had after {waited:.3g} s"
    reason = f"{situation.queue} requests wait, and {late}"
    size = situation.size + config.scale_up_increment
    return Advice(rule="queue", size=size, reason=reason, step=True)


# ---------------------------------------------------------------- measured and expected load


def _demand(situation: Situation) -> Advice | None:
    """Erlang-C for the measured load."""
    offered = situation.load.offered
    if offered is None:
        return None
    size, config = situation.serving(offered), situation.config
    reason = (
        f"{offered:.3g} erlangs need {size} connections for at most {config.scaling_late_share:.2g} of the "
        f"callers to wait longer than {config.scaling_target_wait:.3g} s"
    )
    return Advice(rule="demand", size=size, reason=reason, load=offered)


def _rate_budget(situation: Situation) -> Advice | None:
    """As many accounts as the rate windows of the endpoint most asked for take."""
    config = situation.config
    sizes = [
        (accounts_for(each, config.scaling_late_share, at_most=config.max_connections), each)
        for each in situation.load.demand
    ]
    size, most = max(sizes, key=lambda each: each[0], default=(0, None))
    if most is None or not size:
        return None
    reason = f"{most.rate:.3g} calls a second to {most.endpoint} {USED_UP} {size} accounts"
    # Further connections of one account share its windows, so each of these is of an account of its own.
    return Advice(rule="rate_budget", size=size + situation.load.unhealthy, reason=reason)


def accounts_for(asked: EndpointDemand, late_share: float, *, at_most: int) -> int:
    """Accounts whose windows last for the calls of one window, the scatter of random arrivals included.

    Args:
        asked: what is asked of an endpoint; 0 accounts are answered where no limit is known.
        late_share: share of the windows that may be used up all the same.
        at_most: what is returned when more would be needed.
    """
    calls, limit = (asked.rate or 0.0) * asked.window, (asked.sustained or 0.0) * asked.window
    if not limit:
        return 0
    scatter = max(0.0, NormalDist().inv_cdf(1 - late_share)) * sqrt(calls)
    return ceil(min((calls + scatter) / limit, at_most))


def _forecast(situation: Situation) -> Advice | None:
    """Erlang-C for the load that may be there by the time that a connection ordered now is open.

    Until the shortest horizon the bound rises on a straight line from the present load. A forecast whose
    bound was never measured says nothing.
    """
    if not situation.predictions:
        return None
    horizons = sorted(situation.predictions)
    load = situation.load
    lead = horizons[0] if load.opening is None else load.opening
    horizon = next((each for each in horizons if each >= lead), horizons[-1])
    prediction = situation.predictions[horizon]
    if prediction.coverage is None:
        return None
    way = min(1.0, lead / horizon) if load.offered is not None else 1.0
    present = load.offered or 0.0
    bound = max(0.0, present + (prediction.upper - present) * way)
    expected = max(0.0, present + (prediction.expected - present) * way)
    reason = (
        f"up to {bound:.3g} erlangs are expected in {lead:.3g} s, when a connection ordered now is open"
        f" ({prediction.coverage:.0%} of such bounds held)"
    )
    return Advice(
        rule="forecast",
        size=situation.serving(bound),
        reason=reason,
        confidence=prediction.coverage / (1 + prediction.width),
        load=expected,
    )


# ---------------------------------------------------------------- all of them


def _no_active(load: Load) -> str | None:
    return "connections in use" if load.active is None else None


def _no_acquisition(load: Load) -> str | None:
    return "acquisition time" if load.acquisition is None and load.arrivals != 0 else None


def _no_offered(load: Load) -> str | None:
    return "arrivals and service time" if load.offered is None else None


def _no_demand(load: Load) -> str | None:
    unknown = [each.endpoint for each in load.demand if each.rate is None]
    return f"demand for {unknown[0]}" if unknown else None


RULES: Final[Mapping[ScalingRule, Rule]] = {
    "utilisation": Rule(_utilisation, _no_active),
    "queue": Rule(_queue, _no_acquisition),
    "demand": Rule(_demand, _no_offered),
    "rate_budget": Rule(_rate_budget, _no_demand),
    "forecast": Rule(_forecast, lambda _: None),
}
"""By the name that `scaling_rules` takes."""
