"""What becomes of an account that is imported again."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from twikit_pool.accounts.model import LOGIN_COOKIE, AccountState, Credentials, Standing
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from datetime import datetime

    from twikit_pool.accounts.model import Account


class Change(StrEnum):
    """What an import did to an account."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def merged(stored: Account, given: Account, now: datetime) -> Account:
    """The stored account with what is given; what is not given stays.

    Another log-in replaces all cookies and makes a stale account active again. The same log-in keeps the
    cookies that were collected since: a file with nothing but `auth_token` takes no csrf cookie away.
    """
    old, new = stored.credentials, given.credentials
    same_login = old.cookies[LOGIN_COOKIE] == new.cookies[LOGIN_COOKIE]
    standing = stored.standing
    if not same_login and standing.state is AccountState.STALE:
        standing = Standing(reason="fresh cookies were imported", since=now)
    return replace(
        stored,
        credentials=Credentials(
            cookies=Cookies({**old.cookies, **new.cookies}) if same_login else new.cookies,
            password=new.password or old.password,
            email=new.email or old.email,
            totp=new.totp or old.totp,
            expires=new.expires or (old.expires if same_login else None),
        ),
        handle=given.handle or stored.handle,
        proxy=given.proxy or stored.proxy,
        tags=given.tags or stored.tags,
        capabilities=given.capabilities or stored.capabilities,
        caps=given.caps or stored.caps,
        notes=given.notes or stored.notes,
        standing=standing,
    )
