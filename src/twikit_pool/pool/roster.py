"""The accounts of a pool: taken in from the source, looked at again from time to time, and let go.

Every `refresh_interval` seconds the source is asked whether anything in it has changed, and read anew if so:
new accounts, those that are gone, other states, and fresh cookies, which heal an account whose old ones X
does not accept any more. Between two looks the session manager tells what it learns of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.accounts.model import Account, Standing
from twikit_pool.clock import Clock
from twikit_pool.errors import PoolClosed, TwikitPoolError
from twikit_pool.events import (
    AccountLoggedIn,
    AccountStateChanged,
    ComponentDegraded,
    ComponentRecovered,
)

if TYPE_CHECKING:
    from twikit_pool.pool.circuits import Circuits
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.healing import Healing
    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.member import Member
    from twikit_pool.sessions.manager import TwikitSessionManager
    from twikit_pool.sessions.outcomes import Verdict

SOURCE_PATIENCE: Final = 30.0
"""Seconds that a look at the source may take."""

SOURCE: Final = "account source"
"""What it is called where it is told that it fails."""

logger = logging.getLogger(__name__)


class Roster:
    """Knows which accounts a pool has; the `SessionObserver` of its sessions.

    Args:
        accept: which of the source's accounts the pool uses.
        own: `own(coroutine)` runs it as a task of the pool.
        refuse_unless_open: raises `PoolClosed` when the pool is not open.
    """

    def __init__(
        self,
        matching: Matching,
        lifecycle: Lifecycle,
        circuits: Circuits,
        healing: Healing,
        sessions: TwikitSessionManager,
        *,
        clock: Clock,
        publish: Callable[..., None],
        accept: Callable[[Account], bool],
        own: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        refuse_unless_open: Callable[[], None],
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._circuits = circuits
        self._healing = healing
        self._sessions = sessions
        self._clock = clock
        self._publish = publish
        self._accept = accept
        self._own = own
        self._refuse_unless_open = refuse_unless_open
        self._interval: float | None = None
        self._look: Deadline | None = None
        self._looking: asyncio.Task[None] | None = None
        self._revision: object | None = None
        """How the source was when it was last read."""
        self._failing = False
        self._closed = False

    async def read(self) -> list[Account]:
        """Those accounts of the source that the pool uses."""
        return [each for each in await self._sessions.accounts() if self._accept(each)]

    def begin(self, accounts: Iterable[Account]) -> None:
        """Take these accounts in, and hear from now on what changes about them."""
        self._sessions.watch(self)
        for account in accounts:
            self._take_in(account)
        self.heed_settings()

    def close(self) -> None:
        """Look no more; a look that is under way is stopped."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        if self._looking is not None:
            self._looking.cancel()

    async def refresh(self) -> None:
        """Read the source again: take in new accounts, and let go of those that are gone.

        Raises:
            PoolClosed: the pool is not open.
        """
        accounts = {each.id: each for each in await self.read()}
        self._refuse_unless_open()
        matching = self._matching
        for account_id, member in list(matching.members.items()):
            if account_id not in accounts:
                self._let_go(member)
        lent = {each.account_id for each in matching.connections.values()}
        for account_id, account in accounts.items():
            if account_id in matching.members:
                self.standing_changed(account_id, account.standing)
            elif account_id not in lent:  # one that was let go is taken in again once nobody holds it
                self._take_in(account)
        self._lifecycle.fill()

    def _take_in(self, account: Account) -> None:
        self._matching.add(account, self._sessions.windows(account.id))
        self._healing.heard(self._matching.members[account.id], None)

    def _let_go(self, member: Member) -> None:
        for reservation in list(member.reservations):
            reservation.release()
        self._matching.remove(member)
        self._circuits.forget(member)
        for connection in list(member.connections):
            self._lifecycle.retire(connection, f"{member.id} is not in the source any more")

    # ------------------------------------------------------------ looking at the source

    @property
    def deadlines(self) -> int:
        """How many deadlines it has set, to look at."""
        return int(self._look is not None)

    def heed_settings(self) -> None:
        """The settings may be others now."""
        interval = self._matching.config.refresh_interval
        if interval != self._interval:
            self._interval = interval
            self._look_later()

    def _look_later(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._interval is not None and self._looking is None and not self._closed:
            when = self._clock.monotonic() + self._interval
            self._look = self._matching.deadlines.add(when, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._looking = self._own(self._look_at_source())
        self._looking.add_done_callback(self._looked)

    def _looked(self, _: asyncio.Task[None]) -> None:
        self._looking = None
        self._look_later()

    async def _look_at_source(self) -> None:
        """Read the source if it has changed, or cannot tell. One that fails is tried again."""
        try:
            async with asyncio.timeout(SOURCE_PATIENCE):
                revision = await self._sessions.revision()
                if revision is None or revision != self._revision:
                    await self.refresh()
                    self._revision = revision
            if self._failing:
                self._publish(ComponentRecovered, component=SOURCE)
            self._failing = False
        except PoolClosed:
            return
        except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
            if not self._failing:
                logger.warning(
                    "the accounts cannot be read anew, and are used as they were: %s",
                    str(error) or type(error).__name__,
                )
                # The words of an error that is not ours may have a secret.
                why = str(error) if isinstance(error, TwikitPoolError) else type(error).__name__
                self._publish(ComponentDegraded, component=SOURCE, reason=why)
            self._failing = True

    # ------------------------------------------------------------ what the session manager tells

    def standing_changed(self, account_id: str, standing: Standing, verdict: Verdict | None = None) -> None:
        """An account is in another state; told in the step in which the session manager learns it."""
        member = self._matching.members.get(account_id)
        if member is None or member.standing == standing:
            return
        before = member.standing.state
        self._matching.set_standing(member, standing)
        self._lifecycle.close_barred(member)
        self._healing.heard(member, before)
        self._publish(
            AccountStateChanged,
            account_id=account_id,
            state=standing.state.value,
            reason=standing.reason,
            before=before.value,
            evidence=standing.evidence,
            status=verdict.status if verdict is not None else None,
            code=verdict.code if verdict is not None else None,
            endpoint=verdict.endpoint if verdict is not None else None,
            until=standing.until,
        )

    def login_changed(self, account: Account) -> None:
        """An account has another log-in. Its connections get it too."""
        member = self._matching.members.get(account.id)
        if member is not None:
            member.account = account
            for connection in list(member.connections):
                self._lifecycle.retire(connection, "its account has fresh cookies")

    def logged_in(self, account_id: str, today: int) -> None:
        """One of an account's sessions has made a handshake."""
        if account_id in self._matching.members:
            self._publish(AccountLoggedIn, account_id=account_id, today=today)

    def window_changed(self, account_id: str, endpoint: str) -> None:
        """A rate window was closed or opened."""
        member = self._matching.members.get(account_id)
        if member is not None:
            self._matching.window_changed(member, endpoint)
