"""The calls that are made on leased connections, and what their outcomes mean for the accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, TypeVar

from twikit_pool.clock import Clock
from twikit_pool.errors import LeaseLost, PoolClosed
from twikit_pool.events import CallFinished, EndpointCooling, EventBus
from twikit_pool.sessions.outcomes import WELL, CallFailed, Outcome, Verdict
from twikit_pool.sessions.windows import ROUNDING

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.matching import Matching
    from twikit_pool.sessions.manager import TwikitSessionManager

T = TypeVar("T")


class Calls:
    """Makes calls for leases and for health checks' verdicts."""

    def __init__(
        self,
        matching: Matching,
        sessions: TwikitSessionManager,
        *,
        clock: Clock,
        events: EventBus,
        publish: Callable[..., None],
    ) -> None:
        self._matching = matching
        self._sessions = sessions
        self._clock = clock
        self._events = events
        self._publish = publish

    async def attempt(
        self,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        call: Callable[[float], Awaitable[T]],
        timeout: float | None,
    ) -> T:
        """Make one call on a leased connection, and carry out what its outcome means for the account."""
        began = self._clock.monotonic()
        try:
            result = await call(timeout if timeout is not None else self._matching.config.call_timeout)
        except CallFailed as failure:
            verdict = failure.verdict
            self._finished(connection, name, began, verdict)
            await self.settle(connection.account_id, verdict, endpoint)
            raise
        except PoolClosed:  # the session, under the call; it says nothing about X
            raise LeaseLost(f"{connection.id} was taken back by the pool; acquire again") from None
        self._finished(connection, name, began, WELL)
        if endpoint is not None:
            self._sessions.went_well(endpoint)
        return result

    def _finished(
        self, connection: PooledTwikitConnection, name: str, began: float, verdict: Verdict
    ) -> None:
        latency = self._clock.monotonic() - began
        connection.called(latency, well=verdict.outcome is Outcome.OK)
        if self._events.heard:
            self._publish(
                CallFinished,
                account_id=connection.account_id,
                connection_id=connection.id,
                action=name,
                outcome=verdict.outcome.value,
                latency=latency,
                status=verdict.status,
                code=verdict.code,
            )

    async def settle(self, account_id: str, verdict: Verdict, endpoint: str | None = None) -> None:
        """Carry out what a verdict means for an account; `endpoint` is the one that the call was for."""
        standing = await self._sessions.settle(account_id, verdict)
        if standing is not None or verdict.outcome is not Outcome.RATE_LIMITED or verdict.endpoint is None:
            return
        windows, member = self._sessions.windows(account_id), self._matching.members.get(account_id)
        seconds = windows.wait(verdict.endpoint)
        if member is not None:
            # Windows tell when they are closed, but not that one has ended while calls are in flight.
            self._matching.window_changed(member, verdict.endpoint)
        if endpoint is not None and endpoint != verdict.endpoint:
            # A call may need several operations; with one of them used up, the whole call must rest.
            windows.rest(endpoint, seconds if seconds < inf else ROUNDING)
        if seconds < inf:  # else it opens with the answer to a call that is under way
            self._publish(
                EndpointCooling,
                account_id=account_id,
                endpoint=verdict.endpoint,
                seconds=seconds,
                reason=verdict.reason,
            )
