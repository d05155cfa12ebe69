"""Points of pools and accounts, events, alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTS = (
    "acquired",
    "timed_out",
    "calls",
    "errors",
    "scale_ups",
    "scale_downs",
    "checks_passed",
    "checks_failed",
    "dropped",
)
KNOWN = ("ended", "seconds", "busy_time", "total", "active", "idle", "reserved", "unhealthy", "most")
PEAKS = ("active_peak", "queued", "longest_wait")
UNKNOWN = ("target", "wanted", "memory", "cpu", "network")
TIMES = ("acquisition", "response", "queue")

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "twikit_pool_history_pools",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("days", sa.Integer, nullable=False),
    )
    op.create_table(
        "twikit_pool_history_points",
        sa.Column("pool", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tier", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in (*KNOWN, *PEAKS)),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
        *(sa.Column(name, sa.Double) for name in UNKNOWN),
        *(sa.Column(f"{name}_{each}", sa.Double) for name in TIMES for each in ("p50", "p95", "p99")),
        sa.Column("outcomes", sa.Text, nullable=False),
        *(sa.Column(f"{name}_times", sa.LargeBinary, nullable=False) for name in TIMES),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "twikit_pool_history_accounts",
        sa.Column("pool", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tier", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("response_times", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "twikit_pool_history_events",
        sa.Column("id", Id, primary_key=True),
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
    op.create_table(
        "twikit_pool_history_alerts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("pool", sa.Integer),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Index("twikit_pool_history_alerts_by_time", "began"),
    )
    op.create_table(
        "twikit_pool_history_writers",
        sa.Column("writer", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("writers", "alerts", "events", "accounts", "points", "pools"):
        op.drop_table(f"twikit_pool_history_{name}")
