"""What is to come: the demand of the next day, and what a rate of calls takes."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, expm1, log1p
from typing import Final

from twikit_pool.analytics.recording import Facts, Recorded
from twikit_pool.analytics.report import CapacityNeed, DemandForecast, Expected
from twikit_pool.analytics.seasonal import HOUR, HOURS_A_DAY
from twikit_pool.analytics.service_level import load_of, moment
from twikit_pool.analytics.sizing import usual_service
from twikit_pool.errors import ConfigError, UnknownAction
from twikit_pool.pool.budget import named
from twikit_pool.scaling.erlang import connections_for
from twikit_pool.scaling.forecast import OnlineForecaster, Prediction
from twikit_pool.scaling.load import EndpointDemand
from twikit_pool.scaling.rules import accounts_for
from twikit_pool.sessions.limits import KNOWN_LIMITS

AHEAD: Final = (1, 2, 3, 4, *range(6, HOURS_A_DAY + 1, 2))
"""Hours ahead that are forecast; those between lie on straight lines of their logarithms."""

LEAST: Final = 48
"""Hours below which nothing is forecast."""

MOST: Final = 1_000_000


def demand_forecast(recorded: Recorded) -> DemandForecast | None:
    """The load of the next 24 hours, by the forecaster that scales pools too, on hours.

    Its upper bound is held to a coverage of 95%, which is measured. The lower one mirrors it in logarithms,
    in which the forecaster thinks.
    """
    hours = [each for each in recorded.hours if each.point.seconds]
    if hours and hours[-1].point.seconds < 0.9 * HOUR:
        del hours[-1]  # it is not over
    if len(hours) < LEAST:
        return None
    forecaster = OnlineForecaster(float(HOUR), [float(HOUR * each) for each in AHEAD])
    forecaster.warm_up(
        [(each.at, load_of(each.point)) for each in hours],
        hours=[(each.at, load_of(each.point)) for each in recorded.before],
    )
    predicted = forecaster.predict()
    if not predicted:
        return None
    config, service = recorded.facts.config, usual_service(recorded.minutes)
    last = hours[-1].at
    found: list[Expected] = []
    for ahead in range(1, HOURS_A_DAY + 1):
        middle, bound = _between(predicted, float(ahead * HOUR))
        upper = expm1(bound)
        found.append(
            Expected(
                at=moment(last + ahead * HOUR),
                expected=expm1(middle),
                lower=max(0.0, expm1(2 * middle - bound)),
                upper=upper,
                connections=connections_for(
                    upper, service, config.scaling_target_wait, config.scaling_late_share
                ),
            )
        )
    peak = max(found, key=lambda each: each.upper)
    covered = [each.coverage for each in predicted.values() if each.coverage is not None]
    return DemandForecast(
        hours=found,
        coverage=sum(covered) / len(covered) if covered else None,
        peak=peak.upper,
        peak_connections=peak.connections,
        enough=peak.connections <= config.max_connections,
    )


def _between(predicted: Mapping[float, Prediction], ahead: float) -> tuple[float, float]:
    """Logarithms of what is expected so far ahead, and of its upper bound."""
    before = max(each for each in predicted if each <= ahead)
    after = min(each for each in predicted if each >= ahead)
    way = (ahead - before) / (after - before) if after > before else 0.0
    one, other = predicted[before], predicted[after]
    return (
        log1p(one.expected) * (1 - way) + log1p(other.expected) * way,
        log1p(one.upper) * (1 - way) + log1p(other.upper) * way,
    )


# ---------------------------------------------------------------- capacity


def capacity_needs(facts: Facts, wanted: Mapping[str, float]) -> list[CapacityNeed]:
    """What rates of calls take: those that are wanted, and those that are asked for now.

    Args:
        facts: what is known of the pool.
        wanted: calls a second by action or endpoint.

    Raises:
        ConfigError: there is no such action or endpoint, no limit of it is known, or the rate is none.
    """
    used = {each.endpoint: each for each in facts.endpoints}
    rates: dict[str, float] = {}
    for what, rate in wanted.items():
        try:
            endpoint, _ = named(what, used)
        except UnknownAction as error:
            raise ConfigError(str(error)) from None
        if not 0 < rate < MOST:
            raise ConfigError(f"{what}: {rate} calls a second are no rate; give a positive number")
        rates[endpoint] = rate
    for endpoint, each in used.items():
        if each.asked and endpoint not in rates:
            rates[endpoint] = each.asked
    needs: list[CapacityNeed] = []
    for endpoint, rate in rates.items():
        need = _need(endpoint, rate, facts)
        if need is not None:
            needs.append(need)
        elif endpoint not in used:
            raise ConfigError(f"no limit of {endpoint} is known: call it once, so that X tells")
    return needs


def _need(endpoint: str, rate: float, facts: Facts) -> CapacityNeed | None:
    used = next((each for each in facts.endpoints if each.endpoint == endpoint), None)
    have = facts.accounts if used is None else used.accounts
    known = KNOWN_LIMITS.get(endpoint)
    window = 900.0 if known is None else known.seconds
    if used is not None and used.sustained and used.accounts:
        sustained = used.sustained / used.accounts
    elif known is not None:
        sustained = known.calls / known.seconds
    else:
        return None
    asked = EndpointDemand(endpoint=endpoint, rate=rate, sustained=sustained, window=window)
    late = facts.config.scaling_late_share
    mean, safe = ceil(rate / sustained - 1e-9), accounts_for(asked, late, at_most=MOST)
    there = "" if have is None else f"; you have {have}"
    return CapacityNeed(
        endpoint=endpoint,
        rate=rate,
        sustained=sustained,
        accounts=mean,
        accounts_safe=safe,
        have=have,
        sentence=(
            f"{rate:.3g} calls a second to {endpoint} need {mean} accounts, {safe} with the scatter of random"
            f" arrivals{there}"
        ),
    )
