"""Leases of those who are elsewhere: every order, cancelled anywhere, their holders gone at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from litestar.exceptions import NotFoundException

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import (
    CancelAtHandOff,
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, pool_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, LeaseLost, PoolClosed, PoolOverloadedError
from twikit_pool.pool import ConnectionRequest, ConnectionState, TwikitConnectionPool
from twikit_pool.service.acts import Act
from twikit_pool.service.leases import MOST_CALLS, RemoteLeases
from twikit_pool.service.presence import ClientGone, undone_unless_answered
from twikit_pool.service.remote import Remote
from twikit_pool.sessions.actions import parse_action
from twikit_pool.sessions.outcomes import CallFailed
from twikit_pool.sessions.records import Done

PATIENT = ConnectionPoolConfig(acquire_timeout=None, enable_health_checks=False, leak_warning=None)
LIKE = parse_action("like_tweet", {"tweet_id": "1"})
ANY = ConnectionRequest()


class Client:
    """Somebody at the other end, who may leave."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()
        self.method = "POST"

    async def receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._gone.set()


def remote_of(loop: SimulatedLoop) -> Remote:
    return Remote(loop.clock)


async def hold(
    leases: RemoteLeases, pool: TwikitConnectionPool, client: Client, ttl: float = 60
) -> tuple[str, str]:
    """A lease's id and whose it is."""
    lease_id, held = await leases.acquire("me", pool, ANY, ttl, client.receive)
    return lease_id, held.account_id


def request_of(client: Client) -> Any:
    return client


async def something_sent(x: SimulatedX) -> None:
    while not x.sent:  # noqa: ASYNC110 - the simulated X has no event for it
        await asyncio.sleep(0.01)


async def at_rest(pool: TwikitConnectionPool, leases: RemoteLeases) -> None:
    """Nobody holds anything, and the pool serves."""
    await asyncio.sleep(1)  # a client that is being renewed comes back within this
    assert len(leases) == 0
    assert pool.waiting == 0
    assert not any(each.leased for each in pool.connections())
    async with pool.acquire():
        pass


# ---------------------------------------------------------------- what a lease is


def test_a_lease_is_used_and_given_back_by_its_owner_alone() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, held = await leases.acquire("me", pool, ANY, 60, Client().receive)
            assert len(lease_id) >= 43, "256 bits"
            assert lease_id not in repr(held)
            for use in (leases.heartbeat, leases.release):
                with pytest.raises(NotFoundException):
                    use("you", lease_id)
                with pytest.raises(NotFoundException):
                    use("me", "another")
            assert await leases.carry_out("me", lease_id, LIKE, None, Act()) == ("a0", Done(id="1"))
            leases.release("me", lease_id)
            leases.release("me", lease_id)
            assert pool.counts()[ConnectionState.IDLE] == 1
            with pytest.raises(LeaseLost, match="it was released"):
                leases.heartbeat("me", lease_id)
            with pytest.raises(LeaseLost):
                await leases.carry_out("me", lease_id, LIKE, None, Act())
            leases.close()

    simulate(scene)


def test_without_a_sign_of_life_the_connection_goes_to_who_waits() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        leases = RemoteLeases(loop.clock)
        async with pool_of(SimulatedX(loop), 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            began = loop.time()
            waiting = loop.create_task(hold(leases, pool, Client()))
            await asyncio.sleep(50)
            assert leases.heartbeat("me", lease_id).heard == loop.time()
            await asyncio.sleep(50)
            assert not waiting.done()
            other, _ = await waiting
            assert 110 <= loop.time() - began <= 110.1
            with pytest.raises(LeaseLost, match="not heard of for 60 s"):
                leases.heartbeat("me", lease_id)
            assert leases.heartbeat("me", other)
            leases.close()
            await asyncio.sleep(0.1)
            assert pool.counts()[ConnectionState.LEASED] == 0

    simulate(scene)


def test_a_call_is_a_sign_of_life_and_a_lease_does_not_end_under_one() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=6)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 1, Client().receive)
            for _ in range(4):
                await leases.carry_out("me", lease_id, LIKE, None, Act())
                await asyncio.sleep(0.9)
            assert len(leases) == 1
            await asyncio.sleep(0.2)
            assert len(leases) == 0
            assert not x.misuses

    every_seed(scene, range(20))


def test_calls_on_a_lease_come_one_after_another_and_no_more_than_so_many_wait() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            order = [parse_action("like_tweet", {"tweet_id": str(n)}) for n in range(MOST_CALLS)]
            async with asyncio.TaskGroup() as tasks:
                for action in order:
                    tasks.create_task(leases.carry_out("me", lease_id, action, None, Act()))
                await asyncio.sleep(0)
                with pytest.raises(PoolOverloadedError):
                    await leases.carry_out("me", lease_id, LIKE, None, Act())
            assert [target for _, target in x.done] == [str(n) for n in range(MOST_CALLS)]
            leases.close()

    simulate(scene, order="fifo")


