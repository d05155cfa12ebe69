"""The smallest scenes of what random worlds once got wrong, or were led to by reading."""

from __future__ import annotations

import asyncio
import threading
from math import inf

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, every_seed, simulate
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import Account
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import (
    AcquireTimeoutError,
    ConfigError,
    EmergencyStopped,
    LeaseLost,
    PoolClosed,
    PoolError,
)
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionRequest,
    ConnectionState,
    PoolHooks,
    TwikitConnectionPool,
)
from twikit_pool.sessions.outcomes import CallFailed

FOR_EVER = ConnectionPoolConfig(acquire_timeout=None)


async def use(pool: TwikitConnectionPool, request: ConnectionRequest | None = None) -> str:
    async with pool.acquire(request) as lease:
        return lease.account_id


def test_an_account_without_a_connection_is_served_though_the_pool_is_full_of_others() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 3, ConnectionPoolConfig(max_connections=2)) as pool:
            await asyncio.sleep(1)
            for account_id in ("a2", "a1", "a0"):
                assert await use(pool, ConnectionRequest(account_id=account_id, timeout=5)) == account_id
            assert len(x.links) <= 5

    simulate(main, max_steps=20_000)


def test_i8_whoever_waits_in_a_suspended_pool_is_refused_by_an_emergency_stop() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            await asyncio.sleep(1)
            pool.suspend()
            low = loop.create_task(use(pool, ConnectionRequest(priority=ConnectionPriority.LOW)))
            await asyncio.sleep(1)
            pool.emergency_stop("drill")
            with pytest.raises(EmergencyStopped):
                await low

    simulate(main)


def test_i3_an_opening_that_outlives_a_drain_is_not_counted_on_after_it() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async def slow_at_first(_: Account) -> None:
            await asyncio.sleep(max(5 - loop.time(), 0))

        config = ConnectionPoolConfig(min_connections=0, initial_connections=0, acquire_timeout=None)
        pool = pool_of(SimulatedX(loop), 1, config, hooks=PoolHooks(before_open=slow_at_first))
        async with pool:
            before = loop.create_task(use(pool))
            await asyncio.sleep(1)
            await pool.drain(0)
            pool.resume()
            after = loop.create_task(use(pool))
            await asyncio.wait([after], timeout=60)
            assert after.done()
            after.cancel()
            with pytest.raises(PoolClosed):
                await before

    simulate(main)


@pytest.mark.parametrize("cancelled", [False, True])
def test_i1_a_connection_closed_on_its_way_to_a_waiter_is_never_handed_on(cancelled: bool) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1, FOR_EVER) as pool:
            await asyncio.sleep(1)
            holder = await pool.acquire()
            waiter = loop.create_task(use(pool))
            await asyncio.sleep(1)
            holder.release()
            cut = pool.drain(100)  # begun, and cut short in the moment of the hand-over
            cut.send(None)
            if cancelled:
                waiter.cancel()
            cut.close()  # as a cancellation does: everything is closed at once
            with pytest.raises((LeaseLost, PoolClosed, asyncio.CancelledError)):
                await waiter
            pool.resume()
            await asyncio.sleep(1)
            assert [each.state for each in pool.connections()] == [ConnectionState.IDLE]
            assert list(pool.matching.idle) == list(pool.connections())

    simulate(main)


def test_a_check_that_an_emergency_stop_forbids_says_nothing_about_health() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 1) as pool:
            await asyncio.sleep(1)
            pool.emergency_stop("drill", pause=300)
            await asyncio.sleep(299)
            assert all(each.healthy for each in pool.connections())
            assert len(x.links) == 1

    simulate(main)


def test_a_lower_maximum_holds_as_soon_as_leases_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 3, ConnectionPoolConfig(max_idle_time=None)) as pool:
            leases = [await pool.acquire() for _ in range(3)]
            pool.reconfigure(max_connections=1)
            for each in leases:
                each.release()
            await asyncio.sleep(10)
            assert pool.size == 1

    simulate(main)


def test_a_window_that_ends_under_a_call_does_not_make_a_second_call_spin() -> None:
    """What is left of the new window only the call under way can tell: until then the second one waits."""

    async def main(loop: SimulatedLoop) -> None:
        lent = 0

        def count(_: object) -> None:
            nonlocal lent
            lent += 1
            assert lent < 100, "the same call is tried over and over without a pause"

        config = ConnectionPoolConfig(
            max_connections=2, max_connections_per_account=2, enable_health_checks=False, acquire_timeout=None
        )
        x = SimulatedX(loop, slowest=0.0)
        pool = pool_of(x, 1, config, hooks=PoolHooks(on_acquire=count))
        async with pool:
            await pool.execute("get_user_by_id", user_id="1")
            await asyncio.sleep(899)
            x.slowest = 20.0
            under_way = loop.create_task(pool.execute("get_user_by_id", user_id="1"))
            await asyncio.sleep(3)
            await asyncio.gather(under_way, pool.execute("get_user_by_id", user_id="2"))
            assert lent <= 6

    simulate(main, 3, max_steps=20_000)


