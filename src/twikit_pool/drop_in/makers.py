"""Which account made what.

An uploaded file, a poll, a scheduled post, a list: X accepts its id only from the account that made it. So a
client that is bound to no account remembers who made a thing, and the calls that name it go there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from twikit_pool.errors import InvalidParameters

REMEMBERED: Final = 10_000
"""Things remembered for a pool; the oldest is forgotten first."""

MAKING: Final = frozenset(
    {
        "create_bookmark_folder",
        "create_group",
        "create_list",
        "create_poll",
        "create_scheduled_tweet",
        "create_tweet",
        "send_dm",
        "send_dm_to_group",
        "upload_media",
    }
)
"""Methods of twikit that return a thing, or its id, that belongs to the account that called."""

_NAMING: Final = frozenset(
    {"edit_tweet_id", "folder_id", "group_id", "list_id", "media_id", "media_ids", "message_id", "poll_uri"}
)
_DELETING: Final = frozenset({"delete_scheduled_tweet", "delete_tweet"})

Naming = tuple[tuple[int, str], ...]
"""The parameters of a method that name a thing of an account's own: position and name."""


def naming(method: Callable[..., Any]) -> Naming:
    """Where a method of twikit takes such an id. Positions do not count `self`."""
    wanted = _NAMING | {"tweet_id"} if method.__name__ in _DELETING else _NAMING
    parameters = list(inspect.signature(method).parameters)[1:]
    return tuple((position, name) for position, name in enumerate(parameters) if name in wanted)


class Makers:
    """Accounts by the id of what they made. Never holds more than `REMEMBERED`."""

    __slots__ = ("_accounts",)

    def __init__(self) -> None:
        self._accounts: dict[str, str] = {}

    def remember(self, made: object, account_id: str) -> None:
        """Note who made a thing, given itself or its id; nothing where twikit could not read the answer."""
        if made is None:
            return
        self._accounts[str(getattr(made, "id", made))] = account_id
        if len(self._accounts) > REMEMBERED:
            del self._accounts[next(iter(self._accounts))]

    def account_for(self, names: Naming, positional: Sequence[Any], named: Mapping[str, Any]) -> str | None:
        """The account that made what a call names; None when nothing is known of it.

        Raises:
            InvalidParameters: two accounts made what is named together.
        """
        if not self._accounts:
            return None
        found: dict[str, str] = {}
        for position, name in names:
            value = positional[position] if position < len(positional) else named.get(name)
            for thing in _each(value):
                account_id = self._accounts.get(str(thing))
                if account_id is not None:
                    found.setdefault(account_id, str(thing))
        if len(found) > 1:
            whose = ", ".join(f"{thing} of {account_id}" for account_id, thing in found.items())
            raise InvalidParameters(f"X takes only what one account made, and these differ: {whose}")
        return next(iter(found), None)


def _each(value: Any) -> Iterable[Any]:
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple | set) else (value,)