def test_what_is_released_under_a_call_comes_back_after_it() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            calls = [loop.create_task(leases.carry_out("me", lease_id, LIKE, None, Act())) for _ in range(3)]
            await something_sent(x)
            leases.release("me", lease_id)
            assert pool.counts()[ConnectionState.LEASED] == 1
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(isinstance(each, LeaseLost) for each in results) == [False, True, True]
            assert len(x.done) == 1, "what was under way has ended, and nothing else began"
            await at_rest(pool, leases)

    every_seed(scene, range(50))


def test_a_connection_that_the_pool_takes_back_ends_the_lease() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        leases = RemoteLeases(loop.clock)
        pool = pool_of(SimulatedX(loop), 1, PATIENT)
        await pool.open()
        lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
        await pool.shutdown(0.1)
        assert leases.all() == []
        with pytest.raises(LeaseLost, match="the pool took the connection back"):
            leases.heartbeat("me", lease_id)
        assert len(leases) == 0
        with pytest.raises(PoolClosed):
            await leases.acquire("me", pool, ANY, 60, Client().receive)
        leases.close()
        with pytest.raises(PoolClosed, match="the service ends"):
            await leases.acquire("me", pool, ANY, 60, Client().receive)

    simulate(scene)


# ---------------------------------------------------------------- who leaves


def test_who_leaves_leaves_the_line_at_once() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        leases = RemoteLeases(loop.clock)
        async with pool_of(SimulatedX(loop), 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 600, Client().receive)
            client = Client()
            waiting = loop.create_task(hold(leases, pool, client))
            await asyncio.sleep(1)
            assert pool.waiting == 1
            client.leave()
            with pytest.raises(ClientGone):
                await waiting
            assert pool.waiting == 0
            leases.release("me", lease_id)
            await at_rest(pool, leases)

    every_seed(scene, range(20))


def test_a_wait_that_is_over_is_no_departure() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        leases = RemoteLeases(loop.clock)
        async with pool_of(SimulatedX(loop), 1, PATIENT) as pool, pool.acquire():
            with pytest.raises(AcquireTimeoutError):
                await leases.acquire("me", pool, ConnectionRequest(timeout=1), 60, Client().receive)

    simulate(scene)


async def come_and_go(loop: SimulatedLoop) -> None:
    """Clients who acquire, call and release, and leave in between at any moment, over two connections."""
    x = SimulatedX(loop)
    remote = remote_of(loop)
    pool = pool_of(x, 2, PATIENT)
    await pool.open()
    watch = Watch(x, [pool])
    loop.watch = watch.look

    async def use() -> None:
        client = Client()
        if loop.rng.random() < 0.5:
            loop.call_later(grid(loop.rng, 1.5), client.leave)
        await asyncio.sleep(grid(loop.rng, 0.5))
        try:
            lease_id, _ = await hold(remote.leases, pool, client, ttl=1 + grid(loop.rng, 1))
            for _ in range(loop.rng.randrange(3)):
                act = remote.acts.begin(
                    request_of(client),
                    lambda act: remote.leases.carry_out("me", lease_id, LIKE, None, act),
                )
                await remote.acts.outcome(act, client.receive)
            if loop.rng.random() < 0.7:
                remote.leases.release("me", lease_id)
        except ClientGone:
            pass

    users = [loop.create_task(use(), name=f"user-{n}") for n in range(12)]
    await asyncio.wait(users)
    assert {type(each.exception()) for each in users if not each.cancelled()} <= {type(None)}
    await asyncio.sleep(30)
    assert len(remote.acts) == 0
    await at_rest(pool, remote.leases)
    loop.watch = None
    async with remote:
        pass
    await pool.shutdown()
    watch.after_shutdown()


@pytest.mark.parametrize("order", ["fifo", "tasks", "all", "pct"])
def test_i4_clients_who_leave_at_any_moment_leave_nothing_behind(order: str) -> None:
    every_seed(come_and_go, range(60), order=cast("Any", order))


def test_i4_requests_that_are_cancelled_at_random_leave_nothing_behind() -> None:
    every_seed(come_and_go, range(80), cancel=CancelRandomly("user", 0.05))
    every_seed(come_and_go, range(80), cancel=CancelAtHandOff("user"))


def test_i4_acts_that_are_cancelled_leave_nothing_behind() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            calls = [
                loop.create_task(leases.carry_out("me", lease_id, LIKE, None, Act()), name=name)
                for name in ("before", "victim", "after")
            ]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert not isinstance(results[0], BaseException)
            assert not isinstance(results[2], BaseException)
            leases.heartbeat("me", lease_id)
            leases.release("me", lease_id)
            await at_rest(pool, leases)
        assert not x.misuses

    assert cancel_at_every_step(scene) >= 2


Hold = Callable[[SimulatedLoop, RemoteLeases, TwikitConnectionPool], Coroutine[Any, Any, None]]


