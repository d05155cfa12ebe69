"""What the scaling engine's sizes cost and how often callers wait, against 80/30 thresholds.

The engine itself drives a pool in discrete events, each call of it (`_sizing_model`), over the last three
days of each trace: counts of five minutes, scaled to 20 erlangs on the mean. Between them the rate goes in
straight lines (*lines*), or stays and jumps (*steps*), which is harder. The engine looks every 15 s.
*Waste* is connection-hours over those of somebody who knows each minute's load and has exactly what Erlang-C
asks for, less one. A call is *late* when it waited for more than 100 ms. `max_connections` is what the
highest minute asks for.

*thresholds* is our engine with the rules `utilisation` and `queue` alone: 5 more above 80%, 2 fewer below
30%, a minute between steps, without the five minutes that our defaults wait before, so that it wastes
least. *ours* has all rules and a forecast that has seen the days before; *no forecast* all but that. *parked*
is ours, keeps what it scales down loaded for a day, and opens that in 5 ms. Opening anything else takes 1 to
2 s (*fast*) or 60 to 120 s (*slow*).

*Searches*: five a second on the mean, more by day, at 50 per account and 15 minutes: how many found every
live account used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final, Literal

from benchmarks import Bar, Report
from benchmarks._search_load import Searches, search_for_a_day
from benchmarks._sizing_model import SERVICE, TICK, Outcome, simulate
from benchmarks._traces import BUCKET, BUCKETS_A_DAY, Trace, traces_of
from twikit_pool.config import SCALING_RULES, ConnectionPoolConfig, ScalingRule
from twikit_pool.scaling import OnlineForecaster, ScalingEngine, connections_for
from twikit_pool.scaling.quality import clairvoyant, waste

DAYS: Final = 3
ERLANGS: Final = 20.0
"""The mean load."""
MOST_LATE: Final = 0.01
"""The share of late calls that is aimed for."""
MINUTE: Final = 60.0
FAST: Final = (1.0, 2.0)
SLOW: Final = (60.0, 120.0)
"""Seconds that opening takes."""
LOGINS: Final = 50
"""Logins a day that are allowed."""
THRESHOLDS: Final[tuple[ScalingRule, ...]] = ("utilisation", "queue")
ACCOUNTS: Final = 250
"""Accounts that may search, and the connections that they begin with."""
SEARCHING: Final = 90
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Case:
    """What is simulated on each trace."""

    policy: Literal["thresholds", "no forecast", "ours", "parked"]
    opening: Literal["fast", "slow"] = "fast"
    course: Literal["lines", "steps"] = "lines"

    def __str__(self) -> str:
        return f"{self.policy}, {self.opening}, {self.course}"


CASES: Final = (
    *(Case(policy, "fast") for policy in ("thresholds", "no forecast", "ours", "parked")),
    *(Case(policy, "slow") for policy in ("thresholds", "no forecast", "ours", "parked")),
    *(Case(policy, "fast", "steps") for policy in ("thresholds", "ours")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How a policy did on a trace.

    Attributes:
        waste: connection-hours over the clairvoyant's, less one.
        late: share of the calls that waited too long.
        opened: connections opened a day.
        logins: logins a day.
        peak: connections that the highest minute asks for.
    """

    waste: float
    late: float
    opened: float
    logins: float
    peak: int


def run(traces: Path | None = None) -> Report:
    given = traces_of(traces)
    found = {case: {name: _simulated(trace, case) for name, trace in given.items()} for case in CASES}
    figures: dict[str, float | int | str] = {"traces": ", ".join(given)}
    for case, by_trace in found.items():
        every = by_trace.values()
        figures[f"{case}: waste"] = mean(each.waste for each in every)
        figures[f"{case}: late calls"] = mean(each.late for each in every)
        figures[f"{case}: traces within {MOST_LATE:.0%}"] = sum(each.late <= MOST_LATE for each in every)
        figures[f"{case}: opened a day"] = mean(each.opened for each in every)
    for name, each in found[Case("parked")].items():
        figures[f"{name}: connections at its peak"] = each.peak
        figures[f"{name}: late calls, parked, fast"] = each.late
        figures[f"{name}: logins a day, parked, fast"] = each.logins
    figures["20 erlangs on 28 connections: late calls, where Erlang-C says 0.0085"] = _checked()
    searches = {rules: _searched(rules) for rules in (SCALING_RULES, THRESHOLDS)}
    figures["searches: accounts, mean"] = searches[SCALING_RULES].accounts
    figures["searches: accounts, mean, thresholds"] = searches[THRESHOLDS].accounts
    return Report(figures, _bars(found, searches))


