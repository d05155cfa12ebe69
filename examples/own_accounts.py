"""Keep accounts in an encrypted store: create it, add, list, change the key. Needs no network.

python examples/own_accounts.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from twikit_pool.accounts import Account, AccountStore, Credentials
from twikit_pool.accounts.keys import create_key_file
from twikit_pool.accounts.rotation import rotate_key_file
from twikit_pool.redaction import Cookies, Secret


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # The key lies apart from what it opens. `Keyring.load()` takes your own.
        key_file = Path(folder) / "keys" / "accounts.key"
        keyring = create_key_file(key_file)

        async with await AccountStore.open(Path(folder) / "data" / "accounts.db", keyring=keyring) as store:
            for name in ("brand_uk", "brand_de"):
                account = Account(
                    id=name,
                    credentials=Credentials(cookies=Cookies(auth_token="0123456789" * 4)),  # a made-up token
                    proxy=Secret("http://user:secret@localhost:8080"),
                    tags=frozenset({"brand"}),
                )
                await store.add(account)

            for account in await store.accounts():
                print(account.id, account.standing.state, account.credentials)  # shows no secret

            count = await rotate_key_file(store, key_file)
            print(f"{count} accounts are sealed with {store.keyring} now")


if __name__ == "__main__":
    asyncio.run(main())
