"""The jobs that were read and wait their turn, in lanes that do not block one another.

A thousand posts of an account that rests must not keep the likes behind them from starting. So jobs
that compete for the same thing (account, endpoint, priority) form a lane, and each lane sends only as
many jobs to the pool as could be served at once: one for a named account, one per account otherwise. The
others wait here, where a job costs a few hundred bytes and nobody scans past it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twikit_pool.jobs.job import Job
    from twikit_pool.pool.request import ConnectionPriority


@dataclass(slots=True)
class _Lane:
    running: int = 0
    waiting: deque[Job] = field(default_factory=lambda: deque())


class Lanes:
    """Who may start now. No lane has a waiting job and a free place.

    Args:
        accounts: how many accounts there are.
    """

    def __init__(self, accounts: int) -> None:
        self._accounts = max(accounts, 1)
        self._lanes: dict[tuple[str | None, str, ConnectionPriority], _Lane] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._waiting

    def enter(self, job: Job) -> bool:
        """Whether the job may start at once; else it waits until `leave` returns it."""
        lane = self._lanes.setdefault(_lane_of(job), _Lane())
        if lane.running < (self._accounts if job.account is None else 1):
            lane.running += 1
            return True
        lane.waiting.append(job)
        self._waiting += 1
        return False

    def leave(self, job: Job) -> Job | None:
        """A job that had started is over: the next of its lane, which starts now."""
        lane = self._lanes[_lane_of(job)]
        if lane.waiting:
            self._waiting -= 1
            return lane.waiting.popleft()
        lane.running -= 1
        if not lane.running:
            del self._lanes[_lane_of(job)]
        return None

    def send_home(self) -> None:
        """Forget all that wait."""
        for lane in self._lanes.values():
            lane.waiting.clear()
        self._waiting = 0


def _lane_of(job: Job) -> tuple[str | None, str, ConnectionPriority]:
    return job.account, job.action.spends, job.priority
