"""What one account may still send, by endpoint of X."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from twikit_pool.sessions.windows import HANDSHAKE

if TYPE_CHECKING:
    from twikit_pool.sessions.windows import RateWindows


class EndpointBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may still send to one endpoint of X.

    Attributes:
        endpoint: the operation of X.
        left: calls that may be sent now; 1, a probe, where the window is not known; null without any limit.
        expected: calls that can be expected to go now: where the window is not known, a whole one; null
            without any limit.
        most: what `expected` is when nothing is spent: calls of a window, or of a cap that is tighter now;
            null when nobody knows.
        limit: calls of a window, caps aside; null when nobody knows.
        window: seconds of that window.
        in_flight: calls under way, which count as used.
        opens_in: seconds until a call may be sent: 0 now, null when nobody knows, or never.
        returns_in: seconds until the tightest budget has calls back; null when none are spent.
        why: why it is shut, if it is.
    """

    endpoint: str
    left: int | None
    expected: int | None
    most: int | None
    limit: int | None
    window: float | None
    in_flight: int
    opens_in: float | None
    returns_in: float | None
    why: str


def budgets_of(windows: RateWindows) -> Sequence[EndpointBudget]:
    """Those of each endpoint of which anything is known, the most spent first."""
    spent = sorted((-windows.spent(each)[0], each) for each in _endpoints(windows))
    return [_told(windows, each) for _, each in spent]


def tightest_of(windows: RateWindows) -> EndpointBudget | None:
    """The one of which the largest share is spent; None when nothing is."""
    spent, endpoint = max(((windows.spent(each)[0], each) for each in _endpoints(windows)), default=(0.0, ""))
    return _told(windows, endpoint) if spent > 0 else None


def _endpoints(windows: RateWindows) -> Iterator[str]:
    return (each for each in windows.endpoints() if each not in HANDSHAKE)


def _told(windows: RateWindows, endpoint: str) -> EndpointBudget:
    prospect = windows.prospect(endpoint)
    limit, shut = prospect.limit, prospect.opens_in > 0
    return EndpointBudget(
        endpoint=endpoint,
        left=prospect.left,
        expected=prospect.by(0.0),
        most=prospect.most,
        limit=None if limit is None else limit.calls,
        window=None if limit is None else limit.seconds,
        in_flight=windows.in_flight(endpoint),
        opens_in=_finite(prospect.opens_in),
        returns_in=_finite(prospect.returns_in),
        why=windows.why_shut(endpoint) if shut else "",
    )


def _finite(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None
