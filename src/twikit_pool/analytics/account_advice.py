"""What should become of accounts, and of proxies, that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from twikit_pool.analytics.effects import LATE, effect_of
from twikit_pool.analytics.recording import Recorded
from twikit_pool.analytics.replay import DayPlayed, Replay, late_share_of
from twikit_pool.analytics.report import Accounts, Effect, Recommendation, ScalingQuality
from twikit_pool.analytics.statistics import bootstrap

DAYS: Final = 3
"""Days that must be known for a recommendation."""


class AccountAdviser:
    """Looks at each account and each proxy that is suspect.

    Args:
        recorded: what was recorded.
        quality: how well the pool was sized.
        accounts: how its accounts wear.
        replay: the recorded load.
        now: the days, replayed with the settings as they are.
    """

    def __init__(
        self,
        recorded: Recorded,
        quality: ScalingQuality,
        accounts: Accounts,
        replay: Replay,
        now: Callable[[], Sequence[DayPlayed]],
    ) -> None:
        self._recorded = recorded
        self._quality = quality
        self._accounts = accounts
        self._replay = replay
        self._now = now

    def advice(self) -> Iterator[Recommendation]:
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
        now = then = self._now()
        if (
            known is not None
            and (known - fewer) * config.max_connections_per_account < config.max_connections
        ):
            then = self._replay.play(config, fewer_accounts=fewer)
        return effect_of(LATE, late_share_of, now, then, self._quality.late)


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
