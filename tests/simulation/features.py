"""Who is in a random world: those who borrow, and those who make trouble, each of one kind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import httpx

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import SimulatedLoop, grid
from tests.simulation.simulated_x import SimulatedX
from twikit_pool.accounts import MemoryAccounts, Standing
from twikit_pool.errors import (
    AccountError,
    AcquireTimeoutError,
    EmergencyStopped,
    LeaseLost,
    LibraryOutOfDate,
    NoAccountAvailable,
    PoolClosed,
    PoolOverloadedError,
    ReservationConflict,
)
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionRequest,
    PoolHooks,
    TwikitConnectionPool,
)
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.outcomes import CallFailed

SPAN: Final = 10.0
"""Seconds in which everybody comes and all trouble is made."""

CAPABILITY: Final = "long_posts"
ACTIONS: Final = ("like_tweet", "get_user_by_id")
PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "like_tweet": {"tweet_id": "1"},
    "get_user_by_id": {"user_id": "1"},
}
OWNERS: Final = ("spring", "autumn")


@dataclass
class Scene:
    """A world that runs: what its actors act on."""

    loop: SimulatedLoop
    x: SimulatedX
    source: MemoryAccounts
    account_ids: list[str]
    features: frozenset[str]
    hooks: PoolHooks
    pools: list[TwikitConnectionPool] = field(default_factory=list[TwikitConnectionPool])
    watch: Watch = field(init=False)

    def some_pool(self, rng: random.Random) -> TwikitConnectionPool:
        """One of the pools."""
        return rng.choice(self.pools)


async def some_time(rng: random.Random, most: float = SPAN) -> None:
    """Wait for a while on the grid."""
    await asyncio.sleep(grid(rng, most))


# ---------------------------------------------------------------- those who borrow


async def borrower(scene: Scene, rng: random.Random) -> None:
    """Ask for a connection, see that nobody else has it, use it, give it back, perhaps twice."""
    await asyncio.sleep(rng.choice((0.0, 1.0, 4.0, grid(rng, SPAN))))  # most come in bursts
    pool, request = scene.some_pool(rng), _request(scene, rng)
    if rng.random() < 0.2:
        await _execute(scene, pool, request, rng)
        return
    async with pool.acquire(request) as lease:
        scene.watch.got(lease)
        for _ in range(rng.randint(1, 3)):
            await _use(lease, request, rng)
        if rng.random() < 0.3:
            lease.release()
            pool.release(lease)  # does nothing any more, whoever holds the connection by now


def _request(scene: Scene, rng: random.Random) -> ConnectionRequest:
    account_id = rng.choice(scene.account_ids) if rng.random() < 0.3 else None
    request = ConnectionRequest(
        account_id=account_id,
        action=rng.choice((None, *ACTIONS)),
        capabilities=frozenset({CAPABILITY} if account_id is None and rng.random() < 0.3 else ()),
        priority=rng.choice(tuple(ConnectionPriority)),
        reserved_for=rng.choice(OWNERS) if rng.random() < 0.2 else None,
        timeout=rng.choice((None, None, None, 0.0, grid(rng, 5.0))),
    )
    if "avoiding" in scene.features and rng.random() < 0.5:
        request = replace(request, avoid=rng.choice(scene.account_ids))
    return request


async def _execute(
    scene: Scene, pool: TwikitConnectionPool, request: ConnectionRequest, rng: random.Random
) -> None:
    action = rng.choice(ACTIONS)
    deadlines = (None, 0.001, grid(rng, 5.0) + 0.01) if "deadlines" in scene.features else (None,)
    await pool.execute(
        action,
        account=request.account_id,
        priority=request.priority,
        reserved_for=request.reserved_for,
        timeout=request.timeout,
        deadline=rng.choice(deadlines) if len(deadlines) > 1 else None,
        **PARAMETERS[action],
    )


async def _use(lease: Any, request: ConnectionRequest, rng: random.Random) -> None:
    action = request.action or ACTIONS[0]
    match rng.randrange(4):
        case 0:
            await some_time(rng, 1.0)
        case 1:
            with suppress(CallFailed):  # most are cut short, and leave a client to be renewed
                await lease.call(
                    "by hand", lambda client: client.request(action, ""), endpoint=action, timeout=0.2
                )
        case _:
            await lease.execute(action, **PARAMETERS[action])


# ---------------------------------------------------------------- those who make trouble


Act: TypeAlias = Callable[[Scene, random.Random], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One kind of trouble.

    Attributes:
        settings: what it sets, drawn.
        act: what it does while the crowd borrows.
        raises: what borrowers may meet because of it.
    """

    settings: Callable[[random.Random], dict[str, Any]] = lambda _: {}
    act: Act | None = None
    raises: tuple[type[Exception], ...] = ()


