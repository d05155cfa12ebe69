"""The command itself. Textual is imported when it is run, and not before."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.cli.remote import QUICK, Url, asked
from twikit_pool.cli.top.sandbox import served_sandbox
from twikit_pool.client import RemotePool
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SHORTEST: Final = 0.2
"""Seconds between two looks at least."""


async def top(
    pool: str | None = None, /, *, interval: float = 2.0, url: Url = None, sandbox: int | None = None
) -> int:
    """The pools of a service live, and what can be done about them; `?` tells the keys.

    Args:
        pool: which to begin with; the first when not given.
        interval: seconds between two looks at the rows on the screen.
        url: the service's address; http://127.0.0.1:8700 when not given.
        sandbox: instead of a service, so many accounts of a simulator that is made for this, to try it.
    """
    if not interval >= SHORTEST:
        raise ConfigError(f"--interval is {interval:g}: give {SHORTEST:g} seconds or more")
    try:  # an optional extra
        import textual  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import websockets  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as missing:
        raise ConfigError(f"top needs the package {missing.name}: pip install 'twikit-pool[tui]'") from None
    from twikit_pool.cli.top.app import TopApp

    async with _service(url, pool or "default", sandbox) as remote:
        who, pools = await _asked_first(remote)
        if pool is not None and pool not in pools:
            raise ConfigError(f"the service has no pool {pool!r}: it has {', '.join(pools)}")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):  # where Textual reads and writes
            raise ConfigError("top needs a terminal: status, pools and events can be read by programs")
        app = TopApp(remote, pool or next(iter(pools), "default"), scope=who["scope"], interval=interval)
        code = await app.run_async()
        if app.failed is not None:
            raise app.failed
    return code or 0


@asynccontextmanager
async def _service(url: str | None, pool: str, sandbox: int | None) -> AsyncGenerator[RemotePool]:
    if sandbox is None:
        async with asked(url, pool) as remote:
            yield remote
        return
    async with served_sandbox(sandbox) as (address, token), RemotePool(address, token, pool) as remote:
        yield remote


async def _asked_first(remote: RemotePool) -> tuple[dict[str, Any], list[str]]:
    """Who we are and which pools there are: what is wrong is told before the screen is taken."""
    who = await remote.wire.ask("GET", "/v1/session", timeout=QUICK)
    every = await remote.wire.ask("GET", "/v1/pools", timeout=QUICK)
    return who, [each["pool_id"] for each in every]
