"""Writes past the content filter, in a simulated loop: what is said twice is never sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.simulation.simulated_loop import Order, SimulatedLoop, cancel_at_every_step, every_seed
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PostBlocked, TwikitPoolError
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.safety import PostGuard, SafetySettings
from twikit_pool.sessions.actions import PostTweet
from twikit_pool.sessions.outcomes import CallFailed, Taken

CALM = ConnectionPoolConfig(
    acquire_timeout=None, enable_health_checks=False, leak_warning=None, max_attempts=2
)
SAME = "The bridge over the harbour opens again on Monday morning"
POST = "CreateTweet"
REFUSED, UNCLEAR = 187, 131
"""Codes after which X has certainly not, and has perhaps, taken a post."""


@contextmanager
def guarded(loop: SimulatedLoop, pool: TwikitConnectionPool) -> Iterator[PostGuard]:
    guard = PostGuard.of(SafetySettings(), clock=loop.clock)
    pool.guard = guard
    try:
        yield guard
    finally:
        guard.close()


def in_other_words(number: int) -> str:
    """The same to anybody who reads it."""
    return f"{SAME.upper() if number % 2 else SAME}{'!' * number} #news{number} https://example.com/{number}"


@pytest.mark.parametrize("order", ["fifo", "tasks"])
def test_of_similar_posts_at_once_one_leaves(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> int:
        x = SimulatedX(loop)
        pool = pool_of(x, 6, CALM)
        with guarded(loop, pool) as guard:
            async with pool:
                sent = await asyncio.gather(
                    *(
                        pool.execute("post_tweet", account=f"a{number}", content=in_other_words(number))
                        for number in range(6)
                    ),
                    return_exceptions=True,
                )
                blocked = [each for each in sent if isinstance(each, PostBlocked)]
                assert len(blocked) == 5, sent
                assert x.calls[POST] == 1
                assert all(each.reasons[0].rule == "similar.across_accounts" for each in blocked)  # type: ignore[attr-defined]
                assert len(guard.filter.memory) == 1
        return len(blocked)

    every_seed(main, range(15), order=order)


def test_what_x_may_have_taken_counts_as_posted_and_what_it_refused_does_not() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 8, CALM)
        for number in range(8):
            x.codes[f"a{number}"] = loop.rng.choice(([], [REFUSED], [UNCLEAR]))
        taken: list[Taken] = []

        async def post(number: int) -> None:
            await asyncio.sleep(loop.rng.random())
            try:
                await pool.execute("post_tweet", account=f"a{number}", content=in_other_words(number))
            except CallFailed as failure:
                taken.append(failure.verdict.taken)
            except PostBlocked:
                return
            else:
                taken.append(Taken.YES)

        with guarded(loop, pool) as guard:
            async with pool:
                await asyncio.gather(*(post(number) for number in range(8)))
            perhaps = [each for each in taken if each is not Taken.NO]
            assert len(perhaps) <= 1
            assert len(guard.filter.memory) == len(perhaps)
            assert len(x.done) <= 1

    every_seed(main, range(25))


@pytest.mark.parametrize("how", ["pool", "lease", "by hand"])
def test_i4_cancelled_at_any_step_a_post_is_remembered_exactly_if_it_has_left(how: str) -> None:
    async def post(pool: TwikitConnectionPool) -> None:
        if how == "pool":
            await pool.execute("post_tweet", account="a0", content=SAME)
            return
        async with pool.acquire() as lease:
            if how == "lease":
                await lease.execute("post_tweet", content=SAME)
            else:
                await lease.call(
                    "by hand",
                    lambda client: client.request(POST, ""),
                    endpoint=POST,
                    writes=PostTweet(content=SAME),
                )

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        pool = pool_of(x, 1, CALM)
        with guarded(loop, pool) as guard:
            async with pool:
                victim = loop.create_task(post(pool), name="victim")
                await asyncio.wait([victim])
                if not victim.cancelled() and victim.exception() is not None:
                    raise victim.exception() or AssertionError
                assert len(guard.filter.memory) == len(x.sent)
                await asyncio.sleep(5)
                again = await asyncio.gather(
                    pool.execute("post_tweet", account="a0", content=SAME), return_exceptions=True
                )
                assert isinstance(again[0], PostBlocked) == (
                    len(guard.filter.memory) == len(x.sent) == 1
                ) or not (isinstance(again[0], BaseException))
                assert x.sent.count("a0") == 1

    assert cancel_at_every_step(main) >= 2


def test_who_may_not_write_it_waits_for_nobody() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 1, CALM)
        with guarded(loop, pool):
            async with pool, pool.acquire():  # the only connection is taken
                with pytest.raises(PostBlocked, match="length"):
                    await pool.execute("post_tweet", content="much too long " * 30)
                assert pool.waiting == 0

    every_seed(main, range(3))


def test_a_refusal_at_the_last_moment_takes_back_what_the_caller_has_noted() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        pool = pool_of(x, 2, CALM)
        noted: list[str] = []
        withdrawn: list[str] = []

        async def post(number: int) -> None:
            try:
                await pool.perform(
                    PostTweet(content=in_other_words(number)),
                    account=f"a{number}",
                    on_send=noted.append,
                    on_refused=lambda: withdrawn.append(f"a{number}"),
                )
            except TwikitPoolError as error:
                assert isinstance(error, PostBlocked)  # noqa: PT017 - the other one succeeds

        with guarded(loop, pool):
            async with pool:
                await asyncio.gather(post(0), post(1))
        assert set(noted) - set(withdrawn) == set(x.sent)
        assert len(x.sent) == 1

    every_seed(main, range(20))