async def reserve(scene: Scene, rng: random.Random) -> None:
    """Keep connections for owners: extended, made more urgent, released, or left to expire."""
    for _ in range(4):
        await some_time(rng, SPAN / 4)
        pool, owner = scene.some_pool(rng), rng.choice(OWNERS)
        account_id = rng.choice((None, *scene.account_ids))
        with suppress(ReservationConflict, NoAccountAvailable, AccountError, PoolClosed):
            kept = pool.reserve(account_id, owner, rng.choice(tuple(ConnectionPriority)), grid(rng, 8) + 0.01)
            await some_time(rng, 2)
            match rng.randrange(4):
                case 0:
                    kept.release()
                case 1:
                    kept.extend(grid(rng, 5) + 0.01)
                case 2:
                    pool.set_priority(owner, rng.choice(tuple(ConnectionPriority)))
                case _:
                    pass  # it expires


async def fall_ill(scene: Scene, rng: random.Random) -> None:
    """Accounts are locked, quarantined or merely unlucky; later a person mends what was locked."""
    for _ in range(6):
        await some_time(rng, SPAN / 6)
        codes = scene.x.codes.setdefault(rng.choice(scene.account_ids), [])
        codes.append(rng.choice((131, 131, 326, 226, 187, 32)))
    await some_time(rng)
    scene.x.codes.clear()
    await asyncio.sleep(2.0)  # what was answered before is settled by then
    for account_id in list(scene.source._accounts):
        await scene.source.set_standing(account_id, Standing())
    for pool in scene.pools:
        await pool.refresh()


async def quarantine(scene: Scene, rng: random.Random) -> None:
    """The operator leaves accounts alone for a while."""
    for _ in range(3):
        await some_time(rng, SPAN / 3)
        pool, account_id = scene.some_pool(rng), rng.choice(scene.account_ids)
        with suppress(AccountError):
            pool.quarantine(account_id, "on a whim", grid(rng, 5))
            if rng.random() < 0.5:
                await some_time(rng, 3)
                pool.end_quarantine(account_id)


async def break_openings(scene: Scene, rng: random.Random) -> None:
    """For a while no client can be made."""
    for _ in range(3):
        await some_time(rng, SPAN / 3)
        scene.x.opens_from = scene.loop.time() + grid(rng, 4)


async def resize(scene: Scene, rng: random.Random) -> None:
    """The pool is made larger and smaller."""
    for _ in range(4):
        await some_time(rng, SPAN / 4)
        pool = scene.some_pool(rng)
        pool.resize(rng.randint(pool.config.min_connections, pool.config.max_connections))


async def reconfigure(scene: Scene, rng: random.Random) -> None:
    """Settings change under way."""
    for _ in range(4):
        await some_time(rng, SPAN / 4)
        most = rng.randint(1, len(scene.account_ids) + 1)
        scene.some_pool(rng).reconfigure(
            max_connections=most,
            min_connections=rng.randint(0, min(most, 2)),
            initial_connections=most,
            max_connections_per_account=rng.randint(1, min(3, most)),
            selection=rng.choice(SELECTIONS),
            enable_priority_queuing=rng.random() < 0.7,
            max_idle_time=rng.choice((None, 2.0, 60.0)),
        )


async def switch(scene: Scene, rng: random.Random) -> None:
    """What holds calls back is turned on and off under way."""
    for _ in range(8):
        await some_time(rng, SPAN / 8)
        scene.some_pool(rng).reconfigure(
            enable_circuits=rng.random() < 0.5,
            enable_brake=rng.random() < 0.5,
            max_concurrent_calls=rng.choice((1, 2, 1000)),
            enable_priority_queuing=rng.random() < 0.7,
            low_priority_reserve=rng.choice((0.0, 0.1, 0.5)),
            spread_evenly=rng.random() < 0.5,
            enable_health_checks=rng.random() < 0.5,
            max_attempts=rng.randint(1, 4),
            ill_check_interval=rng.choice((None, 0.5, 5.0)),
            refresh_interval=rng.choice((None, 0.5, 3.0)),
        )


async def defer(scene: Scene, rng: random.Random) -> None:
    """LOW work may have so much at once, or nothing, or all; in the end all again."""
    for _ in range(6):
        await some_time(rng, SPAN / 6)
        scene.some_pool(rng).limit_low(rng.choice((0, 1, 2, None)), "on a whim")
    for pool in scene.pools:
        pool.limit_low(None)


