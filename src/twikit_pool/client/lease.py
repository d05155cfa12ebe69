"""A connection of a pool that runs elsewhere, for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from twikit_pool.client.errors import AnswerLost, RequestRefused, ServiceUnreachable
from twikit_pool.errors import AcquireTimeoutError, LeaseLost, TwikitPoolError

if TYPE_CHECKING:
    from twikit_pool.client.pool import RemotePool

logger = logging.getLogger(__name__)

LONGEST_POLL: Final = 60.0
"""Seconds that the service lets one request wait."""

BEATS: Final = 3
"""Heartbeats in the time that a lease holds without one, so that two may be lost."""

CALL: Final = 30.0
"""Seconds of a call when nobody says: a pool's own default."""

TURNS: Final = 16
"""Calls of a lease that may be before one."""

MARGIN: Final = 10.0
"""Seconds that an answer may take beyond what the service was given."""


class RemoteLease:
    """A connection for a while: await it or enter it with `async with`; as `Lease` of a pool in this process.

    While it is held a task of the pool's tells the service so. It is lost when the service has not heard of
    it for `ttl` seconds.
    """

    def __init__(self, pool: RemotePool, wish: dict[str, Any], timeout: float | None, ttl: float) -> None:
        self._pool = pool
        self._wish = wish
        self._timeout = timeout
        self._ttl = ttl
        self._used = False
        self._id: str | None = None
        self._granted: dict[str, Any] = {}
        self._over: str | None = None
        self._beating: asyncio.Task[None] | None = None
        self._giving_back: asyncio.Task[None] | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self._acquire().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        if self._giving_back is not None:
            await asyncio.wait([self._giving_back])

    async def _acquire(self) -> Self:
        if self._used:
            raise LeaseLost("this lease was used already; call pool.acquire() again for another")
        self._used = True
        granted = await self._grant()
        # No await from here on: the lease is given back by whoever has it now.
        self._id, self._granted = granted.pop("lease_id"), granted
        self._beating = self._pool.own(self._beat())
        self._pool.leases.add(self)
        return self

    async def _grant(self) -> dict[str, Any]:
        time = asyncio.get_running_loop().time
        ends = None if self._timeout is None else time() + self._timeout
        while True:
            body, wait = {**self._wish, "ttl": self._ttl}, LONGEST_POLL
            if ends is not None:
                wait = body["wait"] = max(0.0, min(ends - time(), LONGEST_POLL))
            try:
                return await self._pool.ask("POST", "/leases", body, timeout=wait + MARGIN)
            except AcquireTimeoutError:
                if ends is None or time() >= ends:
                    raise

    @property
    def held(self) -> bool:
        """Whether the connection is still this lease's, as far as is known here."""
        return self._id is not None and self._over is None

    @property
    def account_id(self) -> str:
        """Whose connection it is. Raises `LeaseLost` when it is not held."""
        self._held_id()
        return str(self._granted["account_id"])

    @property
    def connection_id(self) -> str:
        """Which connection it is. Raises `LeaseLost` when it is not held."""
        self._held_id()
        return str(self._granted["connection_id"])

    def _held_id(self) -> str:
        if self._id is None:
            raise LeaseLost("the connection is not held yet: enter the lease with `async with`, or await it")
        if self._over is not None:
            raise LeaseLost(f"the lease is over: {self._over}; acquire again")
        return self._id

    async def execute(
        self,
        action: str,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> Any:
        """Do one thing on this connection, after those before it, and return its record as plain values.

        Args:
            action: by name.
            timeout: the call's overall deadline in seconds; the pool's `call_timeout` when not given.
            idempotency_key: of an earlier try whose answer was lost; a new one when not given.
            parameters: of the action.

        Raises:
            ActionError: the action or a parameter is wrong; nothing was sent.
            RemoteCallFailed: X did not do it; the verdict says why.
            LeaseLost: the connection is not held any more.
            AnswerLost: nobody knows.
        """
        body: dict[str, Any] = {"action": action, "parameters": parameters}
        if timeout is not None:
            body["timeout"] = timeout
        patience = (timeout or CALL) * TURNS + MARGIN
        path, key = f"/v1/leases/{self._held_id()}/execute", idempotency_key or str(uuid4())
        try:
            done = await self._pool.wire.ask("POST", path, body, timeout=patience, key=key)
        except LeaseLost as lost:
            self._lost(str(lost))
            raise
        return done["result"]

    def release(self) -> None:
        """Give the connection back; a task of the pool's tells the service. Harmless when it is not held."""
        if self._id is None or self._over is not None:
            return
        self._lost("it was released")
        self._giving_back = self._pool.own(self._give_back(self._id))

    async def _give_back(self, lease_id: str) -> None:
        try:
            await self._pool.wire.ask("DELETE", f"/v1/leases/{lease_id}", timeout=MARGIN)
        except TwikitPoolError as error:
            logger.warning("a lease could not be given back, and ends by itself: %s", type(error).__name__)

    def _lost(self, why: str) -> None:
        self._over = why
        self._pool.leases.discard(self)
        if self._beating is not None:
            self._beating.cancel()

    async def _beat(self) -> None:
        """Tell the service that somebody is there, until it is over."""
        time = asyncio.get_running_loop().time
        heard, path = time(), f"/v1/leases/{self._id}/heartbeat"
        while self._over is None:
            await asyncio.sleep(self._ttl / BEATS)
            asked = time()
            try:
                await self._pool.wire.ask("POST", path, timeout=self._ttl / BEATS)
                heard = asked
            except (ServiceUnreachable, AnswerLost):
                if time() - heard >= self._ttl:
                    self._over = f"the service could not be told of it for {self._ttl:g} s"
            except (LeaseLost, RequestRefused) as lost:
                self._over = str(lost)
            except TwikitPoolError as error:
                logger.warning("a heartbeat was refused: %s", type(error).__name__)
        self._pool.leases.discard(self)

    def __repr__(self) -> str:
        state = f"of {self._granted['account_id']}" if self._granted else "not entered"
        return f"<RemoteLease {state}{'' if self.held else ', not held'}>"
