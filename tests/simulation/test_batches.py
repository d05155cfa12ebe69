"""Batches of jobs in virtual time: cancelled anywhere, ended anywhere, and gone on with."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, cast

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolClosed, PoolError
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.service.batch import Batch
from twikit_pool.service.batch_input import GivenJobs
from twikit_pool.service.batches import Batches
from twikit_pool.service.sections import JobSettings

PATIENT = ConnectionPoolConfig(acquire_timeout=None, enable_health_checks=False, leak_warning=None)
JOBS = 6


def likes(number: int) -> GivenJobs:
    """Writes, each of another post, so that it can be told how often X has taken each."""
    lines = [
        {"id": str(n), "action": "like_tweet", "params": {"tweet_id": str(n)}} for n in range(1, number + 1)
    ]
    return GivenJobs(lines="".join(json.dumps(each) + "\n" for each in lines).encode(), count=number)


class Stage:
    """A pool of two accounts, X behind it, and a folder in which batches are kept."""

    def __init__(self, loop: SimulatedLoop, folder: Path) -> None:
        self.loop = loop
        self.x = SimulatedX(loop, slowest=0.05)
        sessions = pool_of(self.x, [account("a0"), account("a1")]).sessions
        self.manager = TwikitConnectionPoolManager(sessions, automation=None)
        self._settings = JobSettings(folder=folder, allow_engagement=True, grace=0.2)

    def batches(self) -> Batches:
        return Batches(self._settings, self.manager, self.loop.clock)

    def pool(self) -> TwikitConnectionPool:
        return self.manager.pool("one")


async def followed(batch: Batch, after: int = 0) -> list[dict[str, Any]]:
    async with aclosing(batch.follow(after)) as pieces:
        return [json.loads(line) async for piece in pieces for line in piece.split(b"\n") if line]


async def to_the_end(stage: Stage) -> None:
    """Start the service anew until every batch is done: each job has one result, and X took each once."""
    for _ in range(3):
        async with stage.batches() as batches:
            for batch in batches.all("one"):
                await followed(batch)
                if batch.record.state == "stopped":
                    batches.resume(batch)
                    await followed(batch)
    async with stage.batches() as batches:
        for batch in batches.all("one"):
            results = await followed(batch)
            assert batch.record.state == "done"
            assert sorted(int(each["id"]) for each in results) == list(range(1, batch.record.jobs + 1))
            assert [each["number"] for each in results] == list(range(1, batch.record.jobs + 1))
            assert {each["outcome"] for each in results} <= {"ok", "ambiguous"}
            taken = Counter(target for _, target in stage.x.done)
            for each in results:
                assert taken[each["id"]] == 1 or (each["outcome"] == "ambiguous" and not taken[each["id"]])


Act: TypeAlias = Callable[[Stage, Batches], Awaitable[None]]


async def submit_follow_and_cancel(stage: Stage, batches: Batches) -> None:
    batch = batches.submit("one", likes(JOBS))
    async with aclosing(batch.follow(0)) as pieces:
        await anext(pieces, b"")
    batch.cancel()
    await followed(batch)


async def follow(stage: Stage, batches: Batches) -> None:
    await followed(batches.submit("one", likes(JOBS)))


async def end(stage: Stage, batches: Batches) -> None:
    batches.submit("one", likes(JOBS))
    await asyncio.sleep(0.06)
    await batches.end(0.03)


async def beside_an_emergency(stage: Stage, batches: Batches) -> None:
    batch = batches.submit("one", likes(JOBS))
    await asyncio.sleep(0.06)
    stage.pool().emergency_stop("drill", pause=1)
    await followed(batch)
    with suppress(PoolError):
        await asyncio.sleep(2)
        batches.resume(batch)
    await followed(batch)


async def scene_of(loop: SimulatedLoop, act: Act, victim: str) -> None:
    with TemporaryDirectory() as folder:
        stage = Stage(loop, Path(folder))
        async with stage.manager:
            pool = await stage.manager.create_pool("one", PATIENT)
            pool.rng.seed(0)
            watch = Watch(stage.x, [pool])
            loop.watch = watch.look
            async with stage.batches() as batches:
                task = loop.create_task(cast("Any", act(stage, batches)), name=victim)
                await asyncio.wait([task])
                if not task.cancelled() and task.exception() is not None:
                    raise task.exception() or AssertionError
            await asyncio.sleep(2)
            for batch in batches.all("one"):
                assert batch.over
            assert not [each for each in asyncio.all_tasks() if each.get_name() in ("batch", "batches")]
            if pool.mode == "emergency":
                pool.resume()
            await let_go_on(stage)
            await to_the_end(stage)
            assert pool.waiting == 0
            assert not any(each.leased for each in pool.connections())
            loop.watch = None
        watch.after_shutdown()


async def let_go_on(stage: Stage) -> None:
    """What has failed is told to go on."""
    async with stage.batches() as batches:
        for batch in batches.all("one"):
            if batch.record.state == "failed":
                batches.resume(batch)


@pytest.mark.parametrize("act", [submit_follow_and_cancel, follow, end, beside_an_emergency])
@pytest.mark.parametrize("order", ["fifo", "tasks"])
def test_i4_i11_cancelled_at_any_step_nothing_is_lost_or_sent_twice(act: Act, order: str) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        await scene_of(loop, act, "victim")

    assert cancel_at_every_step(scene, order=cast("Any", order)) >= 2


@pytest.mark.parametrize("act", [submit_follow_and_cancel, follow])
def test_i4_i11_a_batch_whose_own_task_is_cut_short_goes_on(act: Act) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        await scene_of(loop, act, "another")

    assert cancel_at_every_step(scene, "batch") >= 2


async def many(loop: SimulatedLoop) -> None:
    """Several batches beside other callers; some are cancelled, and the service ends at any moment."""
    with TemporaryDirectory() as folder:
        stage = Stage(loop, Path(folder))
        async with stage.manager:
            pool = await stage.manager.create_pool("one", PATIENT)
            watch = Watch(stage.x, [pool])
            loop.watch = watch.look
            async with stage.batches() as batches:

                async def owner() -> None:
                    await asyncio.sleep(grid(loop.rng, 0.3))
                    batch = batches.submit("one", likes(JOBS))
                    if loop.rng.random() < 0.5:
                        await asyncio.sleep(grid(loop.rng, 0.3))
                        batch.cancel()
                    await followed(batch)

                async def caller() -> None:
                    async with pool.acquire():
                        await asyncio.sleep(grid(loop.rng, 0.1))

                users = [loop.create_task(owner(), name="user") for _ in range(3)]
                users += [loop.create_task(caller(), name="user") for _ in range(3)]
                await asyncio.sleep(grid(loop.rng, 0.8))
                await batches.end(grid(loop.rng, 0.2))
                await asyncio.wait(users)
            told = {type(each.exception()) for each in users if not each.cancelled()}
            assert told <= {type(None), PoolClosed}, "the service ended before some submitted"
            for batch in batches.all("one"):
                results = await followed(batch)
                assert len({each["id"] for each in results}) == len(results)
            loop.watch = None
        watch.after_shutdown()
        assert not stage.x.misuses


@pytest.mark.parametrize("order", ["fifo", "tasks", "all"])
def test_i4_batches_that_end_at_any_moment_leave_nothing_behind(order: str) -> None:
    every_seed(many, range(25), order=cast("Any", order))


def test_i4_batches_that_are_cancelled_at_random_leave_nothing_behind() -> None:
    every_seed(many, range(25), cancel=CancelRandomly("batch", 0.02))
    every_seed(many, range(25), cancel=CancelRandomly("user", 0.05))
