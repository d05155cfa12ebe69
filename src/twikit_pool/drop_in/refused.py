"""What of `twikit.Client` would lead round the pool, or cannot go through it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from twikit_pool.errors import NotThroughPool

REFUSED_ATTRIBUTES: Final[Mapping[str, str]] = {
    "http": "a connection of the pool has its HTTP client; use `connection.client.http` within a lease",
    "client_transaction": "each session does its own handshake, and anew when X changes its keys",
    "spaces": "a Space outlives a lease; use a plain twikit.Client with the account's cookies for it",
    "proxy": "each account has its own; set it on the account",
}
REFUSED_METHODS: Final[Mapping[str, str]] = {
    "login": "the pool's accounts are logged in by their cookies; leave the call out",
    "logout": "it ends the account's cookies for everyone who uses the pool; if that is meant, use "
    "`connection.client.logout()` within a lease",
    "unlock": "open x.com in a browser as the account, unlock it there, then enable the account",
    "set_cookies": "the pool's accounts bring their cookies; leave the call out, or import new ones",
    "load_cookies": "the pool's accounts bring their cookies; leave the call out, or import the file",
    "get_streaming_session": "a stream does not end, and a lease must; open it on a plain twikit.Client with "
    "the account's cookies",
}
"""Each with what to do instead."""


def refused(method: Callable[..., Any], instead: str) -> Callable[..., Any]:
    """A method of twikit that says what to do instead; its types stay, so that programs still check."""

    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotThroughPool(f"{method.__name__}(): {instead}")

    async def refuse_later(*_args: Any, **_kwargs: Any) -> NoReturn:
        refuse()

    refusal = refuse_later if inspect.iscoroutinefunction(method) else refuse
    functools.update_wrapper(refusal, method)
    refusal.__doc__ = f"Refused: {instead}."
    return refusal
