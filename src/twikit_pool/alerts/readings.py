"""The figures that rules are about, read from metrics, pools and the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from twikit_pool.alerts.figures import COLLECTED
from twikit_pool.sessions.outcomes import FINE

if TYPE_CHECKING:
    from twikit_pool.resources.figures import ProcessFigures

ERRORS_SECONDS: Final = 300.0
FEWEST_CALLS: Final = 20
"""Calls below which a share of failures says nothing."""

TURNS_SECONDS: Final = 600.0


class _Calls(NamedTuple):
    at: float
    calls: int
    errors: int


class Readings:
    """What is read of one pool: the latest metrics, and what has to be seen over several intervals."""

    def __init__(self) -> None:
        self._calls: deque[_Calls] = deque()
        self._turns: deque[float] = deque()
        self._grew: bool | None = None
        """Whether the latest resize was to more."""

    def read(self, metrics: Mapping[str, Any], now: float) -> dict[str, float | None]:
        """The figures at the end of an interval.

        Args:
            metrics: those of a pool, as `PoolMetrics.plain` has them.
            now: seconds of the monotonic clock.
        """
        found: dict[str, float | None] = {name: metrics.get(name) for name in COLLECTED}
        total = metrics["total_connections"]
        found["active_share"] = metrics["active_connections"] / total if total else None
        found["unhealthy_share"] = metrics["unhealthy_connections"] / total if total else None
        found["recent_error_rate"] = self._error_rate(metrics["calls_by_outcome"], now)
        found["turns"] = self._count_turns(metrics["scale_up_events"], metrics["scale_down_events"], now)
        wanted, target = metrics["wanted_connections"], metrics["target_connections"]
        found["missing_connections"] = None if wanted is None or target is None else max(wanted - target, 0)
        return found

    def _error_rate(self, outcomes: Mapping[str, int], now: float) -> float | None:
        calls = sum(outcomes.values())
        if calls:
            fine = sum(times for outcome, times in outcomes.items() if outcome in FINE)
            self._calls.append(_Calls(now, calls, calls - fine))
        while self._calls and self._calls[0].at <= now - ERRORS_SECONDS:
            self._calls.popleft()
        calls = sum(each.calls for each in self._calls)
        return sum(each.errors for each in self._calls) / calls if calls >= FEWEST_CALLS else None

    def _count_turns(self, ups: int, downs: int, now: float) -> float:
        turns = 2 * min(ups, downs) - (ups == downs) if ups and downs else 0
        if ups or downs:
            # Which came first within an interval is not known: at least so often it must have turned.
            grew = ups > downs if ups != downs else not self._grew
            turns += not turns and self._grew is not None and grew != self._grew
            self._grew = grew
        self._turns.extend([now] * turns)
        while self._turns and self._turns[0] <= now - TURNS_SECONDS:
            self._turns.popleft()
        return len(self._turns)


def of_process(figures: ProcessFigures) -> dict[str, float | None]:
    """The figures of the process."""
    memory, cpu = figures.memory, figures.cpu
    return {
        "process_memory": memory,
        "process_memory_share": memory / figures.memory_limit if memory and figures.memory_limit else None,
        "process_cpu": cpu,
        "process_cpu_share": cpu / figures.cpu_limit if cpu is not None and figures.cpu_limit else None,
        "loop_cpu": figures.loop_cpu,
        "loop_lag": figures.loop_lag,
    }
