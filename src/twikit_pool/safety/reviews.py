"""Posts that a person is to decide about, in SQLite: bounded, and the same post only once.

Approving lets this very action go as this account, once: it lifts what asked for a person, not what blocks.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import PostBlocked, ReviewNotFound, SafetyError
from twikit_pool.safety.verdicts import Reason
from twikit_pool.sessions.actions import Action, parse_action

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.clock import Clock

MOST_ID: Final = 2**63
"""Beyond any number that SQLite knows."""

MOST_DECIDED: Final = 10_000
"""Decided reviews that are kept to look at."""

PATIENCE: Final = 2.0
"""Seconds that another process may hold the file."""

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    account TEXT NOT NULL,
    pool TEXT NOT NULL,
    owner TEXT,
    action TEXT NOT NULL,
    parameters BLOB NOT NULL,
    digest BLOB NOT NULL,     -- of the action and the account
    reasons BLOB NOT NULL,
    state TEXT NOT NULL,
    decided_at REAL,
    decided_by TEXT,
    note TEXT
);
CREATE INDEX IF NOT EXISTS by_state ON reviews (state, id);
CREATE INDEX IF NOT EXISTS by_digest ON reviews (digest);
"""
_COLUMNS: Final = (
    "id, at, account, pool, owner, action, parameters, reasons, state, decided_at, decided_by, note"
)