def test_a_lower_maximum_is_never_exceeded_on_the_way() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(max_connections=20, min_connections=10)
        async with pool_of(SimulatedX(loop), 4, config) as pool:
            await asyncio.sleep(1)
            pool.reconfigure(max_connections=4, min_connections=0, max_connections_per_account=3)
            assert pool.size == 4

    simulate(main)


def test_nothing_is_sent_by_a_session_that_was_closed_while_its_client_was_replaced() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with pool_of(x, 1) as pool:
            await asyncio.sleep(1)
            lease = await pool.acquire()
            with pytest.raises(CallFailed):
                await lease.call(
                    "cut short", lambda client: client.request("FavoriteTweet", "1"), timeout=0.001
                )
            second = loop.create_task(lease.execute("like_tweet", tweet_id="2"))
            await pool.drain(0)  # while the second call waits for a new client
            await asyncio.wait([second])
            assert second.exception() is None or isinstance(
                second.exception(), CallFailed | LeaseLost | PoolClosed
            )
            assert not x.misuses

    every_seed(main, range(20))


def test_i3_room_goes_to_whoever_waits_for_it_though_the_first_to_want_it_was_served_otherwise() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(
            max_connections=2, min_connections=0, initial_connections=0, acquire_timeout=None
        )
        async with pool_of(SimulatedX(loop), 3, config) as pool:
            leases = {each: await pool.acquire(ConnectionRequest(account_id=each)) for each in ("a0", "a1")}
            anybody = [loop.create_task(pool.acquire().__aenter__()) for _ in range(2)]
            await asyncio.sleep(1)
            named = loop.create_task(use(pool, ConnectionRequest(account_id="a1")))
            await asyncio.sleep(1)
            pool.quarantine("a1", "for a moment", 1.0)
            leases["a1"].release()  # closed; its room goes to a2, for the first of anybody
            await asyncio.sleep(5)  # a1 is back, and could serve the second, were there room
            leases["a0"].release()  # who gets a0 instead
            await asyncio.sleep(1)
            pool.quarantine("a2", "for long", 1e5)
            for each in anybody:
                if (lease := await each).account_id == "a2":
                    lease.release()  # closed: there is room now
            await asyncio.wait([named], timeout=60)
            assert named.done()

    simulate(main)


def test_i2_an_account_has_no_more_connections_than_the_new_settings_allow() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(
            max_connections=2, max_connections_per_account=2, min_connections=0, initial_connections=0
        )
        async with pool_of(SimulatedX(loop), 3, config) as pool:
            leases = [await pool.acquire(ConnectionRequest(account_id=each)) for each in ("a1", "a2")]
            anybody = loop.create_task(use(pool))
            await asyncio.sleep(1)
            pool.reconfigure(max_connections=4, max_connections_per_account=1)
            assert set(pool.status().by_account.values()) == {1}
            assert await anybody == "a0"
            for each in leases:
                each.release()

    simulate(main)


def test_i3_room_goes_to_whoever_waits_though_a_reservation_that_is_over_wanted_it_first() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(
            max_connections=1, min_connections=0, initial_connections=0, acquire_timeout=None
        )
        async with pool_of(SimulatedX(loop), 2, config) as pool:
            busy = ConnectionRequest(account_id="a1")
            lease = await pool.acquire(busy)
            named = loop.create_task(use(pool, ConnectionRequest(account_id="a0")))
            await asyncio.sleep(1)
            pool.quarantine("a0", "for a moment", 1.0)
            lease.release()
            lease = await pool.acquire(busy)
            reservation = pool.reserve("a0", "spring")
            await asyncio.sleep(5)  # a0 is back, and wants room for its reservation
            reservation.release()
            lease.release()
            await asyncio.wait([named], timeout=60)
            assert named.done()

    simulate(main)


