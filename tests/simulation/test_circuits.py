"""Circuits, in every order: what is broken is tried by one at a time, and benches nobody who is well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import httpx
import pytest

from tests.simulation.__main__ import CANCELS, ORDERS
from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import Order, SimulatedLoop, cancel_at_every_step, every_seed, grid
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.simulation.worlds import WORLDS
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped, LibraryOutOfDate, PoolClosed
from twikit_pool.events import CircuitClosed, CircuitEvent, CircuitOpened
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.pool.connection import PooledTwikitConnection
from twikit_pool.pool.member import Bar
from twikit_pool.pool.pool import CLOSING_PATIENCE
from twikit_pool.sessions.actions import Action, parse_action
from twikit_pool.sessions.outcomes import CallFailed

CALM: Final = ConnectionPoolConfig(
    acquire_timeout=None, enable_health_checks=False, leak_warning=None, max_idle_time=None
)
READ: Final = parse_action("get_user_by_id", {"user_id": "1"})
LIKE: Final = parse_action("like_tweet", {"tweet_id": "1"})
NO_PROXY: Final = httpx.ProxyError("the proxy is gone")

in_every_order = pytest.mark.parametrize("order", ORDERS)

Broken = Callable[[str, str], "int | Exception | None"]


class Probed(Watch):
    """Also sees that one at a time tries what is not closed, and that nobody is benched for others."""

    def __init__(self, x: SimulatedX, pool: TwikitConnectionPool, *, ill: str | None = None) -> None:
        super().__init__(x, [pool])
        self._pool = pool
        self._ill = ill
        self._trying: set[str] = set()
        self._made = pool.calls._heeding_circuits
        pool.calls._heeding_circuits = self._making  # type: ignore[method-assign]

    def look(self) -> None:
        super().look()
        for member in self._pool.accounts():
            assert Bar.CIRCUIT not in member.bars or member.id == self._ill, f"{member.id} is benched"

    async def _making(
        self,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        call: Callable[[float], Awaitable[Any]],
        seconds: float,
    ) -> Any:
        async def tried(deadline: float) -> Any:
            needed = {"X", connection.account_id, endpoint}
            tries = {each.name for each in self._pool.circuits() if each.name in needed}
            assert not tries & self._trying, f"two try {tries & self._trying} at once"
            self._trying |= tries
            try:
                return await call(deadline)
            finally:
                self._trying -= tries

        return await self._made(connection, name, endpoint, tried, seconds)


async def caller(pool: TwikitConnectionPool, times: int, what: Action, pause: float = 0.2) -> int:
    """Do one thing so often, some pause apart; how often it was done."""
    done = 0
    for _ in range(times):
        with suppress(CallFailed):
            await pool.execute(what)
            done += 1
        await asyncio.sleep(grid(pool.rng, pause))
    return done


def until(loop: SimulatedLoop, end: float, broken: Broken) -> Broken:
    """Broken like this until then."""
    return lambda account_id, endpoint: broken(account_id, endpoint) if loop.time() < end else None


# ---------------------------------------------------------------- X is down


@in_every_order
@pytest.mark.parametrize("how", [503, httpx.ConnectError("no route")], ids=["5xx", "no connection"])
def test_while_x_is_down_one_at_a_time_tries_and_all_who_wait_are_served_when_it_is_back(
    order: Order, how: int | Exception
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 6, CALM) as pool:
            watch = Probed(x, pool)
            loop.watch = watch.look
            with pool.events.subscribe(CircuitEvent) as heard:
                await caller(pool, 5, READ)
                x.broken = until(loop, loop.time() + 60, lambda *_: how)
                sent = len(x.sent)
                crowd = [loop.create_task(caller(pool, 1, READ)) for _ in range(20)]
                crowd += [loop.create_task(caller(pool, 1, LIKE)) for _ in range(20)]
                await asyncio.sleep(50)
                (down,) = (each for each in pool.circuits() if each.kind == "x")
                assert down.reason.startswith("X is down: ")
                # Those who were under way when it opened, then one try after the other, 1, 2, 4, … s apart.
                assert len(x.sent) - sent <= 3 * 6 + 8
                assert not any(each.bars for each in pool.accounts())
                late = [loop.create_task(caller(pool, 1, READ)) for _ in range(20)]
                await asyncio.sleep(1)
                assert pool.waiting >= 20
                await asyncio.sleep(45)
                assert all(each.done() for each in (*crowd, *late))
                assert sum([await each for each in late]) == 20
                events = [each for each in heard.take() if isinstance(each, CircuitEvent)]
            assert not pool.circuits()
            assert pool.matching.shut == 0
            assert pool.matching.trials is None
            closed = [each for each in events if isinstance(each, CircuitClosed) and each.kind == "x"]
            assert len(closed) == 1
            assert 50 <= closed[0].seconds_open <= 95
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(4), order=order)


@in_every_order
def test_the_tries_go_from_account_to_account(order: Order) -> None:
    """An account that fails by itself must not keep X shut for all when its try is the one that counts."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, CALM) as pool:
            end = loop.time() + 20
            x.broken = lambda account_id, _: NO_PROXY if account_id == "a0" or loop.time() < end else None
            crowd = [loop.create_task(caller(pool, 40, READ)) for _ in range(6)]
            await asyncio.sleep(130)
            assert not any(each.kind == "x" for each in pool.circuits())
            assert all(each.done() for each in crowd)

    every_seed(main, range(4), order=order)


