"""The operator's own steps in a connection's life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from twikit_pool.redaction import without_frames

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account
    from twikit_pool.pool.connection import PooledTwikitConnection

T = TypeVar("T")
AccountHook: TypeAlias = "Callable[[Account], Awaitable[None] | None]"
ConnectionHook: TypeAlias = "Callable[[PooledTwikitConnection], Awaitable[None] | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHooks:
    """Called at these moments; functions or coroutine functions.

    One that raises, or takes longer than `connection_timeout`, quarantines the account for a while, with the
    hook's name and the kind of error as the reason, and whoever waits is served by another account; only
    `on_close` is merely logged. It never breaks the pool.

    Attributes:
        before_open: an account is about to get a connection.
        after_open: the connection is open, and not yet given to anyone.
        on_acquire: somebody is about to have it.
        on_release: somebody has given it back; nobody else has it yet.
        on_close: it is closed, and its session still there.
    """

    before_open: AccountHook | None = None
    after_open: ConnectionHook | None = None
    on_acquire: ConnectionHook | None = None
    on_release: ConnectionHook | None = None
    on_close: ConnectionHook | None = None


class HookFailed(Exception):
    """A hook raised. Its error is the cause; the text of that may say too much, so none of it is here."""

    def __init__(self, name: str, error: BaseException, patience: float) -> None:
        late = isinstance(error, TimeoutError)
        why = f"took longer than {patience:g} s" if late else f"failed: {type(error).__name__}"
        super().__init__(f"the hook {name} {why}")


async def run_hook(
    name: str, hook: Callable[[T], Awaitable[None] | None] | None, subject: T, patience: float
) -> None:
    """Call a hook, if there is one, and wait for so many seconds at most.

    Raises:
        HookFailed: it raised, or took too long.
    """
    if hook is None:
        return
    try:
        pending = hook(subject)
        if isawaitable(pending):
            async with asyncio.timeout(patience):
                await pending
    except asyncio.CancelledError as error:
        this = asyncio.current_task()
        if this is None or this.cancelling():
            raise
        # Not we were cancelled, but something that the hook has waited for.
        raise HookFailed(name, error, patience) from without_frames(error)
    except Exception as error:  # noqa: BLE001 - a boundary: it is the operator's own code
        raise HookFailed(name, error, patience) from without_frames(error)
