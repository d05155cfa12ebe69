"""What a pool's accounts together can still do on an endpoint: calls left, when more come, and who is out."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import in_words
from twikit_pool.errors import UnknownAction
from twikit_pool.pool.explanation import doing
from twikit_pool.pool.needs import capability_bits
from twikit_pool.sessions.actions import ACTIONS, Action

if TYPE_CHECKING:
    from twikit_pool.pool.member import Member
    from twikit_pool.sessions.limits import Limit
    from twikit_pool.sessions.prospects import Prospect

HORIZON: Final = 10 * 365 * 86_400.0
"""Seconds after which nobody waits any more: ten years."""

SHOWN: Final = 4
"""Accounts, or reasons, that are named in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBudget:
    """What one account can do on one endpoint from now on.

    Attributes:
        account_id: whose it is.
        prospect: what its windows and caps let through.
        limit: calls a window: X's last word, else the known one, else what other accounts were told.
        sustained: calls a second that it can go on with for ever; None when no limit is known.
        away: seconds until it may be used at all; 0 when it may be now.
        hopeless: why it can never do this, unless somebody does something; empty when it can.
    """

    account_id: str
    prospect: Prospect
    limit: Limit | None
    sustained: float | None
    away: float
    hopeless: str

    def by(self, seconds: float) -> float:
        """Calls that it can send from now until so many seconds from now; `math.inf` if no limit is known."""
        if self.hopeless or seconds < self.away:
            return 0
        calls = self.prospect.by(seconds - self.away)
        if calls is not None:
            return calls
        if self.limit is None:
            return inf
        return self.limit.calls * (1 + (seconds - self.away) // self.limit.seconds)

    @property
    def most(self) -> int | None:
        """Calls that it can send when nothing is spent; None when no limit is known."""
        return self.prospect.most if self.limit is None else (self.prospect.most or self.limit.calls)

    @property
    def returns_in(self) -> float:
        """Seconds until calls that are spent come back; `math.inf` when none are, or nobody knows."""
        return self.away or self.prospect.returns_in


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetBudget:
    """What all accounts of a pool together can do on one endpoint. `str()` of it is a sentence.

    Attributes:
        endpoint: the operation of X that it is about.
        accounts: how many could ever do it.
        usable: how many of them can do it now.
        left: calls that can be sent now in all; where a window has not begun, as many as it will allow. None
            when no limit is known.
        limit: calls a window of all of them together; None when no limit is known.
        most: what `left` is when nothing is spent: the same, or what caps allow in their period, whichever
            is tighter now.
        returns_in: seconds until the next calls come back; None when none are out, or nobody knows.
        returning: how many come back then.
        rate: calls a second that they can go on with for ever; None when no limit is known.
        out: seconds until they can do it again, by account, of those that cannot now; `math.inf` when nobody
            knows.
        hopeless: how many accounts can never do it, by reason.
    """

    endpoint: str
    accounts: int
    usable: int
    left: int | None
    limit: int | None
    most: int | None
    returns_in: float | None
    returning: int
    rate: float | None
    out: Mapping[str, float]
    hopeless: Mapping[str, int]

    def __str__(self) -> str:
        parts = [f"{self.endpoint}: {self._calls()}, {self.usable} of {self.accounts} accounts can do it now"]
        if self.returns_in is not None:
            parts.append(f"{self.returning:,} more {_in(self.returns_in)}")
        if self.rate:
            parts.append(f"{_rate(self.rate)} in the long run")
        if self.out:
            soonest = sorted(self.out.items(), key=lambda pair: pair[1])
            accounts = [f"{account} ({_in(seconds)})" for account, seconds in soonest[:SHOWN]]
            parts.append(f"out: {', '.join(accounts)}{_more(len(soonest))}")
        if self.hopeless:
            reasons = [f"{number} {reason}" for reason, number in list(self.hopeless.items())[:SHOWN]]
            parts.append(f"never: {', '.join(reasons)}{_more(len(self.hopeless))}")
        return "; ".join(parts)

    def _calls(self) -> str:
        if self.left is None:
            return "no limit is known"
        return f"{self.left:,} calls left" + (f", {self.limit:,} a window" if self.limit is not None else "")


def budgets_of(
    members: Iterable[Member], endpoint: str, needs: frozenset[str], now: float
) -> list[AccountBudget]:
    """What each account can do on this endpoint with these capabilities, those that never can included.

    `now` is on the pool's monotonic clock.
    """
    members = list(members)
    told = Counter(member.windows.limit(endpoint) for member in members)
    del told[None]
    usual = told.most_common(1)[0][0] if told else None
    budgets: list[AccountBudget] = []
    for member in members:
        prospect = member.windows.prospect(endpoint)
        limit = prospect.limit or usual
        sustained = member.windows.sustained(endpoint)
        if sustained is None and limit is not None:
            sustained = limit.calls / limit.seconds
        budget = AccountBudget(
            account_id=member.id,
            prospect=prospect,
            limit=limit,
            sustained=sustained,
            away=member.away(now),
            hopeless=_why_never(member, prospect, needs),
        )
        budgets.append(budget)
    return budgets


def _why_never(member: Member, prospect: Prospect, needs: frozenset[str]) -> str:
    if capability_bits(needs) & member.kind.lacks:
        return f"without {', '.join(sorted(needs - member.account.capabilities))}"
    if member.hopeful:
        return "switched off by a cap of 0" if prospect.by(HORIZON) == 0 else ""
    return doing(member)


def fleet_budget(endpoint: str, budgets: Sequence[AccountBudget]) -> FleetBudget:
    """What these accounts can do together."""
    hopeless = Counter(each.hopeless for each in budgets if each.hopeless)
    able = [each for each in budgets if not each.hopeless]
    calls = {each.account_id: each.by(0.0) for each in able}
    left = sum(calls.values())
    returns_in = min((each.returns_in for each in able), default=inf)
    limits = [each.limit for each in able]
    rates = [each.sustained for each in able]
    wholes = [each.most for each in able]
    return FleetBudget(
        endpoint=endpoint,
        accounts=len(able),
        usable=sum(number > 0 for number in calls.values()),
        left=int(left) if left < inf else None,
        limit=sum(each.calls for each in limits if each is not None) if all(limits) else None,
        most=None if None in wholes else sum(each for each in wholes if each is not None),
        returns_in=returns_in if returns_in < inf else None,
        returning=int(sum(each.by(returns_in) for each in able) - left) if returns_in < inf else 0,
        rate=sum(each for each in rates if each is not None) if all(rates) else None,
        out={
            each.account_id: max(each.away, each.prospect.opens_in)
            for each in able
            if not calls[each.account_id]
        },
        hopeless=dict(hopeless.most_common()),
    )


def named(what: str | Action, known: Iterable[str]) -> tuple[str, frozenset[str]]:
    """The endpoint that is meant, and the capabilities that it takes.

    Args:
        what: an action, an action's name, or an endpoint that an action spends or that is among the known.
        known: other endpoints.

    Raises:
        UnknownAction: there is neither an action nor an endpoint of this name.
    """
    if isinstance(what, Action):
        return what.spends, what.needs
    if what in ACTIONS:
        return ACTIONS[what].endpoint, frozenset()
    endpoints = {*known, *(kind.endpoint for kind in ACTIONS.values())}
    if what in endpoints:
        return what, frozenset()
    near = difflib.get_close_matches(what, [*ACTIONS, *endpoints], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`twikit-pool actions` lists both"
    raise UnknownAction(f"no action and no endpoint is called {what!r}; {hint}")


def _in(seconds: float) -> str:
    return "nobody knows when" if seconds == inf else f"in {in_words(seconds)}"


def _rate(calls: float) -> str:
    """Calls a second, in the unit in which the number is easiest to read."""
    unit, seconds = next((each for each in _UNITS if calls * each[1] >= 1), _UNITS[-1])
    return f"{calls * seconds:.3g} {unit}"


_UNITS: Final = (("a second", 1), ("a minute", 60), ("an hour", 3600), ("a day", 86_400))


def _more(number: int) -> str:
    return f" and {number - SHOWN} more" if number > SHOWN else ""
