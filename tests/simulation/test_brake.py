"""The brake between a pool's calls and X: turns in every order, cancelled at every step, stopped and lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from tests.simulation.simulated_loop import (
    CancelAtHandOff,
    CancelRandomly,
    Order,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped, LeaseLost, PoolClosed
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, TwikitConnectionPool
from twikit_pool.redaction import Secret
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken


def settings(calls: int, **more: object) -> ConnectionPoolConfig:
    """So many calls at once, and nothing that happens by itself."""
    return ConnectionPoolConfig.from_mapping(
        {"max_concurrent_calls": calls, "enable_health_checks": False, "leak_warning": None, **more}
    )


class Busy:
    """Looks between any two steps at how many calls run, in all and through each proxy."""

    def __init__(self, x: SimulatedX, pool: TwikitConnectionPool) -> None:
        self.x = x
        self.pool = pool
        self.most = 0

    def look(self) -> None:
        running = sum(link._busy for link in self.x.links)
        told = self.pool.brake()
        self.most = max(self.most, running)
        assert running <= told.fleet.in_flight
        for each in (told.fleet, *told.proxies):
            assert each.in_flight <= each.limit
            assert each.waiting >= 0
        room = told.fleet.in_flight < told.fleet.limit
        for each in told.proxies:
            waits = each.waiting and each.in_flight < each.limit
            assert not (room and waits), f"{each} has room, and so has {told.fleet}"
        assert told.fleet.waiting == sum(each.waiting for each in told.proxies)

    def at_rest(self) -> None:
        told = self.pool.brake()
        for each in (told.fleet, *told.proxies):
            assert (each.in_flight, each.waiting) == (0, 0)


PROXIED = [
    account(f"a{number}", proxy=Secret(f"http://user:canary@p{number % 2}.test:1") if number % 3 else None)
    for number in range(8)
]


async def many_callers(loop: SimulatedLoop) -> None:
    x = SimulatedX(loop, slowest=0.2)
    pool = pool_of(x, PROXIED, settings(3, enable_brake=False))
    async with pool:
        for proxied in PROXIED[1:3]:  # what a proxy bears that is in trouble
            assert proxied.proxy is not None
            way = pool.calls.brake._new_way(proxied.proxy.reveal())
            way.limit.set_bounds(1, adaptive=False)
        busy = Busy(x, pool)
        loop.watch = busy.look

        async def call(number: int) -> None:
            await asyncio.sleep(grid(loop.rng, 1.0))
            priority = loop.rng.choice(tuple(ConnectionPriority))
            request = ConnectionRequest(priority=priority)
            with suppress(CallFailed, LeaseLost):
                async with pool.acquire(request) as lease:
                    for _ in range(2):
                        timeout = loop.rng.choice((None, None, 0.3))
                        await lease.call(
                            "mine",
                            lambda client: client.request("FavoriteTweet", str(number)),
                            endpoint="FavoriteTweet",
                            timeout=timeout,
                        )

        async def change() -> None:
            for _ in range(3):
                await asyncio.sleep(grid(loop.rng, 1.0))
                for waiting in list(pool.connections())[:1]:
                    pool._lifecycle.close(waiting, "on a whim")

        work = [loop.create_task(call(number), name=f"caller-{number}") for number in range(30)]
        await asyncio.wait([*work, loop.create_task(change())])
        for each in work:
            if not each.cancelled() and each.exception() is not None:
                raise each.exception() or AssertionError
        loop.watch = None
        busy.at_rest()
        assert 0 < busy.most <= 3
        assert not x.misuses


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i3_everyone_has_a_turn_and_never_more_than_allowed(order: Order) -> None:
    every_seed(many_callers, range(12), order=order)


def test_i4_callers_that_are_cancelled_pass_their_turns_on() -> None:
    every_seed(many_callers, range(20), cancel=CancelAtHandOff("caller"))
    every_seed(many_callers, range(20), cancel=CancelRandomly("caller", 0.05))


def test_i4_cancelled_at_any_step_a_call_that_waits_leaves_nothing_behind() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        async with pool_of(x, 3, settings(1)) as pool:
            busy = Busy(x, pool)
            loop.watch = busy.look

            async def call(number: int) -> None:
                await pool.execute("like_tweet", tweet_id="1", account=f"a{number}")

            ahead = loop.create_task(call(0))
            await asyncio.sleep(0)
            victim = loop.create_task(call(1), name="victim")
            await asyncio.sleep(0)
            behind = loop.create_task(call(2))
            await asyncio.wait([ahead, victim, behind])
            assert behind.exception() is None
            loop.watch = None
            busy.at_rest()

    assert cancel_at_every_step(scene) >= 4


def test_i3_who_leaves_makes_way_for_those_behind_at_its_proxy() -> None:
    async def main(loop: SimulatedLoop) -> None:
        proxied = [account(f"p{each}", proxy=Secret("http://proxy.test:1")) for each in range(3)]
        accounts = [account("d0"), account("d1"), *proxied]
        async with pool_of(SimulatedX(loop), accounts, settings(2, enable_brake=False)) as pool:
            pool.calls.brake._new_way("http://proxy.test:1").limit.set_bounds(1, adaptive=False)

            async def call(account_id: str, seconds: float, *, urgent: bool = False) -> None:
                priority = ConnectionPriority.EMERGENCY if urgent else ConnectionPriority.NORMAL
                request = ConnectionRequest(account_id=account_id, priority=priority)
                async with pool.acquire(request) as lease:
                    await lease.call("mine", lambda _: asyncio.sleep(seconds))

            running = [loop.create_task(call("d0", 2.0)), loop.create_task(call("p0", 1.0))]
            await asyncio.sleep(0.1)
            leaves = loop.create_task(call("p1", 1.0))
            await asyncio.sleep(0.1)
            behind = loop.create_task(call("p2", 1.0))
            urgent = loop.create_task(call("d1", 20.0, urgent=True))
            await asyncio.sleep(1.0)  # p0's turn has gone to the urgent one, and p1 is next
            leaves.cancel()
            await asyncio.sleep(3.0)
            assert behind.done()
            await asyncio.wait([*running, leaves, urgent])

    simulate(main, order="fifo")


def test_i5_turns_come_by_priority_and_age() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1.0)
        async with pool_of(x, 8, settings(1)) as pool:
            order: list[str] = []

            async def call(name: str, priority: ConnectionPriority, after: float = 0.0) -> None:
                await asyncio.sleep(after)
                async with pool.acquire(ConnectionRequest(priority=priority)) as lease:
                    await lease.call("mine", lambda client: client.request("Likes", name))
                    order.append(name)

            async def hold(_: object) -> None:
                await asyncio.sleep(22)

            async with pool.acquire() as lease, asyncio.TaskGroup() as tasks:
                tasks.create_task(lease.call("mine", hold, timeout=29))
                await asyncio.sleep(0.1)
                tasks.create_task(call("low", ConnectionPriority.LOW))
                tasks.create_task(call("normal", ConnectionPriority.NORMAL))
                tasks.create_task(call("critical", ConnectionPriority.CRITICAL))
                tasks.create_task(call("late", ConnectionPriority.NORMAL, after=15))
                tasks.create_task(call("latest", ConnectionPriority.EMERGENCY, after=19))
            assert order == ["critical", "normal", "latest", "low", "late"]

    simulate(main, order="fifo")


def test_a_call_whose_time_is_over_says_that_the_brake_held_it_back() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.1)
        async with pool_of(x, 3, settings(1)) as pool, pool.acquire() as one, pool.acquire() as other:

            async def hold(_: object) -> None:
                await asyncio.sleep(2)

            holding = loop.create_task(one.call("mine", hold))
            await asyncio.sleep(0.1)
            began = loop.time()
            with pytest.raises(
                CallFailed, match="nothing was sent: the brake allows 1 calls at once"
            ) as failed:
                await other.execute("get_user_by_id", user_id="1", timeout=1.0)
            assert 1.0 <= loop.time() - began <= 1.03
            verdict = failed.value.verdict
            assert (verdict.outcome, verdict.taken, verdict.held_back) == (Outcome.TRANSIENT, Taken.NO, True)
            assert verdict.endpoint == "UserByRestId"
            assert (other.info.error_count, x.sent) == (0, [])
            began = loop.time()
            await other.execute("get_user_by_id", user_id="1", timeout=2.0)  # what is left suffices
            assert loop.time() - began <= 2.0
            await holding

    every_seed(main, range(5))


def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.1)
        async with pool_of(x, 2, settings(1)) as pool, pool.acquire() as one, pool.acquire() as other:
            late = loop.create_task(one.call("mine", lambda _: asyncio.sleep(1.005)))
            await asyncio.sleep(0)
            with pytest.raises(CallFailed, match="nothing was sent"):  # deadlines are met 20 ms late at most
                await other.execute("get_user_by_id", user_id="1", timeout=1.0)
            await late
            assert (x.sent, pool.brake().fleet.in_flight) == ([], 0)

    simulate(main, order="fifo")


def test_i8_an_emergency_stop_ends_the_waiting_of_all_that_is_not_critical() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1.0)
        async with pool_of(x, 4, settings(1)) as pool:
            held = await pool.acquire()

            async def call(priority: ConnectionPriority) -> None:
                async with pool.acquire(ConnectionRequest(priority=priority)) as lease:
                    await lease.execute("like_tweet", tweet_id="1")

            calls = [loop.create_task(call(ConnectionPriority.NORMAL))]
            await asyncio.sleep(0.01)
            calls += [
                loop.create_task(call(each))
                for each in (ConnectionPriority.HIGH, ConnectionPriority.CRITICAL)
            ]
            await asyncio.sleep(0.01)
            assert (pool.brake().fleet.waiting, len(x.sent)) == (2, 1)
            pool.emergency_stop("drill")
            await asyncio.sleep(0)
            assert pool.brake().fleet.waiting == 1
            with pytest.raises(EmergencyStopped):  # at once, not when its turn comes
                await held.execute("like_tweet", tweet_id="1")
            assert pool.brake().fleet.in_flight == 1
            held.release()
            await asyncio.wait(calls)
            assert calls[0].exception() is None  # it had left
            assert isinstance(calls[1].exception(), EmergencyStopped)
            assert calls[2].exception() is None
            assert len(x.sent) == 2

    every_seed(main, range(10))


@pytest.mark.parametrize("end", ["drain", "shutdown", "reclaim", "close", "release"])
def test_i1_a_lease_that_is_lost_sends_nothing_any_more(end: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.1)
        lease_timeout = 2.0 if end == "reclaim" else None
        pool = pool_of(x, 2, settings(1, lease_timeout=lease_timeout))
        async with pool:
            holder, waits = await pool.acquire(), await pool.acquire()

            async def hold(_: object) -> None:
                await asyncio.sleep(10)

            holding = loop.create_task(holder.call("mine", hold))
            await asyncio.sleep(0.1)
            waiting = loop.create_task(waits.execute("like_tweet", tweet_id="1"))
            await asyncio.sleep(0.1)
            assert pool.brake().fleet.waiting == 1
            match end:
                case "drain":
                    await pool.drain(0)
                case "shutdown":
                    await pool.shutdown(0)
                case "reclaim":
                    await asyncio.sleep(2)
                case "close":
                    pool._lifecycle.close(waits.connection, "on a whim")
                    await asyncio.sleep(0.01)
                    assert waiting.done()  # long before its turn
                    await asyncio.wait([holding])
                case _:
                    waits.release()
                    await asyncio.sleep(10)  # nobody else can have it mistaken for theirs
            await asyncio.sleep(0.1)
            assert waiting.done()
            assert isinstance(waiting.exception(), LeaseLost)
            await asyncio.wait([holding])
            holding.exception()
            assert x.sent == []
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (0, 0)

    every_seed(main, range(3))


def test_other_settings_hold_at_once() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1.0)
        async with pool_of(x, 8, settings(1)) as pool:
            work = [loop.create_task(pool.execute("like_tweet", tweet_id="1")) for _ in range(8)]
            await asyncio.sleep(0.05)
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (1, 7)
            pool.reconfigure(max_concurrent_calls=3)
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (3, 5)
            pool.reconfigure(enable_brake=False, max_concurrent_calls=100)
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (8, 0)
            assert pool.brake().fleet.limit == 100
            await asyncio.wait(work)

    simulate(main)


class Queueing(SimulatedX):
    """Works on so many calls at a time; fails all while it is down."""

    def __init__(self, loop: SimulatedLoop, capacity: int) -> None:
        super().__init__(loop)
        self.slots = asyncio.Semaphore(capacity)
        self.down = False


async def drive(
    loop: SimulatedLoop, x: SimulatedX, pool: TwikitConnectionPool, service: object
) -> Counter[int]:
    """Callers without a pause on every account; returns the calls that went well, by second."""
    done: Counter[int] = Counter()

    async def call(number: int) -> None:
        while loop.time() < 110:
            try:
                async with pool.acquire(ConnectionRequest(account_id=f"a{number}", timeout=200)) as lease:
                    await lease.call("mine", service, endpoint="Likes")  # type: ignore[arg-type]
                done[int(loop.time())] += 1
            except (CallFailed, AcquireTimeoutError):
                await asyncio.sleep(0.05)

    await asyncio.gather(*(call(number) for number in range(60)))
    return done


def test_a_pool_keeps_a_queueing_server_busy_and_survives_its_outage() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Queueing(loop, 30)

        async def service(_: object) -> None:
            if x.down:
                raise ConnectionResetError
            async with x.slots:
                await asyncio.sleep(0.3 * loop.rng.lognormvariate(0, 0.3))
                if x.down:
                    raise ConnectionResetError

        config = settings(1000, enable_circuits=False, call_timeout=5.0)
        async with pool_of(x, 60, config) as pool:
            loop.call_at(40, setattr, x, "down", True)
            loop.call_at(70, setattr, x, "down", False)
            done = await drive(loop, x, pool, service)
            best = 30 / 0.3 / 1.046
            assert sum(done[each] for each in range(10, 40)) >= 0.95 * best * 30
            assert sum(done[each] for each in range(90, 110)) >= 0.95 * best * 20

    simulate(main, max_steps=5_000_000)


def test_i3_a_drain_ends_calls_that_wait_and_refuses_who_comes() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1.0)
        async with pool_of(x, 8, settings(1)) as pool:
            work = [loop.create_task(pool.execute("like_tweet", tweet_id="1")) for _ in range(20)]
            await asyncio.sleep(0.5)
            await pool.drain(0.2)
            await asyncio.wait(work)
            errors = [each.exception() for each in work]
            assert all(isinstance(each, None | LeaseLost | PoolClosed | CallFailed) for each in errors)
            assert (pool.brake().fleet.in_flight, pool.brake().fleet.waiting) == (0, 0)

    every_seed(main, range(10))
