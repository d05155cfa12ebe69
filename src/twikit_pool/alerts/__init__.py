"""Rules over what pools do, alerts when they hold, and messages about them; docs/alerts.md."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twikit_pool.alerts.alert import Alert, AlertState, Silence
    from twikit_pool.alerts.chat import AppriseChat
    from twikit_pool.alerts.destination import Destination
    from twikit_pool.alerts.notice import Notice
    from twikit_pool.alerts.outbox import DestinationStatus, Tried
    from twikit_pool.alerts.rules import BUILT_IN, Rule, Severity, rules_of
    from twikit_pool.alerts.store import AlertFile, AlertStore, Kept
    from twikit_pool.alerts.watch import Alerting, AlertWatch
    from twikit_pool.alerts.webhook import Webhook

_HOME: Final = {
    "BUILT_IN": "rules",
    "Alert": "alert",
    "AlertFile": "store",
    "AlertState": "alert",
    "AlertStore": "store",
    "AlertWatch": "watch",
    "Alerting": "watch",
    "AppriseChat": "chat",
    "Destination": "destination",
    "DestinationStatus": "outbox",
    "Kept": "store",
    "Notice": "notice",
    "Rule": "rules",
    "Severity": "rules",
    "Silence": "alert",
    "Tried": "outbox",
    "Webhook": "webhook",
    "rules_of": "rules",
}

__all__ = [
    "BUILT_IN",
    "Alert",
    "AlertFile",
    "AlertState",
    "AlertStore",
    "AlertWatch",
    "Alerting",
    "AppriseChat",
    "Destination",
    "DestinationStatus",
    "Kept",
    "Notice",
    "Rule",
    "Severity",
    "Silence",
    "Tried",
    "Webhook",
    "rules_of",
]


def __getattr__(name: str) -> Any:
    # Lazily: settings need the rules alone, and the pool takes most of a second to import.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
