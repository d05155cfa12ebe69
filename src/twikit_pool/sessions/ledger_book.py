"""Rate windows that survive a restart: read from the accounts' source, and saved to it as they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.accounts.source import AccountSource, LedgerKeeper
from twikit_pool.sessions.saved_ledger import SavedLedger
from twikit_pool.sessions.session import STORE_PATIENCE

if TYPE_CHECKING:
    from twikit_pool.sessions.windows import RateWindows

SAVE_EVERY: Final = 0.25
"""Seconds between two savings while calls are made, and before the first of them."""

MARGIN: Final = 2
"""Calls of one kind that a session may make until the next saving. They run one after another, and X answers
none in much less than an eighth of a second."""

logger = logging.getLogger(__name__)


class LedgerBook:
    """Keeps the ledgers of all accounts in their source, if that keeps ledgers; otherwise it does nothing.

    What has changed is saved every quarter of a second at most, and once more, exactly, at the end. A source
    that fails or hangs stops nothing: it is tried again with the latest of each account.

    Args:
        source: the accounts' source.
        windows: the rate windows in use, by account id; it follows them.
        sessions: the open sessions, by account id.
    """

    def __init__(
        self,
        source: AccountSource,
        windows: Mapping[str, RateWindows],
        sessions: Mapping[str, Sequence[object]],
    ) -> None:
        self._keeper = source if isinstance(source, LedgerKeeper) else None
        self._windows = windows
        self._sessions = sessions
        self._kept: dict[str, bytes] = {}
        """What was read and nobody has asked for yet."""
        self._loaded = self._keeper is None
        self._loading = asyncio.Lock()
        self._changed: set[str] = set()
        self._inexact: set[str] = set()
        """Accounts whose ledger was last saved with a margin."""
        self._saving: asyncio.Task[None] | None = None
        self._failing = False

    async def load(self) -> None:
        """Read what was kept, the first time; a source that cannot tell is asked no more."""
        if self._loaded or self._keeper is None:
            return
        async with self._loading:
            if self._loaded:
                return
            try:
                async with asyncio.timeout(STORE_PATIENCE):
                    self._kept = dict(await self._keeper.ledgers())
            except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
                logger.warning(
                    "the rate windows kept in the source are not read, and learned anew: %s", error
                )
            self._loaded = True
            for account_id in self._kept.keys() & self._windows.keys():
                self.restore(account_id)

    def restore(self, account_id: str) -> None:
        """Let an account's windows go on from what was kept. They must be new."""
        kept = self._kept.pop(account_id, None)
        windows = self._windows[account_id]
        if kept is None or any(windows.known()):
            return
        try:
            saved = msgspec.json.decode(kept, type=SavedLedger)
        except msgspec.DecodeError as error:
            logger.warning("the rate windows kept of %s are damaged, and learned anew: %s", account_id, error)
            return
        windows.restore(saved)
        self._changed.discard(account_id)  # it is what the source has

    def note(self, account_id: str) -> None:
        """An account's ledger has changed."""
        if self._keeper is None:
            return
        self._changed.add(account_id)
        if self._saving is None:
            self._saving = asyncio.get_running_loop().create_task(self._save_on(self._keeper))

    async def _save_on(self, keeper: LedgerKeeper) -> None:
        """Save while there is something to save."""
        try:
            await asyncio.sleep(SAVE_EVERY)
            while self._changed:
                await self._save(keeper)
                await asyncio.sleep(SAVE_EVERY)
        finally:
            self._saving = None

    async def _save(self, keeper: LedgerKeeper, *, exactly: bool = False) -> None:
        taken, self._changed = self._changed, set()
        ledgers: dict[str, bytes] = {}
        for each in taken:
            margin = 0 if exactly else MARGIN * max(len(self._sessions.get(each, ())), 1)
            ledgers[each] = msgspec.json.encode(self._windows[each].saved(margin=margin))
        saved = False
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                await keeper.save_ledgers(ledgers)
            saved = True
        except Exception as error:  # noqa: BLE001 - a boundary: the source may be the user's own code
            if not self._failing:
                why = str(error) or type(error).__name__
                logger.warning("the rate windows are not saved, and tried again: %s", why)
        finally:
            self._failing = not saved
            if not saved:
                self._changed |= taken
            elif exactly:
                self._inexact -= taken
            else:
                self._inexact |= taken

    async def aclose(self) -> None:
        """Save what is not saved, or not exactly. Nothing changes any more."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait({self._saving})
        self._changed |= self._inexact
        if self._keeper is not None and self._changed:
            await self._save(self._keeper, exactly=True)