async def limit(scene: Scene, rng: random.Random) -> None:
    """There may be only so many connections for a while, whatever the settings allow."""
    for _ in range(6):
        await some_time(rng, SPAN / 6)
        scene.some_pool(rng).limit_size(rng.choice((0, 1, 2, 3, None)), "on a whim")
    for pool in scene.pools:
        pool.limit_size(None)


async def tune(scene: Scene, rng: random.Random) -> None:
    """Connections are taken last, pause, or go, whatever they are doing; in the end all are as they were."""
    for _ in range(20):
        await some_time(rng, SPAN / 20)
        pool = scene.some_pool(rng)
        connections = list(pool.connections())
        if not connections:
            continue
        victim = rng.choice(connections)
        match rng.randrange(5):
            case 0:
                pool.tuning.lower(victim)
            case 1:
                pool.tuning.restore(victim)
            case 2:
                pool.tuning.pause(victim, grid(rng, 5.0))
            case 3:
                pool.tuning.end_pause(victim)
            case _:
                pool.tuning.close(victim, "on a whim", serves_badly=rng.random() < 0.5)
    for pool in scene.pools:
        for each in list(pool.connections()):
            pool.tuning.restore(each)


async def suspend(scene: Scene, rng: random.Random) -> None:
    """Nobody is served for a while."""
    for _ in range(3):
        await some_time(rng, SPAN / 3)
        pool = scene.some_pool(rng)
        pool.suspend(rng.choice((None, grid(rng, 3) + 0.01)))
        await some_time(rng, 3)
        pool.resume()


async def stop(scene: Scene, rng: random.Random) -> None:
    """Emergency stops, of which the pool recovers by itself."""
    for _ in range(2):
        await some_time(rng, SPAN / 2)
        scene.some_pool(rng).emergency_stop("drill", pause=grid(rng, 4) + 0.01)


async def drain(scene: Scene, rng: random.Random) -> None:
    """Drained, and begun anew; sometimes before the end of it."""
    for _ in range(2):
        await some_time(rng, SPAN / 2)
        pool = scene.some_pool(rng)
        try:
            async with asyncio.timeout(rng.choice((None, grid(rng, 1)))):
                await pool.drain(grid(rng, 2))
        except TimeoutError:
            pass
        finally:
            pool.resume()


async def refresh(scene: Scene, rng: random.Random) -> None:
    """Accounts leave the source and come back."""
    for _ in range(3):
        await some_time(rng, SPAN / 3)
        account_id = rng.choice(scene.account_ids)
        gone = scene.source._accounts.pop(account_id)
        pool = scene.some_pool(rng)
        try:
            await pool.refresh()
            await some_time(rng, 3)
        finally:
            scene.source._accounts[account_id] = gone
            await pool.refresh()


async def break_things(scene: Scene, rng: random.Random) -> None:
    """For a while X is down, an endpoint is broken or unknown, or an account finds no way to X."""
    for _ in range(4):
        await some_time(rng, SPAN / 8)
        scene.x.broken = _breakage(scene, rng)
        await some_time(rng, SPAN / 4)
        scene.x.broken = None


def _breakage(scene: Scene, rng: random.Random) -> Callable[[str, str], int | Exception | None]:
    ill, endpoint = rng.choice(scene.account_ids), rng.choice(("FavoriteTweet", "UserByRestId"))
    meets = rng.choice((503, httpx.ConnectError("no route")))
    match rng.randrange(4):
        case 0:
            return lambda *_: meets
        case 1:
            return lambda account_id, _: meets if account_id == ill else None
        case 2:
            return lambda _, called: 503 if called == endpoint else None
        case _:
            return lambda _, called: 404 if called == endpoint else None


async def log_in_anew(scene: Scene, rng: random.Random) -> None:
    """Accounts get another log-in: in the source, where pools find it, or by a hook."""
    for number in range(6):
        await some_time(rng, SPAN / 6)
        account_id, cookies = rng.choice(scene.account_ids), Cookies(auth_token=f"new-{number}")
        with suppress(AccountError):  # it may have been taken out
            if rng.random() < 0.5:
                await scene.source.save_cookies(account_id, cookies)
            else:
                await scene.some_pool(rng).sessions.give_cookies(account_id, cookies)


SELECTIONS: Final = ("hottest", "least_used", "best_quality")

