"""Our pool, open and full, over sessions that do nothing: what is measured is the pool alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.events import Subscription
from twikit_pool.pool import ConnectionState, TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import Action, TwikitSessionManager
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.responses import RawResponse
from twikit_pool.sessions.traffic import Traffic

OPENING: Final = 60.0
"""Seconds that the pool has to open all its connections."""


class SilentLink:
    """A link that is always ready and never sends anything."""

    client: Any = None
    on_request: Callable[[str], None] | None = None
    on_response: Callable[[RawResponse], None] | None = None
    traffic = Traffic()
    unfinished = 0
    handshake_due = False
    cookies_changed = False

    async def perform(self, action: Action, files: Sequence[Media]) -> None: ...

    async def check(self) -> None: ...

    def cookies(self) -> Cookies:
        """None of its own."""
        return Cookies()

    async def renew(self) -> None: ...

    def renew_handshake(self) -> None: ...

    def park(self) -> None: ...

    def unpark(self, kept: object) -> None: ...

    def trim(self) -> None: ...

    async def aclose(self) -> None: ...


class SilentBackend:
    """Opens silent links."""

    name = "silent"

    def open(self, account: Account) -> SilentLink:  # noqa: ARG002 - as the protocol has it
        """A link for this account."""
        return SilentLink()


def account(number: int, capabilities: frozenset[str] = frozenset()) -> Account:
    cookies = Cookies(auth_token=f"{number:040x}", ct0=f"{number:032x}")
    return Account(
        id=f"account_{number}", credentials=Credentials(cookies=cookies), capabilities=capabilities
    )


@asynccontextmanager
async def silent_pool(
    accounts: Sequence[Account], *, read_events: bool = False, heard: bool = True, **settings: Any
) -> AsyncIterator[TwikitConnectionPool]:
    """An open pool, all its connections idle, with metrics on and a subscriber to all events.

    Args:
        accounts: one connection for each.
        read_events: whether the subscriber reads them.
        heard: whether there is a subscriber at all.
        settings: the pool's, beyond its size.
    """
    size = len(accounts)
    config = ConnectionPoolConfig(
        min_connections=size,
        max_connections=size,
        initial_connections=size,
        enable_health_checks=False,
        **settings,
    )
    sessions = TwikitSessionManager(MemoryAccounts(accounts), backend=SilentBackend(), clock=SYSTEM_CLOCK)
    async with sessions:
        pool = TwikitConnectionPool(sessions, config, clock=SYSTEM_CLOCK)
        events = pool.events.subscribe(maxlen=1024)
        if not heard:
            events.close()
        reader = asyncio.create_task(_read(events)) if read_events else None
        try:
            async with pool:
                async with asyncio.timeout(OPENING):
                    while pool.counts()[ConnectionState.IDLE] < size:  # noqa: ASYNC110 - it is no event
                        await asyncio.sleep(0.01)
                yield pool
        finally:
            events.close()
            if reader is not None:
                await reader


async def _read(events: Subscription) -> None:
    async for _ in events:
        pass
