"""How accounts wear: what they went through, which of them are ill, and whether it is their proxy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from twikit_pool.analytics.recording import Recorded
from twikit_pool.analytics.report import Accounts, AccountWear, OptimizerResults, ProxyWear
from twikit_pool.analytics.statistics import binomial_tail, wilson
from twikit_pool.metrics.history.events import KeptEvent

SHOWN: Final = 50
"""Accounts that a report ranks."""

CHANCE: Final = 0.001
"""How often chance alone may make any account of a pool, or any proxy, suspect."""

TIMES: Final = 3.0
BEYOND: Final = 0.05
"""An account is suspect whose error rate is so many times that of the others, and so much above it: accounts
differ a little, and what differs little is no reason to act."""

LEAST: Final = 20
"""Calls that say anything about an account."""

CHANGE: Final = 10.0
"""Errors that a change of state counts as, for the ranking."""

TOGETHER: Final = 2
"""Accounts of a proxy below which nobody can tell it from its account."""

SHARED: Final = 0.6
"""Share of a proxy's accounts that fail like it: fewer, and it is them."""


@dataclass(slots=True)
class _Account:
    calls: int = 0
    errors: int = 0
    by_day: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    changes: int = 0
    quarantines: int = 0
    quarantined: float = 0.0
    logins: int = 0
    state: str = ""
    reason: str = ""

    @property
    def rate(self) -> float:
        return self.errors / self.calls if self.calls else 0.0


def accounts_of(recorded: Recorded) -> Accounts:
    """How the accounts wear."""
    accounts, by_state = _gathered(recorded)
    proxies = recorded.facts.proxies
    calls = sum(each.calls for each in accounts.values())
    errors = sum(each.errors for each in accounts.values())
    bad = _proxies(accounts, proxies, calls, errors)
    behind = {account for each in bad if each.suspect for account in each.accounts}
    # What a bad proxy does to its accounts must not hide, nor be taken for, what is wrong with others.
    well = {name: each for name, each in accounts.items() if name not in behind}
    suspects = _suspects(well)
    rate = errors / calls if calls else 0.0
    worn = [
        _worn(name, each, proxies.get(name, ""), suspects.get(name, ""), rate)
        for name, each in accounts.items()
    ]
    worn.sort(key=lambda each: (not each.suspect, -each.wear, each.account_id))
    return Accounts(
        known=len(accounts),
        error_rate=errors / calls if calls else None,
        changes=sum(each.changes for each in accounts.values()),
        by_state=dict(by_state.most_common()),
        worn=worn[:SHOWN],
        proxies=bad,
    )


def _gathered(recorded: Recorded) -> tuple[dict[str, _Account], Counter[str]]:
    accounts: defaultdict[str, _Account] = defaultdict(_Account)
    days = len(recorded.accounts)
    for number, day in enumerate(recorded.accounts):
        for name, figures in day.items():
            each = accounts[name]
            if not each.by_day:
                each.by_day = [(0, 0)] * days
            each.calls += figures.calls
            each.errors += figures.errors
            each.by_day[number] = figures.calls, figures.errors
    by_state: Counter[str] = Counter()
    for event in recorded.events.get("account", ()):
        if event.account_id is not None:
            _hear(accounts[event.account_id], event, by_state)
    return dict(accounts), by_state


def _hear(account: _Account, event: KeptEvent, by_state: Counter[str]) -> None:
    fields = event.fields
    match event.type:
        case "account_state_changed":
            account.changes += 1
            account.state, account.reason = str(fields.get("state", "")), str(fields.get("reason", ""))
            by_state[account.state] += 1
        case "account_quarantined":
            account.quarantines += 1
            account.quarantined += float(fields.get("seconds") or 0.0)
        case "account_logged_in":
            account.logins += 1
        case _:
            pass


def _worn(name: str, account: _Account, proxy: str, suspect: str, rate: float) -> AccountWear:
    low, high = wilson(account.errors, account.calls)
    return AccountWear(
        account_id=name,
        proxy=proxy,
        calls=account.calls,
        errors=account.errors,
        error_rate=account.rate,
        low=low,
        high=high,
        by_day=account.by_day,
        changes=account.changes,
        quarantines=account.quarantines,
        quarantined=account.quarantined,
        logins=account.logins,
        state=account.state,
        reason=account.reason,
        suspect=suspect,
        wear=max(0.0, account.errors - rate * account.calls) + CHANGE * account.changes,
    )


def _suspects(accounts: Mapping[str, _Account]) -> dict[str, str]:
    """Those that fail far more often than the others, and why."""
    calls = sum(each.calls for each in accounts.values())
    errors = sum(each.errors for each in accounts.values())
    return {
        name: why
        for name, each in accounts.items()
        if (why := _far_above(each.calls, each.errors, calls, errors, len(accounts)))
    }


def _far_above(calls: int, errors: int, all_calls: int, all_errors: int, tried: int) -> str:
    """Why somebody fails too often against all the others; "" when that is not so."""
    others = all_calls - calls
    if calls < LEAST or others < LEAST:
        return ""
    rest = (all_errors - errors) / others
    rate = errors / calls
    if rate < max(TIMES * rest, rest + BEYOND):
        return ""
    if binomial_tail(errors, calls, max(rest, 1 / others)) > CHANCE / tried:
        return ""
    return f"{rate:.1%} of its {calls:,} calls fail, {rest:.1%} of all others'"


# ---------------------------------------------------------------- proxies


def _proxies(
    accounts: Mapping[str, _Account], proxies: Mapping[str, str], calls: int, errors: int
) -> list[ProxyWear]:
    through: defaultdict[str, list[str]] = defaultdict(list)
    for name in accounts:
        if proxy := proxies.get(name):
            through[proxy].append(name)
    found: list[ProxyWear] = []
    for proxy, names in through.items():
        here = sum(accounts[each].calls for each in names)
        failed = sum(accounts[each].errors for each in names)
        why = ""
        if len(names) >= TOGETHER and len(through) > 1:
            why = _far_above(here, failed, calls, errors, len(through))
        if why and not _shared((accounts[each] for each in names), calls - here, errors - failed):
            why = ""
        rate = failed / here if here else 0.0
        found.append(
            ProxyWear(
                proxy=proxy,
                accounts=sorted(names),
                calls=here,
                errors=failed,
                error_rate=rate,
                suspect=why and f"{why}, through all {len(names)} accounts that use it",
            )
        )
    return sorted(found, key=lambda each: (not each.suspect, -each.error_rate, each.proxy))


def _shared(accounts: Iterable[_Account], other_calls: int, other_errors: int) -> bool:
    """Whether most of these fail far more often than others."""
    rest = other_errors / other_calls if other_calls else 0.0
    called = [each for each in accounts if each.calls >= LEAST]
    high = [each for each in called if each.rate >= max(TIMES * rest, rest + BEYOND) * SHARED]
    return bool(called) and len(high) >= SHARED * len(called)


def optimizer_of(events: Sequence[KeptEvent]) -> OptimizerResults:
    """What the resource optimizer did."""
    results: list[dict[str, Any]] = [
        event.fields.get("result") or {} for event in events if event.type == "resources_optimized"
    ]
    done = [each for each in results if not each.get("dry_run")]

    def total(name: str) -> int:
        return sum(int(each.get(name) or 0) for each in done)

    return OptimizerResults(
        runs=len(done),
        dry_runs=len(results) - len(done),
        closed=total("connections_closed"),
        lowered=total("connections_lowered"),
        paused=total("connections_paused"),
        restored=total("connections_restored"),
        memory_freed=total("memory_freed"),
    )
