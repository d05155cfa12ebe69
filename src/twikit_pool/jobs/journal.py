"""What is known of each job of a results file, in SQLite beside it.

A row is an intent (a write that is about to leave) or done. Each change is one committed statement, so it
survives the death of the process at any point.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from twikit_pool.accounts.private_files import PRIVATE_FILE
from twikit_pool.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    line INTEGER NOT NULL,
    digest BLOB,             -- of the job; NULL when only its result line is known
    run INTEGER NOT NULL,    -- the last run that read it
    outcome TEXT,            -- NULL is an intent
    ends INTEGER,            -- where its line in the results file ends, in bytes
    if_lost BLOB             -- the result line to write should the intent never end
) WITHOUT ROWID
"""
_BATCH: Final = 5_000
"""Jobs marked as read in one transaction: losing these marks costs nothing, they are for this run."""


class Entry(NamedTuple):
    """A job that the journal knows. `digest` is None when only its result line is known."""

    line: int
    digest: bytes | None
    run: int


class Journal:
    """The journal at `path`, held by one process at a time. Made if it does not exist.

    Raises, in all its methods:
        ResultsError: another run holds it, it is damaged, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved_marks = 0
        with self._explained():
            # SQLite gives its other files the permissions of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            with self._explained():
                self._set_up()
                self.run: int = self._one("SELECT coalesce(max(run), 0) + 1 FROM jobs")
                """The number of this run over this journal."""
        except ResultsError:
            self._database.close()
            raise

    def _set_up(self) -> None:
        database = self._database
        # Held until closed, and let go by the system if the process dies: no lock file can be left behind.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Not WAL: what is committed must lie in this very file, for people move and copy it with the results.
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN IMMEDIATE")
        version = self._one("PRAGMA user_version")
        if version not in (0, _VERSION):
            raise ResultsError(f"{self._path} was written by a newer version; update twikit-pool")
        database.execute(_SCHEMA)
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")

    def close(self) -> None:
        """Let the next run have it."""
        with self._explained():
            self._commit()
            self._database.close()

    @property
    def accounted(self) -> int:
        """Bytes of the results file whose lines are all in here."""
        return self._one("SELECT coalesce(max(ends), 0) FROM jobs")

    def find(self, job_id: str) -> Entry | None:
        """What is known of a job."""
        with self._explained():
            row = self._database.execute(
                "SELECT line, digest, run FROM jobs WHERE id = ?", (job_id,)
            ).fetchone()
        return None if row is None else Entry(*row)

    def mark_read(self, job_id: str) -> None:
        """This run has come across a job that is done."""
        with self._explained():
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
            self._database.execute("UPDATE jobs SET run = ? WHERE id = ?", (self.run, job_id))
            self._unsaved_marks += 1
            if self._unsaved_marks >= _BATCH:
                self._commit()

    def intend(self, job_id: str, line: int, digest: bytes, if_lost: bytes) -> None:
        """A write is about to leave."""
        with self._explained():
            self._database.execute(
                "INSERT INTO jobs (id, line, digest, run, if_lost) VALUES (?, ?, ?, ?, ?)",
                (job_id, line, digest, self.run, if_lost),
            )
            self._commit()

    def withdraw(self, job_id: str) -> None:
        """X certainly did not take the write; the job is as if it had never been tried."""
        with self._explained():
            self._database.execute("DELETE FROM jobs WHERE id = ? AND outcome IS NULL", (job_id,))
            self._commit()

    def finish(self, job_id: str, line: int, digest: bytes, outcome: str, ends: int) -> None:
        """The job's result line is in the results file and ends at this byte."""
        self._finish(job_id, line, digest, self.run, outcome, ends)

    def adopt(self, job_id: str, line: int, outcome: str, ends: int) -> None:
        """As `finish`, of an earlier run's job whose result line is all there is."""
        self._finish(job_id, line, None, self.run - 1, outcome, ends)

    def _finish(
        self, job_id: str, line: int, digest: bytes | None, run: int, outcome: str, ends: int
    ) -> None:
        with self._explained():
            self._database.execute(
                "INSERT INTO jobs (id, line, digest, run, outcome, ends) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE "
                "SET outcome = excluded.outcome, ends = excluded.ends, if_lost = NULL",
                (job_id, line, digest, run, outcome, ends),
            )
            self._commit()

    def lost(self) -> list[tuple[str, int, bytes]]:
        """Intents that never ended: id, line and the result line to write."""
        with self._explained():
            return self._database.execute(
                "SELECT id, line, if_lost FROM jobs WHERE outcome IS NULL ORDER BY line"
            ).fetchall()

    def outcomes(self) -> Counter[str]:
        """How many jobs ended how, in all runs."""
        with self._explained():
            rows = self._database.execute(
                "SELECT outcome, count(*) FROM jobs WHERE outcome IS NOT NULL GROUP BY outcome"
            ).fetchall()
        return Counter(dict(rows))

    def _commit(self) -> None:
        if self._database.in_transaction:
            self._database.execute("COMMIT")
        self._unsaved_marks = 0

    def _one(self, question: str) -> int:
        with self._explained():
            return self._database.execute(question).fetchone()[0]

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise ResultsError(
                    f"another run is using {self._path}: wait for its end, or give this one other --results"
                ) from None
            raise ResultsError(
                f"the journal {self._path} cannot be used ({error}): free space or mend it"
            ) from None
        except sqlite3.DatabaseError as error:
            raise ResultsError(
                f"the journal {self._path} is damaged ({error}): keep it and the results for a look, and "
                "give other --results"
            ) from None
        except OSError as error:
            raise ResultsError(f"the journal {self._path} cannot be made: {error.strerror}") from None
