"""Resources: what a pool's connections cost, and what is done about it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from twikit_pool.errors import PoolError
from twikit_pool.resources import ProcessFigures, ResourceOptimizationResult, Usage
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

Number = Annotated[int, QueryParameter(ge=1, le=100, description="How many looks to answer at most.")]


class Optimization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether to tell only what would be done; the setting `optimize_dry_run` when not given."""

    dry_run: bool | None = None


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool costs, and what was done about it.

    Attributes:
        pool_id: whose.
        usage: what the pool costs now.
        process: what the whole process costs now.
        latest: what the latest look came to; null before the first.
    """

    pool_id: str
    usage: Usage
    process: ProcessFigures
    latest: ResourceOptimizationResult | None


class ResourceRoutes(Controller):
    """What connections cost; see docs/resources.md."""

    path = "/v1/pools/{pool:str}/resources"
    tags = ("resources",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_resources(self, service: Serving, pool: FromPath[str]) -> Resources:
        """What the pool and the process cost now, and what was done about it last."""
        found, attendants = service.pool(pool), service.manager.attendants
        return Resources(
            pool_id=found.pool_id,
            usage=attendants.monitor.usage(found),
            process=attendants.monitor.process,
            latest=attendants.optimizer.results.get(found.pool_id),
        )

    @get("/history", opt={"scope": Scope.READ}, sync_to_thread=False)
    def resources_history(
        self, service: Serving, pool: FromPath[str], limit: Number = 20
    ) -> list[ResourceOptimizationResult]:
        """The looks in which something was done, the latest first."""
        optimizer = service.manager.attendants.optimizer
        return list(reversed(optimizer.history(service.pool(pool).pool_id)))[:limit]

    @post("/optimize", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def optimize(
        self, service: Serving, pool: FromPath[str], data: JSONBody[Optimization]
    ) -> ResourceOptimizationResult:
        """Look at what connections cost now, and do what is to be done, or tell what would be.

        It is the optimizer's own look, before its time: the manager's other pools are looked at too, since
        all share the memory of one process.
        """
        found = service.pool(pool)
        results = service.manager.attendants.optimizer.optimize_resources(dry_run=data.dry_run)
        if found.pool_id not in results:
            raise PoolError(
                f"pool {found.pool_id!r} is not looked after: it is {found.mode}, or its setting "
                "enable_resource_optimization is off"
            )
        return results[found.pool_id]
