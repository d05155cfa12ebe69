"""Calls in flight, in virtual time: no budget is exceeded, and no count is left behind by a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import Any

import httpx
import pytest

from tests.simulation.simulated_loop import (
    CancelAtHandOff,
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    simulate,
)
from tests.unit.sessions.stand_in import LENGTH, StandIn, account, manager_of
from twikit_pool.sessions import CallFailed, Outcome, Taken, TwikitSession, parse_action

LIKE = parse_action("like_tweet", {"tweet_id": "1"})
LIKES = LIKE.spends


class Doorbell:
    """An observer that wakes whoever waits for a window."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()

    def window_changed(self, account_id: str, endpoint: str) -> None:
        self.rung.set()
        self.rung = asyncio.Event()

    def standing_changed(self, account_id: str, standing: object, verdict: object = None) -> None: ...

    def login_changed(self, account: object) -> None: ...

    def logged_in(self, account_id: str, today: int) -> None: ...

    async def at_the_door(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self.rung.wait()


async def like(session: TwikitSession, timeout: float = 30) -> Any:
    return await session.execute(LIKE, timeout=timeout)


async def worker(loop: SimulatedLoop, session: TwikitSession, bell: Doorbell, until: float) -> None:
    """Call as soon as the windows allow; what is refused unsent waits its turn."""
    while loop.time() < until:
        wait = session.windows.wait(LIKES)
        if wait:
            await bell.at_the_door(min(wait, max(until - loop.time(), 0.01)))
            continue
        with suppress(CallFailed):
            await like(session)


@pytest.mark.parametrize("refusal_tells", [True, False])
def test_i7_six_sessions_spend_one_budget_and_no_more(refusal_tells: bool) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, limit=50, refusal_tells=refusal_tells)
        sessions, bell = manager_of(x), Doorbell()
        sessions.watch(bell)
        until = 4 * LENGTH - 10
        workers = [worker(loop, sessions.open_account(account()), bell, until) for _ in range(6)]
        await asyncio.gather(*workers)
        assert x.refused[LIKES] == 0
        assert x.served[LIKES] == 4 * 50  # all of it
        await sessions.aclose()

    every_seed(main, range(10))


async def crowd(loop: SimulatedLoop) -> None:
    x = StandIn(loop, limit=20)
    sessions = manager_of(x)
    opened = [sessions.open_account(account()) for _ in range(4)]

    async def caller(session: TwikitSession) -> None:
        for _ in range(4):
            with suppress(CallFailed):
                await like(session, timeout=loop.rng.choice((0.05, 0.2, 5)))
            await asyncio.sleep(loop.rng.choice((0, 0.1)))

    tasks = [
        loop.create_task(caller(session), name=f"caller-{number}-{n}")
        for number, session in enumerate(opened)
        for n in range(2)
    ]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert x.refused[LIKES] == 0
    windows = sessions.windows("brand")
    assert windows.in_flight(LIKES) == 0
    for session in opened:
        await session.renew()
        assert not session.unsettled
    await asyncio.sleep(LENGTH + 2)
    assert windows.wait(LIKES) == 0
    await like(opened[0])
    await sessions.aclose()


@pytest.mark.parametrize(
    "cancel", [CancelRandomly("caller", 0.05), CancelAtHandOff("caller"), None], ids=repr
)
def test_i7_cut_short_at_random_nothing_is_exceeded_and_nothing_leaks(cancel: Any) -> None:
    every_seed(crowd, range(60), cancel=cancel)


async def victim_and_the_next(loop: SimulatedLoop) -> None:
    x = StandIn(loop, handshake=True)
    sessions = manager_of(x)
    first, second = sessions.open_account(account()), sessions.open_account(account())
    victim = loop.create_task(like(first), name="victim")
    await asyncio.gather(victim, return_exceptions=True)
    windows = sessions.windows("brand")
    assert [windows.in_flight(each) for each in (LIKES, "home")] == [0, 0]
    assert windows.wait(LIKES) <= LENGTH
    await asyncio.sleep(windows.wait(LIKES))
    assert await like(second) == LIKES
    assert await like(first) == LIKES
    assert not first.unsettled
    await sessions.aclose()


async def victim_that_renews(loop: SimulatedLoop) -> None:
    """A call and a renewal of a dirty client are cut short; the session works afterwards."""
    x = StandIn(loop)
    sessions = manager_of(x)
    session = sessions.open_account(account())

    async def use() -> None:
        with suppress(CallFailed):
            await like(session, timeout=0.02)
        await session.renew()
        await like(session)

    await asyncio.gather(loop.create_task(use(), name="victim"), return_exceptions=True)
    assert session.windows.in_flight(LIKES) == 0
    assert await like(session) == LIKES
    assert not session.unsettled
    await sessions.aclose()


async def victim_that_closes(loop: SimulatedLoop) -> None:
    """Raw use of the client is under way while the session is closed, and the closing is cut short."""
    x = StandIn(loop)
    sessions = manager_of(x)
    session, other = sessions.open_account(account()), sessions.open_account(account())
    raw = loop.create_task(session.client.request(LIKES))
    await asyncio.sleep(0)
    assert session.windows.wait(LIKES) == inf
    closing = loop.create_task(sessions.close_session(session), name="victim")
    await asyncio.gather(closing, return_exceptions=True)
    await sessions.close_session(session)
    assert session.windows.in_flight(LIKES) == 0
    assert await like(other) == LIKES
    raw.cancel()
    await asyncio.gather(raw, return_exceptions=True)
    await sessions.aclose()


