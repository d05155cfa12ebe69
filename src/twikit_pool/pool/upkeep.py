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
from twikit_pool.events import ConnectionReclaimed, LeaseOverdue
from twikit_pool.pool.checks import Checks
from twikit_pool.pool.connection import SHELVED, ConnectionState, PooledTwikitConnection
from twikit_pool.pool.deadlines import SLOT
from twikit_pool.pool.health import outdone

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable

    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching

logger = logging.getLogger(__name__)

LOOK: Final = 60.0
"""Seconds after which a connection is looked at in any case: at how well it serves."""


class Upkeep:
    """Looks after every connection from its opening to its end.

    Args:
        check: `check(connection, timeout)` asks X whether it accepts the account; raises as `Calls.check`.
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
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._checks = Checks(
            matching,
            lifecycle,
            clock=clock,
            rng=rng,
            publish=publish,
            own=own,
            check=check,
            ended=self._schedule,
        )
        lifecycle.opened = self.begin

    def begin(self, connection: PooledTwikitConnection) -> None:
        """Look after a connection that has just been opened."""
        config = self._matching.config
        if config.max_lifetime is not None:
            life = config.max_lifetime * (1 - config.lifetime_jitter * self._rng.random())
            connection.ends = connection.created + life
        self._checks.draw(connection)
        self._schedule(connection)

    def reschedule(self) -> None:
        """The limits have changed."""
        for connection in self._matching.connections.values():
            if connection.upkeep is not None:
                self._checks.draw(connection)
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
        checks = [connection.check_pause] if config.enable_health_checks else []
        # It may be lent, or come free, any time from now on: no limit is reached before that.
        moments = [now + each for each in (*leases, *idle, *checks, LOOK)]
        if connection.leased:
            moments += [connection.leased_at + each for each in leases]
        elif connection.state in SHELVED:
            moments += [connection.idle_since + each for each in idle]
            if checks and not self._checks.waits(connection):
                moments.append(max(self._checks.due(connection), now + SLOT))
        moments.append(connection.ends)
        return min(each for each in moments if each > now)

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
        elif reason := self._looks_bad(connection):
            self._replace(connection, reason)
        elif config.enable_health_checks and now >= self._checks.due(connection):
            self._checks.ask(connection)

    def _look_at_lease(self, connection: PooledTwikitConnection) -> None:
        config, now = self._matching.config, self._clock.monotonic()
        held = now - connection.leased_at
        if now >= connection.ends:
            self._lifecycle.retire(connection, "it reached its lifetime")
        elif reason := self._looks_bad(connection):
            self._replace(connection, reason)
        if (
            config.leak_warning is not None
            and held >= config.leak_warning
            and connection.warned != connection.epoch
        ):
            connection.warned = connection.epoch
            self._warn(connection, held)
        if config.lease_timeout is not None and held >= config.lease_timeout:
            logger.warning(
                "%s was held for %.3g s by %s: taken back, its client is closed (lease_timeout)",
                connection.id,
                held,
                _name(connection),
            )
            self.take_back(connection, f"its lease lasted longer than {config.lease_timeout:g} s")

    def take_back(self, connection: PooledTwikitConnection, reason: str) -> None:
        """Close a leased connection under its borrower, who may still be using it."""
        self._publish(
            ConnectionReclaimed,
            account_id=connection.account_id,
            connection_id=connection.id,
            borrower=_name(connection),
            held=self._clock.monotonic() - connection.leased_at,
        )
        self._lifecycle.close(connection, reason)

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

    def _looks_bad(self, connection: PooledTwikitConnection) -> str:
        """Why a connection that serves badly is to be replaced; "" for one that is not."""
        health, now = connection.health, self._clock.monotonic()
        if health.score >= self._matching.config.replace_below or connection.spent is not None:
            return ""
        if not connection.member.replacements.may_go_on(now):
            return ""
        others = outdone(health, (each.health for each in self._matching.connections.values()), now)
        if others is None:
            return ""
        return f"its health is {health.score:.2f} and that of others {others:.2f} (replace_below)"

    def _replace(self, connection: PooledTwikitConnection, reason: str) -> None:
        connection.member.replacements.note(self._clock.monotonic())
        self._lifecycle.replace(connection, reason)


def _name(connection: PooledTwikitConnection) -> str:
    return connection.borrower.get_name() if connection.borrower is not None else "nobody"
