"""An account as a row: what is secret sealed, the rest plain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from twikit_pool.accounts.caps import render_caps
from twikit_pool.accounts.model import Account, AccountState, Credentials, Standing
from twikit_pool.errors import StoreError
from twikit_pool.redaction import Cookies, Secret

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from twikit_pool.accounts.keys import Keyring


def row_of(account: Account, keyring: Keyring) -> dict[str, Any]:
    """The account's columns, but for the times at which it was added and changed."""
    credentials = account.credentials
    secrets = {
        "password": credentials.password,
        "email": credentials.email,
        "totp": credentials.totp,
        "proxy": account.proxy,
    }
    return {
        "id": account.id,
        "handle": account.handle,
        "cookies": sealed_cookies(account.id, credentials.cookies, keyring),
        **{
            name: None if secret is None else keyring.seal(secret.reveal(), account.id, name)
            for name, secret in secrets.items()
        },
        "expires": credentials.expires,
        "tags": sorted(account.tags),
        "capabilities": sorted(account.capabilities),
        "caps": render_caps(account.caps),
        "notes": account.notes,
        **standing_columns(account.standing),
    }


def sealed_cookies(account_id: str, cookies: Cookies, keyring: Keyring) -> bytes:
    """The cookies' column."""
    return keyring.seal(msgspec.json.encode(dict(cookies)).decode(), account_id, "cookies")


def standing_columns(standing: Standing) -> dict[str, Any]:
    """The columns of an account's standing."""
    return {
        "state": standing.state.value,
        "reason": standing.reason,
        "since": standing.since,
        "until": standing.until,
        "evidence": standing.evidence,
        "set_by": standing.by,
    }


def account_of(row: RowMapping, keyring: Keyring) -> Account:
    """The account of a row.

    Raises:
        WrongKey: a field's key is not in the keyring.
        StoreError: a field was altered or moved, or a plain column holds what was never written there.
    """

    def secret(field: str) -> Secret | None:
        sealed: bytes | None = row[field]
        return None if sealed is None else Secret(keyring.open(sealed, row["id"], field))

    cookies = keyring.open(row["cookies"], row["id"], "cookies")
    try:
        return Account(
            id=row["id"],
            handle=row["handle"],
            credentials=Credentials(
                cookies=Cookies(msgspec.json.decode(cookies, type=dict[str, str])),
                password=secret("password"),
                email=secret("email"),
                totp=secret("totp"),
                expires=row["expires"],
            ),
            proxy=secret("proxy"),
            tags=frozenset(row["tags"]),
            capabilities=frozenset(row["capabilities"]),
            caps=row["caps"],
            notes=row["notes"],
            standing=Standing(
                state=AccountState(row["state"]),
                reason=row["reason"],
                since=row["since"],
                until=row["until"],
                evidence=row["evidence"],
                by=row["set_by"],
            ),
        )
    except (AttributeError, TypeError, ValueError):
        raise StoreError(
            f"the row of account {row['id']!r} is damaged: restore the database, or remove the account "
            "and add it again"
        ) from None
