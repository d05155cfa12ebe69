"""What should be changed: only what the recorded load, replayed with the change, shows to be clearly better.

Something that was recorded asks for a cure (too many late requests, a size that goes up and down, connections
that nobody needs, an account or a proxy that fails), and each setting that might be one is tried on the worst
days. What does best there is replayed on all of them, beside the settings as they are. It is recommended when
the bootstrap over the days leaves no doubt that it is better, the difference is worth it, and nothing else
gets clearly worse by it. What is recommended next is replayed on top of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from twikit_pool.analytics.account_advice import DAYS, AccountAdviser
from twikit_pool.analytics.changes import Change, Changes
from twikit_pool.analytics.effects import FLAPPING, HOURS, LATE, WASTE, Figure, effect_of
from twikit_pool.analytics.recording import Recorded
from twikit_pool.analytics.replay import DayPlayed, Replay, flaps_of, hours_of, late_share_of, waste_of
from twikit_pool.analytics.report import Accounts, Recommendation, ScalingQuality
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError

Problem = Literal["waits", "flapping", "waste"]

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


def recommendations(
    recorded: Recorded, quality: ScalingQuality, accounts: Accounts, needed: Sequence[int]
) -> tuple[list[Recommendation] | None, list[str]]:
    """The recommendations, None where too little is known for any; and what is to be said about that."""
    replay = Replay(recorded, needed)
    if len(replay.days) < DAYS:
        return None, [f"fewer than {DAYS} days were recorded: nothing is recommended"]
    sizes = _SizeAdviser(recorded, quality, needed, replay)
    others = AccountAdviser(recorded, quality, accounts, replay, lambda: sizes.play(recorded.facts.config))
    return [*sizes.advice(), *others.advice()], []


class _SizeAdviser:
    def __init__(
        self,
        recorded: Recorded,
        quality: ScalingQuality,
        needed: Sequence[int],
        replay: Replay,
    ) -> None:
        self._config = recorded.facts.config
        self._quality = quality
        self._changes = Changes(needed, recorded.facts.accounts)
        self._replay = replay
        self._known: dict[ConnectionPoolConfig, list[DayPlayed]] = {}
        self._changed_before: tuple[str, ...] = ()

    # ------------------------------------------------------------ size

    def advice(self) -> Iterator[Recommendation]:
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
            yield from self._best(goal, evidence, self._changes.for_flapping(self._config))
        if late:
            goal = _Goal("waits", late_share_of, objective, hours_of)
            yield from self._best(goal, self._late_evidence(), self._changes.for_waits(self._config))
        if (quality.waste or 0.0) > WASTEFUL:
            guards = ((late_share_of, 0.1, objective / 4), (flaps_of, 0.5, FLAPS / 2))
            goal = _Goal("waste", waste_of, 0.0, waste_of, guards)
            evidence = [
                f"{quality.hours:,.0f} connection-hours were had where {quality.needed_hours:,.0f} were "
                f"needed: {quality.waste or 0.0:.0%} more"
            ]
            yield from self._best(goal, evidence, self._changes.for_waste(self._config))

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

    def _best(self, goal: _Goal, evidence: list[str], changes: Iterator[Change]) -> Iterator[Recommendation]:
        """The best change, if it is clearly better; what follows builds on it."""
        before = self.play(self._config)
        if not goal.figure(before):
            return  # the replay does not show what was recorded, so it can tell of no cure
        worst = sorted(before, key=lambda each: -goal.figure([each]))[:TRIED]
        tried: list[tuple[tuple[bool, float], ConnectionPoolConfig, Change]] = []
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

    def play(self, config: ConnectionPoolConfig) -> list[DayPlayed]:
        """All days, replayed once."""
        if config not in self._known:
            self._known[config] = self._replay.play(config)
        return self._known[config]

    def _changed(self, change: Change) -> ConnectionPoolConfig | None:
        try:
            return self._config.changed(**{change.setting: change.value})
        except ConfigError:
            return None  # it does not agree with another setting

    def _judged(
        self, goal: _Goal, evidence: list[str], config: ConnectionPoolConfig, change: Change
    ) -> Recommendation | None:
        before, after = self.play(self._config), self.play(config)
        if not _kept(goal, before, after):
            return None
        main = effect_of(_NAMES[goal.problem], goal.figure, before, after, self._measured(goal.problem))
        if main.high >= 0 or main.after > (1 - BETTER) * main.before:
            return None
        if goal.problem == "waste" and hours_of(before) - hours_of(after) < WORTH:
            return None
        others = [
            effect_of(name, figure, before, after, measured)
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


# ---------------------------------------------------------------- what is compared

_NAMES: Final[dict[Problem, str]] = {"waits": LATE, "flapping": FLAPPING, "waste": WASTE}


def _kept(goal: _Goal, before: Sequence[DayPlayed], after: Sequence[DayPlayed]) -> bool:
    """Whether nothing that is guarded gets clearly worse."""
    return all(figure(after) <= figure(before) * (1 + share) + much for figure, share, much in goal.guards)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{value:g}" if isinstance(value, float) else str(value)
