"""What a run came to, counted as it goes; its size does not grow with the number of jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twikit_pool.metrics.histogram import Histogram

if TYPE_CHECKING:
    from twikit_pool.jobs.job import JobResult


@dataclass(slots=True)
class ActionSummary:
    """The jobs of one action."""

    jobs: int = 0
    ok: int = 0
    latencies: Histogram = field(default_factory=Histogram)
    accounts: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Summary:
    """All results so far, by action."""

    actions: dict[str, ActionSummary] = field(default_factory=dict[str, ActionSummary])
    accounts: set[str] = field(default_factory=set[str])

    def add(self, result: JobResult) -> None:
        """One more."""
        action = self.actions.setdefault(result.action, ActionSummary())
        action.jobs += 1
        action.ok += result.outcome == "ok"
        if result.latency is not None:
            action.latencies.add(result.latency)
        if result.account is not None:
            action.accounts.add(result.account)
            self.accounts.add(result.account)
