"""What a run came to, counted as it goes; its size does not grow with the number of jobs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twikit_pool.jobs.job import JobResult

_STEP: Final = math.log(1.02)
_SMALLEST: Final = 0.0001


class Latencies:
    """Seconds, in steps of 2%: quantiles are right to 1%."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """One more."""
        self._steps[round(math.log(max(seconds, _SMALLEST)) / _STEP)] += 1

    def quantile(self, share: float) -> float | None:
        """The seconds that this share (0 to 1) of them does not exceed; None when there are none."""
        left = share * self._steps.total()
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0:
                return math.exp(step * _STEP)
        return None


@dataclass(slots=True)
class ActionSummary:
    """The jobs of one action."""

    jobs: int = 0
    ok: int = 0
    latencies: Latencies = field(default_factory=Latencies)
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
