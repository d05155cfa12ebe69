"""An event as one line of text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

FIGURES: Final = frozenset({"pool_status_update", "metrics_collected"})
"""They come every second or so, and tell how things are rather than what happens."""

SAID_ELSEWHERE: Final = frozenset({"seq", "topic", "type", "pool_id", "at", "account_id", "connection_id"})

MOST_OF_A_LIST: Final = 8


def one_line(text: object) -> str:
    """What a terminal can show as it is: control characters, which may come from X, become spaces."""
    return "".join(each if each.isprintable() else " " for each in str(text))


def clock_of(message: Mapping[str, Any]) -> str:
    """When it happened, in local time."""
    try:
        return f"{datetime.fromisoformat(message['at']).astimezone():%H:%M:%S}"
    except (KeyError, TypeError, ValueError):
        return ""


def about(message: Mapping[str, Any]) -> str:
    """The connection or account that it is about."""
    return one_line(message.get("connection_id") or message.get("account_id") or "")


def fields_of(message: Mapping[str, Any]) -> str:
    """Whatever else it says, but for what is empty."""
    return "  ".join(
        f"{name}={_short(value)}"
        for name, value in message.items()
        if name not in SAID_ELSEWHERE and value not in (None, "", [], {})
    )


def line_of(message: Mapping[str, Any]) -> str:
    """All of it."""
    parts = (
        clock_of(message),
        one_line(message.get("pool_id") or "-"),
        one_line(message["type"]),
        about(message),
        fields_of(message),
    )
    return "  ".join(filter(None, parts))


def _short(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case Mapping():
            return "{" + _some(f"{name}: {_short(each)}" for name, each in value.items()) + "}"  # type: ignore[reportUnknownVariableType]
        case list():
            return "[" + _some(_short(each) for each in value) + "]"  # type: ignore[reportUnknownVariableType]
        case _:
            return one_line(value)


def _some(every: Any) -> str:
    parts = list(every)
    return ", ".join(parts[:MOST_OF_A_LIST]) + ", …" * (len(parts) > MOST_OF_A_LIST)
