"""A bound that holds as often as it says, whatever the load does."""

from __future__ import annotations

from math import log
from typing import Final

import msgspec

RATE: Final = 0.1
"""In mean errors: how far a miss moves the bound."""

SPREAD_RATE: Final = 0.003
LEAST_SPREAD: Final = 0.02
"""The smallest mean error: after a constant load the next change must still count."""

FURTHEST: Final = log(20)
"""No bound is further above its forecast than twentyfold."""

ENOUGH: Final = 100.0
"""Measurements without which nothing is said of a bound that is to fail once in twenty times."""


class ConformalBound(msgspec.Struct):
    """An upper bound by adaptive conformal inference (Gibbs & Candès, NeurIPS 2021), in logarithms.

    With every outcome, `reach += RATE * spread * (missed - may_fail)`, where `missed` is 1 when the bound
    failed, else 0. The update is theirs, on the bound itself and not on the level of a quantile of past
    errors (the quantile tracker of Angelopoulos, Candès & Tibshirani, NeurIPS 2023): it needs no window of
    errors, and after a burst it is back sooner. No assumption about the load is made.

    Attributes:
        reach: how far above the forecast the bound is.
        spread: the mean error, clipped.
        held: how often the bound held, discounted.
        measured: how often that was looked at, discounted.
    """

    reach: float = 0.5
    spread: float = 0.3
    held: float = 0.0
    measured: float = 0.0

    @property
    def coverage(self) -> float | None:
        """Share of the bounds that held lately; None when too few were measured."""
        return self.held / self.measured if self.measured >= ENOUGH else None

    def learn(self, error: float, *, held: bool, may_fail: float, memory: float) -> None:
        """See an outcome.

        Args:
            error: how far above its forecast it was.
            held: whether its bound held.
            may_fail: the share of bounds that may fail.
            memory: the share of the past that is kept.
        """
        self.spread += SPREAD_RATE * (min(abs(error), 5 * self.spread) - self.spread)
        self.spread = max(LEAST_SPREAD, self.spread)
        moved = self.reach + RATE * self.spread * ((not held) - may_fail)
        self.reach = min(FURTHEST, max(0.0, moved))
        self.held = memory * self.held + held
        self.measured = memory * self.measured + 1
