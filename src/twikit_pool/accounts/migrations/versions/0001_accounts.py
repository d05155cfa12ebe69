"""Accounts, and the keys that seal them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "twikit_pool_accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("handle", sa.Text),
        sa.Column("cookies", sa.LargeBinary, nullable=False),
        sa.Column("password", sa.LargeBinary),
        sa.Column("email", sa.LargeBinary),
        sa.Column("totp", sa.LargeBinary),
        sa.Column("proxy", sa.LargeBinary),
        sa.Column("expires", sa.DateTime(timezone=True)),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("capabilities", sa.JSON, nullable=False),
        sa.Column("caps", sa.JSON, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "twikit_pool_account_keys",
        sa.Column("key_id", sa.String(32), primary_key=True),
        sa.Column("proof", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("twikit_pool_account_keys")
    op.drop_table("twikit_pool_accounts")
