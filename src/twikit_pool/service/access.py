"""Who may do what: bearer tokens, a browser's log-in by token, tickets for WebSockets, and how often.

Every route says in its `opt` which scope it takes (`scope=Scope.READ`, None for what is open to all); there
is no default, so a route that forgets it is refused to everyone. A browser exchanges a token for a cookie
that scripts cannot read and other sites cannot send, and proves with each change that it can read the
page's own answers (`X-CSRF-Token`). A WebSocket from a browser can send no header, so it comes with a
ticket that is good once, for half a minute.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, TooManyRequestsException
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from twikit_pool.clock import Clock
    from twikit_pool.service.tokens import Scope, Token, TokenBook

COOKIE: Final = "twikit_pool"
CSRF_HEADER: Final = "X-CSRF-Token"
SESSION_SECONDS: Final = 12 * 3600.0
TICKET_SECONDS: Final = 30.0
MOST_SESSIONS: Final = 1_000
MOST_TICKETS: Final = 1_000
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        token: what it has, or what its browser was logged in with.
        csrf: what a browser must send with what changes something; None for a program.
    """

    token: Token
    csrf: str | None = None


@dataclass(slots=True)
class _Bucket:
    """Requests that may still come at once."""

    left: float
    at: float


class Access:
    """Knows callers by what they send.

    Args:
        book: the tokens.
        clock: the time.
        rate: requests a second that each token may make in the long run.
        burst: requests that it may make at once.
        origins: origins of pages, besides the service's own, that browsers may call from.
    """

    def __init__(
        self,
        book: TokenBook,
        clock: Clock,
        *,
        rate: float = 200.0,
        burst: float = 400.0,
        origins: Collection[str] = (),
    ) -> None:
        self.book: Final = book
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._origins = frozenset(origins)
        self._buckets: dict[str, _Bucket] = {}
        self._sessions: dict[str, tuple[str, str, float]] = {}
        """By the digest of a cookie: the token, what proves the page, and when it ends."""
        self._tickets: dict[str, tuple[str, float]] = {}
        """By the digest of a ticket: the token's id, and when it ends."""

    # ------------------------------------------------------------ who it is

    def of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
        """Who asks; None for somebody without a token that holds.

        Raises:
            TooManyRequestsException: it asks too often.
        """
        authorization = connection.headers.get("authorization")
        if authorization:
            token = self.program(authorization)
            return None if token is None else Caller(token=token)
        caller = self._browser(connection.cookies.get(COOKIE))
        if caller is not None:
            self._count(caller.token.id)
        return caller

    def program(self, authorization: str) -> Token | None:
        """The token that a header Authorization names; None for one that does not hold.

        Raises:
            TooManyRequestsException: it asks too often.
        """
        kind, _, plain = authorization.partition(" ")
        token = self.book.verify(plain.strip()) if kind.lower() == "bearer" else None
        if token is not None:
            self._count(token.id)
        return token

    def _browser(self, cookie: str | None) -> Caller | None:
        found = None if cookie is None else self._sessions.get(_digest(cookie))
        if found is None or found[2] <= self._clock.monotonic():
            return None
        token = self.book.verify(found[0])
        return None if token is None else Caller(token=token, csrf=found[1])

    def _count(self, token_id: str) -> None:
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(token_id, _Bucket(self._burst, now))
        bucket.left = min(bucket.left + (now - bucket.at) * self._rate, self._burst)
        bucket.at = now
        if bucket.left < 1:
            wait = (1 - bucket.left) / self._rate
            raise TooManyRequestsException(
                f"this token may make {self._rate:g} requests a second: wait {wait:.2g} s",
                headers={"Retry-After": str(max(1, round(wait)))},
            )
        bucket.left -= 1

    # ------------------------------------------------------------ browsers

    def log_in(self, plain: str) -> tuple[str, Caller] | None:
        """A cookie for a browser that was given this token; None if the token does not hold."""
        token = self.book.verify(plain)
        if token is None:
            return None
        now = self._clock.monotonic()
        self._sessions = {each: kept for each, kept in self._sessions.items() if kept[2] > now}
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = plain, csrf, now + SESSION_SECONDS
        return cookie, Caller(token=token, csrf=csrf)

    def log_out(self, cookie: str) -> None:
        """A browser's cookie is good for nothing any more."""
        self._sessions.pop(_digest(cookie), None)

    def ticket(self, caller: Caller) -> str:
        """What a WebSocket of this caller may be opened with, once, within half a minute."""
        now = self._clock.monotonic()
        self._tickets = {each: kept for each, kept in self._tickets.items() if kept[1] > now}
        if len(self._tickets) >= MOST_TICKETS:
            raise TooManyRequestsException(
                "too many tickets are unused: use those", headers={"Retry-After": "30"}
            )
        ticket = secrets.token_urlsafe(32)
        self._tickets[_digest(ticket)] = caller.token.id, now + TICKET_SECONDS
        return ticket

    def redeem(self, ticket: str) -> Token | None:
        """Whose ticket this is; None if it is nobody's, was used, or is too old."""
        token_id, ends = self._tickets.pop(_digest(ticket), ("", 0.0))
        if ends <= self._clock.monotonic():
            return None
        return next((each for each in self.book.all() if each.id == token_id), None)

    def welcome(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        """Whether a page of this origin may ask; programs send none."""
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc == connection.headers.get("host")


class Authentication(AbstractAuthenticationMiddleware):
    """Tells each request's caller; whether it may is the guard's affair."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Who asks, as `request.auth`; None for somebody unknown."""
        access: Access = connection.app.state.service.access
        return AuthenticationResult(user=None, auth=access.of(connection))


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse whoever may not use this route. A coroutine, for Litestar gives a function a thread.

    Raises:
        NotAuthorizedException: nobody knows the caller.
        PermissionDeniedException: it may not, or its page may not.
    """
    needed: Scope | None = handler.opt["scope"] if "scope" in handler.opt else _refuse_all(handler)
    if needed is None:
        return
    access: Access = connection.app.state.service.access
    caller: Caller | None = connection.auth
    if caller is None:
        raise NotAuthorizedException(
            "send a token: `Authorization: Bearer tp_…`; `twikit-pool tokens create` makes one",
            headers={"WWW-Authenticate": 'Bearer realm="twikit-pool"'},
        )
    if not access.welcome(connection):
        raise PermissionDeniedException("pages of this origin may not ask: see the setting service.origins")
    asked: Any = connection.scope  # a WebSocket has no method
    method = asked.get("method", "GET")
    if caller.csrf is not None and method not in SAFE:
        sent = connection.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode(), caller.csrf.encode()):
            raise PermissionDeniedException(f"send the page's {CSRF_HEADER}, which the log-in answers")
    if not caller.token.scope.covers(needed):
        raise PermissionDeniedException(
            f"token {caller.token.id} may {caller.token.scope}, and this takes a token that may {needed}"
        )


async def may_listen(socket: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether a WebSocket may be told what happens: every token may see that. It may come with a ticket.

    Raises:
        NotAuthorizedException: nobody knows the caller.
    """
    access: Access = socket.app.state.service.access
    if not access.welcome(socket):
        return False
    ticket = socket.query_params.get("ticket")
    known = socket.auth if ticket is None else access.redeem(ticket)
    if known is None:
        raise NotAuthorizedException("send a token, or a ticket that was not used: POST /v1/session/ticket")
    return True


def _refuse_all(handler: BaseRouteHandler) -> Scope:
    raise PermissionDeniedException(f"{handler.handler_name} says nowhere who may use it")


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
