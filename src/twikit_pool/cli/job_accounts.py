"""The accounts that `run` works with, from where the command line says."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import msgspec

# As a package: its names load what they need when they are used.
from twikit_pool import simulator
from twikit_pool.accounts import Account, CookieFolder, Credentials, MemoryAccounts, locations
from twikit_pool.cli.sandbox import sandbox
from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from twikit_pool.accounts import AccountSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """Where the accounts are; the store when nothing else is given.

    Attributes:
        cookies: a folder of cookie files, or a pattern.
        store: the account store's path or URL; None is what `TWIKIT_POOL_STORE` says, or the user's own.
        sandbox: how many accounts of a simulator that is made for this run.
        sandbox_faults: whether that simulator has faults.
        simulator: the address of a simulator that runs already.
    """

    cookies: str | None = None
    store: str | None = None
    sandbox: int | None = None
    sandbox_faults: bool = True
    simulator: str | None = None


@asynccontextmanager
async def sessions_of(choice: AccountChoice) -> AsyncGenerator[TwikitSessionManager]:
    """The sessions of the chosen accounts; closed on leaving.

    Raises:
        TwikitPoolError: the accounts cannot be had; the message says why.
    """
    async with AsyncExitStack() as stack:
        backend: TwikitBackend | None = None
        if choice.sandbox is not None:
            x = await stack.enter_async_context(sandbox(choice.sandbox, faults=choice.sandbox_faults))
            source: AccountSource = MemoryAccounts(_accounts((each.id, each.cookies) for each in x.accounts))
            backend = _backend_of(x.url)
        elif choice.simulator is not None:
            source = MemoryAccounts(_accounts(await _ask_simulator(choice.simulator)))
            backend = _backend_of(choice.simulator)
        elif choice.cookies is not None:
            source = CookieFolder(choice.cookies)
        else:
            # Only here: it brings SQLAlchemy along, which the other sources do without.
            from twikit_pool.cli.account_store import open_store

            url = os.environ.get(locations.STORE) if choice.store is None else choice.store
            source = await open_store(url)
        stack.push_async_callback(source.aclose)
        yield await stack.enter_async_context(TwikitSessionManager(source, backend=backend))


def _backend_of(url: str) -> TwikitBackend:
    return TwikitBackend(transport=lambda _account: simulator.SimulatorTransport(url))


def _accounts(cookies: Iterable[tuple[str, Cookies]]) -> list[Account]:
    return [Account(id=each, credentials=Credentials(cookies=Cookies(kept))) for each, kept in cookies]


class _Listed(msgspec.Struct):
    id: str
    cookies: dict[str, str]


class _Listing(msgspec.Struct):
    accounts: list[_Listed]


async def _ask_simulator(url: str) -> list[tuple[str, Cookies]]:
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{url.rstrip('/')}/__simulator__/accounts")
            answer.raise_for_status()
        listing = msgspec.json.decode(answer.content, type=_Listing)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise ConfigError(
            f"no simulator answers at {url} ({type(error).__name__}): start `twikit-pool simulate` and give "
            "the address it prints"
        ) from None
    return [(each.id, Cookies(each.cookies)) for each in listing.accounts]
