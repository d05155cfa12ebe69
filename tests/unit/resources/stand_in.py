"""A process whose CPU and memory are what a test says."""

from __future__ import annotations

from typing import Any

from twikit_pool.resources import ProcessFigures

MB = 2**20


class StandInProcess:
    """Takes CPU when it is told to work; its figures are those that it was given."""

    def __init__(self, **figures: Any) -> None:
        self.taken = 0.0
        self.taken_elsewhere = 0.0
        self.costs: dict[str, Any] = {
            "memory": 100 * MB,
            "memory_limit": 1000 * MB,
            "cpu_limit": 4,
            **figures,
        }
        self.fails: Exception | None = None

    def work(self, seconds: float) -> None:
        """The event loop's thread takes so much."""
        self.taken += seconds

    def work_elsewhere(self, seconds: float) -> None:
        """Another thread does."""
        self.taken_elsewhere += seconds

    def cpu(self) -> float:
        return self.taken + self.taken_elsewhere

    def thread_cpu(self) -> float:
        return self.taken

    def figures(
        self,
        *,
        cpu: float | None = None,
        loop_cpu: float | None = None,
        unattributed_cpu: float | None = None,
        loop_lag: float = 0.0,
    ) -> ProcessFigures:
        if self.fails is not None:
            raise self.fails
        return ProcessFigures(
            cpu=cpu,
            loop_cpu=loop_cpu,
            unattributed_cpu=unattributed_cpu,
            loop_lag=loop_lag,
            **self.costs,
        )
