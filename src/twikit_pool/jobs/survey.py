"""What jobs ask for, counted before any of them is run; its size does not grow with their number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from twikit_pool.jobs.job import Job, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

NAMED: Final = 3
"""Jobs of a group that are named, when something is to be said about the group, and lines that are none."""


@dataclass(slots=True)
class Wanted:
    """Jobs that the same account, or any, is to do on one endpoint; `first` has the ids of some."""

    jobs: int = 0
    first: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Demand:
    """The jobs of one endpoint, by the account that they name; None is any account.

    `needs` are the capabilities that they ask for: as the actions are, the same for all of an endpoint.
    """

    needs: frozenset[str]
    by_account: dict[str | None, Wanted] = field(default_factory=dict[str | None, Wanted])


@dataclass(slots=True)
class Survey:
    """The jobs of a file, or of any input, as far as they were added.

    Attributes:
        is_done: says which jobs an earlier run has a result of.
        demands: what is to be done, by endpoint.
        jobs: how many jobs that is.
        done: jobs that are done already.
        rejected: lines that are no job; `first_rejected` are some of them.
        engaging: how many of the jobs raise somebody's figures, by action; see `Action.engages`.
    """

    is_done: Callable[[Job], bool] = lambda _job: False
    demands: dict[str, Demand] = field(default_factory=dict[str, Demand])
    jobs: int = 0
    done: int = 0
    rejected: int = 0
    first_rejected: list[Rejected] = field(default_factory=list[Rejected])
    engaging: Counter[str] = field(default_factory=Counter[str])

    @property
    def read(self) -> int:
        """How many were added in all."""
        return self.jobs + self.done + self.rejected

    def add(self, item: Job | Rejected) -> None:
        """One more."""
        if isinstance(item, Rejected):
            self.rejected += 1
            if len(self.first_rejected) < NAMED:
                self.first_rejected.append(item)
        elif self.is_done(item):
            self.done += 1
        else:
            self._want(item)

    def _want(self, job: Job) -> None:
        action = job.action
        demand = self.demands.get(action.spends)
        if demand is None:
            demand = self.demands[action.spends] = Demand(action.needs)
        wanted = demand.by_account.get(job.account)
        if wanted is None:
            wanted = demand.by_account[job.account] = Wanted()
        wanted.jobs += 1
        if len(wanted.first) < NAMED:
            wanted.first.append(job.id)
        self.jobs += 1
        if action.engages:
            self.engaging[action.name] += 1
