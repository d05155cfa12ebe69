"""Figures as they are shown: short, and of one width where they stand below each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text

from twikit_pool.cli.event_lines import one_line

NOTHING: Final = "-"

PRIORITIES: Final = {1: "LOW", 2: "NORMAL", 3: "HIGH", 4: "CRITICAL", 5: "EMERGENCY"}

BAD: Final = "bold #ff6b6b"
"""A light red: where colours are turned to grey (NO_COLOR) it can still be read."""

SHORT: Final = PRIORITIES | {4: "CRIT", 5: "EMERG"}
"""Priorities where there is little room."""

STYLES: Final = {
    "idle": "green",
    "leased": "cyan",
    "reserved": "magenta",
    "opening": "yellow",
    "renewing": "yellow",
    "checking": "yellow",
    "paused": "yellow",
    "active": "green",
    "quarantined": "yellow",
    "open": "green",
}
"""Colours of states; what has none is red. The words say it too."""

FEW: Final = 5
"""Calls left: fewer stand out."""


def stateful(state: str) -> Text:
    """A state in its colour."""
    return Text(state, STYLES.get(state, BAD))


def duration(seconds: float | None) -> str:
    """In the unit that matters: `31 ms`, `4.2 s`, `12 min`, `3 h`, `2 d`."""
    if seconds is None:
        return NOTHING
    if seconds == 0:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    for unit, size, until in (("min", 60, 100), ("h", 3600, 48), ("d", 86_400, float("inf"))):
        if seconds / size < until:
            return f"{seconds / size:.0f} {unit}"
    return NOTHING


def countdown(seconds: float | None) -> str:
    """Until something is back: `4:05`, `1:02:03`."""
    if seconds is None:
        return NOTHING
    left = max(0, round(seconds))
    hours, minutes, rest = left // 3600, left // 60 % 60, left % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def since(at: str | None, now: datetime | None = None) -> float | None:
    """Seconds since a moment as the API gives it; negative if it is still to come."""
    if at is None:
        return None
    try:
        return ((now or datetime.now(UTC)) - datetime.fromisoformat(at)).total_seconds()
    except ValueError:
        return None


def rate(value: float | None) -> str:
    """A second."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """Of a hundred."""
    return NOTHING if share is None else f"{share * 100:.3g}%"


def left_of(told: dict[str, Any]) -> Text:
    """How many calls are left of a budget; where its window is not known, those of a whole one."""
    calls: int | None = told.get("expected", told["left"])
    if calls is None:
        return Text(NOTHING)
    style = BAD if not calls else "yellow" if calls < FEW else "green"
    return Text().append(str(calls), style)  # what is appended later is in no colour


def budget(told: dict[str, Any] | None) -> Text:
    """What is left to one endpoint, and when more comes: `3 CreateTweet 4:05`."""
    if told is None:
        return Text()
    text = left_of(told).append(f" {one_line(told['endpoint'])}")
    if told["returns_in"]:
        text.append(f" {countdown(told['returns_in'])}")
    return text
