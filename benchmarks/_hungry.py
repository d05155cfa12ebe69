"""One client of `rate-budget`, in a process of its own: callers that always want more, until stdin ends.

    python -m benchmarks._hungry pool|naive|twscrape

Reads a line of JSON, a `Job`, and prints one when it is told to stop, its `Harvest`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import msgspec
from twikit.errors import TooManyRequests, TwitterException

from benchmarks.call_overhead import BareClient
from twikit_pool.accounts import Account, CookieFolder
from twikit_pool.clock import SystemClock
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolError
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.sessions import TwikitSessionManager
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.simulator import SimulatorTransport

CALLERS: Final = 20
"""For each endpoint."""
SESSIONS: Final = 2
"""Of each account in our pool, so that calls of one account are in flight together."""
PAUSE: Final = 0.1
"""Seconds before a caller tries again after a call that failed."""
LOOK: Final = 0.25
"""Seconds between two looks of a naive caller that finds all accounts at rest."""
BACKOFF: Final = 60.0
"""Seconds, on X, that a naive caller lets an account rest after a 429 that does not say how long."""
QUERY: Final = "python"
PAGE: Final = 5
"""Posts to ask for: few, for what is measured is not their parsing."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has to do.

    Attributes:
        url: where the simulator is.
        cookies: the folder with a cookie file for each account.
        handle, user_id: whom to ask for.
        skew: seconds that its wall clock is ahead.
        time_scale: how many times faster than on X windows pass.
    """

    url: str
    cookies: Path
    handle: str
    user_id: str
    skew: float
    time_scale: float


class Harvest(msgspec.Struct):
    """What the callers got: answers by endpoint, failures by what they were."""

    answers: dict[str, int] = {}
    failures: dict[str, int] = {}

    def answered(self, endpoint: str) -> None:
        """One more."""
        self.answers[endpoint] = self.answers.get(endpoint, 0) + 1

    async def failed(self, failure: str) -> None:
        """One more; the caller waits a moment, lest one that fails at once takes all the time there is."""
        self.failures[failure] = self.failures.get(failure, 0) + 1
        await asyncio.sleep(PAUSE)


class SkewedClock(SystemClock):
    """The machine's clocks, the wall clock wrong by some seconds."""

    __slots__ = ("_skew",)

    def __init__(self, skew: float) -> None:
        self._skew = timedelta(seconds=skew)

    def now(self) -> datetime:
        """What this client takes for the time."""
        return datetime.now(UTC) + self._skew


async def _until_told(callers: list[Coroutine[Any, Any, None]]) -> None:
    """Let the callers call until stdin ends."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), told.set)
    stopping = asyncio.create_task(told.wait())
    tasks = [asyncio.create_task(caller) for caller in callers]
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        gave_up = [task for task in tasks if task.done()]
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.wait([stopping, *tasks])
    for task in gave_up:
        task.result()


async def pool(job: Job, harvest: Harvest) -> None:
    """Our pool over a cookie folder."""
    clock = SkewedClock(job.skew)
    source = CookieFolder(job.cookies)
    most = len(await source.accounts()) * SESSIONS
    config = ConnectionPoolConfig(
        max_connections=most, max_connections_per_account=SESSIONS, acquire_timeout=None
    )
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "SearchTimeline": ("search_tweet", {"query": QUERY, "count": PAGE}),
        "UserTweets": ("get_user_tweets", {"user_id": job.user_id, "count": PAGE}),
        "UserByScreenName": ("get_user", {"handle": job.handle}),
    }

    def transport(_account: Account) -> SimulatorTransport:
        return SimulatorTransport(job.url)

    sessions = TwikitSessionManager(source, backend=TwikitBackend(transport=transport), clock=clock)
    async with sessions, TwikitConnectionPool(sessions, config, clock=clock) as pool:

        async def call(endpoint: str) -> None:
            action, parameters = wanted[endpoint]
            while True:
                try:
                    await pool.execute(action, **parameters)
                except PoolError as error:
                    await harvest.failed(f"{endpoint}: {type(error).__name__}: {error}")
                else:
                    harvest.answered(endpoint)

        await _until_told([call(endpoint) for endpoint in wanted for _ in range(CALLERS)])


async def naive(job: Job, harvest: Harvest) -> None:
    """The code that people write: a plain twikit client for each account, which rests as it is told.

    By the headers of the last answer or by a 429, until the reset by this machine's clock.
    """
    clock = SkewedClock(job.skew)
    clients: list[BareClient] = []
    for account in await CookieFolder(job.cookies).accounts():
        client = BareClient("en-US", transport=SimulatorTransport(job.url))
        client.set_cookies(dict(account.credentials.cookies))
        clients.append(client)
    wanted: dict[str, Callable[[BareClient], Awaitable[Any]]] = {
        "SearchTimeline": lambda client: client.search_tweet(QUERY, "Latest", PAGE),
        "UserTweets": lambda client: client.get_user_tweets(job.user_id, "Tweets", PAGE),
        "UserByScreenName": lambda client: client.get_user_by_screen_name(job.handle),
    }
    rests_until: dict[tuple[BareClient, str], float] = {}
    turns = cycle(clients)

    def now() -> float:
        return clock.now().timestamp()

    async def call(endpoint: str) -> None:
        while True:
            round_of_all = (next(turns) for _ in clients)
            awake = (each for each in round_of_all if rests_until.get((each, endpoint), 0) <= now())
            client = next(awake, None)
            if client is None:
                await asyncio.sleep(LOOK)
                continue
            try:
                await wanted[endpoint](client)
            except TooManyRequests as error:
                rests_until[client, endpoint] = error.rate_limit_reset or now() + BACKOFF / job.time_scale
                await harvest.failed("429")
            except TwitterException as error:
                await harvest.failed(type(error).__name__)
            else:
                harvest.answered(endpoint)
                if client.rate_limit_remaining == 0 and client.rate_limit_reset is not None:
                    rests_until[client, endpoint] = client.rate_limit_reset

    try:
        await _until_told([call(endpoint) for endpoint in wanted for _ in range(CALLERS)])
    finally:
        for client in clients:
            await client.http.aclose()


async def twscrape(job: Job, harvest: Harvest) -> None:
    """Search by twscrape, over its own accounts on disk."""
    from benchmarks._twscrape import accounts_on_disk, search

    accounts = await accounts_on_disk(job.cookies)

    async def call() -> None:
        while True:
            if await search(accounts, QUERY):
                harvest.answered("SearchTimeline")
            else:
                await harvest.failed("no page")

    await _until_told([call() for _ in range(CALLERS)])


def main() -> None:
    client = {"pool": pool, "naive": naive, "twscrape": twscrape}[sys.argv[1]]
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job, dec_hook=lambda kind, given: kind(given))
    harvest = Harvest()
    asyncio.run(client(job, harvest))
    print(msgspec.json.encode(harvest).decode())


if __name__ == "__main__":
    main()
