# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# twikit leaves type arguments out of its signatures, and a drop-in for its client has to know that client.
"""`twikit.Client`, over a pool.

It is twikit's own class, method for method; only the wire is replaced. twikit sends everything through
`request` and `_send`, so leasing a connection there puts every method behind the pool, those of tomorrow's
twikit as well, and every object that a method returns holds this client and no other. The real client of
an account is seen by nobody outside a lease.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from httpx import Response
from twikit.client.client import Client
from twikit.client.gql import GQLClient
from twikit.client.v11 import V11Client
from twikit.constants import TOKEN

from twikit_pool.accounts.private_files import replace_private
from twikit_pool.drop_in.failures import as_twikit, out_of_calls
from twikit_pool.drop_in.makers import MAKING, Makers, naming
from twikit_pool.drop_in.refused import REFUSED_ATTRIBUTES, REFUSED_METHODS, refused
from twikit_pool.drop_in.turns import CURRENT, Turn, take
from twikit_pool.drop_in.written import written
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    NoAccountAvailable,
    NotThroughPool,
)
from twikit_pool.pool.lease import Lease
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.pool.request import ConnectionPriority, ConnectionRequest
from twikit_pool.redaction import without_frames
from twikit_pool.sessions.actions import ACTIONS, LONG_POSTS
from twikit_pool.sessions.outcomes import CallFailed
from twikit_pool.sessions.responses import endpoint_of

T = TypeVar("T")
Headers = dict[str, str]

_ENDPOINTS: Final = {kind.twikit: kind.endpoint for kind in ACTIONS.values()}
"""The endpoint that a method is about, where it is not its first request."""

_READS: Final = frozenset(kind.endpoint for kind in ACTIONS.values() if not kind.writes)
"""Endpoints that change nothing though they may be asked by POST."""

_OF_FILES: Final = re.compile(r"(^|\.)twimg\.com$|^ton\.(twitter|x)\.com$")
"""Hosts of pictures, films and attachments, not of the API."""

_ACCOUNTS_OWN: Final = "(the account's own)"
"""Stands in a header until a lease says whose call it is."""


class _Remembered:
    """What is worth knowing about a pool's accounts for longer than a call."""

    __slots__ = ("makers", "user_ids")

    def __init__(self) -> None:
        self.makers = Makers()
        self.user_ids: dict[str, str] = {}


_REMEMBERED: Final[WeakKeyDictionary[TwikitConnectionPool, _Remembered]] = WeakKeyDictionary()
"""By pool, not by client: a program may make a client for each of its own requests."""


def _remembered_of(pool: TwikitConnectionPool) -> _Remembered:
    remembered = _REMEMBERED.get(pool)
    if remembered is None:
        remembered = _REMEMBERED[pool] = _Remembered()
    return remembered


