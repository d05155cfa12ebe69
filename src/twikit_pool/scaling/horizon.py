"""What is learned for one horizon: experts, their mixture, and the bound above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log, log1p
from typing import Final

import msgspec

from twikit_pool.scaling.conformal import ConformalBound
from twikit_pool.scaling.experts import Mixture
from twikit_pool.scaling.least_squares import LeastSquares
from twikit_pool.scaling.profile import DAY

GROWTH: Final = log(2)
"""No forecast and no bound is above twice the highest load seen."""

LEAST_MEMORY: Final = 200.0
"""Buckets that are remembered in any case, however long they are."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The share of the past that each part keeps per bucket.

    Attributes:
        slow: for least squares over a week.
        fast: for least squares over two days.
        losses: for the experts' losses and the measured coverage.
    """

    slow: float
    fast: float
    losses: float

    @classmethod
    def of_buckets(cls, seconds: float) -> Memory:
        """For buckets of that length: means of 7, 2 and 4 days."""
        slow, fast, losses = (1 - 1 / max(LEAST_MEMORY, days * DAY / seconds) for days in (7.0, 2.0, 4.0))
        return cls(slow, fast, losses)


class Outlook(msgspec.Struct, frozen=True):
    """What was forecast for one bucket.

    Attributes:
        features: what the least squares saw.
        forecasts: one of each expert.
        expected: their mixture.
        upper: its bound.
    """

    features: list[float]
    forecasts: list[float]
    expected: float
    upper: float


class Horizon(msgspec.Struct):
    """The forecasts for so many buckets ahead.

    Attributes:
        slow: least squares over a week.
        fast: least squares over two days.
        mixture: of the simple experts and those two.
        bound: how far above the mixture the load may be.
        waiting: the outlooks for the buckets to come, the next one first; None where nothing was forecast.
    """

    slow: LeastSquares
    fast: LeastSquares
    mixture: Mixture
    bound: ConformalBound
    waiting: list[Outlook | None]

    @classmethod
    def ahead(cls, steps: int, weights: Sequence[float], experts: int) -> Horizon:
        """One that has learned nothing: weights to begin with, and how many simple experts there are."""
        return cls(
            slow=LeastSquares.starting_at(weights),
            fast=LeastSquares.starting_at(weights),
            mixture=Mixture(losses=[0.0] * (experts + 2)),
            bound=ConformalBound(),
            waiting=[None] * steps,
        )

    def learn(self, load: float, memory: Memory, may_fail: float) -> None:
        """See the load of the bucket that the first waiting outlook is for."""
        due = self.waiting[0]
        if due is None:
            return
        value = log1p(load)
        self.slow.learn(due.features, value, memory.slow)
        self.fast.learn(due.features, value, memory.fast)
        self.mixture.learn(due.forecasts, load, memory.losses)
        error, held = value - log1p(due.expected), load <= due.upper
        self.bound.learn(error, held=held, may_fail=may_fail, memory=memory.losses)

    def look(self, features: list[float], simple: Sequence[float], peak: float) -> Outlook:
        """Forecast, from what the simple experts expect and the highest logarithm of a load so far."""
        ceiling = peak + GROWTH
        learned = (squares.predict(features) for squares in (self.slow, self.fast))
        forecasts = [*simple, *(expm1(min(ceiling, max(0.0, each))) for each in learned)]
        expected = self.mixture.mix(forecasts)
        bound = expm1(min(ceiling, log1p(expected) + self.bound.reach))
        return Outlook(features=features, forecasts=forecasts, expected=expected, upper=max(expected, bound))
