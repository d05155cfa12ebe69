"""Making a world that fails smaller, as long as it still fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.simulation.simulated_loop import Cancel, Order, simulate
from tests.simulation.worlds import World

OTHER_SEEDS: Final = 5
"""Seeds that a smaller world is tried with, its own first: fewer actors play another game."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that failed, and of what."""

    world: World
    seed: int
    order: Order
    cancel: Cancel
    error: BaseException

    @property
    def command(self) -> str:
        """What repeats it."""
        return self.world.command(self.seed, self.order, self.cancel)


def run(world: World, seed: int, order: Order, cancel: Cancel) -> Failure | None:
    """Run a world; None when all went well."""
    try:
        simulate(world, seed, order=order, cancel=cancel)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it is, it is what we look for
        return Failure(world=world, seed=seed, order=order, cancel=cancel, error=error)
    return None


def shrunk(failure: Failure, fails: Callable[[World, int], Failure | None] | None = None) -> Failure:
    """The smallest failure found by dropping features one by one and halving the crowd, over and over."""

    def again(world: World, seed: int) -> Failure | None:
        return run(world, seed, failure.order, failure.cancel)

    smallest, fails = failure, fails or again
    while (smaller := _smaller(smallest, fails)) is not None:
        smallest = smaller
    return smallest


def _smaller(failure: Failure, fails: Callable[[World, int], Failure | None]) -> Failure | None:
    world = failure.world
    sizes = sorted({world.size // 2, world.size * 3 // 4, world.size - 1} - {world.size, 0})
    candidates = [world.smaller(without={feature}) for feature in sorted(world.features)]
    candidates += [world.smaller(size=size) for size in sizes]
    for candidate in candidates:
        for seed in (failure.seed, *range(OTHER_SEEDS)):
            found = fails(candidate, seed)
            if found is not None:
                return found
    return None
