"""What the load will be: an online forecast in pure Python, with a bound whose coverage is measured.

Everything is learned from finished buckets, one at a time, in logarithms: loads differ by factors. For each
horizon there are four experts: the last value, a smoothed one, and least squares over a week and over two
days, whose features are levels of four speeds and the course of the day and of the week. They are mixed by
their recent errors, because least squares alone are better than the last value nearly always, but not after
events, and nobody knows beforehand. docs/forecast.md has the formulas, their sources and the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, expm1, inf, isfinite, log1p
from typing import Final, Literal, Protocol

import msgspec

from twikit_pool.errors import ConfigError
from twikit_pool.scaling.horizon import Horizon, Memory, Outlook
from twikit_pool.scaling.profile import DAY, Profile

LEVELS: Final = (180.0, 600.0, 1800.0, 7200.0)
"""Seconds over which the levels are smoothed.

The first level is an expert too, the last stands in for what is unknown of the day.
"""

BEGIN: Final = (0.0, 0.0, 0.5, 0.3, 0.1, 0.0, 0.3, -0.3, 0.1, 0.0)
"""Weights of the features before anything was learned: the levels, moved as on a usual day."""

SHORTEST: Final = 10.0
"""Seconds of the shortest bucket; every bucket until the horizon is remembered."""

MOST: Final = 1e15
"""A load above this counts as this: no measurement is."""

LATEST: Final = 1e12
"""Epoch seconds beyond which a moment is none; a fault of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one bucket's load may be, in the unit of what was learned.

    Attributes:
        expected: the load.
        upper: a bound that the load stays below as often as was asked for.
        coverage: how often such bounds held lately, 0 to 1, measured; None before a hundred were.
        width: how far the bound is above what is expected, by what is expected plus one.
    """

    expected: float
    upper: float
    coverage: float | None
    width: float


class Forecaster(Protocol):
    """What the scaling engine asks of a forecast."""

    def learn(self, moment: float, load: float | None) -> None:
        """See a finished bucket: its start in epoch seconds (UTC), and its load; None or NaN is missing."""
        ...

    def predict(self) -> Mapping[float, Prediction]:
        """What is expected of the bucket so many seconds after the last one; empty when nothing is known."""
        ...


def check_arguments(
    bucket: float,
    horizons: Sequence[float],
    upper: float,
    *,
    shortest: float = SHORTEST,
    longest: float = DAY,
) -> None:
    """Raise a ConfigError where one of a forecaster's arguments is out of its range."""
    if not shortest <= bucket <= longest:
        raise ConfigError(f"bucket is {bucket}: give seconds between {shortest:.0f} and {longest:.0f}")
    if not horizons or not all(0 < each <= DAY for each in horizons):
        raise ConfigError(f"horizons are {horizons!r}: give at least one, up to {DAY:.0f} seconds")
    if not 0.5 < upper < 1:
        raise ConfigError(f"upper is {upper}: give a share above 0.5 and below 1")


class _State(msgspec.Struct):
    """All that is learned."""

    version: Literal[1]
    bucket: float
    horizons: list[float]
    upper: float
    profile: Profile
    ahead: list[Horizon]
    number: int | None = None
    """The last bucket, counted from 1970."""
    levels: list[float] = []
    previous: float = 0.0
    last: float = 0.0
    """Logarithms of the last two loads."""
    peak: float = 0.0


