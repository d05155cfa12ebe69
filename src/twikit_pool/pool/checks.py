"""Asking X about connections that nobody has used for a while: a few at a time, and never all at once.

Connections that were opened, or last used, in the same moment would all be checked in the same moment too.
So each is left alone for a time of its own, drawn anew with every check from half to one and a half of the
interval. Those that are due while enough are being checked stand in line, and can be had meanwhile; who is
used there need not be checked any more.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.clock import Clock
from twikit_pool.errors import PoolError
from twikit_pool.events import ConnectionChecked
from twikit_pool.pool.connection import SHELVED, ConnectionState, PooledTwikitConnection
from twikit_pool.sessions.outcomes import WELL, CallFailed, Outcome, Verdict
from twikit_pool.sessions.session import CHECKED

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable

    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching

SPREAD: Final = (0.5, 1.5)
"""Shares of the interval between which each pause before a check is drawn."""


class Checks:
    """Checks connections when they are due.

    Args:
        check: `check(connection, timeout)` asks X whether it accepts the account; raises as `Calls.check`.
        ended: called with a connection whose check has ended.
    """

    def __init__(
        self,
        matching: Matching,
        lifecycle: Lifecycle,
        *,
        clock: Clock,
        rng: random.Random,
        publish: Callable[..., None],
        own: Callable[[Coroutine[Any, Any, None]], object],
        check: Callable[[PooledTwikitConnection, float], Awaitable[None]],
        ended: Callable[[PooledTwikitConnection], None],
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._own = own
        self._ask_x = check
        self._ended = ended
        self._running = 0
        self._line: dict[PooledTwikitConnection, None] = {}
        """Those that are due and wait for their turn."""

    # ------------------------------------------------------------ when

    def draw(self, connection: PooledTwikitConnection) -> None:
        """Draw how long it is left alone until its next check."""
        interval = self._matching.config.health_check_interval
        connection.check_pause = interval * self._rng.uniform(*SPREAD)

    def due(self, connection: PooledTwikitConnection) -> float:
        """When it is to be checked, if nobody uses it until then."""
        return max(connection.checked_at, connection.last_used or 0.0) + connection.check_pause

    def waits(self, connection: PooledTwikitConnection) -> bool:
        """Whether it is due and stands in line."""
        return connection in self._line

    # ------------------------------------------------------------ asking

    def ask(self, connection: PooledTwikitConnection) -> None:
        """It is due: check it, at once or as soon as it is its turn."""
        self._line[connection] = None
        self._go_on()

    def _go_on(self) -> None:
        config = self._matching.config
        while self._line and self._running < config.health_checks_at_once:
            connection = next(iter(self._line))
            del self._line[connection]
            due = config.enable_health_checks and self._clock.monotonic() >= self.due(connection)
            if due and connection.state in SHELVED:
                self._begin(connection)

    def _begin(self, connection: PooledTwikitConnection) -> None:
        if connection.member.windows.wait(CHECKED) > 0:  # X must refuse it
            self._put_off(connection)
            return
        self._matching.withdraw(connection)
        connection.state = ConnectionState.CHECKING
        self._running += 1
        self._own(self._check(connection))

    def _put_off(self, connection: PooledTwikitConnection) -> None:
        connection.checked_at = self._clock.monotonic()
        self.draw(connection)

    async def _check(self, connection: PooledTwikitConnection) -> None:
        """Ask X whether it still accepts the account; only then is the connection offered again."""
        began = self._clock.monotonic()
        try:
            verdict = await self._verdict_on(connection)
            if verdict is not None:
                self._learn(connection, verdict, began)
        finally:
            self._running -= 1
            self._put_off(connection)
            self._lifecycle.finished(connection)
            self._ended(connection)
            self._go_on()

    async def _verdict_on(self, connection: PooledTwikitConnection) -> Verdict | None:
        """What X answered; None when that says nothing about the connection or its account."""
        try:
            await self._ask_x(connection, self._matching.config.health_check_timeout)
        except CallFailed as failure:
            verdict = failure.verdict
            return None if verdict.held_back or verdict.outcome is Outcome.RATE_LIMITED else verdict
        except PoolError:  # it was closed, or the pool makes an emergency stop
            return None
        return WELL

    def _learn(self, connection: PooledTwikitConnection, verdict: Verdict, began: float) -> None:
        health, well = connection.health, verdict is WELL
        health.checked(well=well)
        self._publish(
            ConnectionChecked,
            account_id=connection.account_id,
            connection_id=connection.id,
            well=well,
            reason=verdict.reason,
            latency=self._clock.monotonic() - began,
        )
        if health.failed_checks >= self._matching.config.health_check_failures:
            reason = f"{health.failed_checks} health checks failed: {verdict.reason}"
            self._lifecycle.replace(connection, reason)