async def whole_use(loop: SimulatedLoop, leases: RemoteLeases, pool: TwikitConnectionPool) -> None:
    lease_id, _ = await hold(leases, pool, Client(), ttl=1)
    await leases.carry_out("me", lease_id, LIKE, None, Act())
    leases.release("me", lease_id)


async def leaving(loop: SimulatedLoop, leases: RemoteLeases, pool: TwikitConnectionPool) -> None:
    client = Client()
    loop.call_later(0.1, client.leave)  # in the moment in which the connection comes free
    try:
        lease_id, _ = await hold(leases, pool, client, ttl=1)
    except ClientGone:
        return
    leases.release("me", lease_id)


@pytest.mark.parametrize("use", [whole_use, leaving])
def test_i4_cancelled_at_every_step_it_leaves_nothing_behind(use: Hold) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=0.05)
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            watch = Watch(x, [pool])
            loop.watch = watch.look
            holder = await pool.acquire()
            loop.call_later(0.1, holder.release)
            victim = loop.create_task(use(loop, leases, pool), name="victim")
            await asyncio.wait([victim])
            await asyncio.sleep(2)
            await at_rest(pool, leases)
            loop.watch = None
        watch.after_shutdown()

    for order in ("fifo", "tasks"):
        assert cancel_at_every_step(scene, order=cast("Any", order)) >= 2


# ---------------------------------------------------------------- answers that do not arrive


@pytest.mark.parametrize("leaves", ["before", "while it is sent", "after", "never", "the route fails"])
def test_a_grant_that_cannot_be_told_is_given_back(leaves: str) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        leases = RemoteLeases(loop.clock)
        client = Client()

        async def route(scope: Any, receive: Any, send: Any) -> None:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            scope["state"]["undo"] = lambda: leases.undo(lease_id)
            if leaves == "before":
                client.leave()
            if leaves == "the route fails":
                raise ValueError("it cannot be encoded")
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def send(message: Any) -> None:
            if leaves == "while it is sent" and message["type"] == "http.response.body":
                client.leave()
                await asyncio.sleep(0.01)
            if message["type"] == "http.response.body" and leaves == "after":
                client.leave()

        async with pool_of(SimulatedX(loop), 1, PATIENT) as pool:
            app: Any = undone_unless_answered(cast("Any", route))
            try:
                await app({"type": "http", "state": {}}, client.receive, send)
            except ValueError:
                assert leaves == "the route fails"
            assert len(leases) == (leaves in ("after", "never"))
            assert len(asyncio.all_tasks()) == 1
            leases.close()
            await at_rest(pool, leases)

    simulate(scene, order="fifo")


# ---------------------------------------------------------------- acts


def test_what_was_sent_goes_on_and_what_was_not_is_given_up() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1)
        remote = remote_of(loop)
        async with pool_of(x, 1, PATIENT) as pool:
            clients = [Client() for _ in range(2)]
            acts = [
                remote.acts.begin(
                    request_of(client),
                    lambda act: pool.perform(LIKE, on_send=act.on_send, on_refused=act.on_refused),
                )
                for client in clients
            ]
            waiting = [
                loop.create_task(remote.acts.outcome(act, client.receive))
                for act, client in zip(acts, clients, strict=True)
            ]
            await something_sent(x)
            for client in clients:
                client.leave()
            for each in waiting:
                with pytest.raises(ClientGone):
                    await each
            await asyncio.sleep(5)
            assert len(x.sent) == len(x.done) == 1
            assert sorted(act.abandoned for act in acts) == [False, True]
            assert len(remote.acts) == 0

    every_seed(scene, range(30))


def test_the_service_ends_what_was_not_sent_and_waits_for_the_rest() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, slowest=1)
        async with pool_of(x, 1, PATIENT) as pool:
            async with remote_of(loop) as remote:
                client = Client()

                async def ask() -> Any:
                    act = remote.acts.begin(
                        request_of(client), lambda act: pool.perform(LIKE, on_send=act.on_send)
                    )
                    return await remote.acts.outcome(act, client.receive)

                asking = [loop.create_task(ask()) for _ in range(3)]
                await something_sent(x)
            told = await asyncio.gather(*asking, return_exceptions=True)
            assert sum(isinstance(each, PoolClosed) for each in told) == 2
            assert len(x.done) == 1
            with pytest.raises(PoolClosed):
                remote.acts.begin(request_of(client), lambda act: pool.perform(LIKE))
            assert pool.waiting == 0

    every_seed(scene, range(20))


def test_an_act_that_x_refused_counts_as_not_sent() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop, codes={"a0": [187]})
        leases = RemoteLeases(loop.clock)
        async with pool_of(x, 1, PATIENT) as pool:
            lease_id, _ = await leases.acquire("me", pool, ANY, 60, Client().receive)
            act = Act()
            with pytest.raises(CallFailed):
                await leases.carry_out("me", lease_id, LIKE, None, act)
            assert not act.sent
            leases.close()

    simulate(scene)
