"""Proof that keys open a store: a known text that is sealed with each key in use."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from twikit_pool.accounts.schema import account_keys
from twikit_pool.errors import StoreError, WrongKey

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from twikit_pool.accounts.keys import Keyring

_PROOF: Final = "twikit-pool account store"
_PROOF_OF: Final = "", "proof"
"""What a key's proof is sealed for: an account id that no account can have, and a field of its own."""


async def proves(connection: AsyncConnection, keyring: Keyring, store: str) -> bool:
    """Whether the keyring opens all that is sealed in a store, and its current key is in use there.

    Raises:
        WrongKey: a key in use is not in the keyring, or another one has its id.
    """
    proofs = (await connection.execute(sa.select(account_keys.c.key_id, account_keys.c.proof))).all()
    for key_id, proof in proofs:
        opened = ""
        with suppress(StoreError):  # another key, of this id or of none of ours
            opened = keyring.open(proof, *_PROOF_OF)
        if opened != _PROOF:
            raise WrongKey(
                f"the store {store} is sealed with key {key_id!r}; the configured keys "
                f"({', '.join(keyring.ids)}) do not open it: configure that key; nothing was changed"
            )
    return any(key_id == keyring.current for key_id, _ in proofs)


def proof_of(keyring: Keyring) -> dict[str, Any]:
    """The row that proves a keyring's current key."""
    return {"key_id": keyring.current, "proof": keyring.seal(_PROOF, *_PROOF_OF)}
