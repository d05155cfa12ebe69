"""The posts of the last weeks, of all accounts, in SQLite: what nobody may say again.

A post is entered in the instant before it leaves, in one transaction with the comparison, so that of two
equal posts at once, in this process or in another on the same file, one is refused. It is taken out again if
X certainly did not take it. If nobody knows, it stays: it counts as posted.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import SafetyError
from twikit_pool.safety.memory.index import SimilarIndex
from twikit_pool.safety.memory.wording import wording

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.clock import Clock
    from twikit_pool.safety.posts import Post

DAY: Final = 86_400.0
MOST: Final = 100_000
"""Posts that are remembered at once; beyond them the oldest are forgotten sooner."""

PATIENCE: Final = 2.0
"""Seconds that another process may hold the file."""

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    owner TEXT,               -- the campaign it belongs to, if any
    wording TEXT NOT NULL,    -- as texts are compared
    exact BLOB NOT NULL,      -- the same text by the same account in the same place has the same
    at REAL NOT NULL,         -- seconds since 1970
    tweet TEXT                -- X's id, where it is known
);
CREATE INDEX IF NOT EXISTS by_time ON posts (at);
CREATE INDEX IF NOT EXISTS by_exact ON posts (exact);
"""


class Found(NamedTuple):
    """A post that was sent before.

    Attributes:
        account: who sent it.
        at: when, in UTC.
        score: how alike, 0 to 100.
        tweet: its id, where it is known.
    """

    account: str
    at: datetime
    score: float
    tweet: str | None


