"""Accounts from a folder of cookie files: one file, one account."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.memory import MemoryAccounts
from twikit_pool.accounts.private_files import replace_private
from twikit_pool.errors import AccountNotFound, InvalidAccount, StoreError

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account
    from twikit_pool.redaction import Cookies


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """A cookie file that gives no account, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class CookieFolder(MemoryAccounts):
    """An `AccountSource` of cookie files; an account's id is its file's name without the ending.

    The files are read once. Rotated cookies are written back into the file they came from, in its
    format, all or nothing. An account's standing is kept in memory only.

    Args:
        where: a folder, whose `*.json` and `*.txt` files are taken, or a pattern such as
            `cookies/*.json`.
        skip_bad: leave bad files out and list them in `problems`, instead of raising.

    Raises:
        InvalidAccount: nothing matches, or a file is bad; it names each bad file and what to do.
    """

    def __init__(self, where: str | Path, *, skip_bad: bool = False) -> None:
        self.problems: tuple[FileProblem, ...] = ()
        """The files that were left out, and why."""
        super().__init__()
        self._paths: dict[str, Path] = {}
        self._writing = threading.Lock()
        problems: list[FileProblem] = []
        for path in cookie_files.matching(Path(where)):
            try:
                self._take(path)
            except InvalidAccount as error:
                problems.append(FileProblem(path=path, reason=str(error)))
        if problems and not skip_bad:
            raise InvalidAccount(
                f"{len(problems)} bad cookie file(s) in {where}: mend them or move them away (a program may "
                "pass skip_bad=True). " + "; ".join(map(str, problems))
            )
        self.problems = tuple(problems)

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

    def _found(self, account_id: str) -> Account:
        try:
            return self._accounts[account_id]
        except KeyError:
            raise AccountNotFound(f"no cookie file for an account {account_id!r}") from None

    def _take(self, path: Path) -> None:
        if path.stem in self._paths:
            raise InvalidAccount(f"{self._paths[path.stem]} is the same account: keep one of the two")
        self._accounts[path.stem] = cookie_files.read_account(path, path.stem)
        self._paths[path.stem] = path

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
