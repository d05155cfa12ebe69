"""I7: calls in flight plus calls used never exceed a known budget, and nearly all of it is spent."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
import pytest

from tests.simulation.schedule import Order
from tests.simulation.simulated_loop import SimulatedLoop, every_seed, grid
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.accounts.caps import read_caps
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.sessions.responses import RawResponse, XError
from twikit_pool.sessions.saved_ledger import SavedLedger
from twikit_pool.sessions.windows import RateWindows

LENGTH = 900
EPOCH = 1_700_000_000
ORDERS: tuple[Order, ...] = ("fifo", "tasks", "all", "pct")
CALLERS = 8
WALL_DUST = 1e-5
"""Seconds that are lost when a moment is saved as wall-clock time."""

Refusal: TypeAlias = Literal["429", "bare 429", "88 in a 200"]

in_every_order = pytest.mark.parametrize("order", ORDERS)


class JumpingClock:
    """The loop's time, with a wall clock that somebody sets wrong now and then."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.wrong_by = 0.0

    def monotonic(self) -> float:
        return self._loop.time()

    def now(self) -> datetime:
        return datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=self._loop.time() + self.wrong_by)


@dataclass
class Server:
    """X: fixed windows that begin with a call, a limit that may change at any time, a clock of its own."""

    loop: SimulatedLoop
    limit: int = 50
    refusal: Refusal = "429"
    ahead: int = 0
    """Seconds by which its clock is ahead of the true time."""
    slowest: float = 0.5
    began: float = -math.inf
    used: int = 0
    refused: list[float] = field(default_factory=list[float])
    served: Counter[float] = field(default_factory=Counter[float])
    """Calls served, by the beginning of their window."""

    def count(self) -> bool:
        """A call arrives; whether it is served."""
        now = self.loop.time()
        if now >= self.began + LENGTH:
            self.began, self.used = now, 0
        if self.used >= self.limit:
            self.refused.append(now)
            return False
        self.used += 1
        self.served[self.began] += 1
        return True

    def answer(self) -> RawResponse:
        well, now = self.count(), EPOCH + self.loop.time() + self.ahead
        silent = not well and self.refusal == "bare 429"
        return RawResponse(
            endpoint="S",
            method="GET",
            status=200 if well or self.refusal == "88 in a 200" else 429,
            errors=() if well else (XError(code=88, message=""),),
            limit=None if silent else self.limit,
            remaining=None if silent else max(0, self.limit - self.used),
            reset=None if silent else math.ceil(EPOCH + self.began + LENGTH + self.ahead),
            date=math.floor(now),
        )

    async def call(self) -> RawResponse:
        """A request that reaches X even if nobody waits for its answer any more."""
        answered: asyncio.Future[RawResponse] = self.loop.create_future()

        def arrive() -> None:
            response = self.answer()
            if not answered.done():
                answered.set_result(response)

        self.loop.call_later(grid(self.loop.rng, self.slowest), arrive)
        response = await answered
        await asyncio.sleep(grid(self.loop.rng, self.slowest))  # answers overtake one another here
        return response


class Fleet:
    """Callers of one account that send whenever its ledger lets them."""

    def __init__(self, loop: SimulatedLoop, server: Server, caps: str = "none") -> None:
        self.loop, self.server = loop, server
        self.clock = JumpingClock(loop)
        self.windows = RateWindows(self.clock, loop.rng, self.changed, read_caps({"S": caps}))
        self.sent: list[float] = []
        self._changed = loop.create_future()

    def changed(self, _endpoint: str) -> None:
        if not self._changed.done():
            self._changed.set_result(None)
        self._changed = self.loop.create_future()

    async def caller(self, until: float, *, patience: Callable[[], float] = lambda: math.inf) -> None:
        while (now := self.loop.time()) < until:
            if wait := self.windows.wait("S"):
                await asyncio.wait([self._changed], timeout=min(wait, until - now))
                continue
            self.windows.sent("S")
            self.sent.append(now)
            call = self.loop.create_task(self.server.call())
            await asyncio.wait([call], timeout=patience())
            if call.done():
                self.windows.note(call.result())
            else:
                self.windows.lost("S")
                if self.loop.rng.random() < 0.5:  # the answer is read all the same, later
                    self.windows.note(await call, given_up=True)
                else:
                    call.cancel()

    async def spend(self, seconds: float, *, patience: Callable[[], float] = lambda: math.inf) -> None:
        until = self.loop.time() + seconds
        await asyncio.gather(*(self.caller(until, patience=patience) for _ in range(CALLERS)))


