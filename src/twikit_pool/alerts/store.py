"""Where alerts outlive a restart: anything that meets a small protocol; here, a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from twikit_pool.accounts.private_files import make_private_folder, replace_private
from twikit_pool.alerts.alert import Alert, Silence
from twikit_pool.errors import StoreError

MOST_OVER: Final = 500
"""Alerts that are over and kept in the file."""

MOST_BYTES: Final = 50_000_000


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept: alerts, those that are over in the order in which they ended, and silences."""

    version: int = 1
    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()


class AlertStore(Protocol):
    """Keeps alerts. One that fails is tried again with what comes next, and nothing else stops."""

    async def load(self) -> Kept:
        """What is kept: all alerts that hold, and the latest that are over.

        Raises:
            StoreError: it cannot be read now.
        """
        ...

    async def save(self, changed: Sequence[Alert], silences: Sequence[Silence]) -> None:
        """Keep these alerts, in place of those of the same id, and these silences in place of all others.

        Raises:
            StoreError: it cannot be written now.
        """
        ...


class AlertFile:
    """Keeps alerts in a JSON file, for its owner alone. One process at a time.

    Args:
        path: the file; made when there is something to keep.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._alerts: dict[str, Alert] = {}

    async def load(self) -> Kept:
        """What the file has; nothing when there is none.

        Raises:
            StoreError: it cannot be read, or has something else in it.
        """
        kept = await asyncio.to_thread(self._read)
        self._alerts = {each.id: each for each in kept.alerts}
        return kept

    async def save(self, changed: Sequence[Alert], silences: Sequence[Silence]) -> None:
        """Write the file anew, all or nothing.

        Raises:
            StoreError: it cannot be written.
        """
        for each in changed:
            self._alerts.pop(each.id, None)
            self._alerts[each.id] = each
        over = [each.id for each in self._alerts.values() if not each.open]
        for alert_id in over[:-MOST_OVER]:
            del self._alerts[alert_id]
        kept = Kept(alerts=tuple(self._alerts.values()), silences=tuple(silences))
        await asyncio.to_thread(self._write, msgspec.json.encode(kept))

    def _read(self) -> Kept:
        try:
            with self._path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            return msgspec.json.decode(content, type=Kept)
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror or error}") from None
        except msgspec.DecodeError as error:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            self._path.replace(aside)
            raise StoreError(
                f"it holds no alerts ({error}): it is {aside} now, and a new one is begun"
            ) from None

    def _write(self, content: bytes) -> None:
        try:
            make_private_folder(self._path.parent)
            replace_private(self._path, content)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}") from None