class PooledClient(Client):
    """A `twikit.Client` without an account of its own: every request takes a lease of the pool.

        client = PooledClient(pool)                      # any account that can do it now
        client = PooledClient(pool, account="brand_uk")  # this one

    What a call returns (posts, users, pages, messages) is bound to the account that answered: its methods
    go through the pool as that account.

    Args:
        pool: an open pool whose sessions are twikit's.
        account: whose calls these are; None for any account that can.
        priority: how urgent each request is.
        timeout: seconds each request waits for a connection; the pool's `acquire_timeout` when not given.

    Each call raises what twikit raises, with a `CallFailed` as its cause that names the account; what
    `TwikitConnectionPool.acquire` raises; and what the pool's guard does (`PostRefused`). What cannot work
    through a pool raises `NotThroughPool`.
    """

    captcha_solver = None

    def __init__(
        self,
        pool: TwikitConnectionPool,
        *,
        account: str | None = None,
        priority: ConnectionPriority = ConnectionPriority.NORMAL,
        timeout: float | None = None,
    ) -> None:
        # twikit's own constructor would make an HTTP client: 50 ms and a way round the pool.
        self.pool = pool
        self.account = account
        self.priority = priority
        self.timeout = timeout
        self._remembered = _remembered_of(pool)
        self.language: str | None = None
        self._token = TOKEN
        self._user_agent = _ACCOUNTS_OWN
        self._act_as: str | None = None
        self._user_id = self._remembered.user_ids.get(account) if account is not None else None
        self._response_headers: Headers | None = None

    def with_account(self, account: str | None) -> Self:
        """The same client for another account; None for any."""
        return self._like(account, self.priority, self.timeout)

    def with_priority(self, priority: ConnectionPriority) -> Self:
        """The same client with another urgency."""
        return self._like(self.account, priority, self.timeout)

    def with_timeout(self, timeout: float | None) -> Self:
        """The same client with another wait for a connection, in seconds; None for the pool's own."""
        return self._like(self.account, self.priority, timeout)

    def _like(self, account: str | None, priority: ConnectionPriority, timeout: float | None) -> Self:
        twin = type(self)(self.pool, account=account, priority=priority, timeout=timeout)
        twin.language = self.language
        twin._act_as = self._act_as if account == self.account else None
        return twin

    def __repr__(self) -> str:
        return f"<PooledClient of {self.account or 'any account'}>"

    # ------------------------------------------------------------ the wire

    async def request(
        self,
        method: str,
        url: str,
        auto_unlock: bool = True,
        raise_exception: bool = True,
        check_user_state: bool = True,
        **kwargs: Any,
    ) -> tuple[dict[str, Any] | Any, Response]:
        """Send one request under a lease and read its answer: for what twikit has no method for."""
        headers: Headers = kwargs.pop("headers", {})

        async def send(real: Client) -> tuple[Any, Response]:
            return await real.request(
                method,
                url,
                auto_unlock,
                raise_exception,
                check_user_state,
                headers=_filled_in(headers, real),
                **kwargs,
            )

        return await self._under_lease(method, url, send, lambda answer: answer[1], kwargs.get("json"))

    async def _send(self, method: str, url: str, **kwargs: Any) -> Response:
        headers: Headers = kwargs.pop("headers", {})

        async def send(real: Client) -> Response:
            return await real._send(method, url, headers=_filled_in(headers, real), **kwargs)

        return await self._under_lease(method, url, send, lambda answer: answer, kwargs.get("json"))

    async def _under_lease(
        self,
        verb: str,
        url: str,
        send: Callable[[Client], Awaitable[T]],
        response_of: Callable[[T], Response],
        body: Any,
    ) -> T:
        """Send as this client's account, or as one that is chosen now and kept for the rest of the turn."""
        turn = self._turn()
        parts = urlsplit(url)
        if _OF_FILES.search(parts.netloc):
            return await self._fetch(send)
        endpoint = endpoint_of(parts.netloc.encode(), parts.path.encode())
        if self.account is None and turn.needs not in (None, endpoint):
            await self._choose_account(turn.needs)
        turn.failure, turn.shown = None, False
        turn.writing = verb.upper() != "GET" and endpoint not in _READS
        answers: list[T] = []

        async def use(real: Any) -> T:
            answers.append(await send(_twikits(real)))
            return answers[-1]

        try:
            async with self._lease(endpoint) as lease:
                writes = written(endpoint, body) if turn.writing else None
                answer = await lease.call(turn.name, use, endpoint=endpoint, writes=writes)
        except CallFailed as failure:
            turn.failure = failure
            cause, failure.__cause__ = failure.__cause__, None
            if cause is not None:
                self._note_headers(getattr(cause, "headers", None))
                raise cause from failure
            if not answers:  # nothing was sent
                raise as_twikit(failure, None) from failure
            # X hid the failure in a good status. twikit knows best what each method makes of it.
            turn.shown, answer = True, answers[-1]
        else:
            turn.wrote = turn.wrote or turn.writing
        self._note_headers(response_of(answer).headers)
        return answer

    async def _fetch(self, send: Callable[[Client], Awaitable[T]]) -> T:
        """Send to a host of files under a lease. Its answer is not judged: it says nothing of the account."""
        try:
            async with self._lease(None) as lease, asyncio.timeout(self.pool.config.call_timeout):
                return await send(_twikits(lease.client))
        except BaseException as error:
            without_frames(error)  # they hold the cookies that were sent
            raise

    @asynccontextmanager
    async def _lease(self, endpoint: str | None) -> AsyncGenerator[Lease, None]:
        """A lease for one request; from then on this client is that account's."""
        long = endpoint == "CreateNoteTweet" and self.account is None
        request = ConnectionRequest(
            account_id=self.account,
            endpoint=endpoint,
            capabilities=frozenset({LONG_POSTS}) if long else frozenset(),
            priority=self.priority,
            timeout=self.timeout,
        )
        try:
            lease = await self.pool.acquire(request)
        except AcquireTimeoutError as late:
            refusal = out_of_calls(self.pool, request, late)
            if refusal is None:
                raise
            self._note_headers(refusal.headers)
            raise refusal from late
        try:
            self.account = lease.account_id
            yield lease
        finally:
            lease.release()

    async def _choose_account(self, endpoint: str | None) -> None:
        """Make this client that of an account whose window for the endpoint is open."""
        async with self._lease(endpoint) as lease:
            self._user_id = self._remembered.user_ids.get(lease.account_id)

    def _turn(self) -> Turn:
        turn = CURRENT.get()
        if turn is None:
            raise NotThroughPool("call a method of the client; its wire is not for direct use")
        return turn

    def _note_headers(self, headers: Mapping[str, str] | None) -> None:
        """Keep the last answer's headers, for `rate_limit_remaining` and `rate_limit_reset`."""
        turn = self._turn()
        turn.headers = dict(headers) if headers is not None else None
        self._response_headers = turn.owner._response_headers = turn.headers

    def _get_csrf_token(self) -> str:
        return _ACCOUNTS_OWN

    # ------------------------------------------------------------ who one is

    async def user_id(self) -> str:
        """The id of the account's own user; of whichever account comes, where none is named."""
        if self.account is None:
            turn = self._turn()
            await self._choose_account(turn.needs or _ENDPOINTS.get(turn.name))
        self._user_id = await super().user_id()
        if self.account is not None and self._act_as is None:
            self._remembered.user_ids[self.account] = self._user_id
        return self._user_id

    async def is_logged_in(self) -> bool:
        """Whether X accepts the account's cookies; False as well where the pool has set it, or all, aside."""
        try:
            return await super().is_logged_in()
        except (AccountUnavailable, NoAccountAvailable):
            return False

    def set_delegate_account(self, user_id: str | None) -> None:
        """Act as this user in what this client does from now on; None ends it. Touches no session.

        Raises:
            NotThroughPool: the client is bound to no account: only some may act for that user.
        """
        if user_id is not None and self.account is None:
            raise NotThroughPool("name the account that may act for another: PooledClient(pool, account=…)")
        self._act_as = user_id
        self._user_id = None  # X is asked anew who this is

    # ------------------------------------------------------------ cookies

    def get_cookies(self) -> dict[str, str]:
        """The account's cookies as the pool knows them, rotated ones included. They are secrets.

        Raises:
            NotThroughPool: the client is bound to no account.
            AccountNotFound: the pool does not have the account.
        """
        if self.account is None:
            raise NotThroughPool("whose cookies? Name the account: PooledClient(pool, account=…)")
        for member in self.pool.accounts():
            if member.id == self.account:
                known = self.pool.sessions.known(member.id) or member.account
                return dict(known.credentials.cookies)
        raise AccountNotFound(f"pool {self.pool.pool_id!r} has no account {self.account!r}")

    def save_cookies(self, path: str) -> None:
        """Write the account's cookies to a JSON file for its owner alone; raises as `get_cookies`."""
        replace_private(Path(path), json.dumps(self.get_cookies()).encode())

    def refresh_transaction(self) -> None:
        """Nothing to do: sessions renew their handshake when X changes its keys."""

    if not TYPE_CHECKING:  # to a type checker the attributes are twikit's, and a misspelt one is an error

        def __getattr__(self, name: str) -> Any:
            # Made when asked for: kept here, each would hold this client in a cycle.
            if name == "gql":
                return GQLClient(self)
            if name == "v11":
                return V11Client(self)
            if name in REFUSED_ATTRIBUTES:
                raise NotThroughPool(f"{name}: {REFUSED_ATTRIBUTES[name]}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _twikits(client: Any) -> Client:
    if not isinstance(client, Client):
        raise NotThroughPool("PooledClient needs twikit's sessions, and the backend of this pool is another")
    return client


def _filled_in(headers: Headers, real: Client) -> Headers:
    """The headers with what is the account's own: csrf token, user agent and, if none is set, language."""
    own: Headers = real._base_headers
    filled = {name: own.get(name, "") if value == _ACCOUNTS_OWN else value for name, value in headers.items()}
    if "X-Csrf-Token" in filled and "Accept-Language" not in filled:
        for name in ("Accept-Language", "X-Twitter-Client-Language"):
            if name in own:
                filled[name] = own[name]
    return filled


def _in_turn(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same method as one turn through the pool, unless it is called from within one."""
    name, names, makes = method.__name__, naming(method), method.__name__ in MAKING

    @functools.wraps(method)
    async def through_the_pool(self: PooledClient, *args: Any, **kwargs: Any) -> Any:
        current = CURRENT.get()
        if current is not None and current.client is self:
            return await method(self, *args, **kwargs)
        account = self.account or self._remembered.makers.account_for(names, args, kwargs)

        def begin(needs: str | None) -> Turn:
            client = self if self.account is not None else self.with_account(account)
            return Turn(name=name, owner=self, client=client, needs=needs)

        result, turn = await take(
            self.pool, begin, lambda client: method(client, *args, **kwargs), any_account=account is None
        )
        if makes and turn.client.account is not None:
            self._remembered.makers.remember(result, turn.client.account)
        return result

    return through_the_pool


def _replace_methods() -> None:
    for name, theirs in vars(Client).items():
        if name in REFUSED_METHODS:
            setattr(PooledClient, name, refused(theirs, REFUSED_METHODS[name]))
        else:
            ours = vars(PooledClient).get(name, theirs)
            if inspect.iscoroutinefunction(ours):
                setattr(PooledClient, name, _in_turn(ours))


_replace_methods()
