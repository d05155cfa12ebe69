"""Run simulated worlds from the command line; see docs/simulation.md."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, get_args

from tests.simulation.features import FEATURES
from tests.simulation.shrinking import Failure, run, shrunk
from tests.simulation.simulated_loop import Cancel, CancelAtHandOff, CancelRandomly, Order, simulate
from tests.simulation.worlds import WORLDS, World

ORDERS: Final[tuple[Order, ...]] = get_args(Order)

CANCELS: Final[dict[str, Cancel]] = {
    "none": None,
    "handoff": CancelAtHandOff("actor-borrower"),
    "random": CancelRandomly("actor-borrower", 0.01),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 when a run failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("world", nargs="?", choices=WORLDS, help="the world to run; all of them by default")
    parser.add_argument("--seed", type=int, help="run this seed alone, and say its digest")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run each way (default 100)")
    parser.add_argument("--order", choices=ORDERS, help="this order alone; tasks for a single seed")
    parser.add_argument("--cancel", choices=CANCELS, help="these cancellations alone; none for a single seed")
    parser.add_argument("--size", type=int, help="so many borrowers")
    parser.add_argument("--features", help="these features in place of the world's own, joined by commas")
    parser.add_argument("--json", action="store_true", help="say what a single seed came to as JSON")
    parser.add_argument("--verbose", action="store_true", help="show what the pool logs")
    options = parser.parse_args(arguments)
    pool_log = logging.getLogger("twikit_pool")
    before = pool_log.level
    if not options.verbose:
        pool_log.setLevel(logging.CRITICAL + 1)
    try:
        return _run(options)
    finally:
        pool_log.setLevel(before)


def _run(options: argparse.Namespace) -> int:
    worlds = [_changed(WORLDS[name], options) for name in ([options.world] if options.world else WORLDS)]
    if options.seed is not None:
        return _one(worlds, options)
    orders = ORDERS if options.order is None else (options.order,)
    cancels = tuple(CANCELS) if options.cancel is None else (options.cancel,)
    return _many(worlds, options.seeds, orders, cancels)


def _changed(world: World, options: argparse.Namespace) -> World:
    if options.size is not None:
        world = replace(world, size=options.size)
    if options.features is not None:
        features = frozenset(filter(None, options.features.split(",")))
        if unknown := features - FEATURES.keys():
            sys.exit(f"no features {sorted(unknown)}; there are: {', '.join(FEATURES)}")
        world = replace(world, features=features)
    return world


def _one(worlds: Sequence[World], options: argparse.Namespace) -> int:
    for world in worlds:
        order, cancel = options.order or "tasks", CANCELS[options.cancel or "none"]
        outcome = simulate(world, options.seed, order=order, cancel=cancel)
        facts = {
            "world": world.name,
            "seed": options.seed,
            "digest": outcome.digest,
            "steps": outcome.steps,
            "cancelled": outcome.cancelled,
            **outcome.result,
        }
        print(
            json.dumps(facts) if options.json else "  ".join(f"{name} {each}" for name, each in facts.items())
        )
    return 0


def _many(worlds: Sequence[World], seeds: int, orders: Sequence[Order], cancels: Sequence[str]) -> int:
    ways = list(itertools.product(worlds, orders, cancels))
    began, hours, runs = time.monotonic(), 0.0, 0
    for seed in range(seeds):
        for world, order, cancel in ways:
            try:
                outcome = simulate(world, seed, order=order, cancel=CANCELS[cancel])
            except Exception:  # noqa: BLE001 - it is run again below, where it is told and shrunk
                return _failed(world, seed, order, CANCELS[cancel])
            hours += outcome.result["seconds"] / 3600
            runs += 1
        spent = time.monotonic() - began
        print(
            f"\r{seed + 1} of {seeds} seeds, {runs} runs, {hours:.0f} virtual hours, "
            f"{(seed + 1) / spent:.2f} seeds and {runs / spent:.0f} runs a second",
            end="",
            flush=True,
        )
    print("\nnothing failed")
    return 0


def _failed(world: World, seed: int, order: Order, cancel: Cancel) -> int:
    failure = run(world, seed, order, cancel)
    if failure is None:
        print(f"\nfailed once and not again: {world.command(seed, order, cancel)}")
        return 1
    print(f"\n{_told(failure)}\n\nmaking it smaller …", flush=True)
    print(_told(shrunk(failure)))
    return 1


def _told(failure: Failure) -> str:
    what = f"{type(failure.error).__name__}: {failure.error}"
    return f"seed {failure.seed}: {what}\nrepeat it with: {failure.command}"


if __name__ == "__main__":
    sys.exit(main())