async def set_clocks_wrong(fleet: Fleet, seconds: float) -> None:
    """The wall clock jumps by up to an hour, again and again."""
    for _ in range(8):
        await asyncio.sleep(seconds / 8)
        fleet.clock.wrong_by = fleet.loop.rng.choice((-3600, -120, 0, 120, 3600))


@in_every_order
@pytest.mark.parametrize("refusal", ["429", "bare 429", "88 in a 200"])
def test_i7_windows_are_spent_to_the_last_call_and_none_is_refused(refusal: Refusal, order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, refusal=refusal, ahead=loop.rng.choice((-7777, 0, 33)))
        fleet, seconds = Fleet(loop, server), 4 * LENGTH
        await asyncio.gather(fleet.spend(seconds), set_clocks_wrong(fleet, seconds))
        assert server.refused == []
        assert len(server.served) == 4
        assert list(server.served.values()) == [50] * 4

    every_seed(main, range(4), order=order)


@in_every_order
@pytest.mark.parametrize("ways", [(80, 20), (20, 80), (50, 1), (1, 50)], ids=str)
def test_i7_a_limit_that_changes_between_windows_is_learned_by_the_probe(
    ways: tuple[int, int], order: Order
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        before, after = ways
        server = Server(loop, limit=before)
        fleet = Fleet(loop, server)
        await fleet.spend(LENGTH - 50)
        server.limit = after
        await fleet.spend(LENGTH + 60)
        assert server.refused == []
        assert list(server.served.values()) == [before, after, after]

    every_seed(main, range(4), order=order)


@in_every_order
def test_i7_a_limit_that_rises_within_a_window_is_spent(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, limit=60)
        fleet = Fleet(loop, server)
        loop.call_later(grid(loop.rng, 1.0) + 0.5, setattr, server, "limit", 200)
        await fleet.spend(LENGTH - 10)
        assert server.refused == []
        assert list(server.served.values()) == [200]

    every_seed(main, range(10), order=order)


@in_every_order
@pytest.mark.parametrize("refusal", ["429", "88 in a 200"])
def test_i7_a_limit_that_falls_within_a_window_costs_what_was_in_flight(
    refusal: Refusal, order: Order
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, limit=200, refusal=refusal)
        fleet = Fleet(loop, server)

        def fall() -> None:
            server.limit = 30

        loop.call_later(grid(loop.rng, 2.0), fall)
        await fleet.spend(LENGTH - 10)
        assert len(server.refused) <= CALLERS
        assert sum(server.served.values()) >= 30

    every_seed(main, range(10), order=order)


@in_every_order
@pytest.mark.parametrize("refusal", ["429", "bare 429", "88 in a 200"])
def test_i7_somebody_else_who_spends_the_window_costs_what_was_in_flight(
    refusal: Refusal, order: Order
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, refusal=refusal)
        fleet = Fleet(loop, server)

        async def in_a_browser() -> None:
            for _ in range(40):
                await asyncio.sleep(grid(loop.rng, 0.1))
                server.count()

        browser = loop.create_task(in_a_browser())
        await fleet.spend(LENGTH - 10)
        await browser
        by_us = len(server.refused) - max(0, 40 - server.limit)
        doublings = 6 if refusal == "bare 429" else 0  # of the wait, until it is a window
        assert by_us <= 40 + CALLERS + doublings
        late = [at for at in server.refused if at > 20]
        assert len(late) <= doublings

    every_seed(main, range(6), order=order)


@in_every_order
def test_i7_calls_that_are_cut_short_count(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server, rng = Server(loop), loop.rng
        fleet = Fleet(loop, server)
        await fleet.spend(3 * LENGTH, patience=lambda: rng.choice((0.1, 0.4, 5.0)))
        assert server.refused == []
        assert fleet.windows.in_flight("S") == 0
        assert all(served > 25 for served in server.served.values())

    every_seed(main, range(6), order=order)


# ---------------------------------------------------------------- restarts


def restarted(fleet: Fleet, saved: SavedLedger, jump: float) -> Fleet:
    """Another process with what the first one saved, after somebody has set the clock."""
    again = Fleet(fleet.loop, fleet.server)
    again.clock.wrong_by = jump
    again.windows.restore(msgspec.json.decode(msgspec.json.encode(saved), type=SavedLedger))
    return again


@in_every_order
@pytest.mark.parametrize("jump", [0, -120, -3600, 120, 3600])
@pytest.mark.parametrize("how", ["saved cleanly", "killed"])
def test_i7_a_restart_in_mid_window_exceeds_nothing(how: str, jump: float, order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, limit=120)
        fleet = Fleet(loop, server)
        until_killed = 2 + grid(loop.rng, 5)
        running = loop.create_task(fleet.spend(until_killed + 100))
        await asyncio.sleep(until_killed)
        if how == "killed":
            before = len(fleet.sent)
            saved = fleet.windows.saved(margin=3 * CALLERS)
            await asyncio.sleep(grid(loop.rng, 1.0))
            assert len(fleet.sent) - before <= 3 * CALLERS
        else:
            saved = fleet.windows.saved()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        again = restarted(fleet, saved, jump)
        await again.spend(LENGTH - loop.time() - 10)
        # A clock that was set forward may have ended the window for us; then one call finds out.
        assert len(server.refused) <= (jump > 0)
        if jump == 0:
            assert sum(server.served.values()) >= 0.99 * 120 or how == "killed"

    every_seed(main, range(6), order=order)


@in_every_order
def test_i7_a_window_used_up_before_a_restart_is_not_asked(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop)
        fleet = Fleet(loop, server)
        await fleet.spend(60)
        again = restarted(fleet, fleet.windows.saved(), loop.rng.choice((0, -120, -3600)))
        await again.spend(2 * LENGTH)
        assert server.refused == []
        assert [server.served[began] for began in list(server.served)[:2]] == [50, 50]

    every_seed(main, range(4), order=order)


@in_every_order
def test_i7_a_cap_holds_over_restarts(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        server = Server(loop, limit=1000)
        fleet, sent = Fleet(loop, server, "40/600s"), list[float]()
        for _ in range(6):
            await fleet.spend(loop.rng.choice((1.0, 30.0, 400.0)))
            sent += fleet.sent
            saved = fleet.windows.saved()
            fleet = Fleet(loop, server, "40/600s")
            fleet.windows.restore(msgspec.json.decode(msgspec.json.encode(saved), type=SavedLedger))
        for at in sent:
            assert sum(at - 600 + WALL_DUST < each <= at for each in sent) <= 40
        assert len(sent) >= 40 * (1 + loop.time() // 601)

    every_seed(main, range(6), order=order)


# ---------------------------------------------------------------- what LOW requests leave to others


@in_every_order
@pytest.mark.parametrize("per_account", [1, 2])
def test_low_requests_leave_a_share_to_others_and_lose_nothing(per_account: int, order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, limit=50)
        config = ConnectionPoolConfig(
            acquire_timeout=None, low_priority_reserve=0.2, max_connections_per_account=per_account
        )
        pool = pool_of(x, 1, config)
        at = grid(loop.rng, 400)  # more than half the window is left, so 5 of 50 calls are kept

        async def hungry() -> None:
            while loop.time() < LENGTH - 10:
                await one_call(pool, ConnectionPriority.LOW)

        async def in_a_hurry() -> None:
            await asyncio.sleep(at)
            for _ in range(5):
                await one_call(pool, ConnectionPriority.NORMAL)
            assert loop.time() - at < 10, "it had to wait for the next window"

        async with pool:
            low = [loop.create_task(hungry()) for _ in range(4)]
            await in_a_hurry()
            await asyncio.sleep(LENGTH - 5 - loop.time())
            for task in low:
                task.cancel()
            await asyncio.gather(*low, return_exceptions=True)
        assert x.over_limit == 0
        assert x.calls["FavoriteTweet"] == 50

    every_seed(main, range(6), order=order)


async def one_call(pool: TwikitConnectionPool, priority: ConnectionPriority) -> None:
    async with pool.acquire(ConnectionRequest(action="like_tweet", priority=priority)) as lease:
        await lease.execute("like_tweet", tweet_id="1")