@pytest.mark.parametrize("scene", [victim_and_the_next, victim_that_renews, victim_that_closes])
def test_i4_cut_short_at_every_step_no_count_is_left_behind(scene: Any) -> None:
    for seed in range(5):
        assert cancel_at_every_step(scene, seed=seed) > 1


def test_of_two_sessions_one_finds_out_and_the_other_sends_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, slowest=0.1)
        sessions = manager_of(x)
        first, second = sessions.open_account(account()), sessions.open_account(account())
        probe = loop.create_task(like(first))
        await asyncio.sleep(0)
        with pytest.raises(CallFailed, match="only its answer can tell what is left") as failed:
            await like(second)
        assert failed.value.verdict.outcome is Outcome.RATE_LIMITED
        assert failed.value.verdict.taken is Taken.NO
        await probe
        await asyncio.gather(like(first), like(second))
        assert (x.served[LIKES], x.most_at_once[LIKES]) == (3, 2)
        await sessions.aclose()

    simulate(main, order="fifo")


def test_what_was_left_may_go_while_a_call_shakes_hands() -> None:
    """Both calls found the window open when they began; one call is left, and it is sent once."""

    async def main(loop: SimulatedLoop) -> int:
        x = StandIn(loop, limit=2, handshake=True)
        sessions = manager_of(x)
        opened = [sessions.open_account(account()) for _ in range(3)]
        await like(opened[0])
        told: list[int] = []
        results = await asyncio.gather(
            *(each.execute(LIKE, timeout=9, on_send=lambda: told.append(1)) for each in opened[1:]),
            return_exceptions=True,
        )
        (failed,) = (each for each in results if isinstance(each, CallFailed))
        assert failed.verdict.outcome is Outcome.RATE_LIMITED
        assert "nothing was sent" in failed.verdict.reason
        assert (x.served[LIKES], x.refused[LIKES], told) == (2, 0, [1])
        await sessions.aclose()
        return x.most_at_once["home"]

    assert (
        max(each.result for each in every_seed(main, range(20))) == 2
    )  # handshakes do not wait for one another


@pytest.mark.parametrize(
    ("error", "left"),
    [(httpx.ConnectError("down"), 9), (httpx.PoolTimeout("full"), 9), (httpx.ReadError("broke"), 8)],
    ids=repr,
)
def test_only_what_left_is_used(error: httpx.HTTPError, left: int) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, limit=10)
        sessions = manager_of(x)
        session = sessions.open_account(account())
        await like(session)
        x.fails = lambda _endpoint: error
        with pytest.raises(CallFailed):
            await like(session)
        assert session.windows.known()[LIKES].remaining == left
        assert session.windows.in_flight(LIKES) == 0
        await sessions.aclose()

    simulate(main)


def test_raw_use_of_the_client_is_accounted_for() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, limit=5)
        sessions = manager_of(x)
        session = sessions.open_account(account())
        await session.client.request(LIKES)
        assert not session.unsettled
        assert session.windows.known()[LIKES].remaining == 4
        raw = loop.create_task(session.client.request(LIKES))
        await asyncio.sleep(0)
        assert (session.unsettled, session.windows.in_flight(LIKES)) == (True, 1)
        raw.cancel()
        await asyncio.gather(raw, return_exceptions=True)
        assert session.unsettled
        await session.renew()
        assert not session.unsettled
        assert session.windows.in_flight(LIKES) == 0
        assert session.windows.known()[LIKES].remaining == 3
        await sessions.aclose()

    simulate(main, order="fifo")


def test_a_cancelled_raw_request_does_not_shut_its_own_session_out() -> None:
    async def main(loop: SimulatedLoop) -> None:
        sessions = manager_of(StandIn(loop))
        session = sessions.open_account(account())
        raw = loop.create_task(session.client.request(LIKES))
        await asyncio.sleep(0)
        raw.cancel()
        await asyncio.gather(raw, return_exceptions=True)
        assert session.windows.wait(LIKES) == inf
        assert await like(session) == LIKES
        await sessions.aclose()

    simulate(main, order="fifo")


def test_a_straggler_ends_no_other_sessions_call() -> None:
    """Raw use outlives a call on its session and is given up with it; its answer comes all the same."""

    async def main(loop: SimulatedLoop) -> None:
        x = StandIn(loop, slowest=0)
        sessions = manager_of(x)
        session, other = sessions.open_account(account()), sessions.open_account(account())
        await like(other)
        x.least = 0.5
        raw = loop.create_task(session.client.request(LIKES))
        await asyncio.sleep(0)
        session.windows.rest("S", 60)
        with pytest.raises(CallFailed):
            await session.call("refused", session.client.check, endpoint="S", timeout=1)
        assert session.windows.in_flight(LIKES) == 0
        x.least = 5
        late = loop.create_task(like(other))
        await raw
        assert not late.done()
        assert (session.unsettled, session.windows.in_flight(LIKES)) == (False, 1)
        await late
        await sessions.aclose()

    simulate(main, order="fifo")
