"""What browsers need: a log-in by token, and tickets for WebSockets."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException
from litestar.params import JSONBody

from twikit_pool.service.access import COOKIE, SESSION_SECONDS, TICKET_SECONDS, Caller
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope


class LogIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token, to be exchanged for a cookie."""

    token: Annotated[str, msgspec.Meta(max_length=200)]

    def __repr__(self) -> str:
        return "<a log-in>"


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the token's id, name and scope; and what a browser must send with each change."""

    token_id: str
    name: str
    scope: Scope
    csrf: str | None = None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What one WebSocket may be opened with: `/v1/events?ticket=…`, within so many seconds."""

    ticket: str
    expires_in: float


class Browser(Controller):
    """The caller itself."""

    path = "/v1/session"
    tags = ("session",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def who(self, request: Request[Any, Caller, Any]) -> Who:
        """Who asks, and what it may do."""
        return _who(request.auth)

    @post(opt={"scope": None}, sync_to_thread=False)
    def log_in(self, service: Serving, data: JSONBody[LogIn]) -> Response[Who]:
        """Exchange a token for a cookie that scripts cannot read and other sites cannot send."""
        found = service.access.log_in(data.token)
        if found is None:
            raise NotAuthorizedException("this token does not hold: `twikit-pool tokens create` makes one")
        value, caller = found
        cookie = Cookie(
            COOKIE, value=value, httponly=True, samesite="strict", path="/", max_age=int(SESSION_SECONDS)
        )
        return Response(_who(caller), cookies=[cookie])

    @delete(opt={"scope": Scope.READ}, sync_to_thread=False)
    def log_out(self, service: Serving, request: Request[Any, Caller, Any]) -> None:
        """Let the cookie be good for nothing any more."""
        service.access.log_out(request.cookies.get(COOKIE, ""))

    @post("/ticket", opt={"scope": Scope.READ}, sync_to_thread=False)
    def ticket(self, service: Serving, request: Request[Any, Caller, Any]) -> Ticket:
        """A ticket for one WebSocket."""
        return Ticket(ticket=service.access.ticket(request.auth), expires_in=TICKET_SECONDS)


def _who(caller: Caller) -> Who:
    token = caller.token
    return Who(token_id=token.id, name=token.name, scope=token.scope, csrf=caller.csrf)