class OnlineForecaster:
    """The forecaster that is used when no other is given.

    Learning a bucket takes about 150 µs with three horizons, and predicting next to nothing. Buckets that are
    missing, twice there or late are no fault. After a gap, or a clock set by more than the longest horizon,
    the levels begin anew, and what was learned of the days and weeks stays.

    Args:
        bucket: seconds of a bucket, 10 to 86,400.
        horizons: seconds ahead.
        upper: how often the bound is to hold, above 0.5 and below 1.

    Raises:
        ConfigError: an argument is out of its range.
    """

    __slots__ = ("_memory", "_outlooks", "_rates", "_state", "_steps")

    def __init__(
        self,
        bucket: float = 300.0,
        horizons: Sequence[float] = (300, 900, 3600),
        upper: float = 0.95,
    ) -> None:
        check_arguments(bucket, horizons, upper)
        self._steps: Final = [max(1, round(each / bucket)) for each in horizons]
        self._rates: Final = [1 - exp(-bucket / seconds) for seconds in LEVELS]
        self._memory: Final = Memory.of_buckets(bucket)
        self._state = _State(
            version=1,
            bucket=bucket,
            horizons=[float(each) for each in horizons],
            upper=upper,
            profile=Profile.for_buckets(bucket),
            ahead=[Horizon.ahead(steps, BEGIN, experts=2) for steps in self._steps],
        )
        self._outlooks: list[Outlook] = []

    def learn(self, moment: float, load: float | None) -> None:
        """See a finished bucket.

        Args:
            moment: its start in epoch seconds (UTC).
            load: in any unit; None, NaN, infinite or negative is missing.
        """
        if not abs(moment) <= LATEST:
            return
        state = self._state
        number, reach = round(moment / state.bucket), max(self._steps)
        passed = reach + 1 if state.number is None else number - state.number
        if -reach < passed <= 0:
            return
        if not 0 < passed <= reach:
            state.levels, passed = [], reach + 1
        state.number = number
        for _ in range(passed - 1):
            self._wait([])
        if load is not None and isfinite(load) and load >= 0:
            self._see(min(load, MOST), number * state.bucket)
        self._outlooks = self._look(number * state.bucket)
        self._wait(self._outlooks)

    def predict(self) -> Mapping[float, Prediction]:
        """What is expected, by horizon in seconds; empty before the first load."""
        state = self._state
        return {
            horizon: Prediction(
                expected=outlook.expected,
                upper=outlook.upper,
                coverage=each.bound.coverage,
                width=(outlook.upper - outlook.expected) / (1 + outlook.expected),
            )
            for horizon, each, outlook in zip(state.horizons, state.ahead, self._outlooks, strict=False)
        }

    def warm_up(
        self, history: Iterable[tuple[float, float | None]], *, hours: Iterable[tuple[float, float]] = ()
    ) -> None:
        """Learn what was kept.

        It takes 0.3 s for 7 days of 5 minutes: do it in a thread, or keep the `state`.

        Args:
            history: start and load of each bucket, in order.
            hours: start and mean load of each hour before the history, for the course of the week.
        """
        for moment, mean in hours:
            if abs(moment) <= LATEST and 0 <= mean < inf:
                self._state.profile.learn_hour(moment, log1p(min(mean, MOST)))
        for moment, load in history:
            self.learn(moment, load)

    def state(self) -> bytes:
        """All that was learned, as JSON."""
        return msgspec.json.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from a saved state, as if there had been no pause.

        Raises:
            ConfigError: it is not a state, or one of a forecaster with other arguments. Nothing is changed.
        """
        try:
            saved = msgspec.json.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise ConfigError(f"the saved forecast cannot be read ({error}): warm up a new one") from error
        for name in ("bucket", "horizons", "upper"):
            there, here = getattr(saved, name), getattr(self._state, name)
            if there != here:
                raise ConfigError(
                    f"the saved forecast has {name} {there}, this one {here}: warm up a new one"
                )
        self._state = saved
        self._outlooks = [] if saved.number is None else self._look(saved.number * saved.bucket)

    def _see(self, load: float, now: float) -> None:
        """Learn from the load of the bucket that begins now."""
        state, value = self._state, log1p(load)
        for each in state.ahead:
            each.learn(load, self._memory, 1 - state.upper)
        if not state.levels:
            state.levels = [value] * len(LEVELS)
            state.last = value
        state.levels = [
            level + rate * (value - level) for level, rate in zip(state.levels, self._rates, strict=True)
        ]
        state.previous, state.last = state.last, value
        state.peak = max(state.peak, value)
        state.profile.learn(now, value, state.bucket)

    def _look(self, now: float) -> list[Outlook]:
        """What is expected after the bucket that begins now; empty when there is no level."""
        state, profile = self._state, self._state.profile
        if not state.levels:
            return []
        slow, usual_now = state.levels[-1], profile.usual(now)
        simple = [expm1(state.last), expm1(state.levels[0])]
        outlooks: list[Outlook] = []
        for steps, each in zip(self._steps, state.ahead, strict=True):
            then = now + steps * state.bucket
            usual, before = profile.usual(then), profile.a_day_before(then)
            features = [
                1.0,
                state.previous,
                *state.levels,
                slow if usual is None else usual,
                slow if usual_now is None else usual_now,
                slow if before is None else before,
                profile.of_the_week(then),
            ]
            outlooks.append(each.look(features, simple, state.peak))
        return outlooks

    def _wait(self, outlooks: Sequence[Outlook]) -> None:
        """A bucket is over; what is expected of those to come waits for them."""
        for number, each in enumerate(self._state.ahead):
            del each.waiting[0]
            each.waiting.append(outlooks[number] if outlooks else None)
