"""Pools: what they do, and what they are told to do."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import PoolError
from twikit_pool.pool import BrakeInfo, ConnectionPriority, ConnectionRequest, PoolStatus
from twikit_pool.service.etags import IfMatch, expect
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Patience = Annotated[float | None, QueryParameter(ge=0, le=1e9)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class NewPool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool to make.

    Attributes:
        name: what it is to be called.
        config: settings that are not the defaults, by name.
        tags: it has the accounts with one of these; all that are free when none is named.
        shared: whether it may have accounts that other shared pools have too.
    """

    name: Name
    config: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    shared: bool = False


class Size(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connections to keep."""

    size: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long; until it is ended when not given."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=1e9)] | None = None


class Grace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds that running leases have to end; the pool's setting when not given."""

    grace: Seconds | None = None


class Stop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An emergency stop: why, and for how long; the pool's setting when not given."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    pause: Annotated[float, msgspec.Meta(gt=0, le=1e9)] | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody would ask the pool for; as `ConnectionRequest`."""

    action: str | None = None
    account_id: str | None = None
    capabilities: tuple[str, ...] = ()
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    reserved_for: str | None = None

    def request(self, timeout: float | None = None) -> ConnectionRequest:
        """The request itself."""
        return ConnectionRequest(
            action=self.action,
            account_id=self.account_id,
            capabilities=frozenset(self.capabilities),
            priority=self.priority,
            reserved_for=self.reserved_for,
            timeout=timeout,
        )


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request would wait: a sentence, and what it is made of."""

    sentence: str
    accounts: int
    in_all: int
    doing: dict[str, int]
    opens_in: float | None
    ahead: int | None
    notice: str


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is broken; as `CircuitInfo`.

    Attributes:
        kind: x, endpoint, account or library (the client library does not send it as X wants it).
        name: the endpoint, the account's id, or X.
        state: open, half open or on trial.
        since: when it opened first.
        failures: those in a row that opened it, and the trials that failed since.
        reason: what is wrong, in a sentence.
        retry_in: seconds until the next trial may begin; 0 when it may, or has begun.
    """

    kind: str
    name: str
    state: str
    since: datetime
    failures: int
    reason: str
    retry_in: float


class Pools(Controller):
    """Pools by name."""

    path = "/v1/pools"
    tags = ("pools",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_pools(self, service: Serving) -> list[PoolStatus]:
        """The status of each pool."""
        return [pool.status() for pool in service.manager.pools.values()]

    @post(opt={"scope": Scope.ADMIN})
    async def create_pool(self, service: Serving, data: JSONBody[NewPool]) -> PoolStatus:
        """Make a pool over accounts that are free for it."""
        if data.name in service.manager.pools:
            raise PoolError(f"a pool named {data.name!r} exists already; choose another name")
        tags = frozenset(data.tags)
        pool = await service.manager.create_pool(
            data.name,
            ConnectionPoolConfig.from_mapping(data.config),
            accept=lambda account: not tags or bool(tags.intersection(account.tags)),
            shared=data.shared,
        )
        return pool.status()

    @get("/{pool:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_pool(self, service: Serving, pool: FromPath[str]) -> PoolStatus:
        """What a pool is doing, in numbers."""
        return service.pool(pool).status()

    @delete("/{pool:str}", opt={"scope": Scope.ADMIN})
    async def shut_down(self, service: Serving, pool: FromPath[str], grace: Patience = None) -> None:
        """Shut a pool down: waiters are refused, leases have `grace` seconds to end."""
        await service.manager.shutdown_pool(service.pool(pool).pool_id, grace)

    @get("/{pool:str}/metrics", opt={"scope": Scope.READ}, sync_to_thread=False)
    def metrics(self, service: Serving, pool: FromPath[str]) -> dict[str, Any]:
        """The numbers of the latest interval; see docs/metrics.md."""
        found = service.manager.attendants.collector.metrics.get(service.pool(pool).pool_id)
        if found is None:
            raise PoolError("no metrics were collected yet: ask again after the first interval")
        return found.plain()

    @get("/{pool:str}/config", opt={"scope": Scope.READ}, sync_to_thread=False)
    def config(self, service: Serving, pool: FromPath[str]) -> ConnectionPoolConfig:
        """The settings in force; see docs/settings.md."""
        return service.pool(pool).config

    @patch("/{pool:str}/config", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def reconfigure(
        self,
        service: Serving,
        pool: FromPath[str],
        data: JSONBody[dict[str, Any]],
        if_match: IfMatch = None,
    ) -> ConnectionPoolConfig:
        """Change settings: all of those given, or none.

        With `If-Match`, only if nobody has changed any since they were read.
        """
        expect(if_match, service.pool(pool).config)
        service.pool(pool).reconfigure(**data)
        return service.pool(pool).config

    @post("/{pool:str}/resize", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def resize(self, service: Serving, pool: FromPath[str], data: JSONBody[Size]) -> PoolStatus:
        """Keep so many connections. An autoscaler decides anew at its next look."""
        service.pool(pool).resize(data.size)
        return service.pool(pool).status()

    @post("/{pool:str}/suspend", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def suspend(self, service: Serving, pool: FromPath[str], data: JSONBody[Pause]) -> PoolStatus:
        """Serve nobody for a while; who comes waits."""
        service.pool(pool).suspend(data.seconds)
        return service.pool(pool).status()

    @post("/{pool:str}/resume", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def resume(self, service: Serving, pool: FromPath[str]) -> PoolStatus:
        """Serve everyone again: after a suspension, a drain, an emergency stop."""
        service.pool(pool).resume()
        return service.pool(pool).status()

    @post("/{pool:str}/drain", opt={"scope": Scope.OPERATE}, status_code=200)
    async def drain(self, service: Serving, pool: FromPath[str], data: JSONBody[Grace]) -> PoolStatus:
        """Refuse everyone, let running leases end, close every connection; answers when it is done."""
        await service.pool(pool).drain(data.grace)
        return service.pool(pool).status()

    @post("/{pool:str}/emergency-stop", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def emergency_stop(self, service: Serving, pool: FromPath[str], data: JSONBody[Stop]) -> PoolStatus:
        """Let nothing but CRITICAL and EMERGENCY requests go on; `resume` ends it."""
        service.pool(pool).emergency_stop(data.reason, pause=data.pause)
        return service.pool(pool).status()

    @get("/{pool:str}/circuits", opt={"scope": Scope.READ}, sync_to_thread=False)
    def circuits(self, service: Serving, pool: FromPath[str]) -> list[Circuit]:
        """What is broken now."""
        return [Circuit(**asdict(each)) for each in service.pool(pool).circuits()]

    @get("/{pool:str}/brake", opt={"scope": Scope.READ}, sync_to_thread=False)
    def brake(self, service: Serving, pool: FromPath[str]) -> BrakeInfo:
        """How many calls may be in flight now, in all and through each proxy."""
        return service.pool(pool).brake()

    @post("/{pool:str}/explain", opt={"scope": Scope.READ}, status_code=200, sync_to_thread=False)
    def explain(self, service: Serving, pool: FromPath[str], data: JSONBody[Wish]) -> Explained:
        """Why a request would wait, without asking for anything."""
        found = service.pool(pool).explain(data.request())
        return Explained(
            sentence=str(found),
            accounts=found.accounts,
            in_all=found.in_all,
            doing=dict(found.doing),
            opens_in=found.opens_in,
            ahead=found.ahead,
            notice=found.notice,
        )
