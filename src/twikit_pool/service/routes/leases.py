"""Leases over HTTP: a connection for a while, for calls that belong together."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from twikit_pool.service.acts import Act
from twikit_pool.service.presence import UNDO, undone_unless_answered
from twikit_pool.service.routes.execution import (
    Allowed,
    Asking,
    Executed,
    Key,
    Name,
    Why,
    allowed,
    answered,
    remote_action,
    shown,
)
from twikit_pool.service.routes.pools import Wish
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

LONGEST_WAIT: Final = 60.0
"""Seconds of a long poll, after which proxies in between give up by default; who waits longer asks again."""

WAIT: Final = 30.0
TTL: Final = 60.0
"""Seconds without a sign of life that a lease holds, when its holder does not say."""

LONGEST_TTL: Final = 600.0
"""Seconds for which a holder that is gone can keep a connection from all others."""


class LeaseWish(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the connection is for, seconds to wait for it, and seconds it holds without a sign of life."""

    wait: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT)] = WAIT
    ttl: Annotated[float, msgspec.Meta(ge=1, le=LONGEST_TTL)] = TTL


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A lease. Who has its id and the token that it was made with may use it."""

    lease_id: str
    account_id: str
    connection_id: str
    expires_in: float

    def __repr__(self) -> str:
        return f"<a lease of {self.connection_id}>"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """For how many seconds the lease holds from now on."""

    expires_in: float


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to do on a lease; `timeout` is the call's, in seconds, else the pool's `call_timeout`.

    `override` says why a post is to go whatever the content filter says; it takes a token that may operate.
    """

    action: Name
    parameters: dict[str, Any] = {}
    timeout: Allowed | None = None
    override: Why | None = None


class LeaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as others may see it: the token that has it, what is leased, and for how many seconds."""

    token_id: str
    pool_id: str
    account_id: str
    connection_id: str
    age: float
    expires_in: float
    calls: int


class Leases(Controller):
    """Connections that somebody elsewhere holds."""

    path = "/v1"
    tags = ("leases",)

    @post(
        "/pools/{pool:str}/leases",
        opt={"scope": Scope.EXECUTE},
        status_code=201,
        middleware=[undone_unless_answered],
    )
    async def acquire(
        self, service: Serving, request: Asking, pool: FromPath[str], data: JSONBody[LeaseWish]
    ) -> Granted:
        """Wait for a connection, for `wait` seconds at most.

        Who leaves meanwhile leaves the line. A heartbeat or a call every `ttl` seconds keeps the lease.
        """
        leases, owner = service.remote.leases, request.auth.token.id
        lease_id, held = await leases.acquire(
            owner, service.pool(pool), data.request(data.wait), data.ttl, request.receive
        )
        request.scope["state"][UNDO] = lambda: leases.undo(lease_id)
        return Granted(
            lease_id=lease_id,
            account_id=held.account_id,
            connection_id=held.connection_id,
            expires_in=leases.expires_in(held),
        )

    @get("/leases", opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_leases(self, service: Serving) -> list[LeaseInfo]:
        """Who elsewhere holds which connection. Ids are told to nobody but their holders."""
        leases, now = service.remote.leases, service.sessions.clock.monotonic()
        return [
            LeaseInfo(
                token_id=each.owner,
                pool_id=each.pool_id,
                account_id=each.account_id,
                connection_id=each.connection_id,
                age=now - each.began,
                expires_in=leases.expires_in(each),
                calls=each.calls,
            )
            for each in leases.all()
        ]

    @post(
        "/leases/{lease:str}/heartbeat", opt={"scope": Scope.EXECUTE}, status_code=200, sync_to_thread=False
    )
    def heartbeat(self, service: Serving, request: Asking, lease: FromPath[str]) -> Heard:
        """Keep the lease for another `ttl` seconds."""
        held = service.remote.leases.heartbeat(request.auth.token.id, lease)
        return Heard(expires_in=service.remote.leases.expires_in(held))

    @post("/leases/{lease:str}/execute", opt={"scope": Scope.EXECUTE}, status_code=200)
    async def execute(
        self,
        service: Serving,
        request: Asking,
        lease: FromPath[str],
        data: JSONBody[Step],
        idempotency_key: Key = None,
    ) -> Response[Executed]:
        """Do one thing on the leased connection, once, after those that were asked for before.

        What has left for X goes on to its end when the client leaves, and with an `Idempotency-Key` its
        answer is kept, also when the lease is over.
        """
        owner, leases, action = (
            request.auth.token.id,
            service.remote.leases,
            remote_action(data.action, data.parameters),
        )
        clock = service.sessions.clock
        past_the_filter = allowed(request, data.override)

        async def work(act: Act) -> Executed:
            began = clock.monotonic()
            with past_the_filter:
                account_id, result = await leases.carry_out(owner, lease, action, data.timeout, act)
            return Executed(
                result=shown(result), account_id=account_id, attempts=1, seconds=clock.monotonic() - began
            )

        return await answered(service, request, idempotency_key, data, work)

    @delete("/leases/{lease:str}", opt={"scope": Scope.EXECUTE}, sync_to_thread=False)
    def release(self, service: Serving, request: Asking, lease: FromPath[str]) -> None:
        """Give the connection back: at once, or when the call ends that is under way."""
        service.remote.leases.release(request.auth.token.id, lease)
