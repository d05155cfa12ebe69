"""The extreme of what was seen lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final


class Recent:
    """The highest, or the lowest, value of the last so many seconds.

    Only what may yet be the extreme is kept, in order, so that each value costs constant time on the mean.
    When the clock goes back, what was seen counts as of then: it stays for as long as it would have stayed.

    Args:
        beats: which of two values is the more extreme: `max` or `min`.
    """

    __slots__ = ("_beats", "_seen")

    def __init__(self, beats: Callable[[float, float], float]) -> None:
        self._beats: Final = beats
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, moment: float, value: float) -> None:
        """See a value."""
        seen = self._seen
        while seen and self._beats(seen[-1][1], value) == value:
            seen.pop()
        if not seen or seen[-1][0] < moment:  # else what is there outlasts it
            seen.append((moment, value))

    def extreme(self, moment: float, seconds: float) -> float | None:
        """The most extreme value of the last `seconds` before `moment`; None when there is none."""
        seen = self._seen
        if seen and seen[-1][0] > moment:
            self._seen = seen = deque((min(at, moment), value) for at, value in seen)
        while seen and seen[0][0] < moment - seconds:
            seen.popleft()
        return seen[0][1] if seen else None
