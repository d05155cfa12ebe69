"""What the accounts of a pool can still do."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Controller, get
from litestar.params import FromPath, PathParameter

from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from twikit_pool.pool.budget import FleetBudget

What = Annotated[
    Path, PathParameter(description="An action's name, or an endpoint.", schema_extra={"format": None})
]
"""A path and no mere part of one: some endpoints have a slash (`friendships/create`)."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What all accounts of a pool together can do on one endpoint of X.

    Attributes:
        endpoint: the operation of X that it is about.
        sentence: all of it, in words.
        accounts: how many could ever do it.
        usable: how many of them can do it now.
        left: calls that can be sent now in all; null when no limit is known.
        limit: calls a window of all of them together; null when no limit is known.
        most: what `left` is when nothing is spent: the same, or what caps allow in their period, whichever
            is tighter now.
        returns_in: seconds until the next calls come back; null when none are out, or nobody knows.
        returning: how many come back then.
        rate: calls a second that they can go on with for ever; null when no limit is known.
        out: seconds until they can do it again, by account, of those that cannot now; null: nobody knows.
        hopeless: how many accounts can never do it, by reason.
    """

    endpoint: str
    sentence: str
    accounts: int
    usable: int
    left: int | None
    limit: int | None
    most: int | None
    returns_in: float | None
    returning: int
    rate: float | None
    out: dict[str, float | None]
    hopeless: dict[str, int]


class Budgets(Controller):
    """Calls left, when more come, and who is out."""

    path = "/v1/pools/{pool:str}/budgets"
    tags = ("budgets",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_budgets(self, service: Serving, pool: FromPath[str]) -> list[Budget]:
        """What can still be done on each endpoint that is known: those that are capped or were called."""
        return [_told(each) for each in service.pool(pool).budgets().values()]

    @get("/{what:path}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_budget(self, service: Serving, pool: FromPath[str], what: What) -> Budget:
        """What can still be done of one thing: an action (`post_tweet`), or an endpoint (`CreateTweet`)."""
        return _told(service.pool(pool).budget(what.as_posix().strip("/")))


def _told(budget: FleetBudget) -> Budget:
    return Budget(
        endpoint=budget.endpoint,
        sentence=str(budget),
        accounts=budget.accounts,
        usable=budget.usable,
        left=budget.left,
        limit=budget.limit,
        most=budget.most,
        returns_in=budget.returns_in,
        returning=budget.returning,
        rate=budget.rate,
        out={each: seconds if isfinite(seconds) else None for each, seconds in budget.out.items()},
        hopeless=dict(budget.hopeless),
    )
