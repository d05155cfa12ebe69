"""The tables of the account store. Credentials and proxy are sealed; the rest is plain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """A time in UTC, with its zone, also where the database keeps none."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; SQLite stores it without its zone."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


metadata = sa.MetaData()

SEALED: Final = ("cookies", "password", "email", "totp", "proxy")
"""The columns that are encrypted, each by itself."""

accounts = sa.Table(
    "twikit_pool_accounts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("handle", sa.Text),
    sa.Column("cookies", sa.LargeBinary, nullable=False),
    sa.Column("password", sa.LargeBinary),
    sa.Column("email", sa.LargeBinary),
    sa.Column("totp", sa.LargeBinary),
    sa.Column("proxy", sa.LargeBinary),
    sa.Column("expires", UTCDateTime),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("capabilities", sa.JSON, nullable=False),
    sa.Column("caps", sa.JSON, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", UTCDateTime, nullable=False),
    sa.Column("until", UTCDateTime),
    sa.Column("evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("set_by", sa.Text, nullable=False, server_default=""),
    sa.Column("added_at", UTCDateTime, nullable=False),
    sa.Column("changed_at", UTCDateTime, nullable=False),
)

account_keys = sa.Table(
    "twikit_pool_account_keys",
    metadata,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("proof", sa.LargeBinary, nullable=False),
)
"""The keys in use, each with a known text sealed by it: a wrong key shows before anything is touched."""

ledgers = sa.Table(
    "twikit_pool_account_ledgers",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("ledger", sa.LargeBinary, nullable=False),
)
"""What is known of each account's rate windows: JSON, nothing secret in it. An account need not be here any
more: whoever saves late must not fail for that."""
