"""Leases of those who are elsewhere: each has an id that nobody guesses, and ends without a sign of life.

All state moves in synchronous steps. A connection is either with the pool or in this registry: between the
two there is no await. Whoever holds a lease tells so by a heartbeat or by a call, every `ttl` seconds at the
latest; a lease with a call under way ends only after it. All of these moments are on one timer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import NotFoundException

from twikit_pool.errors import LeaseLost, PoolClosed, PoolOverloadedError, PostRefused, SafetyError
from twikit_pool.pool.deadlines import Deadline, Deadlines
from twikit_pool.service.presence import while_there
from twikit_pool.sessions.attachments import attachments
from twikit_pool.sessions.outcomes import CallFailed, Taken

if TYPE_CHECKING:
    from litestar.types import Receive

    from twikit_pool.clock import Clock
    from twikit_pool.pool import ConnectionRequest, Lease, TwikitConnectionPool
    from twikit_pool.service.acts import Act
    from twikit_pool.sessions import Action

ID_BYTES: Final = 32

MOST_CALLS: Final = 16
"""Calls that one lease may have under way or waiting for their turn."""

MOST_ENDED: Final = 1_000
"""Leases that are over and still known to be, so that their owners are told why."""


class RemoteLease:
    """A lease that somebody elsewhere holds.

    Attributes:
        owner: the id of the token that it was made with.
        pool_id, account_id, connection_id: what is leased.
        ttl: seconds that it holds without a sign of life.
        began: when it was made, by the monotonic clock.
        heard: when its holder was heard last.
        calls: calls that are under way, or wait for their turn.
        over: why it is over; None while it holds.
    """

    __slots__ = (
        "account_id",
        "began",
        "calls",
        "connection_id",
        "deadline",
        "heard",
        "lease",
        "over",
        "owner",
        "pool_id",
        "ttl",
        "turn",
    )

    def __init__(self, owner: str, pool_id: str, lease: Lease, ttl: float, now: float) -> None:
        self.owner: Final = owner
        self.lease: Final = lease
        self.pool_id: Final = pool_id
        self.account_id: Final = lease.account_id
        self.connection_id: Final = lease.connection.id
        self.ttl: Final = ttl
        self.began: Final = now
        self.heard = now
        self.calls = 0
        self.over: str | None = None
        self.turn: Final = asyncio.Lock()
        self.deadline: Deadline | None = None

    def __repr__(self) -> str:
        return f"<remote lease of {self.connection_id}, token {self.owner}>"


class RemoteLeases:
    """The registry.

    Args:
        clock: the time. It must run with the event loop's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, RemoteLease] = {}
        """By the digest of their ids."""
        self._ended: dict[str, RemoteLease] = {}
        self._deadlines: Deadlines | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._held)

    # ------------------------------------------------------------ to have one

    async def acquire(
        self,
        owner: str,
        pool: TwikitConnectionPool,
        request: ConnectionRequest,
        ttl: float,
        receive: Receive,
    ) -> tuple[str, RemoteLease]:
        """Wait for a connection while the client is there; its lease's id, and the lease.

        Raises, besides what `TwikitConnectionPool.acquire` does:
            ClientGone: the client has left, and its place in line is free.
        """
        self._refuse_when_closed()
        lease = pool.acquire(request)
        try:
            async with while_there(receive):
                await lease
        except BaseException:
            lease.release()
            raise
        # No await from here on: else a lease could be lost on its way into the registry.
        if self._closed:
            lease.release()
            self._refuse_when_closed()
        lease_id = secrets.token_urlsafe(ID_BYTES)
        held = RemoteLease(owner, pool.pool_id, lease, ttl, self._clock.monotonic())
        self._held[_digest(lease_id)] = held
        self._wait_for_a_sign(_digest(lease_id), held)
        return lease_id, held

    def heartbeat(self, owner: str, lease_id: str) -> RemoteLease:
        """Its holder is there.

        Raises:
            NotFoundException: this owner has no such lease.
            LeaseLost: it is over.
        """
        held = self._of(owner, lease_id)
        self._heard(_digest(lease_id), held)
        return held

    def release(self, owner: str, lease_id: str) -> None:
        """Give it back: at once, or when the call ends that is under way. Does nothing when it is over.

        Raises:
            NotFoundException: this owner has no such lease.
        """
        digest = _digest(lease_id)
        held = self._known(owner, digest)
        if held.over is None:
            self._end(digest, held, "it was released")

    def undo(self, lease_id: str) -> None:
        """It reached nobody: give it back."""
        held = self._held.get(_digest(lease_id))
        if held is not None:
            self._end(_digest(lease_id), held, "its holder left before it could be told of it")

    def all(self) -> list[RemoteLease]:
        """Those that are held, the oldest first."""
        return [each for each in self._held.values() if each.lease.held]

    def expires_in(self, held: RemoteLease) -> float:
        """Seconds for which it holds without another sign of life."""
        if held.calls:
            return held.ttl
        return max(0.0, held.heard + held.ttl - self._clock.monotonic())

    # ------------------------------------------------------------ to use one

    async def carry_out(
        self, owner: str, lease_id: str, action: Action, timeout: float | None, act: Act
    ) -> tuple[str, Any]:
        """Do one thing on a leased connection when those before it are done; the account, and the record.

        Raises, besides what `Lease.carry_out` does:
            NotFoundException: this owner has no such lease.
            PoolOverloadedError: too many calls wait on it.
        """
        held = self._of(owner, lease_id)
        if held.calls >= MOST_CALLS:
            raise PoolOverloadedError(f"{MOST_CALLS} calls are waiting on this lease: let some end first")
        with self._busy(_digest(lease_id), held):
            files = await attachments(action)
            async with held.turn:
                self._refuse_when_over(held)
                try:
                    result = await held.lease.carry_out(action, files, timeout=timeout, on_send=act.on_send)
                except CallFailed as failure:
                    if failure.verdict.taken is Taken.NO:
                        act.on_refused()
                    raise
                except (PostRefused, SafetyError):
                    act.on_refused()
                    raise
                return held.account_id, result

    @contextmanager
    def _busy(self, digest: str, held: RemoteLease) -> Generator[None]:
        """A call is under way, or waits for its turn: the lease does not end under it."""
        held.calls += 1
        self._no_more_waiting(held)
        try:
            yield
        finally:
            held.calls -= 1
            if held.over is not None:
                if not held.calls:
                    held.lease.release()
            else:
                self._heard(digest, held)

    # ------------------------------------------------------------ how one ends

    def close(self) -> None:
        """Give all of them back, those with a call under way when it ends; there will be no more."""
        self._closed = True
        for digest, held in list(self._held.items()):
            self._end(digest, held, "the service has ended")
        self._ended.clear()
        if self._deadlines is not None:
            self._deadlines.close()

    def _end(self, digest: str, held: RemoteLease, why: str) -> None:
        held.over = why
        self._no_more_waiting(held)
        self._held.pop(digest, None)
        while len(self._ended) >= MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[digest] = held
        if not held.calls:
            held.lease.release()

    def _heard(self, digest: str, held: RemoteLease) -> None:
        held.heard = self._clock.monotonic()
        if not held.lease.held:
            self._end(digest, held, "the pool took the connection back (lease_timeout, drain, shutdown)")
        elif not held.calls:
            self._no_more_waiting(held)
            self._wait_for_a_sign(digest, held)

    def _wait_for_a_sign(self, digest: str, held: RemoteLease) -> None:
        if self._deadlines is None:
            self._deadlines = Deadlines(asyncio.get_running_loop())

        def taken_back() -> None:
            self._end(digest, held, f"its holder was not heard of for {held.ttl:g} s")

        held.deadline = self._deadlines.add(held.heard + held.ttl, taken_back)

    def _no_more_waiting(self, held: RemoteLease) -> None:
        deadline, held.deadline = held.deadline, None
        if deadline is not None:
            deadline.cancel()

    # ------------------------------------------------------------ whose it is

    def _known(self, owner: str, digest: str) -> RemoteLease:
        held = self._held.get(digest) or self._ended.get(digest)
        if held is None or held.owner != owner:
            raise NotFoundException("this token has no such lease")
        return held

    def _of(self, owner: str, lease_id: str) -> RemoteLease:
        digest = _digest(lease_id)
        held = self._known(owner, digest)
        if held.over is None and not held.lease.held:
            self._heard(digest, held)
        self._refuse_when_over(held)
        return held

    def _refuse_when_over(self, held: RemoteLease) -> None:
        if held.over is not None:
            raise LeaseLost(f"the lease of {held.account_id} is over: {held.over}; make another")

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise PoolClosed("the service ends: ask it again when it is back")


def _digest(lease_id: str) -> str:
    return sha256(lease_id.encode()).hexdigest()
