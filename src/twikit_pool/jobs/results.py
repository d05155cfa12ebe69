"""The results file and its journal: together they let a run that was stopped, or killed, go on.

The order of steps is what makes it safe. A write's intent is committed, the request leaves, the result line
is appended in one system call, then the journal marks the job done and how far the file is accounted for.
Whatever the step after which the process dies, the next start can tell what it was:

    no row, no line         the job was not sent (or only read something): it is run
    a row, no line          a write had perhaps left: reported as `ambiguous`, not sent again
    a whole line, no mark   the job is done: it is marked
    half a line             cut off; then as one of the first two
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder
from twikit_pool.errors import JobIdTaken, ResultsError
from twikit_pool.jobs.job import AMBIGUOUS, Job, JobError, JobResult
from twikit_pool.jobs.journal import Journal

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

LOST: Final = JobError(
    reason="the run ended while the request was under way, so X may or may not have carried it out; "
    "look on X before you send it again",
    taken="unknown",
)


class _Told(msgspec.Struct):
    """What is needed of a result line."""

    id: str
    line: int
    outcome: str


_told: Final = msgspec.json.Decoder(_Told)


class ResultsFile:
    """An append-only file of result lines, and its journal `<path>.journal`. Use it with `with`.

    Opening it settles what an earlier run left open. Both files are for their owner alone (0600).

    Args:
        path: the file; it and its folder are made if they do not exist.

    Raises, in all its methods:
        ResultsError: another run uses it, it and its journal do not fit, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal_path = path.with_name(path.name + ".journal")
        self.lost: int = 0
        """Writes of unknown fate that were found at the start, and reported as ambiguous."""
        try:
            with ExitStack() as undone:
                self._open(undone)
                self._settle()
                undone.pop_all()
        except OSError as error:
            raise ResultsError(f"{path} cannot be used: {error.strerror}") from None

    def _open(self, undone: ExitStack) -> None:
        make_private_folder(self.path.parent)
        if self.path.exists() and not self.path.is_file():
            raise ResultsError(f"{self.path} is no ordinary file: give other --results")
        if not self.journal_path.exists() and self.path.exists() and self.path.stat().st_size:
            raise ResultsError(
                f"{self.path} has no journal {self.journal_path.name} beside it, so nobody knows what was "
                "sent: put the journal back, or give other --results"
            )
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        undone.callback(os.close, self._descriptor)
        self._journal = Journal(self.journal_path)
        undone.callback(self._journal.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next run have both files."""
        os.close(self._descriptor)
        self._journal.close()

    # ------------------------------------------------------------ before a job

    def knows(self, job: Job) -> bool:
        """Whether there is a result for this job's id; unlike `has`, it notes nothing."""
        return self._journal.find(job.id) is not None

    def has(self, job: Job) -> bool:
        """Whether an earlier run has a result for the job; notes that this run has come across it.

        Raises:
            JobIdTaken: the id belongs to another job, of this run or an earlier one.
        """
        entry = self._journal.find(job.id)
        if entry is None:
            return False
        if entry.run == self._journal.run:
            raise JobIdTaken(
                f"the id {job.id!r} is used on line {entry.line} already; each job needs its own"
            )
        if entry.digest not in (None, job.digest):
            raise JobIdTaken(
                f"another job with the id {job.id!r} ran before, from line {entry.line}: the jobs file has "
                "changed; give this job a new id, or use other --results"
            )
        self._journal.mark_read(job.id)
        return True

    # ------------------------------------------------------------ during and after

    def intend(self, job: Job, account: str) -> None:
        """The job's write is about to leave, as this account."""
        if_lost = msgspec.json.encode(ambiguous(job, LOST, account=account))
        self._journal.intend(job.id, job.line, job.digest, if_lost)

    def withdraw(self, job: Job) -> None:
        """X certainly did not take the job's write."""
        self._journal.withdraw(job.id)

    def finish(self, job: Job, result: JobResult) -> None:
        """Append the job's result; from here on it is never run again."""
        self._append(msgspec.json.encode(result))
        self._journal.finish(job.id, job.line, job.digest, result.outcome, self._size)

    def outcomes(self) -> Counter[str]:
        """How many jobs ended how, in all runs."""
        return self._journal.outcomes()

    def _append(self, line: bytes) -> None:
        whole = line + b"\n"
        try:
            written = os.write(self._descriptor, whole)
        except OSError as error:
            raise ResultsError(f"{self.path} cannot be written: {error.strerror}; then run again") from None
        if written < len(whole):
            os.ftruncate(self._descriptor, self._size)  # or the next line would be glued to this half
            raise ResultsError(f"{self.path} took only part of a line: free some space, then run again")
        self._size += written

    # ------------------------------------------------------------ what an earlier run left

    def _settle(self) -> None:
        accounted = self._journal.accounted
        if os.fstat(self._descriptor).st_size < accounted:
            raise ResultsError(
                f"{self.path} is shorter than its journal says: put it back as it was, or remove "
                f"{self.journal_path.name} as well to begin anew"
            )
        self._size = accounted
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(accounted)
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, self._size)
                    break
                self._size += len(line)
                self._adopt(line)
        for job_id, number, line in self._journal.lost():
            self._append(line)
            self._journal.adopt(job_id, number, AMBIGUOUS, self._size)
            self.lost += 1

    def _adopt(self, line: bytes) -> None:
        try:
            told = _told.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ResultsError(
                f"{self.path} has a line that no run wrote, before byte {self._size}: take it out, or give "
                "other --results"
            ) from None
        self._journal.adopt(told.id, told.line, told.outcome, self._size)


def ambiguous(job: Job, why: JobError, *, account: str | None = None) -> JobResult:
    """The result of a write that X may or may not have carried out."""
    return JobResult(
        id=job.id,
        line=job.line,
        action=job.action.name,
        outcome=AMBIGUOUS,
        account=account or job.account,
        tags=job.tags,
        error=why,
    )