@in_every_order
def test_no_write_is_tried_while_a_read_can_be(order: Order) -> None:
    """Of a write that fails nobody knows whether X took it, so it is not sent again."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, CALM) as pool:
            x.broken = until(loop, 600, lambda *_: 503)
            early = [loop.create_task(caller(pool, 1, each)) for each in (READ, LIKE, READ, LIKE)]
            await asyncio.sleep(5)
            assert [each.kind for each in pool.circuits()] == ["x"]
            reads = [loop.create_task(caller(pool, 1, READ)) for _ in range(20)]
            writes = [loop.create_task(caller(pool, 1, LIKE)) for _ in range(50)]
            await asyncio.wait([*reads, *early, *writes])
            assert loop.time() > 600
            assert sum(map(asyncio.Task.result, writes)) == 50

    every_seed(main, range(3), order=order)


async def all_dead_then_a0_alone(x: SimulatedX, pool: TwikitConnectionPool) -> None:
    """Nobody finds a way to X until X is taken to be down; from then on it is a0 alone."""
    x.broken = lambda *_: NO_PROXY
    crowd = [asyncio.ensure_future(caller(pool, 1, each)) for each in (READ, LIKE) for _ in range(6)]
    await asyncio.sleep(5)
    assert any(each.kind == "x" for each in pool.circuits())
    for each in crowd:
        each.cancel()
    await asyncio.wait(crowd)
    x.broken = lambda account_id, _: NO_PROXY if account_id == "a0" else None


@in_every_order
def test_an_account_that_spends_nothing_since_it_fails_has_not_try_after_try(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05, limit=100)
        async with pool_of(x, 4, CALM) as pool:
            for each in ("a1", "a2", "a3"):
                for _ in range(30):
                    await pool.execute(READ, account=each)
            assert {each.id: each.tier for each in pool.accounts()} == {"a0": 0, "a1": 1, "a2": 1, "a3": 1}
            await all_dead_then_a0_alone(x, pool)
            await pool.execute(READ, deadline=30)

    every_seed(main, range(4), order=order)


def test_newcomers_do_not_all_try_on_the_account_that_has_just_failed() -> None:
    """The one used last is taken first, but not by who tries: nobody waits here who would try another."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, CALM) as pool:
            await all_dead_then_a0_alone(x, pool)
            await asyncio.sleep(60)
            asked: list[str | None] = ["a0", None, None]
            for account_id in asked:
                async with pool.acquire(ConnectionRequest(account_id=account_id, timeout=5)) as lease:
                    with suppress(CallFailed):
                        await lease.execute(READ)
                await asyncio.sleep(60)
            assert not pool.circuits()

    every_seed(main, range(6))


