"""A forecaster of gradient-boosted trees, as an example of one's own; needs the extra `lightgbm`.

For each horizon there are two models by quantile regression: one of the median, one of the bound. They are
trained in another thread on the last weeks, again and again, while the former ones go on forecasting. Trees
know nothing of the days after their training, so the bound is corrected by the same conformal inference as
that of the pool's own forecast, and what `coverage` says of the two can be compared.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import expm1, inf, isfinite, log1p, nan
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from twikit_pool.errors import ConfigError
from twikit_pool.redaction import without_frames
from twikit_pool.scaling.conformal import ConformalBound
from twikit_pool.scaling.forecast import LATEST, MOST, Prediction, check_arguments
from twikit_pool.scaling.horizon import GROWTH, Memory
from twikit_pool.scaling.profile import DAY, HOUR

try:
    import lightgbm
    import numpy as np
except ImportError as error:
    raise ImportError(
        f"LightGBMForecaster cannot load LightGBM ({error}): pip install 'twikit-pool[lightgbm]'"
    ) from error

logger = logging.getLogger(__name__)

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Places: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

SHORTEST: Final = 60.0
"""Seconds of the shortest bucket: with shorter ones a training would take long."""

HISTORY: Final = 28 * DAY
"""Seconds of the past that are kept, and that models are trained on."""

ENOUGH: Final = 2 * DAY
"""Seconds of known loads without which none is trained: a day has to be seen twice."""

LEVEL: Final = 1800.0
"""Seconds of the mean that all else is relative to: trees cannot follow a load beyond what they have seen."""

MEANS: Final = (900.0, 3600.0, 7200.0)
"""Seconds of the other means."""

LAGS: Final = 4
"""Latest buckets that are seen one by one."""

DAYS: Final = 7
"""Days before, of which the loads at this time of the day and at the target's are seen."""

AROUND: Final = 900.0
"""Seconds on both sides over which those are smoothed."""

TREES: Final = 80

