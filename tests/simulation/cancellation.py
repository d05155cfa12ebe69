"""Whom to cancel in a simulated loop, and when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from tests.simulation.schedule import SimulatedTask, task_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class CancelRandomly:
    """Before each step, with this chance, cancel a living task whose name begins with `victims`.

    A task is cancelled once at most, so that its clean-up runs undisturbed.
    """

    victims: str
    chance: float = 0.02


@dataclass(frozen=True, slots=True)
class CancelAtHandOff:
    """The same, but only a task that was woken and has not run yet: what it was given is easily lost."""

    victims: str
    chance: float = 0.2


@dataclass(frozen=True, slots=True)
class CancelAtStep:
    """Cancel the task of this name once, at its k-th step, counted from 0.

    `woken`: just before the step, when what it waited for has come; `waiting`: just after it, while the
    task waits for what comes next. Several tasks of one name are counted as one.
    """

    victim: str
    step: int
    when: Literal["woken", "waiting"] = "woken"


Cancel: TypeAlias = CancelRandomly | CancelAtHandOff | CancelAtStep | None


class Cancellation:
    """Does what a `Cancel` asks for.

    Attributes:
        done: how many tasks were cancelled.
        victim_steps: steps that the victim of a `CancelAtStep` took.
    """

    def __init__(self, cancel: Cancel, rng: random.Random) -> None:
        self.done = 0
        self.victim_steps = 0
        self._cancel = cancel
        self._rng = rng
        self._struck: set[SimulatedTask] = set()
        self._due: SimulatedTask | None = None

    def before_a_step(self, handle: asyncio.Handle, ready: Sequence[asyncio.Handle]) -> None:
        """Cancel whoever is to be cancelled before this handle runs; `ready` is what comes after it."""
        match self._cancel:
            case CancelAtStep():
                self._at_step(task_of(handle), self._cancel)
            case CancelAtHandOff(victims, chance) if self._rng.random() < chance:
                self._one_of(map(task_of, (handle, *ready)), victims)
            case CancelRandomly(victims, chance) if self._rng.random() < chance:
                living = (task for task in asyncio.all_tasks() if isinstance(task, SimulatedTask))
                self._one_of(sorted(living, key=hash), victims)
            case _:
                pass

    def after_a_step(self) -> bool:
        """Cancel the task that has just begun to wait, if it was to be; whether that was so."""
        task, self._due = self._due, None
        if task is None or task.done():
            return False
        self._strike(task)
        return True

    def _at_step(self, task: SimulatedTask | None, cancel: CancelAtStep) -> None:
        if task is None or task.get_name() != cancel.victim:
            return
        if self.victim_steps == cancel.step:
            if cancel.when == "woken":
                self._strike(task)
            else:
                self._due = task
        self.victim_steps += 1

    def _one_of(self, tasks: Iterable[SimulatedTask | None], victims: str) -> None:
        candidates = [
            task
            for task in tasks
            if task is not None and task.get_name().startswith(victims) and task not in self._struck
        ]
        if candidates:
            self._strike(self._rng.choice(candidates))

    def _strike(self, task: SimulatedTask) -> None:
        self._struck.add(task)
        self.done += task.cancel("cancelled by the simulation")
