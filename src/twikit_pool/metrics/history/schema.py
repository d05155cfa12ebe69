"""The tables of the history. Times are seconds since 1970, in UTC; nothing in them is secret."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from twikit_pool.metrics.history.figures import MEANS, QUANTILES, SUMS
from twikit_pool.metrics.pool_metrics import TIMES

metadata = sa.MetaData()

QUANTILE_NAMES: Final = tuple(f"p{round(each * 100)}" for each in QUANTILES)

_WHOLE: Final = frozenset(SUMS) - {"seconds", "busy_time"}
_UNKNOWN: Final = frozenset({"target", "wanted", "memory", "cpu", "network"})

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of this type."""


def _figure(name: str) -> sa.Column[float]:
    kind = sa.BigInteger if name in _WHOLE else sa.Double
    return sa.Column(name, kind, nullable=name in _UNKNOWN)


pools = sa.Table(
    "twikit_pool_history_pools",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("days", sa.Integer, nullable=False),
)
"""Pools that there have been, and for how many days their points are kept."""

points = sa.Table(
    "twikit_pool_history_points",
    metadata,
    sa.Column("pool", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tier", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ended", sa.Double, nullable=False),
    *(_figure(name) for name in (*SUMS, *MEANS, "active_peak", "queued", "longest_wait")),
    *(sa.Column(f"{name}_{each}", sa.Double) for name in TIMES for each in QUANTILE_NAMES),
    sa.Column("outcomes", sa.Text, nullable=False),
    *(sa.Column(f"{name}_times", sa.LargeBinary, nullable=False) for name in TIMES),
    sqlite_with_rowid=False,  # a pool's points lie side by side, in the order in which they are asked for
)
"""Of every pool a point for each ten seconds, each minute and each hour: `tier` is how many seconds it is of,
`at` when those began."""

accounts = sa.Table(
    "twikit_pool_history_accounts",
    metadata,
    sa.Column("pool", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tier", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("errors", sa.BigInteger, nullable=False),
    sa.Column("response_times", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The same of every account that did something: for each hour, and for each day."""

events = sa.Table(
    "twikit_pool_history_events",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("pool", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("account", sa.Text),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Index("twikit_pool_history_events_by_kind", "pool", "kind", "at", "id"),
    sa.Index("twikit_pool_history_events_by_account", "account", "at", "id"),
    sa.Index("twikit_pool_history_events_by_time", "pool", "at", "id"),
)
"""Decisions, results and changes of state; `fields` is JSON."""

alerts = sa.Table(
    "twikit_pool_history_alerts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("pool", sa.Integer),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("began", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Index("twikit_pool_history_alerts_by_time", "began"),
)
"""Alerts, for those who raise them; `ended` is null while one holds."""

writers = sa.Table(
    "twikit_pool_history_writers",
    metadata,
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)
"""The latest batch that each run has written, so that none is counted twice."""
