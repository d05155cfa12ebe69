"""How many calls a second the simulator serves, alone in a process of its own.

Four simple calls are pipelined over several connections by a client that neither parses nor waits, so
that the server is what is measured: by the wall clock, and by the CPU time it used itself.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec
import psutil

from benchmarks import Bar, Report
from twikit_pool.simulator import SimulatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.simulator import RemoteAccount

ROUNDS: Final = 5
CALLS: Final = 6000
"""Of each kind and round."""
CONNECTIONS: Final = 8
DEPTH: Final = 25
"""Requests that are on their way at once on one connection."""
LEAST: Final = 3000.0
"""Calls a second of server CPU, over the four kinds together."""

Wire = bytes
GRAPHQL: Final = "/i/api/graphql/0123456789abcdefghijkl/"
FEATURES: Final = quote(msgspec.json.encode({f"responsive_web_feature_{n}_enabled": True for n in range(36)}))
"""As many as a client sends along with every GraphQL call."""


def _request(account: RemoteAccount, method: str, target: str, body: bytes = b"") -> Wire:
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: x.com\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
        "Connection: keep-alive\r\nauthorization: Bearer AAAAAAAAAAAAAAAAAAAAA\r\n"
        "content-type: application/json\r\nX-Twitter-Auth-Type: OAuth2Session\r\n"
        "X-Twitter-Active-User: yes\r\nReferer: https://x.com/\r\nUser-Agent: Mozilla/5.0\r\n"
        f"X-Csrf-Token: {account.cookies['ct0']}\r\nX-Client-Transaction-Id: {'t' * 94}\r\n"
        f"Cookie: auth_token={account.auth_token}; ct0={account.cookies['ct0']}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _get(account: RemoteAccount, operation: str, variables: dict[str, object]) -> Wire:
    encoded = quote(msgspec.json.encode(variables))
    return _request(account, "GET", f"{GRAPHQL}{operation}?variables={encoded}&features={FEATURES}")


def _post(account: RemoteAccount, operation: str, variables: dict[str, object]) -> Wire:
    body = msgspec.json.encode({"variables": variables, "features": {}, "queryId": "q"})
    return _request(account, "POST", GRAPHQL + operation, body)


def _kinds(tweets: list[str], start: int) -> dict[str, Callable[[RemoteAccount, int], Wire]]:
    """The four kinds of calls; `start` keeps texts of one round apart from those of another."""
    return {
        "favorite": lambda who, n: _post(
            who,
            "FavoriteTweet" if n // len(tweets) % 2 == 0 else "UnfavoriteTweet",
            {"tweet_id": tweets[n % len(tweets)]},
        ),
        "user by name": lambda who, n: _get(who, "UserByScreenName", {"screen_name": "sim_002"}),  # noqa: ARG005  all alike
        "create tweet": lambda who, n: _post(who, "CreateTweet", {"tweet_text": f"Benchmark {start + n}"}),
        "search, 20 posts": lambda who, n: _get(  # noqa: ARG005  all alike
            who, "SearchTimeline", {"rawQuery": "python", "count": 20, "product": "Latest"}
        ),
    }


async def _drive(port: int, requests: list[Wire]) -> None:
    """Send over one connection, `DEPTH` ahead of the answers; all must be 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    for begin in range(0, len(requests), DEPTH):
        batch = requests[begin : begin + DEPTH]
        writer.write(b"".join(batch))
        for _ in batch:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the simulator answered {head[:30]!r}")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b'"errors"' in body[:12]:
                raise RuntimeError(f"the simulator refused: {body[:120]!r}")
    writer.close()
    await writer.wait_closed()


def _cpu(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


async def _measure(x: SimulatorProcess, requests: list[list[Wire]]) -> tuple[float, float]:
    """Seconds by the wall clock and of the server's CPU."""
    server = psutil.Process(x.pid)
    cpu, begun = _cpu(server), time.perf_counter()
    await asyncio.gather(*(_drive(x.port, each) for each in requests))
    return time.perf_counter() - begun, _cpu(server) - cpu


def run() -> Report:
    wall: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    with SimulatorProcess(accounts=CONNECTIONS, limits=False, posts=400) as x:
        accounts = x.accounts
        found = asyncio.run(_tweets(x.port, accounts[0]))
        for turn in range(ROUNDS):
            for kind, make in _kinds(found, turn * CALLS).items():
                each = CALLS // CONNECTIONS
                # An even number of passes over the posts leaves every one as it was, so a round can repeat.
                requests = [[make(account, n) for n in range(each)] for account in accounts]
                seconds, cpu = asyncio.run(_measure(x, requests))
                wall.setdefault(kind, []).append(seconds)
                used.setdefault(kind, []).append(cpu)
    figures: dict[str, float | int | str] = {"calls of each kind and round": CALLS, "rounds": ROUNDS}
    for kind in wall:
        figures[f"{kind}: calls a second"] = CALLS / statistics.median(wall[kind])
        figures[f"{kind}: calls a second of server CPU"] = CALLS / statistics.median(used[kind])
    kinds = len(wall)
    by_wall = [sum(wall[kind][turn] for kind in wall) for turn in range(ROUNDS)]
    by_cpu = [sum(used[kind][turn] for kind in used) for turn in range(ROUNDS)]
    figures["all four: calls a second"] = kinds * CALLS / statistics.median(by_wall)
    value = kinds * CALLS / statistics.median(by_cpu)
    return Report(figures, [Bar("calls per second", value, LEAST, "higher")])


async def _tweets(port: int, account: RemoteAccount) -> list[str]:
    """Ids of 25 posts to like."""
    wire = _get(account, "SearchTimeline", {"rawQuery": "-nothing", "count": 25, "product": "Latest"})
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(wire)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()
    shown = msgspec.json.decode(body)["data"]["search_by_raw_query"]["search_timeline"]["timeline"]
    entries = shown["instructions"][0]["entries"]
    return [entry["entryId"][6:] for entry in entries if entry["entryId"].startswith("tweet-")]
