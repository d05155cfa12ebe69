"""Scaling: what was decided about a pool's size, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Controller, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from twikit_pool.scaling import ScalingDecision
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from twikit_pool.pool import TwikitConnectionPool
    from twikit_pool.scaling import AutoScaler

Number = Annotated[int, QueryParameter(ge=0, le=1_000, description="How many decisions to answer at most.")]


class DryRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether decisions are only told, and not carried out."""

    on: bool


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that differed from the one before, and when it was made, in UTC."""

    at: datetime
    decision: ScalingDecision


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections a pool has, and how many it is to have.

    Attributes:
        pool_id: whose.
        enabled: whether the pool is sized by itself (`enable_auto_scaling`).
        dry_run: whether decisions are only told (`scaling_dry_run`).
        size: connections that there are, those being opened included.
        least, most: connections that the settings allow.
        capacity: connections that there can be at most, with the accounts there are.
        ceilings: what else bounds the size now, in words.
        decision: the latest one; null before the first.
        history: those that differed from the one before, the latest first.
    """

    pool_id: str
    enabled: bool
    dry_run: bool
    size: int
    least: int
    most: int
    capacity: int
    ceilings: tuple[str, ...]
    decision: ScalingDecision | None
    history: tuple[Decision, ...]


class ScalingRoutes(Controller):
    """How pools are sized; see docs/scaling.md."""

    path = "/v1/pools/{pool:str}/scaling"
    tags = ("scaling",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_scaling(self, service: Serving, pool: FromPath[str], limit: Number = 20) -> Scaling:
        """The latest decision about the pool's size, what bounds it, and the decisions before."""
        return _told(service.pool(pool), service.manager.attendants.scaler, limit)

    @put("/dry-run", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def dry_run(self, service: Serving, pool: FromPath[str], data: JSONBody[DryRun]) -> Scaling:
        """Let decisions be told only, or be carried out again, from the next one on."""
        found, scaler = service.pool(pool), service.manager.attendants.scaler
        found.reconfigure(scaling_dry_run=data.on)
        return _told(found, scaler, 0)


def _told(pool: TwikitConnectionPool, scaler: AutoScaler, limit: int) -> Scaling:
    config = pool.config
    latest_first = list(reversed(scaler.history(pool.pool_id)))[:limit]
    return Scaling(
        pool_id=pool.pool_id,
        enabled=config.enable_auto_scaling,
        dry_run=config.scaling_dry_run,
        size=pool.size,
        least=config.min_connections,
        most=config.max_connections,
        capacity=pool.capacity,
        ceilings=_ceilings(pool),
        decision=scaler.decisions.get(pool.pool_id),
        history=tuple(Decision(at=each.at, decision=each.decision) for each in latest_first),
    )


def _ceilings(pool: TwikitConnectionPool) -> tuple[str, ...]:
    matching = pool.matching
    told: list[str] = []
    if matching.limit is not None:
        told.append(f"{matching.limit} connections at most: {matching.limit_reason}")
    if pool.capacity < pool.config.max_connections:
        told.append(
            f"{len(pool.account_ids)} accounts may have {pool.capacity} connections "
            "(max_connections_per_account)"
        )
    return tuple(told)
