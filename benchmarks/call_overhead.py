"""Client CPU of a call through the pool, against the same bare twikit call over the same transport.

Both sides call the same local stand-in, which runs in a process of its own, in turns of a hundred calls;
the ratio is the median over the turns.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
from twikit.client.client import Client

from benchmarks import Bar, Report
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.simulator import SimulatorProcess

TURNS = 41
CALLS = 100


class BareClient(Client):
    """twikit's own client; its constructor throws a transport away unless this property is shadowed."""

    @property
    def proxy(self) -> None:  # type: ignore[override]
        """Shadows twikit's."""
        return None

    @proxy.setter
    def proxy(self, url: object) -> None: ...


Call = Callable[[], Awaitable[object]]


def run() -> Report:
    with SimulatorProcess(accounts=2, limits=False) as x:
        return asyncio.run(_race(x))


async def _race(x: SimulatorProcess) -> Report:
    bare_account, pooled_account = x.accounts[0], x.accounts[1]
    client = BareClient("en-US", transport=x.transport())
    client.set_cookies(dict(bare_account.cookies))

    def transport(_account: Account) -> httpx.AsyncBaseTransport:
        return x.transport()

    source = MemoryAccounts(
        [Account(id=pooled_account.id, credentials=Credentials(cookies=Cookies(pooled_account.cookies)))]
    )
    handle, user_id = bare_account.handle, bare_account.user_id
    tweet = await client.create_tweet("something to like")
    sessions = TwikitSessionManager(source, backend=TwikitBackend(transport=transport))
    async with sessions, TwikitConnectionPool(sessions) as pool:
        pairs: dict[str, tuple[Call, Call]] = {
            "bookmark": (
                lambda: client.bookmark_tweet(tweet.id),
                lambda: pool.execute("bookmark_tweet", tweet_id=tweet.id),
            ),
            "user by handle": (
                lambda: client.get_user_by_screen_name(handle),
                lambda: pool.execute("get_user", handle=handle),
            ),
            "user's posts": (
                lambda: client.get_user_tweets(user_id, "Tweets", 20),
                lambda: pool.execute("get_user_tweets", user_id=user_id),
            ),
        }
        figures: dict[str, float | int | str] = {}
        ratios: list[float] = []
        for name, (bare, pooled) in pairs.items():
            ratio, bare_ms, pooled_ms = await _ratio(bare, pooled)
            figures[f"{name}: bare, CPU ms"] = bare_ms
            figures[f"{name}: through the pool, CPU ms"] = pooled_ms
            figures[f"{name}: ratio"] = ratio
            ratios.append(ratio)
    await client.http.aclose()
    return Report(
        figures=figures,
        bars=[Bar("CPU through the pool / bare, mean of the calls", statistics.mean(ratios), 1.05, "lower")],
    )


async def _ratio(bare: Call, pooled: Call) -> tuple[float, float, float]:
    """The median ratio over the turns, and each side's median milliseconds."""
    sides: dict[Call, list[float]] = {bare: [], pooled: []}
    for call in sides:
        await _cpu(call)  # the handshake and first-time costs are not a call's
    for turn in range(TURNS):
        order = (bare, pooled) if turn % 2 else (pooled, bare)
        for call in order:
            sides[call].append(await _cpu(call))
    ratio = statistics.median(ours / theirs for theirs, ours in zip(sides[bare], sides[pooled], strict=True))
    return ratio, *(statistics.median(times) * 1e3 for times in sides.values())  # type: ignore[return-value]


async def _cpu(call: Call) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - began) / CALLS
