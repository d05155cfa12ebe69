"""Acquire and release: our pool against the least asyncio can do and six well-known pools.

All in one process over connections that do nothing, in turns whose order is reversed each time; a figure is
the median over the turns. Costs are CPU time with the garbage collector off, as in `timeit`, after a
collection; waits are by the wall clock. Each measurement has an event loop and a pool of its own, of which
every connection was used once, and ends with the proof that all of them are still there. Ours has metrics and
events on, and a subscriber to all of them that never reads; *events read* has one that does.

    a  acquire and release, 10 connections and nobody else
    b  1,000 tasks share 10 connections, ten rounds each, and give way once to the loop while they hold one
    c  10,000 tasks wait for 100 connections; then all are served
    d  a pool of 10 and one of 10,000; by account (ours) or host (aiohttp) where a pool knows such a thing
    e  10,000 waiters of 100 connections are cancelled in random order

What the floor costs is asyncio's own, but for a few operations on a deque. In b a pool that serves in order
of arrival has everyone wait for all the others, so its waits are its throughput seen from the other side; one
whose median wait is nothing lets those who release take the connection again at once.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import Bar, Report

if TYPE_CHECKING:
    from benchmarks._peers import Face, Side

TURNS: Final = 5
OPERATIONS: Final = 20_000
TASKS: Final = 1_000
ROUNDS: Final = 10
WAITERS: Final = 10_000
SETTLING: Final = 4
"""Passes of the loop after which a task waits that only waits after a lock or two."""
PATIENCE: Final = 30.0
"""Seconds to get every connection there is."""

Found = dict[str, float]


class Case(NamedTuple):
    """One measurement of a pool of `size` connections, and the figure by which sides are compared."""

    name: str
    size: int
    measure: Callable[[Face, int], Awaitable[Found]]
    figure: str


async def _alone(face: Face, _size: int) -> Found:
    acquire, release = face.acquire, face.release
    began = time.process_time()
    for _ in range(OPERATIONS):
        returning = release(await acquire())
        if returning is not None:
            await returning
    return {"ops/s": OPERATIONS / (time.process_time() - began)}


async def _shared(face: Face, _size: int) -> Found:
    acquire, release = face.acquire, face.release
    waits: list[int] = []

    async def use() -> None:
        for _ in range(ROUNDS):
            asked = time.perf_counter_ns()
            connection = await acquire()
            waits.append(time.perf_counter_ns() - asked)
            await asyncio.sleep(0)
            returning = release(connection)
            if returning is not None:
                await returning

    began = time.process_time()
    await asyncio.gather(*[use() for _ in range(TASKS)])
    spent = time.process_time() - began
    waits.sort()
    return {
        "ops/s": TASKS * ROUNDS / spent,
        "p50 wait ms": waits[len(waits) // 2] / 1e6,
        "p99 wait ms": waits[len(waits) * 99 // 100] / 1e6,
    }


async def _queue_up(face: Face, size: int) -> tuple[list[object], list[asyncio.Task[None]], float]:
    """All connections, held; the tasks that wait for them; and the CPU milliseconds to get there."""
    acquire, release = face.acquire, face.release

    async def use() -> None:
        returning = release(await acquire())
        if returning is not None:
            await returning

    held = [await acquire() for _ in range(size)]
    began = time.process_time()
    tasks = [asyncio.create_task(use()) for _ in range(WAITERS)]
    for _ in range(SETTLING):
        await asyncio.sleep(0)
    return held, tasks, (time.process_time() - began) * 1e3


async def _drained(face: Face, size: int) -> Found:
    held, tasks, enqueued = await _queue_up(face, size)
    began = time.process_time()
    for connection in held:
        await face.give_back(connection)
    await asyncio.gather(*tasks)
    return {"drain ms": (time.process_time() - began) * 1e3, "enqueue ms": enqueued}


async def _cancelled(face: Face, size: int) -> Found:
    held, tasks, _ = await _queue_up(face, size)
    victims = random.Random(1).sample(tasks, len(tasks))  # noqa: S311 - the same order for every side
    began = time.process_time()
    for task in victims:
        task.cancel()
    await asyncio.wait(tasks)
    spent = time.process_time() - began
    if not all(task.cancelled() for task in tasks):
        raise RuntimeError("a cancelled waiter was not cancelled")
    for connection in held:
        await face.give_back(connection)
    return {"cancel ms": spent * 1e3}


async def _by_account(face: Face, size: int) -> Found:
    acquire_from, release = face.acquire_from or (lambda _: face.acquire()), face.release
    chance = random.Random(1)  # noqa: S311 - the same order for every side
    numbers = [chance.randrange(size) for _ in range(OPERATIONS)]
    began = time.process_time()
    for number in numbers:
        returning = release(await acquire_from(number))
        if returning is not None:
            await returning
    spent = (time.process_time() - began) / OPERATIONS * 1e6
    return {"µs by account" if face.acquire_from else "µs": spent}


CASES: Final = (
    Case("a", 10, _alone, "ops/s"),
    Case("b", 10, _shared, "ops/s"),
    Case("c", 100, _drained, "drain ms"),
    Case("d of 10", 10, _by_account, "µs by account"),
    Case("d of 10,000", 10_000, _by_account, "µs by account"),
    Case("e", 100, _cancelled, "cancel ms"),
)


def run() -> Report:
    try:  # only here, so that listing the benchmarks does not need the peers
        from benchmarks._peers import PEERS, floor, ours, ours_for_anything, ours_heard
    except ModuleNotFoundError as missing:
        raise SystemExit(f"{missing}: install the peers with `pip install -e '.[bench]'`") from None

    sides: dict[str, Side] = {"ours": ours, "floor": floor, **PEERS}
    besides: dict[str, dict[str, Side]] = {
        "a": {"ours": ours_for_anything, "ours for a like": ours},
        "b": {"ours, events read": ours_heard},
    }
    found: dict[tuple[str, str], list[Found]] = {}
    for turn in range(TURNS):
        for case in CASES:
            turns = list((sides | besides.get(case.name, {})).items())
            for name, side in reversed(turns) if turn % 2 else turns:
                found.setdefault((case.name, name), []).append(asyncio.run(_measured(case, side)))
    medians = {where: _medians(turns) for where, turns in found.items()}
    return Report(figures=_figures(medians), bars=_bars(medians))


async def _measured(case: Case, side: Side) -> Found:
    async with side(case.size) as face:
        await _use_all(face, case.size)
        gc.collect()
        gc.disable()
        try:
            found = await case.measure(face, case.size)
        finally:
            gc.enable()
        await _use_all(face, case.size)
        return found


async def _use_all(face: Face, size: int) -> None:
    """Hold every connection at once, and give them back."""
    async with asyncio.timeout(PATIENCE):
        connections = [await face.acquire() for _ in range(size)]
    if len({id(connection) for connection in connections}) != size:
        raise RuntimeError("a connection was handed out twice")
    for connection in connections:
        await face.give_back(connection)


def _medians(turns: list[Found]) -> Found:
    return {figure: statistics.median(turn[figure] for turn in turns) for figure in turns[0]}


def _figures(medians: dict[tuple[str, str], Found]) -> dict[str, float | int | str]:
    figures: dict[str, float | int | str] = {}
    for case in CASES:
        ours = medians[case.name, "ours"]
        for (name, side), found in medians.items():
            if name != case.name:
                continue
            for figure, value in found.items():
                figures[f"{name}: {side}, {figure}"] = value
            if side != "ours" and case.figure in found:
                figures[f"{name}: ours / {side}, {case.figure}"] = ours[case.figure] / found[case.figure]
            if name == "d of 10,000":
                figures[f"d: {side}, of 10,000 / of 10"] = _growth(medians, side)
    return figures


def _growth(medians: dict[tuple[str, str], Found], side: str) -> float:
    """What an operation on a pool of 10,000 costs, times what it costs on a pool of 10."""
    (many,), (few,) = (medians[case, side].values() for case in ("d of 10,000", "d of 10"))
    return many / few


def _bars(medians: dict[tuple[str, str], Found]) -> list[Bar]:
    def ratio(case: str, figure: str, peer: str) -> float:
        return medians[case, "ours"][figure] / medians[case, peer][figure]

    return [
        Bar("a: ops/s, times aiohttp's", ratio("a", "ops/s", "aiohttp"), 2, "higher"),
        Bar("a: ops/s, times psycopg_pool's", ratio("a", "ops/s", "psycopg_pool"), 3, "higher"),
        Bar("a: ops/s, times asyncpg's", ratio("a", "ops/s", "asyncpg"), 10, "higher"),
        Bar("b: ops/s, times the floor's", ratio("b", "ops/s", "floor"), 0.5, "higher"),
        Bar("b: ops/s, times psycopg_pool's", ratio("b", "ops/s", "psycopg_pool"), 4, "higher"),
        Bar("b: p99 wait, times the floor's", ratio("b", "p99 wait ms", "floor"), 1.3, "lower"),
        Bar("c: drain, times the floor's", ratio("c", "drain ms", "floor"), 2, "lower"),
        Bar("d: by account of 10,000, times that of 10", _growth(medians, "ours"), 1.5, "lower"),
        Bar("e: cancel, times the floor's", ratio("e", "cancel ms", "floor"), 1.5, "lower"),
    ]
