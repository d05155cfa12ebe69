"""An alert, and what silences it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

from twikit_pool.alerts.rules import Rule, Severity

MOST_NAMES: Final = 1_000
"""Accounts, endpoints and the like that an alert names; the rest is counted."""

SHOWN: Final = 20
"""Of those, how many stand in a message."""

Delivery: TypeAlias = Literal["none", "waiting", "sent", "failed"]


class AlertState(StrEnum):
    """Where an alert stands."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """It holds, and somebody knows: it is told no more."""
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, or was.

    Attributes:
        id: names it; the same after a restart.
        rule: which rule it comes from.
        severity: how much it matters: info, warning, critical.
        pool_id: whose; None when it is about the process.
        state: firing, acknowledged or resolved.
        message: what is wrong.
        why: the numbers against the level, or what each of those named meets.
        advice: what to do about it.
        value, level: the figure as it was last, and where the rule fires; None for a state.
        count: accounts, endpoints and the like that it is about; 0 where it is about none in particular.
        names: the first thousand of them.
        began_at: since when it holds, in UTC.
        fired_at: when it had held for long enough.
        times: how often it came back within its rule's cooldown; it is one alert all the same.
        told: messages sent about it so far.
        told_at: when the latest was that told that it fires.
        told_as: what the latest told; empty before the first.
        told_names: of whom they told.
        delivery: what became of the latest: none (nobody was to be told), waiting, sent (to one destination
            at least), failed.
        acknowledged_at, acknowledged_by, note: who knows of it, and what they say.
        resolved_at: when it was over; None while it holds.
    """

    id: str
    rule: str
    severity: Severity
    pool_id: str | None
    state: AlertState = AlertState.FIRING
    message: str
    why: str
    advice: str
    value: float | None = None
    level: float | None = None
    count: int = 0
    names: tuple[str, ...] = ()
    began_at: datetime
    fired_at: datetime
    times: int = 1
    told: int = 0
    told_at: datetime | None = None
    told_as: Literal["", "firing", "resolved"] = ""
    told_names: tuple[str, ...] = ()
    delivery: Delivery = "none"
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    resolved_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it still holds."""
        return self.state is not AlertState.RESOLVED

    def plain(self) -> dict[str, Any]:
        """As JSON could hold it, for those who are told."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if name != "told_names"}


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that nobody is to be told of for a while; they are shown all the same.

    Attributes:
        id: names it.
        rule: those of this rule; None is of any.
        pool_id: those of this pool; None is of any, and those of the process.
        account_id: those about this account; None is all.
        until: when it ends, in UTC.
        reason: why, for whoever finds it.
        by: who made it.
        created_at: when, in UTC.
    """

    id: str
    rule: str | None = None
    pool_id: str | None = None
    account_id: str | None = None
    until: datetime
    reason: str = ""
    by: str = ""
    created_at: datetime

    def covers(self, rule: Rule, pool_id: str | None, name: str | None = None) -> bool:
        """Whether nobody is to be told of this rule, of this pool, of this account."""
        if self.account_id is not None and not (rule.of_accounts and name == self.account_id):
            return False
        return self.rule in (None, rule.name) and self.pool_id in (None, pool_id)
