"""What the whole process costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from twikit_pool.resources.container import container_limits, usable_cores
from twikit_pool.resources.figures import ProcessFigures

T = TypeVar("T")


class MeasuredProcess(Protocol):
    """A process, as a `ResourceMonitor` measures it."""

    def cpu(self) -> float:
        """Seconds of CPU that it has taken, all its threads together."""
        ...

    def thread_cpu(self) -> float:
        """Seconds of CPU that the thread has taken in which this is called."""
        ...

    def figures(
        self,
        *,
        cpu: float | None = None,
        loop_cpu: float | None = None,
        unattributed_cpu: float | None = None,
        loop_lag: float = 0.0,
    ) -> ProcessFigures:
        """What it costs now, with what the monitor knows of it already."""
        ...


class OwnProcess:
    """The process that this runs in, and the bounds that are set to it.

    Args:
        root: where `proc` and `sys` are, for the bounds of a container.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._process = psutil.Process()
        self._count_descriptors: Callable[[], int] = getattr(
            self._process, "num_fds" if psutil.POSIX else "num_handles"
        )
        self._machine = psutil.virtual_memory().total

    def cpu(self) -> float:
        """Seconds of CPU that it has taken, all its threads together."""
        return time.process_time()

    def thread_cpu(self) -> float:
        """Seconds of CPU that the thread has taken in which this is called."""
        return time.thread_time()

    def figures(
        self,
        *,
        cpu: float | None = None,
        loop_cpu: float | None = None,
        unattributed_cpu: float | None = None,
        loop_lag: float = 0.0,
    ) -> ProcessFigures:
        """What it costs now. Takes some hundreds of microseconds, most of it for the container's bounds."""
        limits, cores = container_limits(self._root), usable_cores()
        return ProcessFigures(
            memory=_told(lambda: self._process.memory_info().rss),
            cpu=cpu,
            loop_cpu=loop_cpu,
            unattributed_cpu=unattributed_cpu,
            loop_lag=loop_lag,
            descriptors=_told(self._count_descriptors),
            memory_limit=self._machine if limits.memory is None else min(limits.memory, self._machine),
            memory_pressure=limits.memory_pressure,
            cpu_limit=cores if limits.cpu is None else min(limits.cpu, cores),
        )


def _told(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (psutil.Error, OSError):  # the system does not let it know, or has no descriptor left to ask with
        return None