def _bars(
    found: dict[Case, dict[str, Found]], searches: dict[tuple[ScalingRule, ...], Searches]
) -> list[Bar]:
    bars: list[Bar] = []
    for course in ("lines", "steps"):
        ours = found[Case("ours", "fast", course)].values()
        thresholds = found[Case("thresholds", "fast", course)].values()
        ours_wastes = mean(each.waste for each in ours)
        cut = 1 - ours_wastes / mean(each.waste for each in thresholds)
        late = mean(each.late for each in ours) / mean(each.late for each in thresholds)
        bars += [
            Bar(f"fast, {course}: waste", ours_wastes, 0.25, "lower"),
            Bar(f"fast, {course}: share of the thresholds' waste cut", cut, 0.5, "higher"),
            Bar(f"fast, {course}: late calls by the thresholds'", late, 1, "lower"),
        ]
    parked = found[Case("parked")].values()
    # Three days whose peak needs more sessions than may be logged in in three days cannot do with fewer.
    logins = [each.logins for each in parked if each.peak <= LOGINS * DAYS]
    ours, naive = searches[SCALING_RULES], searches[THRESHOLDS]
    bars += [
        Bar("parked, fast: logins a day, where the peak lets it, the most", max(logins), LOGINS, "lower"),
        Bar("searches that found nothing left", ours.dry / ours.calls, 0, "lower"),
        Bar("searches that found nothing left, thresholds", naive.dry / naive.calls, 0.01, "higher"),
    ]
    return bars


def _simulated(trace: Trace, case: Case) -> Found:
    buckets = DAYS * BUCKETS_A_DAY
    scale = ERLANGS / mean(trace.counts[-buckets:])
    loads = [count * scale for count in trace.counts]
    begins = (trace.begins // BUCKET + len(loads) - buckets) * BUCKET
    course = list(_lines(loads[-buckets:]) if case.course == "lines" else _steps(loads[-buckets:]))
    needed = list(_needed(course))
    config = ConnectionPoolConfig(
        min_connections=1,
        max_connections=max(needed),
        enable_predictive_scaling=case.policy in ("ours", "parked"),
    )
    if case.policy == "thresholds":
        config = config.changed(scaling_rules=THRESHOLDS, scaling_stabilisation=0)
    forecaster = OnlineForecaster(BUCKET)
    for number, load in enumerate(loads[:-buckets]):
        forecaster.learn(begins + (number + buckets - len(loads)) * BUCKET, load)
    outcome = simulate(
        [load / SERVICE for load in course],
        ScalingEngine(config, forecaster, bucket=BUCKET),
        needed[0],
        FAST if case.opening == "fast" else SLOW,
        seed=SEED,
        parking=case.policy == "parked",
        epoch=begins,
    )
    return _found(outcome, needed)


def _checked() -> float:
    """Late calls at a constant load, on connections that no rule changes: what Erlang-C itself is about."""
    connections = connections_for(ERLANGS, SERVICE)
    unmoved = ScalingEngine(ConnectionPoolConfig(scaling_rules=()))
    rates = [ERLANGS / SERVICE] * (BUCKETS_A_DAY * int(BUCKET / TICK))
    outcome = simulate(rates, unmoved, connections, FAST, seed=SEED)
    return outcome.late / outcome.calls


def _found(outcome: Outcome, needed: Sequence[int]) -> Found:
    return Found(
        waste=waste(outcome.hours, sum(needed) * MINUTE / 3600) or 0.0,
        late=outcome.late / outcome.calls,
        opened=outcome.opened / DAYS,
        logins=outcome.logins / DAYS,
        peak=max(needed),
    )


def _needed(course: Sequence[float]) -> Iterator[int]:
    """The connections that each minute's load asks for."""
    ticks = int(MINUTE / TICK)
    yield from clairvoyant(
        (mean(course[begins : begins + ticks]) for begins in range(0, len(course), ticks)), SERVICE
    )


def _steps(loads: Sequence[float]) -> Iterator[float]:
    """The load of each tick, the same throughout a bucket."""
    for load in loads:
        yield from [load] * int(BUCKET / TICK)


def _lines(loads: Sequence[float]) -> Iterator[float]:
    """The load of each tick, in straight lines from the middle of one bucket to that of the next."""
    ticks = int(BUCKET / TICK)
    for number in range(len(loads) * ticks):
        before, way = divmod((number + 0.5) / ticks - 0.5, 1)
        left = loads[max(0, int(before))]
        right = loads[min(len(loads) - 1, int(before) + 1)]
        yield left + (right - left) * way


def _searched(rules: tuple[ScalingRule, ...]) -> Searches:
    config = ConnectionPoolConfig(max_connections=ACCOUNTS, scaling_rules=rules)
    return search_for_a_day(ScalingEngine(config), ACCOUNTS, SEARCHING, seed=SEED)
