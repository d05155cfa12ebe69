"""How far off our forecast is, beside the last value and a linear trend; its bound and its cost.

Each trace is gone through bucket by bucket: learn it, then predict those 5, 15 and 60 minutes ahead. The last
ten days are scored, those before are the warm-up; nobody sees a bucket before it is over. *Error* is wMAPE:
the absolute errors by the load, each summed up. *Trend* is the straight line through the last 20 buckets.
*Coverage* is how often the load was within the bound that is to hold in 95 of 100. Three numbers are those
at 5, 15 and 60 minutes. Time is CPU time. `--lightgbm` shows LightGBM beside ours, trained anew every day.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from benchmarks import Bar, Report
from benchmarks._traces import BUCKET, BUCKETS_A_DAY, Trace, traces_of
from twikit_pool.scaling import Forecaster, OnlineForecaster, Prediction

HORIZONS: Final = (300, 900, 3600)
SCORED: Final = 10 * BUCKETS_A_DAY
"""Buckets at a trace's end."""
TREND: Final = 20
"""Buckets that the straight line goes through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How the forecasts of one trace did; tuples have a number for each horizon.

    Attributes:
        last: the error of the last value.
        trend: the error of the straight line.
        ours: the error of our forecast.
        coverage: how often our bound held.
        step: seconds of CPU time to learn a bucket and predict.
    """

    last: tuple[float, ...]
    trend: tuple[float, ...]
    ours: tuple[float, ...]
    coverage: tuple[float, ...]
    step: float

    @property
    def ratios(self) -> list[float]:
        """Our error by that of the last value."""
        return [ours / last for ours, last in zip(self.ours, self.last, strict=True)]


def run(traces: Path | None = None, *, lightgbm: bool = False) -> Report:
    measured = {name: measure(trace) for name, trace in traces_of(traces).items()}
    figures: dict[str, float | int | str] = _trees(traces) if lightgbm else {}
    for name, found in measured.items():
        figures[f"{name}: error of the last value"] = _shares(found.last)
        figures[f"{name}: error of the trend"] = _shares(found.trend)
        figures[f"{name}: error of ours"] = _shares(found.ours)
        figures[f"{name}: coverage of our bound"] = _shares(found.coverage)
    each = list(measured.values())
    for model in ("last", "trend", "ours"):
        columns = zip(*(getattr(found, model) for found in each), strict=True)
        figures[f"mean: error, {model}"] = _shares([mean(column) for column in columns])
    covered = [share for found in each for share in found.coverage]
    return Report(
        figures=figures,
        bars=[
            Bar(
                "60 min: error by the last value's, mean",
                mean(found.ratios[-1] for found in each),
                0.75,
                "lower",
            ),
            Bar("error by the last value's, worst", max(max(found.ratios) for found in each), 1.02, "lower"),
            Bar("coverage of the 95% bound, lowest", min(covered), 0.93, "higher"),
            Bar("coverage of the 95% bound, highest", max(covered), 0.97, "lower"),
            Bar("a step, µs", max(found.step for found in each) * 1e6, 200, "lower"),
        ],
    )


def measure(trace: Trace) -> Accuracy:
    """Go through a trace."""
    counts = trace.counts
    if len(counts) < 2 * SCORED:
        raise SystemExit(
            f"a trace has {len(counts)} buckets: give at least {2 * SCORED}, half of them to warm up"
        )
    began = time.process_time()
    ours, coverage = judge(OnlineForecaster(BUCKET, HORIZONS), trace)
    step = (time.process_time() - began) / len(counts)
    last, trend = [], []
    for horizon in HORIZONS:
        ahead = int(horizon / BUCKET)
        origins = range(len(counts) - SCORED - ahead, len(counts) - ahead)
        came = counts[-SCORED:]
        last.append(_error([counts[origin] for origin in origins], came))
        lines = (counts[origin - TREND + 1 : origin + 1] for origin in origins)
        trend.append(_error([_straight_on(line, ahead) for line in lines], came))
    return Accuracy(last=tuple(last), trend=tuple(trend), ours=ours, coverage=coverage, step=step)


def judge(forecaster: Forecaster, trace: Trace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The error of a forecaster at each horizon, and how often its bound held."""
    predictions: list[Mapping[float, Prediction]] = []
    for number, count in enumerate(trace.counts):
        forecaster.learn(trace.begins + number * BUCKET, count)
        predictions.append(forecaster.predict())
    came, errors, coverage = trace.counts[-SCORED:], [], []
    for horizon in HORIZONS:
        ahead = int(horizon / BUCKET)
        said = [each[horizon] for each in predictions[-SCORED - ahead : -ahead]]
        errors.append(_error([each.expected for each in said], came))
        coverage.append(mean(load <= each.upper for load, each in zip(came, said, strict=True)))
    return tuple(errors), tuple(coverage)


def _trees(traces: Path | None) -> dict[str, float | int | str]:
    from twikit_pool.scaling.lightgbm_forecaster import LightGBMForecaster  # an optional extra

    class Patient(LightGBMForecaster):
        """Days pass in a second here, and a training takes as long."""

        def predict(self) -> Mapping[float, Prediction]:
            self.wait()
            return super().predict()

    figures: dict[str, float | int | str] = {}
    every: list[tuple[float, ...]] = []
    for name, trace in traces_of(traces).items():
        with Patient(BUCKET, HORIZONS) as forecaster:
            errors, coverage = judge(forecaster, trace)
        figures[f"{name}: error of LightGBM"] = _shares(errors)
        figures[f"{name}: coverage of LightGBM's bound"] = _shares(coverage)
        every.append(errors)
    figures["mean: error, LightGBM"] = _shares([mean(column) for column in zip(*every, strict=True)])
    return figures


def _error(forecasts: Sequence[float], came: Sequence[float]) -> float:
    """The weighted mean absolute percentage error, as a share."""
    return sum(abs(forecast - load) for forecast, load in zip(forecasts, came, strict=True)) / sum(came)


def _straight_on(line: Sequence[float], ahead: int) -> float:
    """Where the line by least squares through these values is so many steps after the last; never below 0."""
    middle, level = (len(line) - 1) / 2, mean(line)
    spread = sum((number - middle) ** 2 for number in range(len(line)))
    slope = sum((number - middle) * value for number, value in enumerate(line)) / spread
    return max(0.0, level + slope * (middle + ahead))


def _shares(values: Sequence[float]) -> str:
    return " ".join(f"{value:5.1%}" for value in values)
