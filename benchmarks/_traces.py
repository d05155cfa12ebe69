"""Loads as they come: traces from files, and synthetic ones where there are none."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

BUCKET: Final = 300.0
"""Seconds of a bucket."""
BUCKETS_A_DAY: Final = 288
DAYS: Final = 28
"""Days of a synthetic trace."""
BUSY: Final = {
    "steady": (50.0, 0.6, 0.002, 0.15),
    "daily": (60.0, 0.9, 0.003, 0.15),
    "news": (60.0, 0.6, 0.008, 0.2),
    "small": (15.0, 0.7, 0.004, 0.25),
}
"""By name: the mean count, the daily swing of its logarithm, how often a burst begins, and the scatter.

As with tweets about companies the peak is 4 to 12 times the mean, and the count changes by a fifth to a half
of it from one bucket to the next.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Counts by buckets of five minutes; `begins` in epoch seconds."""

    begins: float
    counts: Sequence[float]


def traces_of(folder: Path | None) -> Mapping[str, Trace]:
    """The traces of the folder's CSV files, or synthetic ones, by name."""
    if folder is None:
        return {name: _synthetic(name) for name in BUSY}
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.csv"))}
    if not found:
        raise SystemExit(f"there is no CSV file in {folder}")
    return found


def _read(path: Path) -> Trace:
    with path.open(newline="") as file:
        rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
    begins = datetime.fromisoformat(rows[0][0]).replace(tzinfo=UTC).timestamp()
    return Trace(begins=begins, counts=[count for _, count in rows])


def _synthetic(name: str) -> Trace:
    """A day's and a week's course, slow wandering, bursts that fade, and Poisson's noise; always the same."""
    mean, swing, bursts, scatter = BUSY[name]
    rng = random.Random(name)  # noqa: S311 - chance that repeats
    wandering = burst = 0.0
    counts: list[float] = []
    for number in range(DAYS * BUCKETS_A_DAY):
        day, of_day = divmod(number, BUCKETS_A_DAY)
        wandering = 0.98 * wandering + rng.gauss(0, 0.03)
        burst = rng.uniform(0.8, 2.0) if rng.random() < bursts else 0.8 * burst
        course = swing * math.sin(2 * math.pi * of_day / BUCKETS_A_DAY) - (0.3 if day % 7 >= 5 else 0.0)
        expected = mean * math.exp(course + wandering + burst + rng.gauss(0, scatter))
        counts.append(max(0.0, round(rng.gauss(expected, math.sqrt(expected)))))
    return Trace(begins=0.0, counts=counts)
