"""A message about an alert, for those who are elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from twikit_pool.alerts.alert import SHOWN, Alert
from twikit_pool.alerts.rules import Severity

Kind: TypeAlias = Literal["firing", "resolved", "test"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message.

    Attributes:
        key: the same whenever this message is sent again, so that whoever has it already can tell.
        kind: firing, resolved or test.
        alert_id, number: which message of which alert it is; None and 0 for a test.
        severity: of the alert.
        title: what is wrong, in a line.
        text: the whole: what, since when, why, and what to do.
        alert: all that is known of it; empty for a test.
    """

    key: str
    kind: Kind
    alert_id: str | None = None
    number: int = 0
    severity: Severity
    title: str
    text: str
    alert: dict[str, Any] = {}

    @classmethod
    def of(cls, kind: Literal["firing", "resolved"], alert: Alert) -> Notice:
        """The latest message about an alert."""
        return cls(
            key=f"{alert.id}-{alert.told}",
            kind=kind,
            alert_id=alert.id,
            number=alert.told,
            severity=alert.severity,
            title=_title(kind, alert),
            text=_text(kind, alert),
            alert=alert.plain(),
        )

    @classmethod
    def test(cls, key: str) -> Notice:
        """A message that only tries whether messages arrive."""
        return cls(
            key=key,
            kind="test",
            severity=Severity.INFO,
            title="[test] twikit-pool",
            text="This is a test: alerts of twikit-pool arrive here.",
        )

    def body(self) -> bytes:
        """As it is posted."""
        return msgspec.json.encode(self)


def _title(kind: str, alert: Alert) -> str:
    where = "twikit-pool" if alert.pool_id is None else f"pool {alert.pool_id}"
    count = f" ({alert.count})" if alert.count > 1 else ""
    return f"[{alert.severity if kind == 'firing' else kind}] {where}: {alert.message}{count}"


def _text(kind: str, alert: Alert) -> str:
    lines = [f"What: {alert.message}"]
    if alert.names:
        more = f" and {alert.count - SHOWN} more" if alert.count > SHOWN else ""
        lines.append(f"Who: {', '.join(alert.names[:SHOWN])}{more}")
    lines.append(f"Since: {_time(alert.began_at)}")
    if alert.resolved_at is not None and kind == "resolved":
        lines.append(f"Over: {_time(alert.resolved_at)}")
    lines.append(f"Why: {alert.why}")
    if alert.advice and kind == "firing":
        lines.append(f"Do: {alert.advice}")
    return "\n".join([*lines, f"Alert {alert.id}, message {alert.told}, rule {alert.rule}"])


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