SETTINGS: Final[Mapping[str, Any]] = {
    "objective": "quantile",
    "learning_rate": 0.06,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "num_threads": 1,  # the other cores are the pool's
    "deterministic": True,
    "seed": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What was trained for one horizon."""

    median: lightgbm.Booster
    bound: lightgbm.Booster


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What was forecast of one bucket, and its bound; logarithms."""

    expected: float
    upper: float


class LightGBMForecaster:
    """Trees that are trained anew from time to time; meets `Forecaster`.

    `learn` takes a few milliseconds and never waits for a training, which takes half a second in a thread of
    its own. Use it with `with`, or `close()` it. There is nothing to predict before two days were learned and
    the first training is over: after learning a history, `wait()` for it.

    Args:
        bucket: seconds of a bucket, 60 to 3,600.
        horizons: seconds ahead, up to a day.
        upper: how often the bound is to hold, above 0.5 and below 1.
        every: seconds of what is learned after which the models are trained anew.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self,
        bucket: float = 300.0,
        horizons: Sequence[float] = (300, 900, 3600),
        upper: float = 0.95,
        *,
        every: float = DAY,
    ) -> None:
        check_arguments(bucket, horizons, upper, shortest=SHORTEST, longest=HOUR)
        if not every > 0:
            raise ConfigError(f"every is {every}: give a positive number of seconds")
        self._bucket: Final = bucket
        self._upper: Final = upper
        self._every: Final = every / bucket
        self._steps: Final = {float(each): max(1, round(each / bucket)) for each in horizons}
        self._memory: Final = Memory.of_buckets(bucket).losses
        self._past: Final = deque[float](maxlen=round(HISTORY / bucket))
        """Logarithms of the loads, the latest last; NaN where one is missing."""
        self._number: int | None = None
        """The latest bucket, counted from 1970."""
        self._bounds: Final = {each: ConformalBound(reach=0.0) for each in self._steps}
        """How far each horizon's bound is above its model's."""
        self._models: Mapping[float, Models] = {}
        self._outlooks: Mapping[float, Outlook] = {}
        self._waiting: dict[tuple[int, float], Outlook] = {}
        """By the bucket that they are for, and the horizon."""
        self._trained = -inf
        """The bucket after which the latest training began."""
        self._thread: Final = ThreadPoolExecutor(1, "lightgbm")
        self._training: Future[Mapping[float, Models]] | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Train no more. The last models go on forecasting."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def learn(self, moment: float, load: float | None) -> None:
        """See a finished bucket.

        Args:
            moment: its start in epoch seconds (UTC).
            load: in any unit; None, NaN, infinite or negative is missing.
        """
        if not abs(moment) <= LATEST:
            return
        number = round(moment / self._bucket)
        passed = 1 if self._number is None else number - self._number
        if -max(self._steps.values()) < passed <= 0:
            return
        if passed <= 0:  # the clock was set back
            self._past.clear()
            self._waiting.clear()
            self._trained = min(self._trained, number)
        missed = min(passed - 1, HISTORY / self._bucket)
        self._past.extend(nan for _ in range(int(missed)))
        if load is None or not 0 <= load < inf:
            load = nan
        self._past.append(log1p(min(load, MOST)))
        self._number = number
        self._score(number, self._past[-1])
        self._look(number)
        self._train(number)

    def predict(self) -> Mapping[float, Prediction]:
        """What is expected, by horizon in seconds; empty before the first models, and without a level."""
        predictions: dict[float, Prediction] = {}
        for horizon, outlook in self._outlooks.items():
            expected, upper = expm1(outlook.expected), expm1(outlook.upper)
            predictions[horizon] = Prediction(
                expected=expected,
                upper=upper,
                coverage=self._bounds[horizon].coverage,
                width=(upper - expected) / (1 + expected),
            )
        return predictions

    def wait(self) -> None:
        """Until the training that runs is over, if one does. It blocks: not for the event loop's thread."""
        if self._training is not None and self._number is not None:
            wait([self._training])
            self._look(self._number)

    def _score(self, number: int, value: float) -> None:
        """Hold what was forecast of this bucket against its load."""
        for horizon, bound in self._bounds.items():
            outlook = self._waiting.get((number, horizon))
            if outlook is not None and isfinite(value):
                bound.learn(
                    value - outlook.expected,
                    held=value <= outlook.upper,
                    may_fail=1 - self._upper,
                    memory=self._memory,
                )
        self._waiting = {ahead: each for ahead, each in self._waiting.items() if ahead[0] > number}

    def _look(self, number: int) -> None:
        """Forecast from this bucket on, with the newest models."""
        self._adopt()
        past = np.array(self._past)
        known = past[np.isfinite(past)]
        self._outlooks = {}
        if not self._models or not len(known):
            return
        ceiling = float(known.max()) + GROWTH
        past = past[-round((DAYS + 2) * DAY / self._bucket) :]  # nothing that is older is seen
        now = np.array([len(past) - 1])
        for horizon, steps in self._steps.items():
            table, level = seen(past, number, now, steps, self._bucket)
            if isfinite(level[0]):
                models, reach = self._models[horizon], self._bounds[horizon].reach
                expected = min(ceiling, max(0.0, float(level[0]) + _one(models.median, table)))
                upper = min(ceiling, float(level[0]) + _one(models.bound, table) + reach)
                self._outlooks[horizon] = Outlook(expected=expected, upper=max(expected, upper))
                self._waiting[number + steps, horizon] = self._outlooks[horizon]

    def _train(self, number: int) -> None:
        """Begin a training, if it is time for one."""
        if self._closed or self._training is not None or number - self._trained < self._every:
            return
        if sum(map(isfinite, self._past)) * self._bucket >= ENOUGH:
            self._trained = number
            self._training = self._thread.submit(
                trained, np.array(self._past), number, self._bucket, self._steps, self._upper
            )

    def _adopt(self) -> None:
        """Take the models of the training that has ended, if one has."""
        training = self._training
        if training is None or not training.done():
            return
        self._training = None
        if training.cancelled():
            return
        failure = training.exception()
        if failure is None:
            self._models = training.result()
        else:
            name = type(without_frames(failure)).__name__
            logger.warning("training LightGBM failed: %s; the former models go on", name)


def trained(
    past: Numbers, number: int, bucket: float, steps: Mapping[float, int], upper: float
) -> Mapping[float, Models]:
    """Models by horizon; it takes about half a second.

    Args:
        past: logarithms of the loads, NaN where one is missing; the last is of the bucket `number`.
        number: of the last bucket.
        bucket: its seconds.
        steps: buckets ahead, by horizon.
        upper: how often the bound is to hold.
    """
    models: dict[float, Models] = {}
    for horizon, ahead in steps.items():
        origins = np.arange(len(past) - ahead)
        table, level = seen(past, number, origins, ahead, bucket)
        change = past[origins + ahead] - level
        known = np.isfinite(change)
        models[horizon] = Models(
            median=_trees(table[known], change[known], 0.5), bound=_trees(table[known], change[known], upper)
        )
    return models


def _trees(table: Numbers, change: Numbers, quantile: float) -> lightgbm.Booster:
    settings = {**SETTINGS, "alpha": quantile}
    return lightgbm.train(settings, lightgbm.Dataset(table, change), TREES)  # pyright: ignore[reportUnknownMemberType] - its callbacks are not typed


def _one(model: lightgbm.Booster, table: Numbers) -> float:
    return float(np.asarray(model.predict(table))[0])  # pyright: ignore[reportUnknownMemberType] - its tables are of any library


def seen(past: Numbers, number: int, origins: Places, ahead: int, bucket: float) -> tuple[Numbers, Numbers]:
    """What the models see at these places of the past, in rows, and the level there; NaN is unknown.

    Nothing after an origin goes into its row.
    """
    day = round(DAY / bucket)
    around = round(AROUND / bucket)
    smooth = _means(past, 2 * around + 1)
    targets = origins + ahead
    of_targets = number - (len(past) - 1) + targets
    level = _means(past, round(LEVEL / bucket))[origins]

    def days_before(places: Places) -> Numbers:
        """The smoothed loads at that time of the days before, the latest day in the first row."""
        middles = places - day * np.arange(1, DAYS + 1)[:, None]
        return _at(smooth, np.minimum(middles + around, origins)) - level

    then, now = days_before(targets), days_before(origins)
    usual_then, usual_now = _mean_of_rows(then), _mean_of_rows(now)
    columns = [
        level,
        *(_at(past, origins - lag) - level for lag in range(LAGS)),
        *(_means(past, round(seconds / bucket))[origins] - level for seconds in MEANS),
        *(then[0], then[-1], now[0], usual_then, usual_now, usual_then - usual_now),
        *(of_targets % day, of_targets // day % 7),
    ]
    return np.stack(columns, axis=1).astype(np.float64), level


def _means(values: Numbers, width: int) -> Numbers:
    """The mean of the known ones among so many values, up to each; NaN where there are none."""
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - max(1, width))
    count = counts[ends] - counts[begins]
    return np.where(count > 0, (sums[ends] - sums[begins]) / np.maximum(count, 1), np.nan)


def _mean_of_rows(table: Numbers) -> Numbers:
    """The mean of each column's known values; NaN where there are none."""
    known = np.isfinite(table)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, table, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _at(values: Numbers, places: Places) -> Numbers:
    """The values at these places; NaN outside."""
    return np.where(places >= 0, values[np.maximum(places, 0)], np.nan)
