"""X as the tests of sessions see it: answers after virtual delays, and counts also what was cut short."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.simulated_loop import SimulatedLoop, grid
from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import Action, TwikitSessionManager
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.responses import RawResponse, XError
from twikit_pool.sessions.traffic import Traffic

LENGTH = 900.0
EPOCH = 1_700_000_000


@dataclass
class StandIn:
    """The other side of every session: one window of `limit` calls for each (account, endpoint).

    A request that is cut short reaches X all the same, at its own time.
    """

    loop: SimulatedLoop
    limit: int = 1000
    slowest: float = 0.3
    least: float = 0.0
    handshake: bool = False
    refusal_tells: bool = True
    name: str = "stand-in"
    refused: Counter[str] = field(default_factory=Counter[str])
    served: Counter[str] = field(default_factory=Counter[str])
    most_at_once: Counter[str] = field(default_factory=Counter[str])
    fails: Callable[[str], Exception | None] = lambda _endpoint: None
    codes: list[int] = field(default_factory=list[int])
    windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict[Any, Any])
    links: list[StandInLink] = field(default_factory=list["StandInLink"])
    now: Counter[str] = field(default_factory=Counter[str])

    def open(self, account: Account) -> StandInLink:
        self.links.append(StandInLink(self, account))
        return self.links[-1]

    def answer(self, account_id: str, endpoint: str) -> RawResponse:
        now = self.loop.time()
        began, used = self.windows.get((account_id, endpoint), (now, 0))
        if now >= began + LENGTH:
            began, used = now, 0
        self.windows[account_id, endpoint] = began, used + 1
        over = used >= self.limit
        (self.refused if over else self.served)[endpoint] += 1
        told = endpoint != "home" and (self.refusal_tells or not over)
        code = 88 if over else self.codes.pop(0) if self.codes else None
        return RawResponse(
            endpoint=endpoint,
            method="POST",
            status=429 if over else 403 if code else 200,
            errors=(XError(code=code, message="no"),) if code else (),
            limit=self.limit if told else None,
            remaining=max(0, self.limit - used - 1) if told else None,
            reset=int(EPOCH + began + LENGTH) + 1 if told else None,
            date=int(EPOCH + now),
        )


class StandInLink:
    """A client of one account."""

    def __init__(self, x: StandIn, account: Account) -> None:
        self.client: Any = self
        self.account = account
        self.unfinished = 0
        self.handshake_due = x.handshake
        self.cookies_changed = False
        self.jar = account.credentials.cookies
        self.on_request: Callable[[str], None] | None = None
        self.on_response: Callable[[RawResponse], None] | None = None
        self.traffic = Traffic()
        self.closed = 0
        self._x = x
        self._generation = 0

    async def perform(self, action: Action, files: Sequence[Media]) -> str:
        if self.handshake_due:
            await self.request("home")
            self.handshake_due = False
        return await self.request(action.spends)

    async def request(self, endpoint: str) -> str:
        x, generation = self._x, self._generation
        assert self.on_request is not None
        self.on_request(endpoint)
        self.unfinished += 1
        if (error := x.fails(endpoint)) is not None:
            raise error
        x.now[endpoint] += 1
        x.most_at_once[endpoint] = max(x.most_at_once[endpoint], x.now[endpoint])
        answered = x.loop.create_future()

        def arrive() -> None:
            x.now[endpoint] -= 1
            response = x.answer(self.account.id, endpoint)
            if not answered.done():
                answered.set_result(response)

        x.loop.call_later(x.least + grid(x.loop.rng, x.slowest), arrive)
        response = await answered
        await asyncio.sleep(grid(x.loop.rng, x.slowest))
        if generation == self._generation:
            self.unfinished -= 1
            assert self.on_response is not None
            self.on_response(response)
        return endpoint

    async def check(self) -> None:
        await self.request("account/settings")

    def cookies(self) -> Cookies:
        return self.jar

    def rotate(self, **cookies: str) -> None:
        """X sets cookies."""
        self.jar = Cookies({**self.jar, **cookies})
        self.cookies_changed = True

    async def renew(self) -> None:
        self._generation += 1
        self.unfinished = 0
        await asyncio.sleep(0.01)

    def renew_handshake(self) -> None:
        self.handshake_due = True

    def park(self) -> Cookies | None:
        """It leaves its cookies."""
        return None if self.handshake_due else self.jar

    def unpark(self, kept: Cookies) -> None:
        self.jar, self.handshake_due = kept, False

    def trim(self) -> None: ...

    async def aclose(self) -> None:
        self.closed += 1
        await asyncio.sleep(0)


def account(account_id: str = "brand", **fields: Any) -> Account:
    return Account(
        id=account_id, credentials=Credentials(cookies=Cookies(auth_token="canary", ct0="old")), **fields
    )


def manager_of(x: StandIn, source: Any = None) -> TwikitSessionManager:
    """A manager in the loop's time and chance, over one account `brand` unless a source is given."""
    source = source or MemoryAccounts([account()])
    return TwikitSessionManager(source, backend=x, clock=x.loop.clock, rng=x.loop.rng)
