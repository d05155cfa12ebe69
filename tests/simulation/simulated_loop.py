"""An asyncio event loop whose time is virtual and whose order of tasks is drawn from a seed.

A test hands `simulate` an async function. It runs with the real asyncio on a loop that never touches the
operating system: where a real loop would wait, this one moves its clock, so hours pass in milliseconds;
where a real loop runs what became ready first, this one may draw who runs next, so an interleaving that
the real world shows once a month is a matter of trying some hundred seeds; and it can cancel tasks where
it hurts most. The same seed gives the same run, on every Python version, and `Outcome.digest` proves it.

    async def main(loop: SimulatedLoop) -> None:
        pool = Pool(clock=loop.clock)
        async with asyncio.TaskGroup() as tasks:
            for n in range(3):
                tasks.create_task(borrow(pool, grid(loop.rng, 0.5)), name=f"borrower-{n}")
        assert pool.idle == 2

    simulate(main, 7)                                                    # one run
    every_seed(main, range(200))                                         # many orders
    every_seed(main, range(200), cancel=CancelAtHandOff("borrower"))     # and cancellations
    cancel_at_every_step(main, "borrower-0")                             # the cheapest search: try it first

Safety holds in every order. Exact fairness can only be asked of "fifo", the order of a real loop.

What libraries read for themselves (`time.time`, `time.monotonic`, `os.urandom`, the global `random`) is
virtual and seeded during a run; `datetime.now` is not, which is one reason to pass a `Clock`. Threads do
not exist here: what goes to an executor runs on the loop after a drawn delay. Real sockets, subprocesses
and signals do not work; httpx's MockTransport and ASGITransport do.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable
from unittest.mock import patch

from tests.simulation.cancellation import Cancel, CancelAtHandOff, CancelAtStep, CancelRandomly
from tests.simulation.loop import (
    EPOCH,
    GRID,
    SimulatedClock,
    SimulatedDeadlock,
    SimulatedLoop,
    StepLimitReached,
    grid,
    living_tasks,
    stream,
)
from tests.simulation.schedule import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

__all__ = [
    "EPOCH",
    "GRID",
    "Cancel",
    "CancelAtHandOff",
    "CancelAtStep",
    "CancelRandomly",
    "Order",
    "Outcome",
    "SimulatedClock",
    "SimulatedDeadlock",
    "SimulatedLoop",
    "SimulationFailed",
    "StepLimitReached",
    "TasksLeftRunning",
    "cancel_at_every_step",
    "every_seed",
    "grid",
    "simulate",
    "stream",
]

T = TypeVar("T")
Main: TypeAlias = "Callable[[SimulatedLoop], Coroutine[Any, Any, T]]"


@runtime_checkable
class Commanded(Protocol):
    """A main function that can be run from the command line."""

    def command(self, seed: int, order: Order, cancel: Cancel) -> str:
        """The command that repeats a run."""
        ...


class TasksLeftRunning(AssertionError):
    """The main function returned while tasks of its own still ran."""


class SimulationFailed(AssertionError):
    """A run among many failed. `repeat` is the call that fails again; `seed` its seed."""

    def __init__(self, message: str, *, seed: int, repeat: str) -> None:
        super().__init__(message)
        self.seed = seed
        self.repeat = repeat


@contextmanager
def _virtual(loop: SimulatedLoop, seed: int) -> Iterator[None]:
    """Time and chance as libraries read them for themselves, virtual and seeded until the block ends."""
    urandom = stream("urandom", seed).randbytes

    def monotonic() -> float:
        return loop.time()

    def wall() -> float:
        return EPOCH.timestamp() + loop.time()

    stand_ins: list[tuple[object, str, object]] = [
        (time, "time", wall),
        (time, "time_ns", lambda: int(wall() * 1e9)),
        (time, "monotonic", monotonic),
        (time, "perf_counter", monotonic),
        (time, "monotonic_ns", lambda: int(monotonic() * 1e9)),
        (time, "perf_counter_ns", lambda: int(monotonic() * 1e9)),
        (os, "urandom", urandom),
        (random, "_urandom", urandom),  # what `secrets` and SystemRandom draw from
    ]
    with ExitStack() as undo:
        undo.callback(random.setstate, random.getstate())
        for module, name, stand_in in stand_ins:
            undo.enter_context(patch.object(module, name, stand_in))
        random.seed(f"global:{seed}")
        yield


# ---------------------------------------------------------------- running


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a run came to, counted when the main function returned.

    Attributes:
        result: what the main function returned.
        digest: a number that two runs share only if they took the same steps at the same times.
        steps: callbacks and task steps run.
        cancelled: how many tasks were cancelled on purpose.
        victim_steps: steps that the victim of a `CancelAtStep` took.
    """

    result: T
    digest: int
    steps: int
    cancelled: int
    victim_steps: int


