"""Commands that ask a running service: `twikit-pool status`, `connections`, `stop` and the like.

Where it is comes from --url or TWIKIT_POOL_URL; the token from TWIKIT_POOL_TOKEN alone, so that it stands in
no history and no list of processes.
"""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.client import RemotePool
from twikit_pool.clock import in_words
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

URL: Final = "TWIKIT_POOL_URL"
TOKEN: Final = "TWIKIT_POOL_TOKEN"  # noqa: S105 - the variable's name
USUAL: Final = "http://127.0.0.1:8700"
QUICK: Final = 30.0
"""Seconds for an answer."""

NOT_OPEN: Final = 1
"""Exit code of `status` while a pool does not serve."""

PRIORITIES: Final = {"low": 1, "normal": 2, "high": 3, "critical": 4, "emergency": 5}

Url = Annotated[str | None, Parameter(env_var=URL)]
AsJson = Annotated[bool, Parameter(negative=())]


async def status(pool: str | None = None, /, *, url: Url = None, json: AsJson = False) -> int:
    """What the pools are doing. Exit code 1 while one of them does not serve.

    Args:
        pool: one pool alone.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON array, for programs.
    """
    async with asked(url) as remote:
        every = await remote.wire.ask("GET", "/v1/pools", timeout=QUICK)
    shown = [each for each in every if pool in (None, each["pool_id"])]
    if pool is not None and not shown:
        raise ConfigError(
            f"the service has no pool {pool!r}: it has {', '.join(each['pool_id'] for each in every)}"
        )
    if json:
        print_json(shown)
    else:
        table = Table("pool", "mode", "in use", "free", "waiting", "longest wait", "accounts", "ill")
        for each in shown:
            table.add_row(
                each["pool_id"],
                Text(each["mode"], "green" if each["mode"] == "open" else "bold red"),
                f"{each['active']} of {each['total']}",
                str(each["available"]),
                str(each["queued"]),
                in_words(each["longest_wait"]),
                str(each["accounts"]),
                str(each["quarantined"]),
            )
        courteous(sys.stdout).print(table)
    return 0 if all(each["mode"] == "open" for each in shown) else NOT_OPEN


async def connections(
    pool: str = "default",
    /,
    *,
    state: str | None = None,
    account: str | None = None,
    limit: int = 50,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """The connections of a pool.

    Args:
        pool: whose.
        state: those in this state alone: idle, leased, reserved, opening, renewing, checking, paused.
        account: those whose account's id has this in it.
        limit: how many at most.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object with `items` and `total`, for programs.
    """
    wanted = {"state": state, "account": account, "limit": limit}
    query = "&".join(f"{name}={quote(str(value))}" for name, value in wanted.items() if value is not None)
    async with asked(url, pool) as remote:
        page = await remote.ask("GET", f"/connections?{query}", timeout=QUICK)
    if json:
        print_json(page)
        return 0
    table = Table("connection", "state", "health", "calls in", "leases", "idle", "kept for", "borrower")
    for each in page["items"]:
        latency = each["average_response_time"]
        table.add_row(
            each["connection_id"],
            each["state"],
            Text(f"{each['health']:.2f}", "green" if each["healthy"] else "red"),
            "" if latency is None else f"{latency:.2f} s",
            str(each["usage_count"]),
            in_words(each["idle_time"]),
            each["reserved_for"] or "",
            each["borrower"] or "",
        )
    screen = courteous(sys.stdout)
    screen.print(table)
    if (left := page["total"] - len(page["items"])) > 0:
        screen.print(f"and {left} more: --limit, --state and --account choose")
    return 0


async def reserve(
    owner: str,
    /,
    *,
    account: str | None = None,
    pool: str = "default",
    seconds: float = 300.0,
    priority: str = "normal",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Keep a connection for an owner; prints the reservation's id.

    Args:
        owner: in whose name requests come that get it.
        account: whose connection; any account's when not given.
        pool: of which pool.
        seconds: until it expires.
        priority: which the owner's requests have at least: low, normal, high, critical, emergency.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the whole reservation as a JSON object, for programs.
    """
    if priority not in PRIORITIES:
        raise ConfigError(f"--priority is {priority!r}: give one of {', '.join(PRIORITIES)}")
    body = {
        "reserved_for": owner,
        "account_id": account,
        "duration": seconds,
        "priority": PRIORITIES[priority],
    }
    async with asked(url, pool) as remote:
        made = await remote.ask("POST", "/reservations", body, timeout=QUICK)
    if json:
        print_json(made)
    else:
        print(made["id"])
    return 0


async def release(reservation: str, /, *, pool: str = "default", url: Url = None) -> int:
    """End a reservation.

    Args:
        reservation: its id, as `reserve` printed it.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    async with asked(url, pool) as remote:
        await remote.ask("DELETE", f"/reservations/{quote(reservation, safe='')}", timeout=QUICK)
    courteous(sys.stdout).print("it is released")
    return 0


async def stop(reason: str, /, *, pool: str = "default", pause: float | None = None, url: Url = None) -> int:
    """Make an emergency stop: nothing below CRITICAL is sent until `resume`, or the pause is over.

    Args:
        reason: for everyone who is refused.
        pool: which.
        pause: seconds; the pool's setting when not given.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    body: dict[str, Any] = {"reason": reason} | ({} if pause is None else {"pause": pause})
    async with asked(url, pool) as remote:
        told = await remote.ask("POST", "/emergency-stop", body, timeout=QUICK)
    courteous(sys.stdout).print(f"{pool} is stopped: {told['active']} leases may send nothing any more")
    return 0


async def resume(*, pool: str = "default", url: Url = None) -> int:
    """Let a pool serve everyone again: after a stop, a suspension or a drain.

    Args:
        pool: which.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    async with asked(url, pool) as remote:
        told = await remote.ask("POST", "/resume", timeout=QUICK)
    courteous(sys.stdout).print(f"{pool} is {told['mode']}")
    return 0


async def explain(
    action: str | None = None,
    /,
    *,
    account: str | None = None,
    pool: str = "default",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Why a request would wait, without asking for anything.

    Args:
        action: what it would be for, as search_tweet.
        account: whose connection; any account's when not given.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: all that the sentence is made of, for programs.
    """
    async with asked(url, pool) as remote:
        told = await remote.explain(action=action, account_id=account)
    if json:
        print_json(told)
    else:
        print(told["sentence"])
    return 0


@asynccontextmanager
async def asked(url: str | None, pool: str = "default") -> AsyncGenerator[RemotePool]:
    """A pool of the service that is there.

    Raises:
        ConfigError: there is no token.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ConfigError(f"{TOKEN} is not set: put a token there; `twikit-pool tokens create` makes one")
    async with RemotePool(url or USUAL, token, pool) as remote:
        yield remote


def print_json(value: object) -> None:
    """Print a value on one line, for programs."""
    print(msgspec.json.encode(value).decode())
