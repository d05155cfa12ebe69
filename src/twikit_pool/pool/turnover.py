"""From one lease to the next: what happens when a connection is lent and when it comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import httpx

from twikit_pool.pool.hooks import HookFailed, PoolHooks, run_hook

if TYPE_CHECKING:
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.waiting import Waiter
    from twikit_pool.sessions.session import TwikitSession

logger = logging.getLogger(__name__)


class Turnover:
    """Lends connections and takes them back, so that nobody gets one that is half used."""

    __slots__ = ("_lifecycle", "_matching", "_own", "_special", "hooks")

    def __init__(
        self,
        matching: Matching,
        lifecycle: Lifecycle,
        hooks: PoolHooks,
        own: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.hooks = hooks
        self._matching = matching
        self._lifecycle = lifecycle
        self._own = own
        self.heed_settings()

    def heed_settings(self) -> None:
        """The settings may be others now."""
        reuse = self._matching.config.enable_connection_reuse
        self._special = self.hooks.on_release is not None or not reuse

    async def introduce(self, connection: PooledTwikitConnection) -> bool:
        """Run the hook `on_acquire`; whether the connection may be had."""
        epoch, well = connection.epoch, False
        try:
            await run_hook(
                "on_acquire", self.hooks.on_acquire, connection, self._matching.config.connection_timeout
            )
            well = connection.epoch == epoch
        except HookFailed as error:
            self._lifecycle.quarantine(connection.member, str(error), self._matching.config.open_backoff_max)
        finally:
            if not well and connection.epoch == epoch:
                self.give_back(connection)
        return well

    def give_back(self, connection: PooledTwikitConnection) -> None:
        """End a lease. Synchronous: the next waiter has the connection before this returns."""
        session = connection.session
        self._matching.end_lease(connection)
        if connection.spent is not None:
            self._lifecycle.close(connection, connection.spent)
        elif self._special or (session is not None and session.unsettled):
            self._take_back_specially(connection, session)
        elif connection.pause is not None:
            self._lifecycle.finished(connection)
        else:
            self._matching.offer(connection)

    def abandon(self, waiter: Waiter) -> None:
        """Wait no more, however the waiting ended; what was handed over meanwhile is passed on."""
        if not waiter.done():
            waiter.cancel()
        elif not waiter.cancelled() and waiter.exception() is None:
            connection = waiter.result()
            if connection.epoch == waiter.epoch:  # else it was closed on its way
                self.give_back(connection)

    def _take_back_specially(self, connection: PooledTwikitConnection, session: TwikitSession | None) -> None:
        if self._matching.config.enable_connection_reuse:
            self._own(self._turn_over(connection, session))
        else:
            self._lifecycle.close(connection, "connections are not reused (enable_connection_reuse)")

    async def _turn_over(self, connection: PooledTwikitConnection, session: TwikitSession | None) -> None:
        """Make a connection fit for the next caller: its hook, and a new client if a call did not end."""
        patience = self._matching.config.connection_timeout
        try:
            await run_hook("on_release", self.hooks.on_release, connection, patience)
            if session is not None and session.unsettled:
                connection.generation += 1
                async with asyncio.timeout(patience):
                    await session.renew()
        except TimeoutError:
            self._lifecycle.retire(connection, f"its client was not replaced within {patience:g} s")
        except HookFailed as error:
            self._lifecycle.quarantine(connection.member, str(error), self._matching.config.open_backoff_max)
        except (OSError, httpx.HTTPError, RuntimeError) as error:
            logger.warning("the old client of %s did not close cleanly: %s", connection.id, error)
        finally:
            self._lifecycle.finished(connection)