class ReviewState(StrEnum):
    """Where a review is."""

    PENDING = "pending"
    APPROVED = "approved"
    """It may go, and has not yet."""
    SENT = "sent"
    """It was approved, and has left."""
    REJECTED = "rejected"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A post that a person is to decide about, or has.

    Attributes:
        id: its number.
        at: when it was held, in UTC.
        account_id, pool_id: who was to send it, through which pool.
        owner: the campaign it belongs to, if any.
        action, parameters: what was to be sent, or is after an edit.
        reasons: why it was held.
        state: where it is.
        decided_at, decided_by, note: when, by whom and why it was decided.
    """

    id: int
    at: datetime
    account_id: str
    pool_id: str
    owner: str | None
    action: str
    parameters: dict[str, Any]
    reasons: tuple[Reason, ...]
    state: ReviewState
    decided_at: datetime | None
    decided_by: str | None
    note: str | None

    def parsed(self) -> Action:
        """The action, checked.

        Raises:
            ActionError: its parameters are wrong.
        """
        return parse_action(self.action, self.parameters)


class Reviews:
    """The queue.

    Args:
        path: the file, for its owner alone; None keeps it until the process ends.
        most: that may be pending.
        clock: the time.

    Raises, in all its methods:
        SafetyError: the file cannot be read or written.
    """

    def __init__(self, path: Path | None = None, *, most: int = 1_000, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._most = most
        self._clock = clock
        with self._explained():
            if path is not None:
                make_private_folder(path.parent)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
            self._database = sqlite3.connect(path or ":memory:", timeout=PATIENCE, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Use the file no more. Calling it twice is harmless."""
        self._database.close()

    def hold(
        self, action: Action, account: str, pool: str, reasons: Iterable[Reason], *, owner: str | None = None
    ) -> Review:
        """Let a person decide; the same post of the same account is one review.

        Raises:
            PostBlocked: too many wait already.
        """
        told, digest = tuple(reasons), _digest(action, account)
        known = self._rows("digest = ? AND state = ?", digest, ReviewState.PENDING)
        if known:
            return known[0]
        if self.pending() >= self._most:
            raise PostBlocked(
                f"{action.name} as {account} is for a person to decide, and {self._most} posts wait already "
                "(most_reviews): decide about some with `twikit-pool reviews`",
                told,
            )
        with self._explained():
            cursor = self._database.execute(
                "INSERT INTO reviews (at, account, pool, owner, action, parameters, digest, reasons, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._now(),
                    account,
                    pool,
                    owner,
                    action.name,
                    msgspec.json.encode(action),
                    digest,
                    msgspec.json.encode(told),
                    ReviewState.PENDING,
                ),
            )
        return self.get(cursor.lastrowid or 0)

    def pending(self) -> int:
        """How many wait."""
        with self._explained():
            return self._database.execute(
                "SELECT count(*) FROM reviews WHERE state = ?", (ReviewState.PENDING,)
            ).fetchone()[0]

    def count(self, state: ReviewState | None = None) -> int:
        """How many there are in a state, or in all."""
        if state is ReviewState.PENDING:
            return self.pending()
        with self._explained():
            return self._database.execute(
                "SELECT count(*) FROM reviews WHERE ?1 IS NULL OR state = ?1", (state,)
            ).fetchone()[0]

    def list(self, state: ReviewState | None = None, *, offset: int = 0, limit: int = 100) -> list[Review]:
        """Those in a state, the oldest first; or all, the latest first."""
        if state is None:
            return self._rows("1 ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)
        return self._rows("state = ? ORDER BY id LIMIT ? OFFSET ?", state, limit, offset)

    def get(self, review_id: int) -> Review:
        """One of them.

        Raises:
            ReviewNotFound: there is none of this id.
        """
        found = self._rows("id = ?", review_id) if 0 < review_id < MOST_ID else []
        if not found:
            raise ReviewNotFound(f"there is no review {review_id}: `twikit-pool reviews list` shows them")
        return found[0]

    # ------------------------------------------------------------ deciding

    def approve(self, review_id: int, *, by: str, note: str = "") -> Review:
        """Let it go, once. Nothing is sent by this.

        Raises:
            ReviewNotFound: there is none of this id that waits.
        """
        return self._decide(review_id, ReviewState.APPROVED, by, note)

    def edit(self, review_id: int, parameters: dict[str, Any], *, by: str, note: str = "") -> Review:
        """Change parameters of what is to be sent, and let that go, once.

        Raises:
            ReviewNotFound: there is none of this id that waits.
            ActionError: the parameters are wrong; nothing was changed.
        """
        held = self._waiting(review_id)
        action = parse_action(held.action, held.parameters | parameters)
        with self._explained():
            self._database.execute(
                "UPDATE reviews SET parameters = ?, digest = ? WHERE id = ?",
                (msgspec.json.encode(action), _digest(action, held.account_id), review_id),
            )
        return self._decide(review_id, ReviewState.APPROVED, by, note)

    def reject(self, review_id: int, *, by: str, note: str = "") -> Review:
        """Let it never go.

        Raises:
            ReviewNotFound: there is none of this id that waits.
        """
        return self._decide(review_id, ReviewState.REJECTED, by, note)

    def reopen(self, review_id: int) -> Review:
        """What was approved could not be sent: it waits again."""
        with self._explained():
            self._database.execute(
                "UPDATE reviews SET state = ? WHERE id = ? AND state = ?",
                (ReviewState.PENDING, review_id, ReviewState.APPROVED),
            )
        return self.get(review_id)

    def approval(self, action: Action, account: str) -> Review | None:
        """The approval by which this may go, if there is one that was not used."""
        found = self._rows("digest = ? AND state = ?", _digest(action, account), ReviewState.APPROVED)
        return found[0] if found else None

    def spend(self, review_id: int) -> None:
        """What was approved has left."""
        self._move(review_id, ReviewState.APPROVED, ReviewState.SENT)

    def unspend(self, review_id: int) -> None:
        """X certainly has not taken it: the approval is good again."""
        self._move(review_id, ReviewState.SENT, ReviewState.APPROVED)

    def _move(self, review_id: int, before: ReviewState, after: ReviewState) -> None:
        with self._explained():
            self._database.execute(
                "UPDATE reviews SET state = ? WHERE id = ? AND state = ?", (after, review_id, before)
            )

    def _decide(self, review_id: int, state: ReviewState, by: str, note: str) -> Review:
        self._waiting(review_id)
        with self._explained():
            self._database.execute(
                "UPDATE reviews SET state = ?, decided_at = ?, decided_by = ?, note = ? WHERE id = ?",
                (state, self._now(), by, note or None, review_id),
            )
            self._database.execute(
                "DELETE FROM reviews WHERE state IN (?, ?) AND id NOT IN "
                "(SELECT id FROM reviews WHERE state IN (?, ?) ORDER BY id DESC LIMIT ?)",
                (
                    ReviewState.SENT,
                    ReviewState.REJECTED,
                    ReviewState.SENT,
                    ReviewState.REJECTED,
                    MOST_DECIDED,
                ),
            )
        return self.get(review_id)

    def _waiting(self, review_id: int) -> Review:
        held = self.get(review_id)
        if held.state is not ReviewState.PENDING:
            raise ReviewNotFound(f"review {review_id} is {held.state} already, by {held.decided_by}")
        return held

    def _rows(self, where: str, *values: object) -> list[Review]:
        with self._explained():
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM reviews WHERE {where}",  # noqa: S608 - ours, never a caller's
                values,
            ).fetchall()
        return [_review(row) for row in rows]

    def _now(self) -> float:
        return self._clock.now().timestamp()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SafetyError(
                f"the review queue {self._path or 'in memory'} cannot be used ({error}): free space, or mend "
                "the file"
            ) from None


def _digest(action: Action, account: str) -> bytes:
    return blake2b(msgspec.json.encode((account, action.name, action)), digest_size=16).digest()


def _review(row: tuple[Any, ...]) -> Review:
    number, at, account, pool, owner, action, parameters, reasons, state, decided_at, by, note = row
    return Review(
        id=number,
        at=datetime.fromtimestamp(at, UTC),
        account_id=account,
        pool_id=pool,
        owner=owner,
        action=action,
        parameters=msgspec.json.decode(parameters),
        reasons=msgspec.json.decode(reasons, type=tuple[Reason, ...]),
        state=ReviewState(state),
        decided_at=None if decided_at is None else datetime.fromtimestamp(decided_at, UTC),
        decided_by=by,
        note=note,
    )
