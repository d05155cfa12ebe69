"""No secret is to be seen anywhere: canaries are put in at one end and searched for at every other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.accounts.keys import Keyring
from twikit_pool.accounts.store import AccountStore
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import TwikitPoolError
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.redaction import Cookies, Secret
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator

FAULTS: list[dict[str, Any]] = [
    {"kind": "server_error", "status": 503},
    {"kind": "reset"},
    {"kind": "close"},
    {"kind": "garbage"},
    {"kind": "truncate"},
    {"kind": "hang"},
    {"kind": "code", "code": 187},
    {"kind": "code", "code": 353, "status": 403},
    {"kind": "stale_query"},
    {"kind": "rate_limited"},
    {"kind": "lock"},
    {"kind": "expire"},
]


def everything_about(error: BaseException) -> str:
    """An exception as a reader, a logger and an error tracker see it: with locals, causes and attributes."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True, lookup_lines=False)
    return "\n".join([repr(error), str(error), str(vars(error)), *told.format()])


async def test_no_canary_is_seen_anywhere(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with Simulator(accounts=3, seed=7, ct0_rotation=2) as x:
        canaries = {"hunter2-canary", "canary-totp", "canary@example.org", "proxy-canary"}
        for each in x.accounts:
            canaries |= {each.auth_token, each.cookies["ct0"]}
        store = await AccountStore.open(
            f"sqlite+aiosqlite:///{tmp_path / 'accounts.db'}", keyring=Keyring.generate()
        )
        async with store:
            for each in x.accounts:
                credentials = Credentials(
                    cookies=Cookies(each.cookies),
                    password=Secret("hunter2-canary"),
                    totp=Secret("canary-totp"),
                    email=Secret("canary@example.org"),
                )
                account = Account(
                    id=each.id, credentials=credentials, proxy=Secret("http://u:proxy-canary@127.0.0.1:1")
                )
                seen += [repr(account), str(account)]
                await store.add(account)
            backend = TwikitBackend(transport=lambda _account: x.transport())
            async with TwikitSessionManager(store, backend=backend) as sessions:
                pool = TwikitConnectionPool(
                    sessions, ConnectionPoolConfig(acquire_timeout=0.3, call_timeout=0.3)
                )
                with pool.events.subscribe() as events:
                    async with pool:
                        await _live_through_all_of_it(pool, x, seen)
                        for connection in pool.connections():
                            seen += [repr(connection), repr(connection.session), repr(connection.account)]
                    seen += [repr(event) for event in events.take()]
            seen += [repr(store), repr(vars(store))]
            for each in x.accounts:
                canaries |= {each.auth_token, each.cookies["ct0"]}
    seen += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert len(seen) > 50
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    text = "\n".join(seen)
    for canary in canaries:
        assert canary not in text, f"{canary} is seen: …{text[max(0, text.index(canary) - 300) :][:400]}…"
    for name, body in contents_of(tmp_path).items():
        for canary in canaries:
            assert canary.encode() not in body, f"{canary} is in {name}"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def _live_through_all_of_it(pool: TwikitConnectionPool, x: Simulator, seen: list[str]) -> None:
    user = await pool.execute("get_user", handle=x.accounts[0].handle)
    seen += [repr(user), msgspec.json.encode(user).decode()]
    for fault in FAULTS:
        for account in [x.accounts[0].id] if fault["kind"] in ("lock", "expire") else [None]:
            where = {} if fault["kind"] in ("lock", "expire") else {"endpoint": "CreateTweet"}
            x.fault(**fault, **where, **({"account": account} if account else {}))
            try:
                await pool.execute(
                    "post_tweet", account=x.accounts[0].id, content=f"in spite of {fault['kind']}"
                )
            except TwikitPoolError as error:
                seen.append(everything_about(error))
            x.clear_faults()
    call = asyncio.create_task(pool.execute("get_user_by_id", user_id=user.id))
    await asyncio.sleep(0)
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call


async def test_a_source_in_memory_shows_nothing_either() -> None:
    account = Account(id="a", credentials=Credentials(cookies=Cookies(auth_token="canary", ct0="canary")))
    source = MemoryAccounts([account])
    assert "canary" not in repr(await source.accounts()) + repr(vars(source)) + repr(source)