class PostMemory:
    """What was posted lately. Several processes may use one file.

    Args:
        path: the file, for its owner alone; None remembers until the process ends.
        days: for how long a post is remembered.
        most: posts that are remembered at once.
        clock: the time.

    Raises, in all its methods:
        SafetyError: the file cannot be read or written, or is no such file.
    """

    def __init__(
        self, path: Path | None = None, *, days: float = 30.0, most: int = MOST, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._path = path
        self._seconds = days * DAY
        self._most = most
        self._clock = clock
        self._index = SimilarIndex()
        self._order: deque[tuple[float, int]] = deque()
        """When each was posted, the oldest first."""
        self._latest = 0
        """The last row that is in the index."""
        with self._explained():
            self._database = self._opened()
        with self.exclusive():
            pass  # what is there already

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            make_private_folder(self._path.parent)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
        database = sqlite3.connect(self._path or ":memory:", timeout=PATIENCE, isolation_level=None)
        try:
            self._refuse_newer(database)
            # What is committed survives the death of the process; a power cut may cost the last second.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            database.close()
            raise
        return database

    def _refuse_newer(self, database: sqlite3.Connection) -> None:
        if database.execute("PRAGMA user_version").fetchone()[0] not in (0, _VERSION):
            raise SafetyError(f"{self._path} was written by a newer version; update twikit-pool")

    def close(self) -> None:
        """Use the file no more. Calling it twice is harmless."""
        self._database.close()

    def __len__(self) -> int:
        return len(self._index)

    # ------------------------------------------------------------ looking

    def repeated(self, post: Post, account: str, hours: float) -> Found | None:
        """A post within so many hours with the same words, by the same account, in the same place."""
        at = self._time_of(post)
        with self._explained():
            row = self._database.execute(
                "SELECT account, at, 100.0, tweet FROM posts "
                "WHERE exact = ? AND at BETWEEN ? AND ? ORDER BY at DESC LIMIT 1",
                (_exact(post, account), at - hours * 3600, at + hours * 3600),
            ).fetchone()
        return None if row is None else _found(row)

    def elsewhere(self, post: Post, account: str | None, least: float, shortest: int) -> Found | None:
        """The post of another account that is most alike, if it is at least so much alike.

        Args:
            post: what is to be sent.
            account: whose it is; None compares with those of all accounts.
            least: how alike, 0 to 100.
            shortest: letters that it must have to be compared at all.
        """
        words = wording(post.text)
        if len(words) < shortest:
            return None
        self._catch_up()
        for match in self._index.alike(words, least):
            row = self._row(match.key)
            if row is not None and row[0] != account:
                return _found((row[0], row[1], match.score, row[2]))
        return None

    def _row(self, key: int) -> tuple[str, float, str | None] | None:
        with self._explained():
            row = self._database.execute(
                "SELECT account, at, tweet FROM posts WHERE id = ?", (key,)
            ).fetchone()
        if row is None:  # another process has taken it out
            self._index.remove(key)
        return row

    # ------------------------------------------------------------ entering

    @contextmanager
    def exclusive(self) -> Generator[None]:
        """No other process enters anything meanwhile; what is raised within undoes what was entered."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
        latest = self._latest
        try:
            self._catch_up()
            latest = self._latest
            yield
            with self._explained():
                self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            for key in range(latest + 1, self._latest + 1):
                self._index.remove(key)
            self._latest = latest
            raise

    def enter(self, post: Post, account: str, owner: str | None = None) -> int:
        """A post is about to leave; its key. Call it within `exclusive`, after looking."""
        words = wording(post.text)
        at = self._time_of(post)
        with self._explained():
            cursor = self._database.execute(
                "INSERT INTO posts (account, owner, wording, exact, at) VALUES (?, ?, ?, ?, ?)",
                (account, owner, words, _exact(post, account), at),
            )
            key = cursor.lastrowid or 0
            self._note(key, words, at)
            self._forget_old()
        return key

    def confirm(self, key: int, tweet: str | None) -> None:
        """X has taken it, as this tweet."""
        with self._explained():
            self._database.execute("UPDATE posts SET tweet = ? WHERE id = ?", (tweet, key))

    def withdraw(self, key: int) -> None:
        """X certainly has not taken it: it may be said by anybody."""
        self._index.remove(key)
        with self._explained():
            self._database.execute("DELETE FROM posts WHERE id = ?", (key,))

    def forget(self, post: Post, account: str) -> int:
        """Somebody has found that X never took it: the latest such post of the account is taken out.

        Returns:
            How many there were: 0 or 1.
        """
        with self._explained():
            row = self._database.execute(
                "SELECT id FROM posts WHERE exact = ? ORDER BY at DESC LIMIT 1", (_exact(post, account),)
            ).fetchone()
        if row is None:
            return 0
        self.withdraw(row[0])
        return 1

    def _forget_old(self) -> None:
        horizon = self._now() - self._seconds
        while self._order and (self._order[0][0] < horizon or len(self._order) > self._most):
            at, key = self._order.popleft()
            self._index.remove(key)
            self._database.execute("DELETE FROM posts WHERE id = ? OR at < ?", (key, min(at, horizon)))

    def _catch_up(self) -> None:
        """Take in what other processes have entered."""
        with self._explained():
            rows = self._database.execute(
                "SELECT id, wording, at FROM posts WHERE id > ? AND at >= ? ORDER BY id",
                (self._latest, self._now() - self._seconds),
            ).fetchall()
        for key, words, at in rows[-self._most :]:
            self._note(key, words, at)

    def _note(self, key: int, words: str, at: float) -> None:
        self._index.add(key, words)
        self._order.append((at, key))
        self._latest = max(self._latest, key)

    def _time_of(self, post: Post) -> float:
        return self._now() if post.at is None else post.at.timestamp()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise SafetyError("the memory of the content filter is closed") from None
        except sqlite3.Error as error:
            raise SafetyError(
                f"what was posted cannot be looked up in {self._path} ({error}), so nothing is sent: free "
                "space or mend it; while the file is away, what was posted before is not compared"
            ) from None
        except OSError as error:
            raise SafetyError(f"{self._path} cannot be used: {error.strerror}") from None


def _exact(post: Post, account: str) -> bytes:
    words = " ".join(post.text.casefold().split())
    place = (account, post.kind.value, post.to or "", words)
    return blake2b("\0".join(place).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _found(row: tuple[str, float, float, str | None]) -> Found:
    return Found(row[0], datetime.fromtimestamp(row[1], UTC), row[2], row[3])
