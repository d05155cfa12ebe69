"""The same store on PostgreSQL: a real server of the tests' own, from a package that carries its binaries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.databases import postgres_server
from twikit_pool.accounts import Account, AccountState, AccountStore, Credentials, Keyring, Standing
from twikit_pool.accounts.merging import Change
from twikit_pool.errors import InvalidAccount, StoreError, WrongKey
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = Keyring({"test": b"k" * 32})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database that this module has for itself."""
    with postgres_server() as (found, _):
        yield found


def slim(account_id: str) -> Account:
    return Account(id=account_id, credentials=Credentials(cookies=Cookies(auth_token="t")))


async def test_the_whole_life_of_a_store(url: str, full_account: Callable[[str], Account]) -> None:
    opened = await asyncio.gather(*(AccountStore.open(url, keyring=KEYS) for _ in range(4)))
    store, *others = opened
    try:
        for account in await store.accounts():
            await store.remove(account.id)
        await asyncio.gather(*(one.merge(slim(f"m{n}") for n in range(50)) for one in opened))
        assert len(await store.accounts()) == 50
        await store.add(full_account("a"))
        with pytest.raises(InvalidAccount, match="already"):
            await store.add(full_account("a"))
        assert await store.merge([full_account("a")]) == {"a": Change.UNCHANGED}
        await asyncio.gather(*(one.set_standing("a", Standing(state=AccountState.LOCKED)) for one in others))
        assert (await store.account("a")).standing.state is AccountState.LOCKED
        before = await store.revision()
        await asyncio.gather(
            *(one.save_ledgers({f"m{n}": b"%d" % k for n in range(50)}) for k, one in enumerate(opened))
        )
        assert len(await store.ledgers()) == 50
        assert len(set((await store.ledgers()).values())) == 1, "one of them, wholly"
        assert await others[0].revision() == before
        await store.set_standing("a", Standing(state=AccountState.DISABLED, evidence="HTTP 403", by="ann"))
        assert str((await others[0].account("a")).standing).endswith("(HTTP 403), by ann")
        assert await others[0].revision() != before
        newer = KEYS.with_new_key()
        await asyncio.gather(
            store.rekey(newer),
            *(one.save_cookies(f"m{n}", Cookies(auth_token="new")) for n, one in enumerate(others)),
            return_exceptions=True,
        )
        assert set(await store.key_usage()) == {newer.current}, (
            "nothing was sealed with the old key meanwhile"
        )
        assert len(await store.accounts()) == 51
        with pytest.raises(WrongKey):
            await AccountStore.open(url, keyring=KEYS)
        await store.rekey(Keyring({"test": b"k" * 32} | dict(newer._keys)))
    finally:
        for one in opened:
            await one.aclose()


async def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(StoreError, match="failed") as caught:
        await AccountStore.open("postgresql+psycopg://u:canary@127.0.0.1:1/x", keyring=KEYS)
    assert "canary" not in str(caught.value)
