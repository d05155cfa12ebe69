"""The operator's own steps in a connection's life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from twikit_pool.redaction import without_frames

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account, Credentials
    from twikit_pool.pool.connection import PooledTwikitConnection

S = TypeVar("S")
T = TypeVar("T")
AccountHook: TypeAlias = "Callable[[Account], Awaitable[None] | None]"
ConnectionHook: TypeAlias = "Callable[[PooledTwikitConnection], Awaitable[None] | None]"
FreshCookies: TypeAlias = "Credentials | Mapping[str, str] | None"
StaleHook: TypeAlias = "Callable[[Account], Awaitable[FreshCookies] | FreshCookies]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHooks:
    """Called at these moments; functions or coroutine functions.

    One that raises, or takes longer than `connection_timeout`, quarantines the account for a while, with the
    hook's name and the kind of error as the reason, and whoever waits is served by another account; only
    `on_close` and `on_stale` are merely logged. It never breaks the pool.

    Attributes:
        before_open: an account is about to get a connection.
        after_open: the connection is open, and not yet given to anyone.
        on_acquire: somebody is about to have it.
        on_release: somebody has given it back; nobody else has it yet.
        on_close: it is closed, and its session still there.
        on_stale: X does not accept an account's cookies any more. Called once each time, and returns fresh
            ones from wherever the operator has them, or None; they are kept in the source and used.
    """

    before_open: AccountHook | None = None
    after_open: ConnectionHook | None = None
    on_acquire: ConnectionHook | None = None
    on_release: ConnectionHook | None = None
    on_close: ConnectionHook | None = None
    on_stale: StaleHook | None = None


class HookFailed(Exception):
    """A hook raised. Its error is the cause; the text of that may say too much, so none of it is here."""

    def __init__(self, name: str, error: BaseException, patience: float) -> None:
        late = isinstance(error, TimeoutError)
        why = f"took longer than {patience:g} s" if late else f"failed: {type(error).__name__}"
        super().__init__(f"the hook {name} {why}")


async def run_hook(
    name: str, hook: Callable[[T], Awaitable[S] | S] | None, subject: T, patience: float
) -> S | None:
    """Call a hook, if there is one, wait for so many seconds at most, and return what it does.

    Raises:
        HookFailed: it raised, or took too long.
    """
    if hook is None:
        return None
    try:
        given = hook(subject)
        if isawaitable(given):
            async with asyncio.timeout(patience):
                return await given
    except asyncio.CancelledError as error:
        this = asyncio.current_task()
        if this is None or this.cancelling():
            raise
        # Not we were cancelled, but something that the hook has waited for.
        raise HookFailed(name, error, patience) from without_frames(error)
    except Exception as error:  # noqa: BLE001 - a boundary: it is the operator's own code
        raise HookFailed(name, error, patience) from without_frames(error)
    return given