FEATURES: Final[dict[str, Feature]] = {
    "windows": Feature(raises=(CallFailed,)),  # X's limits are low
    "hooks": Feature(),  # the operator's hooks fail and dawdle
    "shared": Feature(),  # two pools over the same accounts
    "overload": Feature(
        settings=lambda rng: {
            "max_waiting": rng.randint(0, 8),
            "max_waiting_by_priority": (rng.choice((None, 1)), None, rng.choice((None, 2)), None, None),
        },
        raises=(PoolOverloadedError,),
    ),
    "several": Feature(
        settings=lambda rng: {"max_connections_per_account": rng.randint(1, 3)}, raises=(CallFailed,)
    ),
    "scarce": Feature(settings=lambda rng: {"max_connections": rng.randint(1, 3)}),
    "lazy": Feature(settings=lambda _: {"min_connections": 0, "initial_connections": 0}),
    "short lives": Feature(
        settings=lambda rng: {
            "max_idle_time": rng.choice((1.0, 3.0)),
            "max_lifetime": rng.choice((2.0, 10.0)),
        }
    ),
    "checks": Feature(
        settings=lambda rng: {
            "health_check_interval": rng.choice((1.0, 5.0)),
            "health_check_failures": 1,
            "health_checks_at_once": rng.choice((1, 5)),
        }
    ),
    "reclaim": Feature(settings=lambda _: {"lease_timeout": 0.4}, raises=(LeaseLost, PoolClosed, CallFailed)),
    "single use": Feature(settings=lambda _: {"enable_connection_reuse": False}),
    "selection": Feature(settings=lambda rng: {"selection": rng.choice(SELECTIONS)}),
    "braked": Feature(
        settings=lambda rng: {"max_concurrent_calls": rng.randint(1, 3)}, raises=(CallFailed, LeaseLost)
    ),
    "caps": Feature(raises=(CallFailed,)),  # accounts have caps of a few calls in some seconds
    "avoiding": Feature(),  # requests would rather have another account
    "deadlines": Feature(raises=(CallFailed,)),  # what is executed has little time
    "reserve": Feature(
        settings=lambda rng: {
            "low_priority_reserve": rng.choice((0.0, 0.3, 0.6)),
            "spread_evenly": rng.random() < 0.7,
        }
    ),
    "switches": Feature(act=switch, raises=(CallFailed, LibraryOutOfDate)),
    "plain order": Feature(settings=lambda _: {"enable_priority_queuing": False}),
    "reservations": Feature(act=reserve),
    "illness": Feature(act=fall_ill, raises=(CallFailed, AccountError, NoAccountAvailable)),
    "outages": Feature(act=break_things, raises=(CallFailed, LibraryOutOfDate)),
    "healing": Feature(
        settings=lambda rng: {
            "refresh_interval": rng.choice((0.5, 3.0)),
            "ill_check_interval": rng.choice((None, 0.5, 5.0)),
        },
        act=log_in_anew,
        raises=(LeaseLost, CallFailed),
    ),
    "quarantine": Feature(act=quarantine, raises=(PoolClosed,)),
    "broken openings": Feature(act=break_openings),
    "resize": Feature(act=resize),
    "reconfigure": Feature(act=reconfigure, raises=(CallFailed,)),
    "deferral": Feature(act=defer),
    "limits": Feature(act=limit),
    "tuning": Feature(act=tune),
    "suspend": Feature(act=suspend),
    "emergency": Feature(act=stop, raises=(EmergencyStopped, CallFailed)),
    "drain": Feature(act=drain, raises=(PoolClosed, LeaseLost, CallFailed)),
    "refresh": Feature(act=refresh, raises=(AccountError, NoAccountAvailable, PoolClosed)),
}

ALWAYS: Final = (AcquireTimeoutError,)

CAPS: Final = {"like_tweet": ("2/2s", "5/20s"), "get_user_by_id": "3/5s", "account/settings": "4/10s"}
"""Of each account in worlds with caps."""


def moody_hooks(rng: random.Random, loop: SimulatedLoop) -> PoolHooks:
    """Hooks that now and then raise, hang for longer than anyone waits, or take their time."""

    async def moody(_: object) -> None:
        if loop.time() < SPAN:
            match rng.randrange(12):
                case 0:
                    raise RuntimeError("the hook has had enough")
                case 1:
                    await asyncio.sleep(100)
                case 2 | 3:
                    await some_time(rng, 0.1)
                case _:
                    pass

    def quick(_: object) -> None:
        if loop.time() < SPAN and rng.randrange(12) == 0:
            raise RuntimeError("the hook has had enough")

    chosen = {name: rng.choice((None, moody, quick)) for name in ("before_open", "after_open", "on_acquire")}
    return PoolHooks(on_release=rng.choice((None, moody)), on_close=rng.choice((None, quick)), **chosen)
