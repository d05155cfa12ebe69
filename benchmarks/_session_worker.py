"""One side of `session-cost`, in a process of its own: opens sessions and says what they cost.

    python -m benchmarks._session_worker plain|session|used COUNT

Prints a JSON object: CPU seconds and bytes of resident memory, in all.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable

import msgspec
import psutil
from twikit.client.client import Client

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.simulator import SimulatorProcess

PAGE_BYTES = 295_000
"""What x.com's home page weighs."""


class Costs(msgspec.Struct):
    """CPU seconds, and bytes of resident memory gained and in all."""

    cpu: float
    gained: int
    resident: int


def account(number: int) -> Account:
    cookies = Cookies(auth_token=f"{number:040x}", ct0=f"{number:032x}")
    return Account(id=f"account_{number}", credentials=Credentials(cookies=cookies))


def resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def measured(work: Callable[[], object]) -> Costs:
    before, began = resident(), time.process_time()
    kept = work()
    cpu = time.process_time() - began
    after = resident()
    del kept
    return Costs(cpu=cpu, gained=after - before, resident=after)


def plain(count: int) -> Costs:
    Client("en-US")  # what a first one costs the process is not a session's cost
    return measured(lambda: [Client("en-US") for _ in range(count)])


def session(count: int) -> Costs:
    accounts = [account(number) for number in range(count)]
    manager = TwikitSessionManager(MemoryAccounts(accounts))
    manager.open_account(account(count))
    return measured(lambda: [manager.open_account(each) for each in accounts])


def used(count: int) -> Costs:
    """Sessions after a first call; the stand-in runs elsewhere, so that only the client is measured."""
    warm = 100  # the parser's own arena grows to its size with the first pages, once for the process
    with SimulatorProcess(accounts=count + warm, home_page_bytes=PAGE_BYTES, limits=False) as x:
        accounts = [
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        ]
        return asyncio.run(_first_calls(x, accounts, warm))


async def _first_calls(x: SimulatorProcess, accounts: list[Account], warm: int) -> Costs:
    backend = TwikitBackend(transport=lambda _account: x.transport())
    async with TwikitSessionManager(MemoryAccounts(accounts), backend=backend) as manager:

        async def call(chosen: list[Account]) -> None:
            for each in chosen:
                await manager.execute_action(each.id, "get_user", {"handle": x.accounts[0].handle})

        await call(accounts[:warm])
        before, began = resident(), time.process_time()
        await call(accounts[warm:])
        return Costs(cpu=time.process_time() - began, gained=resident() - before, resident=resident())


if __name__ == "__main__":
    side, number = sys.argv[1], int(sys.argv[2])
    print(msgspec.json.encode({"plain": plain, "session": session, "used": used}[side](number)).decode())
