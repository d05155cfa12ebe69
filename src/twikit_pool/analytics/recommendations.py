"""What should be changed: only what the recorded load, replayed with the change, shows to be clearly better.

Something that was recorded asks for a cure (too many late requests, a size that goes up and down, connections
that nobody needs, an account or a proxy that fails), and each setting that might be one is tried on the worst
days. What does best there is replayed on all of them, beside the settings as they are. It is recommended when
the bootstrap over the days leaves no doubt that it is better, the difference is worth it, and nothing else
gets clearly worse by it. What is recommended next is replayed on top of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Literal

from twikit_pool.analytics.recording import Recorded
from twikit_pool.analytics.replay import (
    DayPlayed,
    Replay,
    flaps_of,
    hours_of,
    late_share_of,
    waste_of,
)
from twikit_pool.analytics.report import Accounts, Effect, Recommendation, ScalingQuality
from twikit_pool.analytics.statistics import bootstrap
from twikit_pool.config import SCALING_RULES, ConnectionPoolConfig
from twikit_pool.errors import ConfigError

Figure = Callable[[Sequence[DayPlayed]], float]
Problem = Literal["waits", "flapping", "waste", "account", "proxy"]

DAYS: Final = 3
"""Days that must be replayed for a recommendation."""

TRIED: Final = 1
"""Days on which everything is tried: the worst."""

JUDGED: Final = 2
"""Of what was tried, so many are replayed on all days until one is recommended."""

BETTER: Final = 0.2
"""Share by which what it is for must get better, at the least."""

FLAPS: Final = 12.0
"""Large steps a day that are taken back, above which a pool flaps."""

WASTEFUL: Final = 0.6
"""Waste above which a cure is looked for; Erlang-C with a margin has 0.2 to 0.3 (docs/scaling.md)."""

WORTH: Final = 12.0
"""Connection-hours a day that are worth saving: half a connection."""

BUSY_HOUR: Final = 5.0
"""Times the late share that is aimed for, above which an hour of the day is too much by itself."""

LATE: Final = "share of the requests that are late"
WASTE: Final = "connections beyond those needed, as a share"
FLAPPING: Final = "large steps taken back a day"
HOURS: Final = "connection-hours a day"


@dataclass(frozen=True, slots=True)
class _Goal:
    """What is to get better.

    Attributes:
        problem: what it is about.
        figure: what is to become less; where it is no more than `enough`, the problem is cured.
        cost: of several cures the one is taken with which this is least.
        guards: what must not get worse: each may grow by this share, and this much.
    """

    problem: Problem
    figure: Figure
    enough: float
    cost: Figure
    guards: tuple[tuple[Figure, float, float], ...] = ()

    def rank(self, days: Sequence[DayPlayed]) -> tuple[bool, float]:
        """The less, the better."""
        figure = self.figure(days)
        cured = figure <= self.enough
        return not cured, self.cost(days) if cured else figure


@dataclass(frozen=True, slots=True)
class _Change:
    setting: str
    value: Any


def recommendations(
    recorded: Recorded, quality: ScalingQuality, accounts: Accounts, needed: Sequence[int]
) -> tuple[list[Recommendation], list[str]]:
    """The recommendations, and what is to be said about them."""
    replay = Replay(recorded, needed)
    if len(replay.days) < DAYS:
        return [], [f"fewer than {DAYS} days were recorded: nothing is recommended"]
    adviser = _Adviser(recorded, quality, accounts, needed, replay)
    return [*adviser.about_size(), *adviser.about_accounts()], []


class _Adviser:
    def __init__(
        self,
        recorded: Recorded,
        quality: ScalingQuality,
        accounts: Accounts,
        needed: Sequence[int],
        replay: Replay,
    ) -> None:
        self._recorded = recorded
        self._config = recorded.facts.config
        self._quality = quality
        self._accounts = accounts
        self._needed = sorted(needed)
        self._replay = replay
        self._known: dict[ConnectionPoolConfig, list[DayPlayed]] = {}
        self._changed_before: tuple[str, ...] = ()

    # ------------------------------------------------------------ size

    def about_size(self) -> Iterator[Recommendation]:
        """What cures flapping, waits and waste: one setting for each, the next on top of those before."""
        quality, objective = self._quality, self._quality.late_objective
        late_hours = [each for each in quality.late_by_hour if each is not None]
        late = (quality.late or 0.0) > objective or max(late_hours, default=0.0) > BUSY_HOUR * objective
        if quality.flaps_a_day > FLAPS:
            guards = ((late_share_of, 0.1, objective / 2), (waste_of, 0.1, 0.15))
            goal = _Goal("flapping", flaps_of, FLAPS, late_share_of, () if late else guards)
            evidence = [
                f"{quality.flaps:,} times a large step was taken back within 15 minutes: "
                f"{quality.flaps_a_day:,.0f} times a day"
            ]
            yield from self._best(goal, evidence, self._for_flapping())
        if late:
            goal = _Goal("waits", late_share_of, objective, hours_of)
            yield from self._best(goal, self._late_evidence(), self._for_waits())
        if (quality.waste or 0.0) > WASTEFUL:
            guards = ((late_share_of, 0.1, objective / 4), (flaps_of, 0.5, FLAPS / 2))
            goal = _Goal("waste", waste_of, 0.0, waste_of, guards)
            evidence = [
                f"{quality.hours:,.0f} connection-hours were had where {quality.needed_hours:,.0f} were "
                f"needed: {quality.waste or 0.0:.0%} more"
            ]
            yield from self._best(goal, evidence, self._for_waste())

    def _late_evidence(self) -> list[str]:
        quality = self._quality
        evidence = [
            f"{quality.late or 0.0:.2%} of the requests waited longer than {quality.target_wait:g} s; "
            f"{quality.late_objective:.2%} are aimed for"
        ]
        hours = [(late, hour) for hour, late in enumerate(quality.late_by_hour) if late is not None]
        if hours:
            late, hour = max(hours)
            evidence.append(f"most of them from {hour}:00 to {hour + 1}:00 UTC: {late:.1%}")
        if quality.at_most_minutes:
            evidence.append(
                f"for {quality.at_most_minutes} minutes there were too few connections, and as many as there "
                f"may be ({quality.most}); the busiest minute needed {quality.peak_needed}"
            )
        return evidence

    def _for_waits(self) -> Iterator[_Change]:
        config, accounts = self._config, self._recorded.facts.accounts
        peak = self._peak()
        most = ceil(peak * 1.1)
        capacity = None if accounts is None else accounts * config.max_connections_per_account
        if config.max_connections < most and (capacity is None or capacity > config.max_connections):
            yield _Change("max_connections", most if capacity is None else min(most, capacity))
        if accounts and capacity is not None and capacity < peak and config.max_connections > capacity:
            yield _Change("max_connections_per_account", ceil(peak / accounts))
        if not config.enable_auto_scaling:
            yield _Change("enable_auto_scaling", True)
        if config.scaling_dry_run:
            yield _Change("scaling_dry_run", False)
        if config.scaling_rules != SCALING_RULES:
            yield _Change("scaling_rules", SCALING_RULES)
        if not config.enable_predictive_scaling:
            yield _Change("enable_predictive_scaling", True)
        if config.scaling_stabilisation < 600:
            yield _Change("scaling_stabilisation", 600.0)
        if (usual := self._share(0.75)) > config.min_connections:
            yield _Change("min_connections", min(usual, config.max_connections))

    def _for_flapping(self) -> Iterator[_Change]:
        config = self._config
        for seconds in (300.0, 900.0):
            if config.scaling_stabilisation < seconds:
                yield _Change("scaling_stabilisation", seconds)
        if config.scaling_cooldown < 300:
            yield _Change("scaling_cooldown", 300.0)
        if config.scale_down_threshold > 0.3:
            yield _Change("scale_down_threshold", 0.3)
        if config.scale_up_threshold < 0.8:
            yield _Change("scale_up_threshold", 0.8)
        if config.scaling_tolerance < 0.1:
            yield _Change("scaling_tolerance", 0.1)
        if config.scaling_rules != SCALING_RULES:
            yield _Change("scaling_rules", SCALING_RULES)

    def _for_waste(self) -> Iterator[_Change]:
        config = self._config
        if (few := self._share(0.05)) < config.min_connections:
            yield _Change("min_connections", max(few, 1))
        if not config.enable_auto_scaling:
            yield _Change("enable_auto_scaling", True)
        if config.scaling_dry_run:
            yield _Change("scaling_dry_run", False)
        if config.scaling_rules != SCALING_RULES:
            yield _Change("scaling_rules", SCALING_RULES)
        if config.scaling_stabilisation > 300:
            yield _Change("scaling_stabilisation", 300.0)
        if config.scaling_tolerance > 0.1:
            yield _Change("scaling_tolerance", 0.1)

    def _share(self, share: float) -> int:
        """The connections that this share of the minutes did not need more than."""
        return self._needed[int(share * (len(self._needed) - 1))]

    def _peak(self) -> int:
        """What the busiest minute of a thousand needed: one minute alone is chance."""
        return self._share(0.999)

    def _best(self, goal: _Goal, evidence: list[str], changes: Iterator[_Change]) -> Iterator[Recommendation]:
        """The best change, if it is clearly better; what follows builds on it."""
        before = self._play(self._config)
        if not goal.figure(before):
            return  # the replay does not show what was recorded, so it can tell of no cure
        worst = sorted(before, key=lambda each: -goal.figure([each]))[:TRIED]
        tried: list[tuple[tuple[bool, float], ConnectionPoolConfig, _Change]] = []
        for change in changes:
            config = self._changed(change)
            if config is None or change.setting in self._changed_before:
                continue
            played = self._replay.play(config, [each.begins for each in worst])
            if goal.figure(played) <= (1 - BETTER) * goal.figure(worst) and _kept(goal, worst, played):
                tried.append((goal.rank(played), config, change))
        for _, config, change in sorted(tried, key=lambda each: each[0])[:JUDGED]:
            found = self._judged(goal, evidence, config, change)
            if found is not None:
                yield found
                self._config = config
                self._changed_before += (change.setting,)
                return

    def _play(self, config: ConnectionPoolConfig) -> list[DayPlayed]:
        if config not in self._known:
            self._known[config] = self._replay.play(config)
        return self._known[config]

    def _changed(self, change: _Change) -> ConnectionPoolConfig | None:
        try:
            return self._config.changed(**{change.setting: change.value})
        except ConfigError:
            return None  # it does not agree with another setting

    def _judged(
        self, goal: _Goal, evidence: list[str], config: ConnectionPoolConfig, change: _Change
    ) -> Recommendation | None:
        before, after = self._play(self._config), self._play(config)
        if not _kept(goal, before, after):
            return None
        main = _effect(_NAMES[goal.problem], goal.figure, before, after, self._measured(goal.problem))
        if main.high >= 0 or main.after > (1 - BETTER) * main.before:
            return None
        if goal.problem == "waste" and hours_of(before) - hours_of(after) < WORTH:
            return None
        others = [
            _effect(name, figure, before, after, measured)
            for name, figure, measured in (
                (LATE, late_share_of, self._quality.late),
                (WASTE, waste_of, self._quality.waste),
                (FLAPPING, flaps_of, self._quality.flaps_a_day),
                (HOURS, hours_of, None),
            )
            if figure is not goal.figure
        ]
        current = getattr(self._config, change.setting)
        built_on = f", with {' and '.join(self._changed_before)} as above" if self._changed_before else ""
        return Recommendation(
            problem=goal.problem,
            title=f"set {change.setting} to {_shown(change.value)} (it is {_shown(current)})",
            evidence=evidence,
            setting=change.setting,
            current=current,
            value=change.value,
            after=self._changed_before,
            effects=[main, *others],
            days=len(before),
            uncertainty=(
                f"90% interval of the difference over {len(before)} days: {main.low:+.3g} to {main.high:+.3g}"
                f"{built_on}; the load is taken to come as it came, in minutes, whatever the size"
            ),
        )

    def _measured(self, problem: Problem) -> float | None:
        quality = self._quality
        by_problem = {"waits": quality.late, "flapping": quality.flaps_a_day, "waste": quality.waste}
        return by_problem.get(problem)

    # ------------------------------------------------------------ accounts

    def about_accounts(self) -> Iterator[Recommendation]:
        """What cures a pool whose accounts, or whose proxies, fail."""
        for proxy in self._accounts.proxies:
            if proxy.suspect:
                found = self._without(
                    "proxy",
                    frozenset(proxy.accounts),
                    f"proxy {proxy.proxy}: {proxy.suspect}",
                    f"give the {len(proxy.accounts)} accounts behind {proxy.proxy} another proxy",
                    ("proxy", proxy.proxy, "another, or none"),
                )
                if found is not None:
                    yield found
        for account in self._accounts.worn:
            if account.suspect:
                went = f"; its state changed {account.changes} times" if account.changes else ""
                found = self._without(
                    "account",
                    frozenset({account.account_id}),
                    f"account {account.account_id}: {account.suspect}{went}",
                    f"disable account {account.account_id} until somebody has looked at it "
                    f"(twikit-pool accounts disable {account.account_id})",
                    (f"account {account.account_id}", account.state or "active", "disabled"),
                )
                if found is not None:
                    yield found

    def _without(
        self,
        problem: Literal["account", "proxy"],
        accounts: frozenset[str],
        evidence: str,
        title: str,
        setting: tuple[str, str, str],
    ) -> Recommendation | None:
        days = _days_without(self._recorded, accounts)
        if len(days) < DAYS:
            return None

        def rate(some: Sequence[_DayOfCalls]) -> float:
            return sum(each.errors for each in some) / max(1, sum(each.calls for each in some))

        def rate_without(some: Sequence[_DayOfCalls]) -> float:
            return sum(each.errors_without for each in some) / max(1, sum(each.calls for each in some))

        low, high = bootstrap(days, lambda some: rate_without(some) - rate(some))
        before, after = rate(days), rate_without(days)
        if high >= 0 or after >= before:
            return None
        effects = [
            Effect(
                figure="share of the calls that fail",
                recorded=self._accounts.error_rate,
                before=before,
                after=after,
                low=low,
                high=high,
            )
        ]
        if problem == "account":
            late = self._late_without(len(accounts))
            if late.after > 1.1 * late.before + self._quality.late_objective / 2:
                return None  # the others cannot do its work
            effects.append(late)
        return Recommendation(
            problem=problem,
            title=title,
            evidence=[evidence],
            setting=setting[0],
            current=setting[1],
            value=setting[2],
            effects=effects,
            days=len(days),
            uncertainty=(
                f"90% interval of the difference over {len(days)} days: {low:+.3g} to {high:+.3g}; its calls "
                "are taken to fail as often as those of the others on the same day"
            ),
        )

    def _late_without(self, fewer: int) -> Effect:
        """Late requests with so many accounts less: the same while those left may have all connections."""
        config, known = self._recorded.facts.config, self._recorded.facts.accounts
        now = then = self._play(config)
        if (
            known is not None
            and (known - fewer) * config.max_connections_per_account < config.max_connections
        ):
            then = self._replay.play(config, fewer_accounts=fewer)
        return _effect(LATE, late_share_of, now, then, self._quality.late)


# ---------------------------------------------------------------- what is compared


@dataclass(frozen=True, slots=True)
class _DayOfCalls:
    calls: int
    errors: int
    errors_without: float


def _days_without(recorded: Recorded, accounts: frozenset[str]) -> list[_DayOfCalls]:
    """Each day as it was, and as it is when the others, each as ill as it was, make these accounts' calls."""
    days: list[_DayOfCalls] = []
    for day in recorded.accounts:
        calls = sum(each.calls for each in day.values())
        errors = sum(each.errors for each in day.values())
        others = [each for name, each in day.items() if name not in accounts]
        other_calls = sum(each.calls for each in others)
        if other_calls:
            rate = sum(each.errors for each in others) / other_calls
            days.append(_DayOfCalls(calls, errors, rate * calls))
    return days


_NAMES: Final[dict[str, str]] = {"waits": LATE, "flapping": FLAPPING, "waste": WASTE}


def _kept(goal: _Goal, before: Sequence[DayPlayed], after: Sequence[DayPlayed]) -> bool:
    """Whether nothing that is guarded gets clearly worse."""
    return all(figure(after) <= figure(before) * (1 + share) + much for figure, share, much in goal.guards)


def _effect(
    name: str, figure: Figure, before: Sequence[DayPlayed], after: Sequence[DayPlayed], recorded: float | None
) -> Effect:
    pairs = list(zip(before, after, strict=True))
    low, high = bootstrap(
        pairs, lambda some: figure([then for _, then in some]) - figure([now for now, _ in some])
    )
    return Effect(
        figure=name, recorded=recorded, before=figure(before), after=figure(after), low=low, high=high
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{value:g}" if isinstance(value, float) else str(value)