@in_every_order
def test_a_crowd_that_waits_for_an_account_that_fails_does_not_make_all_the_tries(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, CALM) as pool:
            await asyncio.sleep(1)
            x.broken = lambda *_: NO_PROXY
            crowd = [loop.create_task(pool.execute(READ, account="a0")) for _ in range(100)]
            await asyncio.sleep(1)
            await all_dead_then_a0_alone(x, pool)
            done, _ = await asyncio.wait([loop.create_task(pool.execute(LIKE))], timeout=30)
            assert done, "X is shut for all, though a0 alone is ill"
            for each in crowd:
                each.cancel()
            await asyncio.wait(crowd)

    every_seed(main, range(4), order=order)


@in_every_order
@pytest.mark.parametrize("how", [503, NO_PROXY], ids=["5xx", "no connection"])
@pytest.mark.parametrize("most", [1, 2])
def test_with_few_connections_x_is_seen_to_be_down_as_well(
    order: Order, most: int, how: int | Exception
) -> None:
    """Other accounts have no connection, so they can neither fail nor do well."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 10, CALM.changed(max_connections=most, initial_connections=most)) as pool:
            x.broken = until(loop, 60, lambda *_: how)
            crowd = [loop.create_task(caller(pool, 10, each)) for each in (READ, LIKE) for _ in range(5)]
            await asyncio.wait(crowd)
            assert sum(map(asyncio.Task.result, crowd)) >= 80
            assert not pool.circuits()

    every_seed(main, range(3), order=order)


@in_every_order
@pytest.mark.parametrize("floor", [1, 4])
def test_accounts_without_a_connection_try_as_well(order: Order, floor: int) -> None:
    """All whose connections are open have lost their proxy; the others are well, and X is not down."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        config = CALM.changed(max_connections=4, initial_connections=4, min_connections=floor)
        async with pool_of(x, 20, config) as pool:
            await asyncio.sleep(1)
            watch = Watch(x, [pool])
            loop.watch = watch.look
            dead = {each.account_id for each in pool.connections()}
            x.broken = lambda account_id, _: NO_PROXY if account_id in dead else None
            crowd = [loop.create_task(caller(pool, 5, each)) for each in (READ, LIKE) for _ in range(4)]
            await asyncio.sleep(120)
            assert not any(each.kind == "x" for each in pool.circuits())
            assert all(each.done() for each in crowd)
            assert sum(map(asyncio.Task.result, crowd)) >= 30
            await asyncio.sleep(60)
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(3), order=order)


# ---------------------------------------------------------------- one endpoint, one account


@in_every_order
def test_a_broken_endpoint_stops_nothing_else_and_benches_nobody(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 5, CALM) as pool:
            watch = Probed(x, pool)
            loop.watch = watch.look
            end = loop.time() + 40
            x.broken = until(loop, end, lambda _, endpoint: 503 if endpoint == "UserByRestId" else None)
            readers = [loop.create_task(caller(pool, 3, READ)) for _ in range(10)]
            likers = [loop.create_task(caller(pool, 100, LIKE)) for _ in range(3)]
            await asyncio.sleep(35)
            assert sum([await each for each in likers]) == 300
            (circuit,) = pool.circuits()
            assert (circuit.kind, circuit.name) == ("endpoint", "UserByRestId")
            assert x.calls["UserByRestId"] <= 5 + 5 + 7
            await asyncio.sleep(70)
            assert all(each.done() for each in readers)
            assert not pool.circuits()
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(4), order=order)


@in_every_order
@pytest.mark.parametrize("most", [1, 3])
def test_an_account_without_a_way_to_x_gets_its_tries_and_hurts_nobody_else(order: Order, most: int) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        config = CALM.changed(max_connections_per_account=most)
        async with pool_of(x, 4, config) as pool:
            watch = Probed(x, pool, ill="a1")
            loop.watch = watch.look
            end = loop.time() + 200
            x.broken = until(loop, end, lambda account_id, _: NO_PROXY if account_id == "a1" else None)
            crowd = [loop.create_task(caller(pool, 150, READ, 2.0)) for _ in range(6)]
            named = loop.create_task(pool.execute("get_user_by_id", account="a1", user_id="1"))
            named.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.sleep(20)
            (circuit,) = pool.circuits()
            assert (circuit.kind, circuit.name) == ("account", "a1")
            assert "no connection to X (ProxyError)" in circuit.reason
            assert "a1" in pool.ill_accounts()
            sent = x.sent.count("a1")
            assert sent <= 3 + most
            await asyncio.sleep(170)
            assert x.sent.count("a1") <= sent + 3  # 30, then 60, then 120 s apart
            await asyncio.sleep(500)
            await pool.execute("get_user_by_id", account="a1", user_id="1")
            assert not pool.circuits()
            assert all(each.done() for each in crowd)
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(4), order=order)


