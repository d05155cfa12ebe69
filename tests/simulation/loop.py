"""An asyncio event loop that never touches the operating system.

`asyncio.BaseEventLoop` takes what runs next from the left of `_ready` and asks `_selector` to wait. Both
are replaced: one draws from the ready ones, the other moves the clock. This leans on private names that
have not changed from Python 3.11 to 3.13.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import zlib
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.cancellation import Cancel, Cancellation
from tests.simulation.schedule import Order, Schedule, SimulatedTask, task_of

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The wall clock's time when a run begins."""

GRID: Final = 0.01
"""Seconds between the points of `grid`."""

_STEPS_TO_CLOSE: Final = 100_000
_NAMED: Final = 8


class SimulatedDeadlock(AssertionError):
    """Nothing is ready and nothing is scheduled: every task waits for ever."""


class StepLimitReached(AssertionError):
    """The run takes too many steps: a task spins, or a periodic one runs while the rest wait for ever."""


def stream(name: str, seed: int) -> random.Random:
    """Chance for one purpose, so that drawing more for another changes nothing here."""
    return random.Random(f"{name}:{seed}")


def grid(rng: random.Random, most: float) -> float:
    """A delay of 0 to `most` seconds on a 10 ms grid, where delays collide and so find more bugs."""
    return rng.randint(0, round(most / GRID)) * GRID


def living_tasks(loop: asyncio.AbstractEventLoop, but: asyncio.Task[Any] | None = None) -> str:
    """The loop's living tasks but one, the first few with the line that each waits at."""
    places: list[str] = []
    for task in asyncio.all_tasks(loop) - {but}:
        coroutine: Any = task.get_coro()
        while hasattr(inner := getattr(coroutine, "cr_await", None), "cr_frame"):
            coroutine = inner
        frame = getattr(coroutine, "cr_frame", None)
        at = f" in {frame.f_code.co_qualname}:{frame.f_lineno}" if frame else ""
        places.append(task.get_name() + at)
    more = f"; and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return "; ".join(sorted(places)[:_NAMED]) + more


class _Ready(deque[asyncio.Handle]):
    """The loop's line of what is ready. The loop takes from its left: choosing there is the schedule."""

    def __init__(self, loop: SimulatedLoop, schedule: Schedule) -> None:
        super().__init__()
        self._loop = loop
        self._schedule = schedule

    def popleft(self) -> asyncio.Handle:
        self._loop.before_a_choice()
        chosen = self._schedule.choose(self)
        self.rotate(-chosen)
        handle = super().popleft()
        self.rotate(chosen)
        self._loop.before_a_step(handle)
        return handle


class _Selector:
    """Waits for nothing: the loop's clock moves instead."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout != 0:
            self._loop.before_a_wait()
        return []

    def close(self) -> None: ...


class SimulatedLoop(asyncio.BaseEventLoop):
    """The loop itself; `simulate` makes one for each run and hands it to the main function.

    Attributes:
        rng: the workload's own chance, for delays and choices in tests; independent of the schedule's.
        clock: the time of this loop, as the project's `Clock`.
        steps: callbacks and task steps run so far.
        digest: a number that two runs share only if they took the same steps at the same times.
        cancellation: who was cancelled on purpose.
        seed: which run this is.
        watch: called between any two steps, when nothing may be half done; what it raises ends the run.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(
        self, seed: int = 0, *, order: Order = "tasks", cancel: Cancel = None, max_steps: int = 1_000_000
    ) -> None:
        super().__init__()
        self.seed = seed
        self.watch: Callable[[], None] | None = None
        self.rng = stream("workload", seed)
        self.clock = SimulatedClock(self)
        self.steps = 0
        self.digest = 0
        self.cancellation = Cancellation(cancel, stream("cancel", seed))
        self._now = 0.0
        self._max_steps = max_steps
        self._executor_rng = stream("executor", seed)
        self._clock_resolution = 1e-9  # so that 0.1 + 0.2 and 0.3 fall due together
        self._selector = _Selector(self)
        self._ready = _Ready(self, Schedule(order, stream("schedule", seed)))
        numbers = itertools.count(1)
        self.set_task_factory(
            lambda loop, coroutine, **kwargs: SimulatedTask(next(numbers), coroutine, loop=loop, **kwargs)
        )

    def time(self) -> float:
        """Virtual seconds since the run began."""
        return self._now

    def before_a_choice(self) -> None:
        """Stop a run that has taken too many steps; cancel the task that has just begun to wait.

        Raises:
            StepLimitReached: the run has taken `max_steps`.
        """
        if self.steps >= self._max_steps:
            self._max_steps += _STEPS_TO_CLOSE  # asyncio still has to cancel and await what is left
            raise StepLimitReached(f"{self.steps} steps and only at {self._now:.3f} s: {living_tasks(self)}")
        self.cancellation.after_a_step()
        if self.watch is not None:
            watch, self.watch = self.watch, None  # once it has raised, what is left has to be cancelled
            watch()
            self.watch = watch

    def before_a_step(self, handle: asyncio.Handle) -> None:
        """Note the step that comes next, and cancel whom it is the moment to cancel."""
        self.steps += 1
        if isinstance(handle, asyncio.TimerHandle):
            self._now = max(self._now, handle.when())  # a timer never fires early, not even by dust
        task = task_of(handle)
        self.digest = zlib.crc32(b"%d %.9f" % (task.number if task else 0, self._now), self.digest)
        self.cancellation.before_a_step(handle, self._ready)

    def before_a_wait(self) -> None:
        """Move the clock to the next timer, unless a cancellation gives someone a step to take.

        Raises:
            SimulatedDeadlock: there is no timer.
        """
        if self.cancellation.after_a_step():
            return
        if not self._scheduled:
            raise SimulatedDeadlock(f"at {self._now:.3f} s tasks wait for ever: {living_tasks(self)}")
        self._now = max(self._now, self._scheduled[0].when())

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Call the function on the loop after a drawn delay, in no thread.

        When the caller is cancelled first, it may be called all the same, as in a real thread.
        """
        future: asyncio.Future[Any] = self.create_future()

        def call() -> None:
            abandoned = future.cancelled()
            if abandoned and self._executor_rng.random() < 0.5:
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 (an executor hands on whatever its function raises)
                if not abandoned:
                    future.set_exception(error)
            else:
                if not abandoned:
                    future.set_result(result)

        self.call_later(grid(self._executor_rng, 2 * GRID), call)
        return future

    def _process_events(self, event_list: list[object]) -> None:
        """There are no events but timers."""

    def _write_to_self(self) -> None:
        """The loop never sleeps, so nobody has to wake it."""


class SimulatedClock:
    """The time of a simulated loop, as `twikit_pool.clock.Clock`."""

    __slots__ = ("_loop",)

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """The loop's own time, in seconds."""
        return self._loop.time()

    def now(self) -> datetime:
        """`EPOCH` plus the loop's time, in UTC."""
        return EPOCH + timedelta(seconds=self._loop.time())
