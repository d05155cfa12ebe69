"""X as the pool's simulation sees it: answers after virtual delays, counts every window, holds grudges."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twikit import errors as twikit_errors

from tests.simulation.simulated_loop import SimulatedLoop, grid
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import PoolHooks, TwikitConnectionPool
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.actions import Action, Paged
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.outcomes import CODES
from twikit_pool.sessions.records import Done, Page
from twikit_pool.sessions.responses import RawResponse, XError
from twikit_pool.sessions.traffic import Traffic

WINDOW = 900.0


class LinkMisused(AssertionError):
    """Two calls ran at once on one client, or a half-used client was used again."""


@dataclass
class SimulatedX:
    """The other side: windows by (account, endpoint), refusals by account, and what took effect."""

    loop: SimulatedLoop
    limit: int = 10_000
    slowest: float = 0.3
    codes: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """X codes that each account's next calls are answered with."""
    broken: Callable[[str, str], int | Exception | None] | None = None
    """What a call of an account to an endpoint meets instead: a status without more, or an error; or None."""
    opens_from: float = 0.0
    """Until then no client can be made."""
    over_limit: int = 0
    over_known: int = 0
    """Calls over a limit that an answer had told of before."""
    told: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """When the windows began that the account was told of."""
    misuses: list[str] = field(default_factory=list[str])
    """What links noticed, which the session takes for an error of X's."""
    sent: list[str] = field(default_factory=list[str])
    """The account of every request that left."""
    done: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    calls: Counter[str] = field(default_factory=Counter[str])
    unparked: int = 0
    """Links that began with what another one left."""
    links: list[SimulatedLink] = field(default_factory=list["SimulatedLink"])
    _windows: dict[tuple[str, str], tuple[float, int]] = field(
        default_factory=dict[tuple[str, str], tuple[float, int]]
    )

    name = "simulated"

    def open(self, account: Account) -> SimulatedLink:
        if self.loop.time() < self.opens_from:
            raise OSError("no client can be made")
        link = SimulatedLink(self, account)
        self.links.append(link)
        return link

    def answer(self, account_id: str, endpoint: str) -> RawResponse:
        met = None if self.broken is None else self.broken(account_id, endpoint)
        if isinstance(met, Exception):  # it found no way here, so nothing is counted
            raise met
        now = self.loop.time()
        began, used = self._windows.get((account_id, endpoint), (now, 0))
        if now >= began + WINDOW:
            began, used = now, 0
        used += 1
        self._windows[account_id, endpoint] = (began, used)
        self.calls[endpoint] += 1
        if met is not None:
            return RawResponse(endpoint=endpoint, method="POST", status=met, date=1_700_000_000 + now)
        status, errors = 200, ()
        if used > self.limit:
            self.over_limit += 1
            self.over_known += self.told.get((account_id, endpoint)) == began
            status, errors = 429, (XError(code=88, message="Rate limit exceeded."),)
        elif self.codes.get(account_id):
            code = self.codes[account_id].pop(0)
            status = 503 if code == 131 else 403
            errors = (XError(code=code, message=CODES[code].reason),)
        return RawResponse(
            endpoint=endpoint,
            method="POST",
            status=status,
            errors=errors,
            limit=self.limit,
            remaining=max(0, self.limit - used),
            reset=int(1_700_000_000 + began + WINDOW),
            date=1_700_000_000 + now,
        )

    def tell(self, account_id: str, endpoint: str) -> None:
        """An answer of this window has arrived."""
        self.told[account_id, endpoint] = self._windows[account_id, endpoint][0]


@dataclass
class SimulatedHandshake:
    """What a link leaves to the next one of its account."""

    account_id: str
    cookies: Cookies
    taken: bool = False


class SimulatedLink:
    """One account's client, which notices when it is misused."""

    def __init__(self, x: SimulatedX, account: Account) -> None:
        self.client: Any = self
        self.unfinished = 0
        self.cookies_changed = False
        self.handshake_due = False
        self.on_request: Callable[[str], None] | None = None
        self.on_response: Callable[[RawResponse], None] | None = None
        self.traffic = Traffic()
        self.renewals = 0
        self.closed = False
        self._x = x
        self._account_id = account.id
        self._cookies = account.credentials.cookies
        self._busy = False
        self._used = False

    async def perform(self, action: Action, files: Sequence[Media]) -> Done | Page[Done]:
        done = await self.request(action.spends, getattr(action, "tweet_id", ""))
        if not isinstance(action, Paged):
            return done
        return Page(items=(done,), next_cursor="2" if action.cursor is None else None)

    async def request(self, endpoint: str, target: str) -> Done:
        if self._busy or self.unfinished or self.closed:
            misuse = (
                f"{self._account_id}: busy {self._busy}, unfinished {self.unfinished}, closed {self.closed}"
            )
            self._x.misuses.append(misuse)
            raise LinkMisused(misuse)
        assert self.on_request is not None
        assert self.on_response is not None
        self.on_request(endpoint)
        self._x.sent.append(self._account_id)
        self.unfinished += 1
        self._busy = self._used = True
        try:
            await asyncio.sleep(grid(self._x.loop.rng, self._x.slowest))
            response = self._x.answer(self._account_id, endpoint)
            if response.status < 300:
                self._x.done.append((self._account_id, target))
            await asyncio.sleep(grid(self._x.loop.rng, self._x.slowest))
        finally:
            self._busy = False
        self.unfinished -= 1
        if response.reset is not None:
            self._x.tell(self._account_id, endpoint)
        self.on_response(response)
        if response.status == 429:
            raise twikit_errors.TooManyRequests("429")
        if response.errors:
            raise twikit_errors.TwitterException(response.message)
        return Done(id=target)

    async def check(self) -> None:
        await self.request("account/settings", "")

    def cookies(self) -> Cookies:
        return self._cookies

    async def renew(self) -> None:
        await asyncio.sleep(grid(self._x.loop.rng, 0.05))
        self.unfinished = 0
        self.renewals += 1

    def renew_handshake(self) -> None: ...

    def park(self) -> SimulatedHandshake | None:
        return SimulatedHandshake(self._account_id, self._cookies) if self._used else None

    def unpark(self, kept: SimulatedHandshake) -> None:
        if self._used or kept.taken or (kept.account_id, kept.cookies) != (self._account_id, self._cookies):
            self._x.misuses.append(f"{self._account_id}: used {self._used}, begins with {kept}")
        self._used = kept.taken = True
        self._x.unparked += 1

    def trim(self) -> None: ...

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


def account(account_id: str, **fields: Any) -> Account:
    return Account(id=account_id, credentials=Credentials(cookies=Cookies(auth_token="canary")), **fields)


def pool_of(
    x: SimulatedX,
    accounts: int | Sequence[Account] = 3,
    config: ConnectionPoolConfig | None = None,
    source: MemoryAccounts | None = None,
    hooks: PoolHooks | None = None,
) -> TwikitConnectionPool:
    """A pool over simulated accounts `a0`, `a1`, … in the loop's time and chance."""
    if isinstance(accounts, int):
        accounts = [account(f"a{number}") for number in range(accounts)]
    sessions = TwikitSessionManager(
        source or MemoryAccounts(accounts), backend=x, clock=x.loop.clock, rng=x.loop.rng
    )
    return TwikitConnectionPool(
        sessions, config or ConnectionPoolConfig(), hooks=hooks, clock=x.loop.clock, rng=x.loop.rng
    )
