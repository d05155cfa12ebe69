"""How often an account may call: X's windows, and the daily cap that no header shows."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = 900.0
"""Seconds of a window on X."""
DAY: Final = 86_400.0
DEFAULT_LIMIT: Final = 500
"""Calls a window where the table below is silent."""

LIMITS: Final[dict[str, int]] = {
    "SearchTimeline": 50,
    "UserTweets": 50,
    "UserTweetsAndReplies": 50,
    "UserMedia": 50,
    "Followers": 50,
    "BlueVerifiedFollowers": 50,
    "UserByScreenName": 95,
    "TweetDetail": 150,
    "CreateTweet": 300,
    "CreateNoteTweet": 300,
    "friendships/create": 15,
    "friendships/destroy": 187,
    "blocks/create": 187,
    "blocks/destroy": 187,
    "mutes/users/create": 187,
    "mutes/users/destroy": 187,
    "dm/new2": 187,
    "notifications/all": 180,
    "notifications/verified": 180,
    "notifications/mentions": 180,
}
"""Calls a window and account that users measured on X's web endpoints."""


class Window(NamedTuple):
    """An account's window of one endpoint, as the headers tell it; `reset` is an epoch second."""

    limit: int
    remaining: int
    reset: int
    allowed: bool

    @property
    def headers(self) -> str:
        """The header lines."""
        return (
            f"x-rate-limit-limit: {self.limit}\r\nx-rate-limit-remaining: {self.remaining}\r\n"
            f"x-rate-limit-reset: {self.reset}\r\n"
        )


class UsedWindow(msgspec.Struct, kw_only=True):
    """A window of one account and endpoint: what it granted and refused. Times are epoch seconds."""

    account: str
    endpoint: str
    began: float
    ends: float
    limit: int
    granted: int = 0
    refused: int = 0


class Windows:
    """Counts calls in fixed windows that begin with the first call.

    Attributes:
        used: every window there has been, in the order in which they began.

    Args:
        time_scale: how many times faster than on X a window passes. A window really ends at or
            before the whole second that its header announces.
        overrides: calls a window for some endpoints.

    Raises:
        ConfigError: a limit is negative, or a window would be shorter than the second that headers
            count in.
    """

    def __init__(self, *, time_scale: float = 1.0, overrides: Mapping[str, int] | None = None) -> None:
        if not 0 < time_scale <= WINDOW:
            raise ConfigError(f"time_scale must be more than 0 and at most {WINDOW:.0f}, not {time_scale}")
        for endpoint, limit in (overrides or {}).items():
            if limit < 0:
                raise ConfigError(f"the limit of {endpoint} must be 0 or more, not {limit}")
        self._limits = {**LIMITS, **(overrides or {})}
        self._seconds = WINDOW / time_scale
        self._open: dict[tuple[str, str], UsedWindow] = {}
        self.used: list[UsedWindow] = []

    def take(self, account_id: str, endpoint: str, now: float) -> Window:
        """Count one call, unless the window is used up."""
        window = self._open.get((account_id, endpoint))
        if window is None or now >= window.ends:
            limit, ends = self._limits.get(endpoint, DEFAULT_LIMIT), now + self._seconds
            window = UsedWindow(account=account_id, endpoint=endpoint, began=now, ends=ends, limit=limit)
            self._open[account_id, endpoint] = window
            self.used.append(window)
        allowed = window.granted < window.limit
        window.granted += allowed
        window.refused += not allowed
        return Window(window.limit, window.limit - window.granted, math.ceil(window.ends), allowed)


class DailyPosts:
    """The cap on posts over the last day, scaled. Nothing announces it.

    Args:
        cap: posts a day and account; None for none.
        time_scale: as for `Windows`.
    """

    def __init__(self, cap: int | None, time_scale: float) -> None:
        self._cap = cap
        self._seconds = DAY / time_scale
        self._posted: dict[str, deque[float]] = {}

    def reached(self, account_id: str, now: float) -> bool:
        """Whether the account may not post now."""
        if self._cap is None:
            return False
        posted = self._posted.setdefault(account_id, deque())
        while posted and posted[0] <= now - self._seconds:
            posted.popleft()
        return len(posted) >= self._cap

    def count(self, account_id: str, now: float) -> None:
        """One post was made."""
        if self._cap is not None:
            self._posted.setdefault(account_id, deque()).append(now)
