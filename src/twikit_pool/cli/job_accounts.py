"""The accounts that `run` works with, from where the command line says."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import httpx
import msgspec

# As a package: its names load what they need when they are used.
from twikit_pool import simulator
from twikit_pool.accounts import Account, CookieFolder, Credentials, MemoryAccounts, locations
from twikit_pool.accounts.caps import Cap
from twikit_pool.cli.sandbox import CALL_SECONDS as SANDBOX_CALL_SECONDS
from twikit_pool.cli.sandbox import TIME_SCALE, sandbox
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError, InvalidAccount
from twikit_pool.jobs import CALL_SECONDS, engagement
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.limits import DEFAULT_CAPS, KNOWN_LIMITS, Limit
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.saved_ledger import SavedEndpoint, SavedLedger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from twikit_pool.accounts import AccountSource
    from twikit_pool.accounts.caps import GivenCaps


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """Where the accounts are; the store when nothing else is given.

    Attributes:
        cookies: a folder of cookie files, or a pattern.
        store: the account store's path or URL; None is what `TWIKIT_POOL_STORE` says, or the user's own.
        sandbox: how many accounts of a simulator that is made for this run.
        sandbox_faults: whether that simulator has faults.
        simulator: the address of a simulator that runs already.
        engagement: whether they may like, repost and follow by the file.
    """

    cookies: str | None = None
    store: str | None = None
    sandbox: int | None = None
    sandbox_faults: bool = True
    simulator: str | None = None
    engagement: bool = False

    @property
    def simulated(self) -> bool:
        """Whether no real account is concerned."""
        return self.sandbox is not None or self.simulator is not None

    @property
    def may_engage(self) -> bool:
        """Whether jobs that engage are run."""
        return self.engagement or self.simulated

    @property
    def engagement_is(self) -> str:
        """What becomes of jobs that engage, in words."""
        if self.simulated:
            return "allowed, the accounts are simulated"
        return "allowed by --allow-engagement" if self.engagement else "refused without --allow-engagement"

    @property
    def call_seconds(self) -> float:
        """What a call is taken to last."""
        return CALL_SECONDS if self.sandbox is None else SANDBOX_CALL_SECONDS


@asynccontextmanager
async def sessions_of(choice: AccountChoice) -> AsyncGenerator[TwikitSessionManager]:
    """The sessions of the chosen accounts; closed on leaving.

    Raises:
        TwikitPoolError: the accounts cannot be had; the message says why.
    """
    async with AsyncExitStack() as stack:
        backend: TwikitBackend | None = None
        time_scale = 1.0
        caps: Mapping[str, GivenCaps] = engagement.CAPS
        if choice.sandbox is not None:
            x = await stack.enter_async_context(sandbox(choice.sandbox, faults=choice.sandbox_faults))
            source: AccountSource = MemoryAccounts(_accounts((each.id, each.cookies) for each in x.accounts))
            backend = _backend_of(x.url)
            time_scale = TIME_SCALE
            caps = {name: _faster(several) for name, several in DEFAULT_CAPS.items()}
        elif choice.simulator is not None:
            listed, time_scale = await _ask_simulator(choice.simulator)
            source = MemoryAccounts(_accounts(listed))
            backend = _backend_of(choice.simulator)
            caps = dict.fromkeys(DEFAULT_CAPS)  # it has its own, and its own time
        elif choice.cookies is not None:
            try:
                source = CookieFolder(choice.cookies)
            except InvalidAccount as error:  # nothing was run, as without a store
                raise ConfigError(str(error)) from None
        else:
            # Only here: it brings SQLAlchemy along, which the other sources do without.
            from twikit_pool.cli.account_store import open_store

            url = os.environ.get(locations.STORE) if choice.store is None else choice.store
            source = await open_store(url)
        stack.push_async_callback(source.aclose)
        sessions = await stack.enter_async_context(TwikitSessionManager(source, backend=backend, caps=caps))
        if time_scale != 1.0:
            for account in await source.accounts():
                sessions.windows(account.id).restore(_learned_at(time_scale))
        yield sessions


def _learned_at(time_scale: float) -> SavedLedger:
    """The known limits in a simulator's time, so that a plan need not wait until they are learned."""
    limits = {name: Limit(known.calls, known.seconds / time_scale) for name, known in KNOWN_LIMITS.items()}
    return SavedLedger(
        saved_at=SYSTEM_CLOCK.now().timestamp(),
        endpoints={name: SavedEndpoint(limit=limit) for name, limit in limits.items()},
    )


def _faster(caps: Iterable[Cap]) -> list[Cap]:
    """The caps in the sandbox's time."""
    return [Cap(cap.calls, cap.seconds / TIME_SCALE) for cap in caps]


def _backend_of(url: str) -> TwikitBackend:
    return TwikitBackend(transport=lambda _account: simulator.SimulatorTransport(url))


def _accounts(cookies: Iterable[tuple[str, Cookies]]) -> list[Account]:
    return [Account(id=each, credentials=Credentials(cookies=Cookies(kept))) for each, kept in cookies]


class _Listed(msgspec.Struct):
    id: str
    cookies: dict[str, str]


class _Listing(msgspec.Struct):
    accounts: list[_Listed]


class _State(msgspec.Struct):
    time_scale: Annotated[float, msgspec.Meta(gt=0)] = 1.0


async def _ask_simulator(url: str) -> tuple[list[tuple[str, Cookies]], float]:
    """Its accounts, and how many times faster than on X its windows pass."""
    base = f"{url.rstrip('/')}/__simulator__"
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            accounts, state = await http.get(f"{base}/accounts"), await http.get(f"{base}/state")
        listing = msgspec.json.decode(accounts.raise_for_status().content, type=_Listing)
        told = msgspec.json.decode(state.raise_for_status().content, type=_State)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise ConfigError(
            f"no simulator answers at {url} ({type(error).__name__}): start `twikit-pool simulate` and give "
            "the address it prints"
        ) from None
    return [(each.id, Cookies(each.cookies)) for each in listing.accounts], told.time_scale