def simulate(
    main: Main[T],
    seed: int = 0,
    *,
    order: Order = "tasks",
    cancel: Cancel = None,
    max_steps: int = 1_000_000,
) -> Outcome[T]:
    """Run `main(loop)` to its end in virtual time.

    What `main` raises comes out as it is, with a note that says how to repeat the run.

    Raises:
        SimulatedDeadlock: every task waits for ever.
        StepLimitReached: the run takes more than `max_steps`.
        TasksLeftRunning: `main` returned while tasks that it started, or code under test, still ran.
        ExceptionGroup: an error reached the loop's exception handler: nobody else would have seen it.
    """
    loop = SimulatedLoop(seed, order=order, cancel=cancel, max_steps=max_steps)
    unseen: list[Exception] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        unseen.append(error if isinstance(error, Exception) else RuntimeError(context["message"]))

    async def run() -> Outcome[T]:
        this = asyncio.current_task()
        if this is not None:
            this.set_name("main")
        result = await main(loop)
        if this is not None and (left := living_tasks(loop, but=this)):
            raise TasksLeftRunning(f"await or cancel these before returning: {left}")
        return Outcome(
            result, loop.digest, loop.steps, loop.cancellation.done, loop.cancellation.victim_steps
        )

    loop.set_exception_handler(note)
    try:
        with _virtual(loop, seed), asyncio.Runner(loop_factory=lambda: loop) as runner:
            outcome = runner.run(run())
        _raise_all(unseen)
    except BaseException as error:
        error.add_note(f"repeat it with: {_call(main, seed, order, cancel)}")
        raise
    return outcome


def every_seed(
    main: Main[T], seeds: Iterable[int], *, order: Order = "tasks", cancel: Cancel = None
) -> list[Outcome[T]]:
    """Run `main` once for each seed, up to the first that fails.

    Raises:
        SimulationFailed: a seed failed, from its own error; or no seed cancelled anyone though `cancel`
            was given, so that the runs prove nothing.
    """
    outcomes: list[Outcome[T]] = []
    for seed in seeds:
        outcomes.append(_or_fail(main, seed, order, cancel, f"after {len(outcomes)} seeds that passed"))
    if cancel is not None and not any(outcome.cancelled for outcome in outcomes):
        raise SimulationFailed(
            f"{cancel} cancelled nobody in {len(outcomes)} runs: name the tasks, or try more seeds",
            seed=0,
            repeat=_call(main, 0, order, cancel),
        )
    return outcomes


def cancel_at_every_step(
    main: Main[T], victim: str = "victim", *, seed: int = 0, order: Order = "fifo"
) -> int:
    """Run `main` over and over, cancelling the task of this name at another step each time.

    Each step is cancelled in two ways: just before it, when what the task waited for has come, and just
    after it, while the task waits for what comes next. `main` must take the cancellation, do its own
    checks afterwards and raise when they fail. The order is a real loop's unless another is asked for, so
    that the scene plays as written: one holder, one victim, one waiter behind it.

    Returns:
        How many steps the victim takes, all of which were cancelled.

    Raises:
        SimulationFailed: one of the runs failed, from its own error; or no task of this name ever ran.
    """
    never = CancelAtStep(victim, -1)
    steps = _or_fail(main, seed, order, never, "with nobody cancelled").victim_steps
    if steps == 0:
        raise SimulationFailed(
            f"no task named {victim!r} took a step, so nothing was cancelled: name the task",
            seed=seed,
            repeat=_call(main, seed, order, never),
        )
    for step in range(steps):
        for when in ("woken", "waiting"):
            cancel = CancelAtStep(victim, step, when)
            outcome = _or_fail(main, seed, order, cancel, f"cancelling step {step} of {steps}, {when}")
            if when == "woken" and outcome.cancelled == 0:
                raise SimulationFailed(
                    f"step {step} of {steps} never came: main does not repeat itself",
                    seed=seed,
                    repeat=_call(main, seed, order, cancel),
                )
    return steps


def _or_fail(main: Main[T], seed: int, order: Order, cancel: Cancel, stage: str) -> Outcome[T]:
    try:
        return simulate(main, seed, order=order, cancel=cancel)
    except (Exception, asyncio.CancelledError) as error:
        repeat = _call(main, seed, order, cancel)
        raise SimulationFailed(
            f"seed {seed} fails, {stage}: {type(error).__name__}: {error}\nrepeat it with: {repeat}",
            seed=seed,
            repeat=repeat,
        ) from error


def _raise_all(errors: list[Exception]) -> None:
    if errors:
        raise ExceptionGroup("errors that reached the loop's exception handler", errors)


def _call(main: Callable[..., object], seed: int, order: Order, cancel: Cancel) -> str:
    if isinstance(main, Commanded):
        return main.command(seed, order, cancel)
    name = getattr(main, "__name__", repr(main))
    return f"simulate({name}, {seed}, order={order!r}, cancel={cancel!r})"
