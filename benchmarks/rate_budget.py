"""How much of what X grants is used, and how often X has to refuse: our pool, a naive client and twscrape.

Real twikit over real HTTP: 20 accounts, three endpoints with limits of their own, windows of 15 seconds,
0.3 s of latency, and callers that always want more. Each client is a process of its own before a simulator
of its own, which counts; those with the right time, 120 s ahead and 120 s behind run side by side.

**Budget**: four windows of each account and endpoint; what a client takes of a fifth does not count.
**Time**: the same for all, from the first call; four times a window's length and the two seconds that nobody
can know, since X says in whole seconds when a window ends, rounded up, and what time it is, rounded down. On
X two seconds are 0.2% of a window. What a client really loses between two windows is measured too, and held
to a bar as if windows had X's 900 s.

**Circumstances**: *plain*; *no headers*, where a 429 does not say how long; *restart* and *killed*, where
the client is stopped or gets a SIGKILL when a quarter of the second window is spent, and is started anew on
the same cookie folder. It must spend the rest before the window ends, 15 s after it began: on a machine that
is busy otherwise it is the processor that loses budget there. The load is among the figures.

*naive* is the code that people write with twikit: it lets an account rest when the headers say that nothing
remains, or after a 429, until `x-rate-limit-reset` by its own clock, and does not count calls in flight.
*twscrape* is as it comes, search only: its accounts in SQLite on disk, through a proxy that ends TLS,
telemetry off. When no account is free it looks again every 5 s. On X that is little, here it is much of a
window; it is part of the seconds that it loses.

**Acquisitions** a second, each with its release, one after the other by the wall clock: ours over sessions
that do nothing, with metrics and events on, against twscrape's `get_for_queue` and `unlock` on disk.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from benchmarks import Bar, Report
from benchmarks._hungry import Harvest, Job
from benchmarks._silent_pool import account, silent_pool
from benchmarks._tls_proxy import tls_proxy
from twikit_pool.pool import ConnectionRequest
from twikit_pool.simulator import SimulatorProcess, UsedWindow

ACCOUNTS: Final = 20
LIMITS: Final = {"UserTweets": 5, "SearchTimeline": 10, "UserByScreenName": 20}
"""Calls a window and account."""
WINDOWS: Final = 4
SCALE: Final = 60.0
X_LENGTH: Final = 900.0
"""Seconds of a window on X."""
LENGTH: Final = X_LENGTH / SCALE
"""Seconds of a window."""
UNKNOWABLE: Final = 2.0
"""Seconds that whole-second headers hide, at each window's end."""
TIME: Final = WINDOWS * (LENGTH + UNKNOWABLE)
LATENCY: Final = 0.3
SPREAD: Final = 0.5
"""The latency's median in seconds, and the spread of its logarithm."""
SKEWS: Final = (0.0, 120.0, -120.0)
Circumstances = Literal["plain", "no headers", "restart", "killed"]
HELD_TO: Final[tuple[Circumstances, ...]] = get_args(Circumstances)
"""Those that our pool goes through."""
SHARE: Final = 0.99
KILLED: Final = 0.95
"""Least shares of the budget. The margin with which ledgers are saved is a tenth to two fifths of such a
window, and a kill may lose it once in the four."""
INTERRUPTED_AT: Final = 1.25
"""Windows' worth of calls after which a client is stopped or killed."""
LOOK: Final = 0.2
"""Seconds between two looks at how far a client is."""
PATIENCE: Final = 60.0
"""Seconds that a client has until its first call, and to stop."""
ACQUIRING: Final = 5.0
"""Seconds that acquisitions are counted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who is measured, and under which circumstances.

    Attributes:
        kind: `pool`, `naive` or `twscrape`.
        skew: seconds that its wall clock is ahead.
    """

    kind: str
    circumstances: Circumstances = "plain"
    skew: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}, {self.circumstances}, clock {self.skew:+.0f} s"

    @property
    def endpoints(self) -> Sequence[str]:
        """What it calls."""
        return ("SearchTimeline",) if self.kind == "twscrape" else tuple(LIMITS)

    @property
    def budget(self) -> int:
        """Calls that X grants it in a window."""
        return ACCOUNTS * sum(LIMITS[endpoint] for endpoint in self.endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How a client did, by the simulator's count.

    Attributes:
        share: of the budget of `WINDOWS` windows, what was granted.
        returned: of all calls that were granted, those whose answers the callers had. Those in flight when a
            client is stopped are lost, and those that a client had which is killed are not known.
        refused: calls that X answered with a 429.
        failed: calls whose callers had an error instead of an answer.
        lost: seconds from a window's end to the next one's first call, the median; all the time there is
            where no window had a next one.
    """

    share: float
    returned: float
    refused: int
    failed: int
    lost: float


ROUNDS: Final = (
    *([Client(kind="pool", circumstances=each, skew=skew) for skew in SKEWS] for each in HELD_TO),
    [
        *(Client(kind="naive", skew=skew) for skew in SKEWS),
        Client(kind="naive", circumstances="no headers"),
        Client(kind="twscrape"),
    ],
)
"""Clients that run side by side, round by round."""


def run() -> Report:
    if find_spec("twscrape") is None:
        raise SystemExit("twscrape is missing: install the peers with `pip install -e '.[bench]'`")
    found: dict[Client, Found] = {}
    loads = [os.getloadavg()[0]]
    for clients in ROUNDS:
        found |= zip(clients, asyncio.run(_side_by_side(clients)), strict=True)
        loads.append(os.getloadavg()[0])
    ours, theirs = asyncio.run(_acquisitions()), asyncio.run(_acquisitions_of_twscrape())
    figures: dict[str, float | int | str] = {
        "processors": os.cpu_count() or 0,
        "load before, and after each round": " ".join(f"{load:.1f}" for load in loads),
        "calls in the budget": WINDOWS * Client(kind="pool").budget,
    }
    for client, each in found.items():
        figures[f"{client}: share of the budget"] = each.share
        figures[f"{client}: share of the granted calls returned"] = each.returned
        figures[f"{client}: 429s"] = each.refused
        figures[f"{client}: calls that failed"] = each.failed
        figures[f"{client}: seconds lost at a window's end"] = each.lost
    figures["pool: acquisitions a second"] = ours
    figures["twscrape: acquisitions a second"] = theirs
    bars: list[Bar] = []
    for circumstances in HELD_TO:
        held = [
            each
            for client, each in found.items()
            if client.kind == "pool" and client.circumstances == circumstances
        ]
        name = f"pool, {circumstances}"
        share = KILLED if circumstances == "killed" else SHARE
        bars += [
            Bar(f"{name}: share of the budget", min(each.share for each in held), share, "higher"),
            Bar(f"{name}: 429s", sum(each.refused for each in held), 0, "lower"),
        ]
    lost = max(each.lost for client, each in found.items() if client.kind == "pool")
    on_x = X_LENGTH / (X_LENGTH + lost)
    bars += [
        Bar("pool: share of the time that windows of 900 s would run", on_x, 0.99, "higher"),
        Bar("acquisitions a second, times twscrape's", ours / theirs, 1_000, "higher"),
    ]
    return Report(figures, bars)


# ---------------------------------------------------------------- a client's run


async def _side_by_side(clients: Sequence[Client]) -> list[Found]:
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(_measured(client)) for client in clients]
    return [each.result() for each in runs]


async def _measured(client: Client) -> Found:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        x = stack.enter_context(
            SimulatorProcess(
                accounts=ACCOUNTS,
                time_scale=SCALE,
                overrides=LIMITS,
                refusal_headers=client.circumstances != "no headers",
                latency=LATENCY,
                latency_sigma=SPREAD,
            )
        )
        proxy, trusted = await stack.enter_async_context(tls_proxy(x.port, folder))
        job = Job(
            url=x.url,
            cookies=_cookie_files(folder, {each.id: each.cookies for each in x.accounts}),
            handle=x.accounts[0].handle,
            user_id=x.accounts[0].user_id,
            skew=client.skew,
            time_scale=SCALE,
        )
        running = _Running(client.kind, job, {"TWS_PROXY": proxy, "SSL_CERT_FILE": str(trusted)})
        try:
            await running.start()
            began = await _first_call(x)
            if client.circumstances in ("restart", "killed"):
                await _granted(x, int(INTERRUPTED_AT * client.budget))
                await (running.stop() if client.circumstances == "restart" else running.kill())
                await running.start()
            await asyncio.sleep(began + TIME - time.time())
            windows = x.windows
            await running.stop()
            granted = sum(window.granted for window in _windows_of(client, x.windows))
        finally:
            await running.kill()
    return _found(client, windows, returned=running.answers / granted, failed=running.failures)


def _cookie_files(folder: Path, accounts: Mapping[str, Mapping[str, str]]) -> Path:
    cookies = folder / "cookies"
    cookies.mkdir()
    for account_id, each in accounts.items():
        (cookies / f"{account_id}.json").write_bytes(msgspec.json.encode(dict(each)))
    return cookies


async def _first_call(x: SimulatorProcess) -> float:
    """When the first window began, in epoch seconds."""
    async with asyncio.timeout(PATIENCE):
        while not (windows := x.windows):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(LOOK)
    return windows[0].began


async def _granted(x: SimulatorProcess, calls: int) -> None:
    """Wait until X has granted so many."""
    async with asyncio.timeout(TIME):
        while sum(window.granted for window in x.windows) < calls:  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(LOOK)


class _Running:
    """A client's process, and those it is restarted as. It counts for those that were stopped, not killed."""

    def __init__(self, kind: str, job: Job, environment: Mapping[str, str]) -> None:
        self._kind = kind
        self._job = msgspec.json.encode(job, enc_hook=str) + b"\n"
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self.answers = self.failures = 0

    async def start(self) -> None:
        command = [sys.executable, "-m", "benchmarks._hungry", self._kind]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, env=self._environment
        )
        if self._process.stdin is not None:
            self._process.stdin.write(self._job)

    async def stop(self) -> None:
        """As its operator stops it."""
        if self._process is not None:
            async with asyncio.timeout(PATIENCE):
                told, _ = await self._process.communicate(b"")  # which ends its stdin
            if self._process.returncode:
                raise RuntimeError(f"the client {self._kind!r} failed: what it printed says why")
            harvest = msgspec.json.decode(told, type=Harvest)
            self.answers += sum(harvest.answers.values())
            self.failures += sum(harvest.failures.values())
            self._process = None

    async def kill(self) -> None:
        """As a machine that loses its power does."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


def _windows_of(client: Client, windows: Sequence[UsedWindow]) -> list[UsedWindow]:
    return [window for window in windows if window.endpoint in client.endpoints]


def _found(client: Client, windows: Sequence[UsedWindow], *, returned: float, failed: int) -> Found:
    of_pairs: dict[tuple[str, str], list[UsedWindow]] = {}
    for window in _windows_of(client, windows):
        of_pairs.setdefault((window.account, window.endpoint), []).append(window)
    counted = [window for of_pair in of_pairs.values() for window in of_pair[:WINDOWS]]
    lost = [after.began - before.ends for of_pair in of_pairs.values() for before, after in pairwise(of_pair)]
    return Found(
        share=sum(window.granted for window in counted) / (WINDOWS * client.budget),
        returned=returned,
        refused=sum(window.refused for window in windows),
        failed=failed,
        lost=statistics.median(lost) if lost else TIME,
    )


# ---------------------------------------------------------------- acquisitions


async def _acquisitions() -> float:
    """How many our pool does in a second, each with its release."""
    request = ConnectionRequest(action="search_tweet")
    async with silent_pool([account(number) for number in range(ACCOUNTS)]) as pool:
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < ACQUIRING:
            (await pool.acquire(request)).release()
            done += 1
        return done / (time.perf_counter() - began)


async def _acquisitions_of_twscrape() -> float:
    with tempfile.TemporaryDirectory() as folder:
        accounts = [account(number) for number in range(ACCOUNTS)]
        cookies = _cookie_files(Path(folder), {each.id: each.credentials.cookies for each in accounts})
        command = [sys.executable, "-m", "benchmarks._twscrape", str(cookies), str(ACQUIRING)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        told, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("twscrape failed: what it printed says why")
        return float(told)
