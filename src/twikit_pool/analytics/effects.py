"""What a change does to a figure of the replayed days, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from twikit_pool.analytics.replay import DayPlayed
from twikit_pool.analytics.report import Effect
from twikit_pool.analytics.statistics import bootstrap

Figure: TypeAlias = Callable[[Sequence[DayPlayed]], float]

LATE: Final = "share of the requests that are late"
WASTE: Final = "connections beyond those needed, as a share"
FLAPPING: Final = "large steps taken back a day"
HOURS: Final = "connection-hours a day"


def effect_of(
    name: str, figure: Figure, before: Sequence[DayPlayed], after: Sequence[DayPlayed], recorded: float | None
) -> Effect:
    """The figure before and after, and the interval of the difference: a bootstrap over the days.

    Args:
        name: of the figure.
        figure: reads it from days.
        before: the days as they are.
        after: the same days with the change.
        recorded: the figure as it was measured.
    """
    pairs = list(zip(before, after, strict=True))
    low, high = bootstrap(
        pairs, lambda some: figure([then for _, then in some]) - figure([now for now, _ in some])
    )
    return Effect(
        figure=name, recorded=recorded, before=figure(before), after=figure(after), low=low, high=high
    )
