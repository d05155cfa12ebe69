"""Points as rows, and rows as points."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from twikit_pool.metrics.history.figures import NONE, AccountFigures, Point, Times
from twikit_pool.metrics.history.schema import QUANTILE_NAMES, accounts, points
from twikit_pool.metrics.pool_metrics import TIMES

PLAIN: Final = tuple(name for name in Point.__struct_fields__ if name not in TIMES and name != "outcomes")
"""Figures that are numbers."""


def row_of(pool: int, tier: int, at: int, point: Point) -> dict[str, Any]:
    """A point as a row."""
    row: dict[str, Any] = {name: getattr(point, name) for name in PLAIN}
    row |= {"pool": pool, "tier": tier, "at": at, "outcomes": json.dumps(point.outcomes)}
    for name in TIMES:
        times: Times = getattr(point, name)
        row[f"{name}_times"] = times.encoded
        for each in QUANTILE_NAMES:
            row[f"{name}_{each}"] = getattr(times, each)
    return row


def columns(*, histograms: Collection[str] = TIMES, outcomes: bool = True) -> list[sa.ColumnElement[Any]]:
    """What is read of a point, in the order of `point_of`; what is not wanted is read as nothing."""
    nothing = sa.literal_column("NULL", sa.LargeBinary)
    return [
        *(points.c[name] for name in PLAIN),
        points.c.outcomes if outcomes else nothing,
        *(points.c[f"{name}_{each}"] for name in TIMES for each in QUANTILE_NAMES),
        *(points.c[f"{name}_times"] if name in histograms else nothing for name in TIMES),
    ]


_FIRST: Final = len(PLAIN) + 1
_COUNT: Final = len(QUANTILE_NAMES)
_BLOBS: Final = _FIRST + len(TIMES) * _COUNT


def point_of(row: Sequence[Any]) -> Point:
    """A row of `columns` as a point."""
    values: dict[str, Any] = dict(zip(PLAIN, row, strict=False))
    values["outcomes"] = json.loads(row[_FIRST - 1]) if row[_FIRST - 1] else {}
    for number, name in enumerate(TIMES):
        encoded: bytes | None = row[_BLOBS + number]
        first = _FIRST + number * _COUNT
        known = encoded or row[first] is not None
        values[name] = Times(encoded or b"", *row[first : first + _COUNT]) if known else NONE
    return Point(**values)


def account_row(pool: int, tier: int, at: int, account: str, figures: AccountFigures) -> dict[str, Any]:
    """What an account did as a row."""
    return {
        "pool": pool,
        "tier": tier,
        "at": at,
        "account": account,
        "calls": figures.calls,
        "errors": figures.errors,
        "response_times": figures.response.encoded,
    }


ACCOUNT_COLUMNS: Final = (accounts.c.calls, accounts.c.errors, accounts.c.response_times)


def account_of(row: Sequence[Any]) -> AccountFigures:
    """A row of `ACCOUNT_COLUMNS` as what an account did."""
    calls, errors, encoded = row
    # Its percentiles are worked out when somebody asks: an account's are of interest seldom.
    return AccountFigures(calls=calls, errors=errors, response=Times(encoded))
