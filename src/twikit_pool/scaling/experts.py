"""Mixing forecasts by how well each has done lately."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum
from operator import mul
from typing import Final

import msgspec

EAGERNESS: Final = 30.0
"""An expert whose error is larger by a thirtieth of the load has 1/e of the weight."""

MOST_LOSS: Final = 10.0
"""Mean loads beyond which an error counts as no larger: one burst must not decide for days."""


class Mixture(msgspec.Struct):
    """The exponentially weighted average forecaster, with discounted losses.

    An expert's loss is its discounted absolute error by the discounted load, and its weight
    `exp(-EAGERNESS * loss)`, by the sum of all (Cesa-Bianchi & Lugosi, Prediction, Learning, and Games, 2006,
    ch. 2). The absolute error is convex: the mixture's is never above the weighted mean of the experts'.

    Attributes:
        losses: the discounted absolute error of each expert.
        load: the discounted sum of the load.
        steps: the discounted number of steps.
    """

    losses: list[float]
    load: float = 0.0
    steps: float = 0.0

    def learn(self, forecasts: Sequence[float], load: float, memory: float) -> None:
        """See the load that the forecasts were for; `memory` is the share of the past that is kept."""
        limit = MOST_LOSS * self.load / self.steps if self.load else load
        self.load = memory * self.load + min(limit, load)
        self.steps = memory * self.steps + 1
        self.losses = [
            memory * loss + min(limit, abs(each - load))
            for loss, each in zip(self.losses, forecasts, strict=True)
        ]

    def mix(self, forecasts: Sequence[float]) -> float:
        """The mean of the forecasts, by weight; the plain mean while nothing is known of them."""
        best, load = min(self.losses), self.load
        weights = [exp(-EAGERNESS * (loss - best) / load) if load else 1.0 for loss in self.losses]
        return fsum(map(mul, weights, forecasts)) / fsum(weights)
