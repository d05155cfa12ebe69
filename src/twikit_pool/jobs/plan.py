"""How long jobs will take with the accounts there are, and which of them nobody can ever do. Sends nothing.

Every endpoint is a budget of its own. Its jobs are done once each account has had calls enough for the jobs
that name it, and all accounts together enough for the others besides. What an account can send by a time
only grows with the time, so the earliest such time is found by halving. The calls themselves take time too,
one after another on each account. What a plan cannot know: who will fall ill, what X will change, and what
else spends the same windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from twikit_pool.pool.budget import HORIZON, AccountBudget, FleetBudget, budgets_of, fleet_budget

if TYPE_CHECKING:
    from twikit_pool.jobs.survey import Demand, Survey
    from twikit_pool.pool import TwikitConnectionPool

CALL_SECONDS: Final = 0.5
"""Seconds that a call to X is taken to last where nobody has measured it."""

EXACT_TO: Final = 0.01
"""Seconds to which a time is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPlan:
    """The jobs of one endpoint that can be done.

    Attributes:
        endpoint: the operation of X that they spend.
        jobs: how many there are.
        fleet: what the accounts can do on it, all together.
        seconds: from now until the last is done; `math.inf` when that is more than ten years.
    """

    endpoint: str
    jobs: int
    fleet: FleetBudget
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """Jobs that the account they name can never do, or no account where they name none; `first` are some."""

    endpoint: str
    account: str | None
    jobs: int
    first: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What jobs will take.

    Attributes:
        endpoints: what is to be done, what takes longest first.
        seconds: from now until all is done that can be; `math.inf` when that is more than ten years.
        bottleneck: the endpoint that decides it; None when the calls by themselves take as long.
        accounts: how many accounts can do any of it.
        call_seconds: what one call is taken to last.
        impossible: jobs that can never be done.
        shorter: the seconds that it would take with something changed, by what would be changed; only what
            would save a second and a tenth of the time.
    """

    endpoints: tuple[EndpointPlan, ...]
    seconds: float
    bottleneck: str | None
    accounts: int
    call_seconds: float
    impossible: tuple[Impossible, ...]
    shorter: Mapping[str, float]


def plan_of(survey: Survey, pool: TwikitConnectionPool, call_seconds: float = CALL_SECONDS) -> Plan:
    """What these jobs will take with the accounts of an open pool, as they are now.

    Args:
        survey: the jobs.
        pool: whose accounts are to do them.
        call_seconds: what one call lasts.
    """
    works: list[_Work] = []
    fleets: dict[str, FleetBudget] = {}
    impossible: list[Impossible] = []
    for endpoint, demand in survey.demands.items():
        budgets = budgets_of(pool.accounts(), endpoint, demand.needs, pool.clock.monotonic())
        fleets[endpoint] = fleet_budget(endpoint, budgets)
        never = _never(endpoint, demand, budgets)
        impossible += never
        works.append(_work(endpoint, demand, budgets, without={each.account for each in never}))
    works = [each for each in works if each.jobs]
    seconds = {each.endpoint: each.seconds(call_seconds) for each in works}
    works.sort(key=lambda each: -seconds[each.endpoint])
    most = pool.config.max_connections
    in_all = max([*seconds.values(), _calling(works, call_seconds, most)])
    shorter = {
        what: max([*(each.seconds(call_seconds) for each in then), _calling(then, call_seconds, most)])
        for what, then in _changes(works).items()
    }
    return Plan(
        endpoints=tuple(
            EndpointPlan(
                endpoint=each.endpoint,
                jobs=each.jobs,
                fleet=fleets[each.endpoint],
                seconds=seconds[each.endpoint],
            )
            for each in works
        ),
        seconds=in_all,
        bottleneck=works[0].endpoint if works and seconds[works[0].endpoint] == in_all else None,
        accounts=len(_accounts(works)),
        call_seconds=call_seconds,
        impossible=tuple(impossible),
        shorter={what: then for what, then in shorter.items() if in_all - then >= max(in_all / 10, 1.0)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The jobs of one endpoint that can be done: for anyone, for one account each, and who can do them."""

    endpoint: str
    anyone: int
    pinned: Mapping[str, int]
    able: tuple[AccountBudget, ...]

    @property
    def jobs(self) -> int:
        return self.anyone + sum(self.pinned.values())

    def left_at(self, seconds: float) -> int:
        """Jobs that the windows will not have let through so many seconds from now."""
        spare, left = 0.0, 0
        for each in self.able:
            calls = each.by(seconds) - self.pinned.get(each.account_id, 0)
            if calls < 0:
                left -= int(calls)
            else:
                spare += calls
        return left + int(max(self.anyone - spare, 0))

    def seconds(self, call_seconds: float) -> float:
        """From now until all are done; `math.inf` when that is more than ten years."""
        early, late = -1.0, 0.0
        while self.left_at(late):
            if late > HORIZON:
                return inf
            early, late = late, max(2 * late, 60.0)
        while late and late - early > EXACT_TO:
            middle = (early + late) / 2
            early, late = (middle, late) if self.left_at(middle) else (early, middle)
        return late + self._in_a_row(early, late) * call_seconds

    def _in_a_row(self, early: float, late: float) -> int:
        """Calls that somebody must make one after another once the last windows have opened, at `late`."""
        opened = [each for each in self.able if each.by(late) > each.by(early)]
        pinned = (self.pinned.get(each.account_id, 0) - each.by(early) for each in opened)
        return max(ceil(self.left_at(early) / max(len(opened), 1)), int(max([*pinned, 0.0])))


