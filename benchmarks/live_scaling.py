"""A load that jumps from 5 to 95% in the running program, and a session that was parked against a new one.

The stand-in for X runs in a process of its own, behind real HTTP. A manager attends to one pool by itself.
Callers come at random; each makes a call and holds its connection for 0.4 s in all. *Jump*: from 5 erlangs to
95, until the connections are open that Erlang-C asks for at 95; the median of three pools. The new sessions
make their handshakes with their first calls meanwhile.

*Parked*: of accounts in turns, the first call of a session that begins with a handshake, with a home page of
295 KB as X's is, and that of one which begins with what its predecessor left; medians of wall time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from benchmarks import Bar, Report
from benchmarks._session_worker import PAGE_BYTES
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.events import ConnectionCreated
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.pool.connection import ConnectionState
from twikit_pool.redaction import Cookies
from twikit_pool.scaling import connections_for
from twikit_pool.sessions import parse_action
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.simulator import SimulatorProcess

ACCOUNTS: Final = 130
SERVICE: Final = 0.4
LOW: Final = 5.0
HIGH: Final = 95.0
"""Erlangs before and after the jump: 5% and 95% of a pool of 100."""
BEFORE: Final = 20.0
AFTER: Final = 10.0
"""Seconds that each lasts."""
POOLS: Final = 3
SESSIONS: Final = 20
CONFIG: Final = ConnectionPoolConfig(
    min_connections=1,
    initial_connections=1,
    max_connections=ACCOUNTS,
    enable_health_checks=False,
    # Without the rate budget, which would have all accounts from the beginning: of the windows that the
    # stand-in tells, ten calls a second use up a hundred.
    scaling_rules=("utilisation", "queue", "demand", "forecast"),
)


def run() -> Report:
    with _sessions() as (x, accounts):
        jumps = [asyncio.run(_jump(x, accounts, seed)) for seed in range(POOLS)]
    with _sessions(home_page_bytes=PAGE_BYTES) as (x, accounts):
        fresh, parked, logins = asyncio.run(_reopened(x, accounts))
    seconds = median(each for each, _ in jumps)
    figures: dict[str, float | int | str] = {
        "jump: connections that Erlang-C asks for": connections_for(HIGH, SERVICE),
        "jump: seconds until they are there": seconds,
        "jump: longest wait of a caller, seconds": median(each for _, each in jumps),
        "a new session's first call, ms": 1e3 * fresh,
        "a parked session's first call, ms": 1e3 * parked,
        "log-ins of an account that was closed and opened ten times": logins,
    }
    return Report(
        figures,
        [
            Bar("jump: seconds until the connections are there", seconds, 2.0, "lower"),
            Bar("parked: first call by a new session's", parked / fresh, 0.5, "lower"),
            Bar("parked: log-ins of an account that was closed and opened ten times", logins, 1, "lower"),
        ],
    )


@contextmanager
def _sessions(**settings: int) -> Iterator[tuple[SimulatorProcess, list[Account]]]:
    with SimulatorProcess(accounts=ACCOUNTS, limits=False, **settings) as x:
        yield (
            x,
            [
                Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies)))
                for each in x.accounts
            ],
        )


def _manager_of(x: SimulatorProcess, accounts: list[Account]) -> TwikitSessionManager:
    backend = TwikitBackend(transport=lambda _account: x.transport())
    return TwikitSessionManager(MemoryAccounts(accounts), backend=backend)


async def _jump(x: SimulatorProcess, accounts: list[Account], seed: int) -> tuple[float, float]:
    """Seconds until the connections are there, and the longest that a caller waited after the jump."""
    needed = connections_for(HIGH, SERVICE)
    rng = random.Random(seed)  # noqa: S311 - chance that repeats
    async with _manager_of(x, accounts) as sessions, TwikitConnectionPoolManager(sessions) as manager:
        pool = await manager.create_pool("default", CONFIG)
        await _load(pool, rng, LOW, BEFORE)
        began = time.monotonic()
        waits: list[float] = []
        load = asyncio.create_task(_load(pool, rng, HIGH, AFTER, waits))
        with pool.events.subscribe(ConnectionCreated) as opened:
            async for _ in opened:
                if pool.size - pool.counts()[ConnectionState.OPENING] >= needed:
                    break
        seconds = time.monotonic() - began
        await load
        return seconds, max(waits)


async def _load(
    pool: TwikitConnectionPool,
    rng: random.Random,
    erlangs: float,
    seconds: float,
    waits: list[float] | None = None,
) -> None:
    ends = time.monotonic() + seconds
    async with asyncio.TaskGroup() as callers:
        moment = time.monotonic()
        while (moment := moment + rng.expovariate(erlangs / SERVICE)) < ends:
            await asyncio.sleep(max(moment - time.monotonic(), 0.0))
            callers.create_task(_call(pool, waits))


async def _call(pool: TwikitConnectionPool, waits: list[float] | None) -> None:
    came = time.monotonic()
    async with pool.acquire() as connection:
        began = time.monotonic()
        if waits is not None:
            waits.append(began - came)
        await connection.execute("get_user", handle="sim_001")
        await asyncio.sleep(max(began + SERVICE - time.monotonic(), 0.0))


async def _reopened(x: SimulatorProcess, accounts: list[Account]) -> tuple[float, float, int]:
    """Seconds of a first call, new and parked, and the log-ins of one account in ten lives."""
    async with _manager_of(x, accounts) as sessions:
        fresh, parked = [], []
        for each in accounts[:SESSIONS]:
            fresh.append(await _first_call(sessions, each.id))
            parked.append(await _first_call(sessions, each.id))
        for _ in range(8):
            await _first_call(sessions, accounts[0].id)
        return median(fresh), median(parked), sessions.logins.in_all(accounts[0].id)


async def _first_call(sessions: TwikitSessionManager, account_id: str) -> float:
    action = parse_action("get_user", {"handle": "sim_001"})
    began = time.perf_counter()
    session = await sessions.open(account_id)
    await session.execute(action, timeout=30)
    seconds = time.perf_counter() - began
    await sessions.close_session(session)
    return seconds
