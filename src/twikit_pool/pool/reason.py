"""Why a connection is as it is, in a sentence for who looks at it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from twikit_pool.clock import in_words
from twikit_pool.sessions.windows import HANDSHAKE

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.sessions.windows import RateWindows


def reason_of(connection: PooledTwikitConnection, now: float) -> str:
    """What bars it, why it goes, what pauses or what cools, the gravest alone; "" when nothing does."""
    failed = connection.health.failed_checks
    if connection.spent is not None:
        return f"closes when it is free: {connection.spent}"
    if connection.member.bars:
        return connection.member.why_barred
    if failed:
        return "its last check failed" if failed == 1 else f"its last {failed} checks failed"
    if connection.pause is not None:
        return f"pauses for {in_words(max(connection.pause.when - now, 0.0))}: it costs too much"
    cooling = _cooling(connection.member.windows)
    if cooling:
        return cooling
    return "taken last: it costs more than others" if connection.lowered else ""


def _cooling(windows: RateWindows) -> str:
    """Which endpoints its account may not call now, and for how long."""
    waits = {each: windows.wait(each) for each in windows.endpoints() if each not in HANDSHAKE}
    # What only the answer to a call under way can tell is no cooling.
    shut = sorted((wait, each) for each, wait in waits.items() if 0 < wait < inf)
    if not shut:
        return ""
    _, first = shut[0]
    others = f", and {len(shut) - 1} more" if len(shut) > 1 else ""
    return f"cooling: {first}{others}; {windows.why_shut(first)}"