@pytest.mark.parametrize("ask", ["account", "capability", "reservation"])
def test_i5_who_needs_an_account_without_a_connection_is_not_overtaken_for_ever(ask: str) -> None:
    """A crowd that any account can serve keeps every connection busy: none is ever idle to make room."""

    async def main(loop: SimulatedLoop) -> None:
        accounts = [account("a0"), account("a1"), account("a2", capabilities=frozenset({"long_posts"}))]
        config = ConnectionPoolConfig(
            max_connections=2, min_connections=0, initial_connections=0, acquire_timeout=None
        )
        async with pool_of(SimulatedX(loop), accounts, config) as pool:

            async def crowd() -> None:
                while True:
                    async with pool.acquire(ConnectionRequest(priority=ConnectionPriority.LOW)):
                        await asyncio.sleep(0.1)

            crowds = [loop.create_task(crowd()) for _ in range(10)]
            await asyncio.sleep(1)
            away = next(each for each in ("a0", "a1", "a2") if each not in pool.status().by_account)
            if ask == "reservation":
                reservation = pool.reserve(away, "spring", ConnectionPriority.EMERGENCY)
                await asyncio.sleep(1)
                assert reservation.connection is not None
            elif ask == "account" or away == "a2":
                capabilities = frozenset({"long_posts"}) if ask == "capability" else frozenset[str]()
                named = away if ask == "account" else None
                began = loop.time()
                assert await use(pool, ConnectionRequest(account_id=named, capabilities=capabilities)) == away
                assert loop.time() - began <= 10
            for each in crowds:
                each.cancel()
            await asyncio.wait(crowds)

    every_seed(main, range(5))


def test_what_was_given_up_leaves_nothing_behind_while_the_pool_is_busy() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(
            max_connections=1, min_connections=0, initial_connections=0, acquire_timeout=None
        )
        async with pool_of(SimulatedX(loop), 2, config) as pool:
            lease = await pool.acquire(ConnectionRequest(account_id="a0"))
            other = ConnectionRequest(account_id="a1")
            patient = loop.create_task(use(pool, other))
            await asyncio.sleep(0)
            for _ in range(1000):
                urgent = ConnectionRequest(account_id="a1", priority=ConnectionPriority.EMERGENCY)
                hasty = loop.create_task(use(pool, urgent))
                await asyncio.sleep(0)
                hasty.cancel()
                await asyncio.wait([hasty])
            assert len(pool._lifecycle._hungry._bounds) < 200
            assert len(pool.matching.members["a1"].heads._bounds) < 200
            lease.release()
            assert await patient == "a1"

    simulate(main)


def test_a_hook_whose_own_work_is_cancelled_is_a_hook_that_failed() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async def wait_for_what_is_cancelled(_: Account) -> None:
            task = loop.create_task(asyncio.sleep(10))
            await asyncio.sleep(0)
            task.cancel()
            await task

        hooks = PoolHooks(before_open=wait_for_what_is_cancelled)
        config = ConnectionPoolConfig(acquire_timeout=5)
        async with pool_of(SimulatedX(loop), 1, config, hooks=hooks) as pool:
            with pytest.raises(AcquireTimeoutError, match="the hook before_open failed: CancelledError"):
                await use(pool)

    simulate(main)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_no_duration_that_is_none_changes_anything(seconds: float) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            for change in (
                lambda: pool.suspend(seconds),
                lambda: pool.emergency_stop("drill", pause=seconds),
                lambda: pool.quarantine("a0", "a rest", seconds),
                lambda: pool.reserve("a0", "spring", duration=seconds),
                lambda: ConnectionRequest(timeout=-1.0 if seconds == inf else seconds),
            ):
                with pytest.raises(ConfigError, match="must be"):
                    change()
            assert (pool.mode, pool.reservations()) == ("open", [])
            await use(pool)

    simulate(main)


@pytest.mark.parametrize("priority", [-1, 0, 6])
def test_a_priority_that_is_none_is_refused_where_it_is_named(priority: ConnectionPriority) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with pool_of(SimulatedX(loop), 1) as pool:
            for ask in (
                lambda: ConnectionRequest(priority=priority),
                lambda: pool.reserve("a0", "spring", priority),
                lambda: pool.set_priority("spring", priority),
            ):
                with pytest.raises(ConfigError, match="a priority is 1"):
                    ask()

    simulate(main)


def test_another_event_loop_is_refused() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = pool_of(SimulatedX(loop), 1)
        await pool.open()
        await asyncio.sleep(1)

        def elsewhere() -> None:
            with asyncio.Runner() as runner, pytest.raises(PoolError, match="another event loop"):
                runner.run(use(pool))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert pool.counts()[ConnectionState.IDLE] == 1
        await pool.shutdown()

    simulate(main)


def test_a_connection_too_many_gives_way_without_another_being_opened() -> None:
    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(
            max_connections=2, min_connections=0, initial_connections=0, acquire_timeout=None
        )
        async with pool_of(SimulatedX(loop), 3, config) as pool:
            leases = [await pool.acquire(ConnectionRequest(account_id=each)) for each in ("a0", "a1")]
            anybody = loop.create_task(use(pool))
            urgent = ConnectionRequest(account_id="a2", priority=ConnectionPriority.EMERGENCY)
            named = loop.create_task(use(pool, urgent))
            await asyncio.sleep(1)
            pool.reconfigure(max_connections=1)
            leases[0].release()
            await asyncio.sleep(1)
            assert pool.size == 1
            assert not named.done()
            leases[1].release()
            assert await named == "a2"
            await anybody
            assert pool.size == 1

    simulate(main)
