"""Looking after connections: idle ones, old ones, ill ones, and those that nobody gives back.

Every connection has one deadline, at which everything that time may have brought is looked at. It lies no
further away than the shortest limit, so that taking and giving back need not touch it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.clock import Clock
from twikit_pool.errors import PoolError
from twikit_pool.events import ConnectionChecked, ConnectionReclaimed, LeaseOverdue
from twikit_pool.pool.connection import SHELVED, ConnectionState, PooledTwikitConnection
from twikit_pool.pool.deadlines import SLOT
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable

    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching

logger = logging.getLogger(__name__)

LONGEST: Final = 3600.0
"""Seconds after which a connection is looked at though there are no limits."""


class Upkeep:
    """Looks after every connection from its opening to its end.

    Args:
        settle: `settle(account_id, verdict)` carries out what a check's answer means for the account.
    """

    def __init__(
        self,
        matching: Matching,
        lifecycle: Lifecycle,
        *,
        clock: Clock,
        rng: random.Random,
        publish: Callable[..., None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        settle: Callable[[str, Verdict], Awaitable[object]],
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._own = own
        self._settle = settle
        lifecycle.opened = self.begin

    def begin(self, connection: PooledTwikitConnection) -> None:
        """Look after a connection that has just been opened."""
        config = self._matching.config
        if config.max_lifetime is not None:
            life = config.max_lifetime * (1 - config.lifetime_jitter * self._rng.random())
            connection.ends = connection.created + life
        self._schedule(connection)

    def reschedule(self) -> None:
        """The limits have changed."""
        for connection in self._matching.connections.values():
            if connection.upkeep is not None:
                self._schedule(connection)

    # ------------------------------------------------------------ when to look again

    def _schedule(self, connection: PooledTwikitConnection) -> None:
        if connection.state is ConnectionState.CLOSED:
            return
        if connection.upkeep is not None:
            connection.upkeep.cancel()
        when = self._next(connection)
        connection.upkeep = self._matching.deadlines.add(when, partial(self._look, connection))

    def _next(self, connection: PooledTwikitConnection) -> float:
        config, now = self._matching.config, self._clock.monotonic()
        leases = [each for each in (config.lease_timeout, config.leak_warning) if each is not None]
        idle = [] if config.max_idle_time is None else [config.max_idle_time]
        checks = [config.health_check_interval] if config.enable_health_checks else []
        # It may be lent, or come free, any time from now on: no limit is reached before that.
        moments = [now + each for each in (*leases, *idle, *checks, LONGEST)]
        if connection.leased:
            moments += [connection.leased_at + each for each in leases]
        elif connection.state in SHELVED:
            moments += [connection.idle_since + each for each in idle]
            moments += [max(self._check_due(connection), now + SLOT) for _ in checks]
        moments.append(connection.ends)
        return min(each for each in moments if each > now)

    def _check_due(self, connection: PooledTwikitConnection) -> float:
        """When it is to be checked; a connection that was used a moment ago need not be."""
        seen = max(connection.checked_at, connection.last_used or 0.0)
        return seen + self._matching.config.health_check_interval

    # ------------------------------------------------------------ looking

    def _look(self, connection: PooledTwikitConnection) -> None:
        if connection.leased:
            self._look_at_lease(connection)
        elif connection.state in SHELVED:
            self._look_at_free(connection)
        self._schedule(connection)

    def _look_at_free(self, connection: PooledTwikitConnection) -> None:
        config, now = self._matching.config, self._clock.monotonic()
        idle = connection.state is ConnectionState.IDLE
        if now >= connection.ends:
            self._lifecycle.close(connection, "it reached its lifetime")
        elif (
            idle
            and config.max_idle_time is not None
            and now - connection.idle_since >= config.max_idle_time
            and self._lifecycle.size > self._lifecycle.floor
        ):
            self._lifecycle.close(connection, f"it was idle for {now - connection.idle_since:.0f} s")
        elif config.enable_health_checks and now >= self._check_due(connection):
            self._matching.withdraw(connection)
            connection.state = ConnectionState.CHECKING
            self._own(self._check(connection))

    def _look_at_lease(self, connection: PooledTwikitConnection) -> None:
        config, now = self._matching.config, self._clock.monotonic()
        held = now - connection.leased_at
        if now >= connection.ends:
            self._lifecycle.retire(connection, "it reached its lifetime")
        if (
            config.leak_warning is not None
            and held >= config.leak_warning
            and connection.warned != connection.epoch
        ):
            connection.warned = connection.epoch
            self._warn(connection, held)
        if config.lease_timeout is not None and held >= config.lease_timeout:
            self._publish(
                ConnectionReclaimed,
                account_id=connection.account_id,
                connection_id=connection.id,
                borrower=_name(connection),
                held=held,
            )
            logger.warning(
                "%s was held for %.3g s by %s: taken back, its client is closed (lease_timeout)",
                connection.id,
                held,
                _name(connection),
            )
            self._lifecycle.close(connection, f"its lease lasted longer than {config.lease_timeout:g} s")

    def _warn(self, connection: PooledTwikitConnection, held: float) -> None:
        where = f"; it was borrowed here:\n{connection.stack}" if connection.stack else ""
        logger.warning(
            "%s has been held for %.3g s by %s: is its release missing?%s",
            connection.id,
            held,
            _name(connection),
            where,
        )
        self._publish(
            LeaseOverdue,
            account_id=connection.account_id,
            connection_id=connection.id,
            borrower=_name(connection),
            held=held,
        )

    # ------------------------------------------------------------ health

    async def _check(self, connection: PooledTwikitConnection) -> None:
        """Ask X whether it still accepts the account; only then is the connection offered again."""
        began = self._clock.monotonic()
        try:
            problem = await self._problem_of(connection)
            connection.checked_at = self._clock.monotonic()
            if problem is not None:
                self._checked(connection, problem, connection.checked_at - began)
        finally:
            self._lifecycle.finished(connection)
            self._schedule(connection)

    async def _problem_of(self, connection: PooledTwikitConnection) -> str | None:
        """What is wrong with it, in words; "" when it is well, None when nobody can say."""
        session = connection.session
        assert session is not None  # noqa: S101 - for the type checker: what is free has been opened
        try:
            await session.check(timeout=self._matching.config.health_check_timeout)
        except CallFailed as failure:
            await self._settle(connection.account_id, failure.verdict)
            return None if failure.verdict.outcome is Outcome.RATE_LIMITED else failure.verdict.reason
        except PoolError:  # it was closed, or the pool makes an emergency stop
            return None
        return ""

    def _checked(self, connection: PooledTwikitConnection, problem: str, latency: float) -> None:
        connection.failed_checks = connection.failed_checks + 1 if problem else 0
        self._publish(
            ConnectionChecked,
            account_id=connection.account_id,
            connection_id=connection.id,
            well=not problem,
            reason=problem,
            latency=latency,
        )
        if connection.failed_checks >= self._matching.config.health_check_failures:
            self._lifecycle.retire(connection, f"{connection.failed_checks} health checks failed: {problem}")


def _name(connection: PooledTwikitConnection) -> str:
    return connection.borrower.get_name() if connection.borrower is not None else "nobody"
