"""Accounts from a folder of cookie files: one file, one account."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.memory import MemoryAccounts
from twikit_pool.accounts.private_files import replace_private
from twikit_pool.errors import AccountNotFound, InvalidAccount, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twikit_pool.accounts.model import Account
    from twikit_pool.redaction import Cookies

LEDGERS: Final = ".twikit-pool-ledgers.json"
"""The file beside the cookie files in which the accounts' rate windows are kept."""

MOST_LEDGERS: Final = 64 * 2**20
"""Bytes. A thousand accounts take about one megabyte; more is not our file."""

logger = logging.getLogger(__name__)

Stamp: TypeAlias = tuple[int, int, int]
"""What changes when a file is written or replaced: its inode, time and size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """A cookie file that gives no account, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in the folder: every account's file, and those that have changed."""

    paths: dict[str, Path]
    changed: dict[str, tuple[Account, Stamp]]
    problems: tuple[FileProblem, ...]


class CookieFolder(MemoryAccounts):
    """An `AccountSource` of cookie files; an account's id is its file's name without the ending.

    A file that has changed is read again when it is asked for; one that cannot be read then keeps the account
    that it gave before. Rotated cookies are written back into the file they came from, in its format, all or
    nothing. Rate windows are kept in one hidden file in the folder, an account's standing in memory only.

    Args:
        where: a folder, whose `*.json` and `*.txt` files are taken, or a pattern such as
            `cookies/*.json`.
        skip_bad: leave bad files out and list them in `problems`, instead of raising.

    Raises:
        InvalidAccount: nothing matches, or a file is bad; it names each bad file and what to do.
    """

    def __init__(self, where: str | Path, *, skip_bad: bool = False) -> None:
        super().__init__()
        self.problems: tuple[FileProblem, ...] = ()
        """The files that gave no account when the folder was last read, and why."""
        self._where = Path(where)
        self._paths: dict[str, Path] = {}
        self._stamps: dict[str, Stamp] = {}
        """How each account's file was when it was read."""
        self._writing = threading.Lock()
        self._take(_read(cookie_files.matching(self._where), {}))
        if self.problems and not skip_bad:
            raise InvalidAccount(
                f"{len(self.problems)} bad cookie file(s) in {where}: mend them or move them away (a program "
                "may pass skip_bad=True). " + "; ".join(map(str, self.problems))
            )

    async def accounts(self) -> Sequence[Account]:
        """Every account whose file is there, in any state, ordered by id.

        Raises:
            InvalidAccount: no cookie file is left.
        """
        told = set(self.problems)
        self._take(await asyncio.to_thread(self._look))
        for each in self.problems:
            if each not in told:
                logger.warning("a cookie file was not read, and its account stays as it was: %s", each)
        return await super().accounts()

    async def account(self, account_id: str) -> Account:
        """One account, as its file is now.

        Raises:
            AccountNotFound: there is no such file.
        """
        self._found(account_id)
        reading = await asyncio.to_thread(_read, [self._paths[account_id]], dict(self._stamps))
        self._take_changed(reading)
        return self._found(account_id)

    async def revision(self) -> object:
        """What tells whether any file has changed."""
        return await asyncio.to_thread(self._stamps_now)

    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        """Keep rotated cookies in the account's file, all or nothing.

        Raises:
            AccountNotFound: there is no such file.
            InvalidAccount: the log-in cookie is not among them.
            StoreError: the file cannot be written.
        """
        self._found(account_id).with_cookies(cookies)  # what is no log-in is refused before it is written
        await asyncio.to_thread(self._write, self._paths[account_id], cookies)
        await super().save_cookies(account_id, cookies)

    async def ledgers(self) -> Mapping[str, bytes]:
        """The rate windows that were saved, by account id; none, with a warning, if the file is damaged."""
        return await asyncio.to_thread(self._read_ledgers)

    async def save_ledgers(self, ledgers: Mapping[str, bytes]) -> None:
        """Keep these accounts' rate windows in the hidden file, all or none.

        Raises:
            StoreError: the file cannot be written.
        """
        await asyncio.to_thread(self._write_ledgers, ledgers)

    # ------------------------------------------------------------ cookie files

    def _found(self, account_id: str) -> Account:
        try:
            return self._accounts[account_id]
        except KeyError:
            raise AccountNotFound(f"no cookie file for an account {account_id!r}") from None

    def _stamps_now(self) -> dict[Path, Stamp]:
        return {path: _stamp(path) for path in cookie_files.matching(self._where)}

    def _look(self) -> Reading:
        return _read(cookie_files.matching(self._where), dict(self._stamps))

    def _take(self, reading: Reading) -> None:
        """Go by what the folder holds now. Never in a thread, where a standing could change meanwhile."""
        self._take_changed(reading)
        for account_id in self._accounts.keys() - reading.paths.keys():
            del self._accounts[account_id], self._stamps[account_id]
        self._paths, self.problems = reading.paths, reading.problems

    def _take_changed(self, reading: Reading) -> None:
        for account_id, (account, stamp) in reading.changed.items():
            known = self._accounts.get(account_id)
            self._accounts[account_id] = (
                account if known is None else replace(account, standing=known.standing)
            )
            self._stamps[account_id] = stamp

    def _write(self, path: Path, cookies: Cookies) -> None:
        with self._writing:
            try:
                original = cookie_files.read_text(path)
                cookie_format = cookie_files.detect(original)
                replace_private(path, cookie_files.render(cookies, cookie_format, original).encode())
            except OSError as error:
                raise StoreError(
                    f"the cookies of {path.stem!r} cannot be saved in {path} ({error.strerror}): "
                    "make the folder writable and free some space"
                ) from None

    # ------------------------------------------------------------ rate windows

    @property
    def _ledger_file(self) -> Path:
        return (self._where if self._where.is_dir() else self._where.parent) / LEDGERS

    def _read_ledgers(self) -> dict[str, bytes]:
        path = self._ledger_file
        try:
            if not path.exists():
                return {}
            ours = path.is_file() and path.stat().st_size <= MOST_LEDGERS
            kept = msgspec.json.decode(path.read_bytes() if ours else b"", type=dict[str, msgspec.Raw])
        except (OSError, ValueError) as error:
            logger.warning("%s is left aside (%s): the rate windows are learned anew", path, error)
            return {}
        return {account_id: bytes(ledger) for account_id, ledger in kept.items()}

    def _write_ledgers(self, ledgers: Mapping[str, bytes]) -> None:
        with self._writing:
            # Read anew: another pattern's accounts may be kept in the same file.
            kept = {**self._read_ledgers(), **ledgers}
            content = msgspec.json.encode({each: msgspec.Raw(ledger) for each, ledger in kept.items()})
            try:
                replace_private(self._ledger_file, content)
            except OSError as error:
                raise StoreError(
                    f"the rate windows cannot be saved in {self._ledger_file} ({error.strerror}): "
                    "make the folder writable and free some space"
                ) from None


def _stamp(path: Path) -> Stamp:
    """How the file is now; nothing for one that is gone, which reading it will tell."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(files: Sequence[Path], stamps: Mapping[str, Stamp]) -> Reading:
    """Read those files that are not as they were."""
    paths: dict[str, Path] = {}
    changed: dict[str, tuple[Account, Stamp]] = {}
    problems: list[FileProblem] = []
    for path in files:
        first = paths.setdefault(path.stem, path)
        stamp = _stamp(path)
        if first is not path:
            reason = f"{first} is the same account: keep one of the two"
            problems.append(FileProblem(path=path, reason=reason))
            continue
        if stamps.get(path.stem) == stamp:
            continue
        try:
            changed[path.stem] = cookie_files.read_account(path, path.stem), stamp
        except InvalidAccount as error:
            problems.append(FileProblem(path=path, reason=str(error)))
    return Reading(paths=paths, changed=changed, problems=tuple(problems))
