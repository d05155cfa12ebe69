"""How often accounts log in, as X sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twikit_pool.clock import Clock

DAY: Final = 86_400.0
SLICE: Final = 1800.0
"""Seconds whose log-ins are counted together, which bounds the memory."""


class _Count:
    """Log-ins in all, and those of the last day by slices: 49 at most."""

    __slots__ = ("_slices", "in_all")

    def __init__(self) -> None:
        self.in_all = 0
        self._slices: dict[int, int] = {}

    def add(self, now: float) -> None:
        self.in_all += 1
        for past in [each for each in self._slices if not _counts(each, now)]:
            del self._slices[past]
        latest = int(now // SLICE)
        self._slices[latest] = self._slices.get(latest, 0) + 1

    def today(self, now: float) -> int:
        return sum(number for each, number in self._slices.items() if _counts(each, now))


def _counts(number: int, now: float) -> bool:
    """Whether the slice of this number ended within the last day."""
    return (number + 1) * SLICE > now - DAY


class Logins:
    """Counts log-ins: X's answers to the home page, with which each handshake begins.

    A handshake that fails is made again with the next call, and counts again. What is counted stays so for a
    day, and for half an hour longer at most.
    """

    __slots__ = ("_all", "_by_account", "_clock")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = _Count()
        self._by_account: dict[str, _Count] = {}

    def note(self, account_id: str) -> None:
        """An account has logged in."""
        now = self._clock.monotonic()
        for count in (self._all, self._by_account.setdefault(account_id, _Count())):
            count.add(now)

    def today(self, account_id: str | None = None) -> int:
        """Log-ins of the last 24 hours, of this account or of all."""
        count = self._of(account_id)
        return 0 if count is None else count.today(self._clock.monotonic())

    def in_all(self, account_id: str | None = None) -> int:
        """Log-ins since the beginning, of this account or of all."""
        count = self._of(account_id)
        return 0 if count is None else count.in_all

    def _of(self, account_id: str | None) -> _Count | None:
        return self._all if account_id is None else self._by_account.get(account_id)
