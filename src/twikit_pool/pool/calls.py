"""The calls that are made on leased connections, and what their outcomes mean for the accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from twikit_pool.clock import Clock
from twikit_pool.errors import PoolClosed
from twikit_pool.events import CallFinished, EndpointCooling, EventBus
from twikit_pool.pool.brake import Brake, taken_back
from twikit_pool.pool.connection import ConnectionState
from twikit_pool.sessions.ledger import ROUNDING
from twikit_pool.sessions.outcomes import WELL, CallFailed, Outcome, Taken, Verdict
from twikit_pool.sessions.session import CHECKED

if TYPE_CHECKING:
    from twikit_pool.pool.circuits import Circuits
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.matching import Matching
    from twikit_pool.sessions.manager import TwikitSessionManager

T = TypeVar("T")

LONG_ENOUGH: Final = 10.0
"""Seconds without an answer that speak against X, whatever deadline its caller has set. A call that is cut
short sooner, and sooner than `call_timeout`, tells nothing."""


class Meter(Protocol):
    """Measures what calls take."""

    def __call__(self, connection: PooledTwikitConnection, call: Awaitable[T], /) -> Awaitable[T]:
        """The same call, measured for its connection."""
        ...


class Calls:
    """Makes calls for leases and health checks, and carries out what they come to.

    Args:
        circuits: hold calls back that would fail anyway.

    Attributes:
        begun, ended: the calls of leases that were asked for by endpoint, and those made by outcome.
        brake: gives the calls of leases their turns.
        meter: measures each call, if somebody wants to know.
    """

    def __init__(
        self,
        matching: Matching,
        sessions: TwikitSessionManager,
        circuits: Circuits,
        *,
        clock: Clock,
        events: EventBus,
        publish: Callable[..., None],
    ) -> None:
        self._matching = matching
        self._sessions = sessions
        self._circuits = circuits
        self._clock = clock
        self._events = events
        self._publish = publish
        self.begun: Counter[str] = Counter()
        self.ended: Counter[Outcome] = Counter()
        self.brake = Brake(matching, publish)
        self.meter: Meter | None = None

    async def attempt(
        self,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        call: Callable[[float], Awaitable[T]],
        timeout: float | None,
    ) -> T:
        """Make one call on a leased connection, and carry out what its outcome means for the account."""
        if endpoint is not None:
            self.begun[endpoint] += 1
        seconds = timeout if timeout is not None else self._matching.config.call_timeout
        turn = self.brake.begin(connection, name, endpoint, seconds)
        if turn is None:
            turn = await self.brake.wait(connection, name, endpoint, seconds)
        try:
            result = await self._heeding_circuits(connection, name, endpoint, call, turn.seconds)
            turn.end(WELL)
        except CallFailed as failure:
            verdict = failure.verdict
            turn.end(None if self._cut_short(connection, failure, turn.seconds) else verdict)
            if not verdict.held_back:
                self._finished(connection, name, turn.began, verdict)
                await self.settle(connection.account_id, verdict, endpoint)
            raise
        except PoolClosed:  # the session, under the call; it says nothing about X
            raise taken_back(connection) from None
        finally:
            turn.end(None)
        self._finished(connection, name, turn.began, WELL)
        if endpoint is not None:
            self._sessions.went_well(endpoint)
        return result

    async def check(self, connection: PooledTwikitConnection, timeout: float) -> None:
        """Ask X whether it accepts the account, and carry out what its answer means for it.

        Raises:
            CallFailed: it does not, or cannot be asked; or a circuit is open (`held_back`).
            PoolError: the session was closed, or the pool's gate stops the call.
        """
        session = connection.session
        assert session is not None  # noqa: S101 - for the type checker: what is free has been opened
        try:
            await self._heeding_circuits(
                connection, "check", CHECKED, lambda deadline: session.check(timeout=deadline), timeout
            )
        except CallFailed as failure:
            await self.settle(connection.account_id, failure.verdict)
            raise

    async def _heeding_circuits(
        self,
        connection: PooledTwikitConnection,
        name: str,
        endpoint: str | None,
        call: Callable[[float], Awaitable[T]],
        seconds: float,
    ) -> T:
        """Make a call unless a circuit holds it back, and tell circuits and health what came of it."""
        circuits, began = self._circuits, self._clock.monotonic()
        trial = circuits.admit(connection, name, endpoint)
        try:
            under_way = call(seconds)
            result = await (under_way if self.meter is None else self.meter(connection, under_way))
            connection.health.called(name, Outcome.OK, began, self._clock.monotonic())
            circuits.heard(connection, endpoint, WELL, began, trial)
        except CallFailed as failure:
            if not self._cut_short(connection, failure, seconds):
                connection.health.called(name, failure.verdict.outcome, began, self._clock.monotonic())
                circuits.heard(connection, endpoint, failure.verdict, began, trial)
            failure.verdict = replace(failure.verdict, on_trial=trial is not None)
            raise
        finally:
            if trial is not None:
                circuits.ended(trial)
        return result

    def _cut_short(self, connection: PooledTwikitConnection, failure: CallFailed, seconds: float) -> bool:
        """Whether it was not X that failed a call, but its caller or the pool that would not wait."""
        early = seconds < min(LONG_ENOUGH, self._matching.config.call_timeout)
        taken_back = connection.state is ConnectionState.CLOSED
        return isinstance(failure.__cause__, TimeoutError) and (early or taken_back)

    def _finished(
        self, connection: PooledTwikitConnection, name: str, began: float, verdict: Verdict
    ) -> None:
        self.ended[verdict.outcome] += 1
        if self._events.heard:
            self._publish(
                CallFinished,
                account_id=connection.account_id,
                connection_id=connection.id,
                action=name,
                outcome=verdict.outcome.value,
                latency=self._clock.monotonic() - began,
                status=verdict.status,
                code=verdict.code,
            )

    async def settle(self, account_id: str, verdict: Verdict, endpoint: str | None = None) -> None:
        """Carry out what a verdict means for an account; `endpoint` is the one that the call was for."""
        standing = await self._sessions.settle(account_id, verdict)
        if verdict.outcome is Outcome.LIBRARY_STALE and verdict.taken is not Taken.YES:
            self._tell_out_of_date(account_id, verdict, endpoint)
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

    def _tell_out_of_date(self, account_id: str, verdict: Verdict, endpoint: str | None) -> None:
        """X refused to know what was asked. That twikit cannot read one answer proves nothing of the next."""
        member = self._matching.members.get(account_id)
        if member is not None and endpoint is not None and verdict.endpoint == endpoint:
            accounts = self._sessions.out_of_date().get(endpoint, 0)
            self._circuits.out_of_date(member, endpoint, verdict, accounts)