def _accounts(works: Iterable[_Work]) -> set[str]:
    """Who can do any of it."""
    return {each.account_id for work in works for each in work.able}


def _calling(works: Sequence[_Work], call_seconds: float, most: int) -> float:
    """Seconds of the calls themselves: each account makes one at a time, at most so many at once."""
    pinned = Counter[str]()
    for work in works:
        pinned.update(work.pinned)
    at_once = max(min(len(_accounts(works)), most), 1)
    return max([ceil(sum(work.jobs for work in works) / at_once), *pinned.values()]) * call_seconds


def _changes(works: Sequence[_Work]) -> dict[str, Sequence[_Work]]:
    """The work as it could be instead, what takes longest being the first, by what would be changed."""
    if not works:
        return {}
    slowest, *others = works
    more = max(1, round(len(_accounts(works)) / 4))
    helped = [_helped(each, more) for each in works]
    changes: dict[str, Sequence[_Work]] = {f"with {more} more account{'s' * (more > 1)}": helped}
    if slowest.pinned:
        freed = replace(slowest, anyone=slowest.jobs, pinned={})
        changes[f"if any account could do the {slowest.endpoint} jobs that name one"] = [freed, *others]
    return changes


def _helped(work: _Work, more: int) -> _Work:
    """The same work with so many more accounts, each with as much to spend as the best of them."""
    best = max(work.able, key=lambda each: each.by(0.0))
    helpers = (replace(best, account_id=f"+{number}") for number in range(more))
    return replace(work, able=(*work.able, *helpers))


def _never(endpoint: str, demand: Demand, budgets: Sequence[AccountBudget]) -> list[Impossible]:
    """The jobs that can never be done."""
    why: dict[str | None, str] = {
        each.account_id: f"{each.account_id} is {each.hopeless}" for each in budgets if each.hopeless
    }
    if len(why) == len(budgets):
        reasons = Counter(each.hopeless for each in budgets).most_common()
        why[None] = "no account can: " + ", ".join(f"{number} {reason}" for reason, number in reasons)
    return [
        Impossible(
            endpoint=endpoint,
            account=account,
            jobs=wanted.jobs,
            first=tuple(wanted.first),
            reason=why[account],
        )
        for account, wanted in demand.by_account.items()
        if account in why
    ]


def _work(
    endpoint: str, demand: Demand, budgets: Sequence[AccountBudget], *, without: set[str | None]
) -> _Work:
    jobs = {account: each.jobs for account, each in demand.by_account.items() if account not in without}
    return _Work(
        endpoint=endpoint,
        anyone=jobs.pop(None, 0),
        pinned={account: number for account, number in jobs.items() if account is not None},
        able=tuple(each for each in budgets if not each.hopeless),
    )
