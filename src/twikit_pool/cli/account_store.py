"""The account store, as the commands open it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from twikit_pool.accounts import locations
from twikit_pool.accounts.database import Database, no_store
from twikit_pool.accounts.keys import Keyring, configured, create_key_file
from twikit_pool.accounts.store import AccountStore
from twikit_pool.errors import KeyMissing

StoreUrl = Annotated[
    str | None,
    Parameter(
        name="--store",
        env_var=locations.STORE,
        help="Path of an SQLite file, or postgresql+psycopg://… ; by default your own store. "
        "Put a URL with a password into the variable rather than on the command line.",
    ),
]


async def open_store(url: str | None, *, create: bool = False) -> AccountStore:
    """Open the store; `create` it where there is none, with a key if none is configured.

    Raises:
        ConfigError: the URL is malformed, or there is no such store.
        StoreError: it cannot be used; KeyMissing and WrongKey: not with these keys.
    """
    try:
        keyring = Keyring.load()
    except KeyMissing:
        if configured() or await AccountStore.keys_in_use(url):
            raise
        if not create:
            raise no_store(Database(url).name) from None
        path = locations.key_file()
        keyring = create_key_file(path)
        notices().print(
            f"Made a new encryption key in {path}. Back it up apart from the database: without it the "
            "accounts cannot be read.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return await AccountStore.open(url, keyring=keyring, create=create)


def notices() -> Console:
    """Standard error as it is now, which tests and pipes replace."""
    return Console(stderr=True)
