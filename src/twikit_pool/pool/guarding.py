"""Something that stands before every write, given to the pool from outside: it knows what may be written.

It is asked three times, and what it raises (`PostRefused`) goes to the caller, with nothing sent:

- before a connection is asked for, so that nobody waits for what no account may write (`look`);
- when the account is known (`admit`);
- in the instant before the request leaves, synchronously (`Passage.leave`): the last look, and the moment to
  note it as sent. Whatever becomes of it is told (`Passage.end`).

What the real client is asked for by hand (`lease.client`) is not seen here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twikit_pool.errors import TwikitPoolError
from twikit_pool.sessions.outcomes import CallFailed, Taken

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account
    from twikit_pool.sessions.actions import Action
    from twikit_pool.sessions.media import Media

T = TypeVar("T")


class Passage(Protocol):
    """One write on its way out."""

    def leave(self) -> None:
        """It is about to leave; what this raises stops it. Called again if the session sends it again."""
        ...

    def end(self, taken: Taken, result: Any = None) -> None:
        """What became of it; `result` is the action's record where X has taken it."""
        ...


class Guard(Protocol):
    """Decides what may be written."""

    def look(self, action: Action, account_id: str | None) -> None:
        """Refuse at once what need not wait for a connection; nothing is noted.

        Raises:
            PostRefused: it may not be written.
        """
        ...

    async def admit(
        self, action: Action, account: Account, *, pool_id: str, owner: str | None, files: Sequence[Media]
    ) -> Passage | None:
        """Look at what an account is about to write; None where it need not be watched any further.

        Args:
            action: what.
            account: who.
            pool_id: through which pool.
            owner: in whose name (`reserved_for`).
            files: the media that go with it, as far as they are known.

        Raises:
            PostRefused: it may not be written.
        """
        ...


async def through(
    passage: Passage | None,
    call: Callable[[Callable[[], None] | None], Awaitable[T]],
    on_send: Callable[[], None] | None,
) -> T:
    """Make a call past the guard; `call` is given what to do in the instant before it leaves.

    The caller's `on_send` comes first: of a write that is noted there and then refused nothing has left, as
    its `PostRefused` says. The other way round a crash in between would leave a post that the guard takes for
    sent, and that nobody else knows of.
    """
    if passage is None:
        return await call(on_send)
    left = False
    refusal: TwikitPoolError | None = None

    def leaving() -> None:
        nonlocal left, refusal
        if on_send is not None:
            on_send()
        try:
            passage.leave()
        except TwikitPoolError as refused:
            refusal = refused
            raise
        left = True

    try:
        result = await call(leaving)
    except CallFailed as failure:
        passage.end(failure.verdict.taken)
        if refusal is not None and failure.verdict.taken is Taken.NO:
            raise refusal from None
        raise
    except BaseException:
        passage.end(Taken.UNKNOWN if left else Taken.NO)
        raise
    passage.end(Taken.YES, result)
    return result
