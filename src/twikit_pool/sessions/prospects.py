"""What is to come of an endpoint's calls, for those who plan."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf

from twikit_pool.sessions.limits import Limit


@dataclass(frozen=True, slots=True)
class Supply:
    """The calls that one budget will allow, if they are sent as soon as they may be.

    Attributes:
        now: calls at once.
        returning: after how many seconds how many come back, and then again with each period.
        period: seconds; `inf` for what never comes back.
        most: calls of a whole period; `inf` when nobody knows.
    """

    now: float
    returning: tuple[tuple[float, float], ...]
    period: float
    most: float = inf

    def by(self, seconds: float) -> float:
        """Calls from now until so many seconds from now; `inf` when nobody knows."""
        return self.now + sum(
            calls * (1 + floor((seconds - after) / self.period))
            for after, calls in self.returning
            if after <= seconds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What may be sent to one endpoint by one account, now and later.

    Attributes:
        left: calls that may be sent now, as `RateWindows.left`.
        limit: what X allows, as `RateWindows.limit`.
        opens_in: seconds until a call may be sent: 0 now, `inf` when only an answer can tell, or never.
        returns_in: seconds until the tightest budget has calls back: its window's end, or the first capped
            call's leaving. `inf` when none are spent.
        supplies: what each budget will allow.
    """

    left: int | None
    limit: Limit | None
    opens_in: float
    returns_in: float
    supplies: tuple[Supply, ...]

    @property
    def most(self) -> int | None:
        """Calls of a whole period of the budget that allows the fewest now; None when nobody knows."""
        _, most = min(((each.by(0.0), each.most) for each in self.supplies), default=(0.0, inf))
        return None if most == inf else int(most)

    def by(self, seconds: float) -> int | None:
        """How many calls can be sent at most from now until so many seconds from now.

        The rest of the window that runs, and the whole windows after it; for a window that is not known, the
        limit that was learned or reported. Each budget is reckoned by itself and the tightest counts, so
        where two of them take turns at being the tightest it may be a few calls less. `by(0)` is what can
        be expected now, beyond the probe. None when no limit is known and no cap holds.
        """
        calls = min((each.by(seconds) for each in self.supplies), default=inf)
        return None if calls == inf else int(calls)
