"""Least squares that go on learning, forget slowly, and do not follow a single wild value."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from operator import mul
from typing import Final

import msgspec

CLIP: Final = 3.0
"""Mean errors beyond which an error counts as no larger (Huber 1964)."""

LEAST_SCALE: Final = 0.02
"""The smallest mean error: after a constant load the next change must still count."""

SCALE_RATE: Final = 0.01
TRUST: Final = 0.05
"""The prior variance of a weight: with it the first days stay close to the given weights."""

MOST_VARIANCE: Final = 100.0
"""Sum of the weights' variances above which nothing is forgotten: what never varies is not learned anew."""


class LeastSquares(msgspec.Struct):
    """Recursive least squares with exponential forgetting (Haykin, Adaptive Filter Theory, ch. 10).

    For features x, an error e and the weights' covariance P: k = P x / (memory + x' P x), weights += k e,
    P = (P - k x' P) / memory.

    Attributes:
        weights: one for each feature.
        covariance: P, as rows.
        scale: the mean error, itself clipped.
    """

    weights: list[float]
    covariance: list[list[float]]
    scale: float = 0.3

    @classmethod
    def starting_at(cls, weights: Sequence[float]) -> LeastSquares:
        """One that has seen nothing yet."""
        return cls(weights=list(weights), covariance=_prior(len(weights)))

    def predict(self, features: Sequence[float]) -> float:
        """The value that these features lead to expect."""
        # fsum and not sum: the same digits on every version of Python.
        return fsum(map(mul, self.weights, features))

    def learn(self, features: Sequence[float], value: float, memory: float) -> None:
        """See the value that came of the features; `memory` is the share of the past that is kept."""
        error = value - self.predict(features)
        self.scale += SCALE_RATE * (min(abs(error), 5 * self.scale) - self.scale)
        self.scale = max(LEAST_SCALE, self.scale)
        limit = CLIP * self.scale
        error = max(-limit, min(limit, error))
        spread = [fsum(map(mul, row, features)) for row in self.covariance]
        uncertain = fsum(map(mul, features, spread))
        if uncertain < 0:  # rounding has eaten up the covariance
            self.covariance = _prior(len(features))
            return
        gain = [each / (memory + uncertain) for each in spread]
        self.weights = [weight + each * error for weight, each in zip(self.weights, gain, strict=True)]
        variance = fsum(row[number] for number, row in enumerate(self.covariance))
        grown = 1 / memory if variance < MOST_VARIANCE else 1.0
        self.covariance = [
            [(old - each * other) * grown for old, other in zip(row, spread, strict=True)]
            for row, each in zip(self.covariance, gain, strict=True)
        ]


def _prior(size: int) -> list[list[float]]:
    return [[TRUST * (row == column) for column in range(size)] for row in range(size)]
