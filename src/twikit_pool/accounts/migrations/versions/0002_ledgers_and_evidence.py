"""Rate windows that survive a restart, and the evidence for an account's state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the ledgers' table and the two columns."""
    op.create_table(
        "twikit_pool_account_ledgers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("ledger", sa.LargeBinary, nullable=False),
    )
    for name in ("evidence", "set_by"):
        op.add_column("twikit_pool_accounts", sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them."""
    for name in ("evidence", "set_by"):
        op.drop_column("twikit_pool_accounts", name)
    op.drop_table("twikit_pool_account_ledgers")