def test_calls_by_hand_that_fail_bench_nobody_who_is_well() -> None:
    """Nobody knows whether others do well at the same."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 3, CALM) as pool:
            x.broken = lambda _, endpoint: 503 if endpoint == "AudioSpaces" else None
            for _ in range(8):
                async with pool.acquire(ConnectionRequest(account_id="a0", timeout=5)) as lease:
                    with pytest.raises(CallFailed, match="X answered 503"):
                        await lease.call("spaces", lambda client: client.request("AudioSpaces", ""))
                await pool.execute(LIKE, account="a1")
            assert not pool.circuits()

    every_seed(main, range(3))


@in_every_order
def test_accounts_that_are_well_are_not_benched_while_x_fails_at_random(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 8, CALM) as pool:
            watch = Probed(x, pool)
            loop.watch = watch.look
            x.broken = lambda *_: 503 if loop.rng.random() < 0.4 else None
            await asyncio.gather(*(caller(pool, 60, READ) for _ in range(8)))
            loop.watch = None

    every_seed(main, range(4), order=order)


# ---------------------------------------------------------------- the library


@in_every_order
def test_what_x_does_not_know_any_more_is_refused_and_tried_now_and_then(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 3, CALM) as pool:
            watch = Probed(x, pool)
            loop.watch = watch.look
            end = loop.time() + 1500
            x.broken = until(loop, end, lambda _, endpoint: 404 if endpoint == "UserByRestId" else None)
            for _ in range(2):
                ends = await asyncio.gather(
                    *(caller(pool, 1, READ) for _ in range(8)), return_exceptions=True
                )
                assert all(each == 0 or isinstance(each, LibraryOutOfDate) for each in ends)
            with pytest.raises(LibraryOutOfDate, match=r"X does not know UserByRestId .*404.*update twifork"):
                await pool.execute("get_user_by_id", user_id="1")
            before = x.calls["UserByRestId"]
            for _ in range(2000):
                with suppress(LibraryOutOfDate, CallFailed):
                    await pool.execute("get_user_by_id", user_id="1")
                assert await caller(pool, 1, LIKE) == 1
                await asyncio.sleep(1)
            tries = x.calls["UserByRestId"] - before - sum(target == "" for _, target in x.done)
            assert 2 <= tries <= 4
            assert not pool.circuits()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(1), order=order)


# ---------------------------------------------------------------- I4: cancelled at any step


@pytest.mark.parametrize("by_hand", [True, False])
def test_i4_a_try_that_is_cancelled_at_any_step_passes_to_the_next(by_hand: bool) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 2, CALM) as pool:
            watch = Probed(x, pool)
            loop.watch = watch.look
            end = loop.time() + 1.5
            x.broken = until(loop, end, lambda *_: httpx.ConnectError("no route"))
            crowd = [loop.create_task(caller(pool, 1, READ)) for _ in range(4)]
            await asyncio.sleep(0.6)
            assert pool.circuits()
            victim = loop.create_task(one_call(pool, by_hand), name="victim")
            behind = [loop.create_task(caller(pool, 3, LIKE)) for _ in range(3)]
            await asyncio.wait([victim, *behind, *crowd], timeout=100)
            assert all(each.done() for each in (victim, *behind, *crowd))
            assert not pool.circuits()
            await asyncio.sleep(1)
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    assert cancel_at_every_step(scene) >= 3


async def one_call(pool: TwikitConnectionPool, by_hand: bool) -> None:
    with suppress(CallFailed):
        if not by_hand:
            await pool.execute("get_user_by_id", priority=ConnectionPriority.EMERGENCY, user_id="1")
            return
        urgent = ConnectionRequest(action="get_user_by_id", priority=ConnectionPriority.EMERGENCY)
        async with pool.acquire(urgent) as lease:
            await asyncio.sleep(0.01)
            await lease.execute("get_user_by_id", user_id="1")


@in_every_order
@pytest.mark.parametrize("cancel", ["random", "handoff"])
def test_i3_everyone_ends_though_anyone_is_cancelled(order: Order, cancel: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 3, CALM.changed(max_connections=2)) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            x.broken = until(loop, loop.time() + 30, lambda *_: 503)
            crowd = [
                loop.create_task(caller(pool, 2, what), name=f"actor-borrower-{number}")
                for number, what in enumerate((READ, LIKE) * 8)
            ]
            await asyncio.wait(crowd, timeout=300)
            assert all(each.done() for each in crowd)
            await asyncio.sleep(100)
            watch.at_rest()
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(6), order=order, cancel=CANCELS[cancel])


# ---------------------------------------------------------------- beside the gate


@in_every_order
def test_i8_and_i9_stops_and_ends_come_as_they_must_while_x_is_down(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        x.broken = lambda *_: 503
        pool = pool_of(x, 4, CALM)
        await pool.open()
        watch = Watch(x, [pool])
        loop.watch = watch.look
        crowd = [loop.create_task(caller(pool, 3, what)) for what in (READ, LIKE) * 10]
        await asyncio.sleep(3 + grid(loop.rng, 3))
        assert any(each.kind == "x" for each in pool.circuits())
        pool.suspend(2.0)
        await asyncio.sleep(3)
        pool.emergency_stop("drill", pause=2)
        await asyncio.sleep(1)
        assert all(isinstance(each.exception(), EmergencyStopped) for each in crowd if each.done())
        assert pool.waiting == 0
        await asyncio.sleep(2)
        crowd += [loop.create_task(caller(pool, 1, READ)) for _ in range(5)]
        await asyncio.sleep(1)
        began = loop.time()
        await pool.drain(1.0)
        assert loop.time() <= began + 1.01
        pool.resume()
        crowd += [loop.create_task(caller(pool, 1, READ)) for _ in range(5)]
        await asyncio.sleep(1)
        began = loop.time()
        await pool.shutdown(1.0)
        assert loop.time() <= began + 1.0 + CLOSING_PATIENCE + 0.01
        await asyncio.wait(crowd)
        loop.watch = None
        watch.after_shutdown()
        assert all(isinstance(each.exception(), EmergencyStopped | PoolClosed | None) for each in crowd)

    every_seed(main, range(4), order=order)


@in_every_order
def test_i12_an_outage_is_no_flood_of_tries(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 10, CALM) as pool:
            x.broken = lambda *_: 503
            crowd = [loop.create_task(caller(pool, 100, what)) for what in (READ, LIKE) * 50]
            await asyncio.sleep(300)
            # 10 at once until it opened, twice for what was under way, then a try each 30 s at the most.
            assert len(x.sent) <= 30 + 5 + 300 / 24
            with pytest.raises(AcquireTimeoutError, match=r"X is down: .* failures in a row"):
                await pool.acquire(ConnectionRequest(timeout=1.0))
            for each in crowd:
                each.cancel()
            await asyncio.wait(crowd)

    every_seed(main, range(2), order=order)


def test_what_opens_is_told_once_for_each_time(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 4, CALM) as pool:
            x.broken = until(loop, loop.time() + 20, lambda *_: NO_PROXY)
            with pool.events.subscribe(CircuitOpened) as heard:
                await asyncio.gather(*(caller(pool, 3, READ) for _ in range(6)))
                opened = [each for each in heard.take() if isinstance(each, CircuitOpened)]
            pauses = [each.seconds for each in opened]
            assert {each.kind for each in opened} == {"x"}
            for number, seconds in enumerate(pauses):
                assert 0.8 * 2**number <= seconds <= 2**number

    every_seed(main, range(3), order="fifo")
    assert "X is down" in caplog.text


# ---------------------------------------------------------------- with all other trouble


@in_every_order
@pytest.mark.parametrize("cancel", ["none", "handoff", "random"])
def test_all_promises_in_worlds_where_things_break(order: Order, cancel: str) -> None:
    every_seed(WORLDS["outages"], range(8), order=order, cancel=CANCELS[cancel])
