"""Accounts that get well while the pool runs, and windows over a kill: real twikit, HTTP and stores."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from twikit_pool.accounts import (
    Account,
    AccountSource,
    AccountState,
    AccountStore,
    CookieFolder,
    Credentials,
    Keyring,
)
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AccountUnavailable, NoAccountAvailable
from twikit_pool.pool import PoolHooks, TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import CallFailed, TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator, SimulatorProcess

QUICK = ConnectionPoolConfig(acquire_timeout=5, refresh_interval=0.05, ill_check_interval=0.2)
UNWELL = (CallFailed, AccountUnavailable, NoAccountAvailable)
Exchange = Callable[[str, Cookies], Any]


@asynccontextmanager
async def pool_over(
    x: Simulator, source: AccountSource, hooks: PoolHooks | None = None, config: ConnectionPoolConfig = QUICK
) -> AsyncIterator[TwikitConnectionPool]:
    backend = TwikitBackend(transport=lambda _account: x.transport())
    async with (
        TwikitSessionManager(source, backend=backend) as sessions,
        TwikitConnectionPool(sessions, config, hooks=hooks) as pool,
    ):
        yield pool


async def search(pool: TwikitConnectionPool, account_id: str) -> None:
    await pool.execute("search_tweet", query="python", account=account_id)


async def well_again(pool: TwikitConnectionPool, account_id: str) -> None:
    async with asyncio.timeout(10):
        while account_id in pool.ill_accounts():  # noqa: ASYNC110 - nothing tells but the pool itself
            await asyncio.sleep(0.02)
    await search(pool, account_id)


def accounts_of(x: Simulator) -> list[Account]:
    return [Account(id=each.id, credentials=Credentials(cookies=each.cookies)) for each in x.accounts]


def folder_of(x: Simulator, folder: Path) -> CookieFolder:
    for each in x.accounts:
        (folder / f"{each.id}.json").write_text(json.dumps(each.cookies))
    return CookieFolder(folder)


async def store_of(x: Simulator, path: Path, keyring: Keyring) -> AccountStore:
    store = await AccountStore.open(path, keyring=keyring)
    await store.merge(accounts_of(x))
    return store


@pytest.mark.parametrize("kind", ["folder", "store"])
async def test_fresh_cookies_heal_a_running_pool(kind: str, tmp_path: Path) -> None:
    keyring = Keyring.generate()
    async with Simulator(accounts=2) as x:
        ill, other = (each.id for each in x.accounts)
        source = folder_of(x, tmp_path) if kind == "folder" else await store_of(x, tmp_path / "a.db", keyring)
        async with pool_over(x, source, config=QUICK.changed(ill_check_interval=60.0)) as pool:
            await search(pool, ill)
            fresh = x.log_in_anew(ill)
            with pytest.raises(UNWELL):
                await search(pool, ill)
            assert pool.ill_accounts().keys() == {ill}
            await search(pool, other)
            if kind == "folder":
                (tmp_path / f"{ill}.json").write_text(json.dumps(fresh))
            else:  # as another program does it, `twikit-pool accounts refresh` say
                async with await AccountStore.open(tmp_path / "a.db", keyring=keyring) as theirs:
                    await theirs.merge([Account(id=ill, credentials=Credentials(cookies=fresh))])
            await well_again(pool, ill)
            assert (await source.account(ill)).standing.state is AccountState.ACTIVE
            again = x.log_in_anew(ill)  # before the old one was used in vain
            await pool.sessions.give_cookies(ill, again)
            await search(pool, ill)
            assert (await source.account(ill)).credentials.cookies["auth_token"] == again["auth_token"]
            assert x.calls.count(account=other, status=401) == 0
        await source.aclose()


async def test_the_operator_is_asked_for_fresh_cookies(tmp_path: Path) -> None:
    async with Simulator(accounts=2) as x:
        ill = x.accounts[0].id

        async def log_in(account: Account) -> Cookies:
            await asyncio.sleep(0.01)
            return x.accounts[0].cookies

        source = folder_of(x, tmp_path)
        async with pool_over(x, source, PoolHooks(on_stale=log_in)) as pool:
            await search(pool, ill)
            x.log_in_anew(ill)
            with pytest.raises(UNWELL):
                await search(pool, ill)
            await well_again(pool, ill)
        kept = json.loads((tmp_path / f"{ill}.json").read_text())
        assert kept["auth_token"] == x.accounts[0].auth_token


@pytest.mark.parametrize("fault", ["lock", "suspend", "expire"])
async def test_an_account_that_x_forgives_is_used_again(fault: str, tmp_path: Path) -> None:
    async with Simulator(accounts=2) as x:
        ill = x.accounts[0].id
        async with pool_over(x, folder_of(x, tmp_path)) as pool:
            await search(pool, ill)
            x.fault(fault, account=ill)
            with pytest.raises(UNWELL):
                await search(pool, ill)
            await asyncio.sleep(1)
            refused = sum(x.calls.count(account=ill, status=status) for status in (401, 403))
            assert refused <= 4, "the call, and checks at 0.2, 0.4 and 0.8 s"
            x.clear_faults()
            await well_again(pool, ill)


RUN = """
import asyncio, sys
from twikit_pool.accounts import AccountStore, CookieFolder, Keyring
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import TwikitPoolError
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import SimulatorTransport

async def main(url, kind, where):
    if kind == "folder":
        source = CookieFolder(where)
    else:
        source = await AccountStore.open(where, keyring=Keyring({"t": b"k" * 32}))
    backend = TwikitBackend(transport=lambda _account: SimulatorTransport(url))
    async with TwikitSessionManager(source, backend=backend) as sessions:
        async with TwikitConnectionPool(sessions, ConnectionPoolConfig(acquire_timeout=None)) as pool:
            async def hungry():
                while True:
                    await pool.execute("search_tweet", query="python")
            await asyncio.gather(*(hungry() for _ in range(6)))

asyncio.run(main(*sys.argv[1:]))
"""


SEARCH = "SearchTimeline"
LIMIT = 6
KILL_AFTER = (2 * LIMIT, 1)
"""Searches after which the program is killed, each time: first, the windows of both accounts are used up."""


def _searches(x: SimulatorProcess) -> int:
    return sum(each.granted for each in x.windows if each.endpoint == SEARCH)


@pytest.mark.timeout(120)
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
@pytest.mark.parametrize("kind", ["folder", "store"])
def test_i7_killed_in_mid_window_and_started_again_nothing_is_refused(kind: str, tmp_path: Path) -> None:
    """Windows of twelve seconds, and callers that are always hungry."""

    async def fill_store(path: Path) -> None:
        async with await AccountStore.open(path, keyring=Keyring({"t": b"k" * 32})) as store:
            await store.merge(
                Account(id=each.id, credentials=Credentials(cookies=each.cookies)) for each in x.accounts
            )

    with SimulatorProcess(accounts=2, time_scale=75.0, overrides={SEARCH: LIMIT}, latency=0.15) as x:
        where = tmp_path if kind == "folder" else tmp_path / "a.db"
        if kind == "store":
            asyncio.run(fill_store(where))
        else:
            for each in x.accounts:
                (where / f"{each.id}.json").write_text(json.dumps(each.cookies))
        for calls in KILL_AFTER:
            before = _searches(x)
            process = subprocess.Popen([sys.executable, "-c", RUN, x.url, kind, str(where)])
            deadline = time.monotonic() + 30
            while _searches(x) < before + calls:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert [each for each in x.windows if each.refused] == []
