"""What is kept of a batch on disk, in a private folder of its own.

    batch.json       what it is, and how far it came
    jobs.jsonl       its jobs, as they were given
    results.jsonl    its results, and beside it their journal

The folder appears whole or not at all: it is filled under another name first. So a batch that was
acknowledged is there after a kill, and one that was not leaves nothing but what the next start sweeps away.
"""

from __future__ import annotations

import logging
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from twikit_pool.accounts.private_files import create_private, make_private_folder, replace_private
from twikit_pool.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

State: TypeAlias = Literal["running", "stopping", "done", "stopped", "failed"]
"""done: every job has a result. stopped: it was cancelled. failed: it cannot go on; `reason` says why."""

ENDED: Final = frozenset[State]({"done", "stopped", "failed"})

RECORD: Final = "batch.json"
JOBS: Final = "jobs.jsonl"
RESULTS: Final = "results.jsonl"
NEW: Final = ".new-"
"""How the name of a folder begins that is not whole."""


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A batch.

    Attributes:
        id: names it.
        pool_id: the pool that carries it out.
        jobs: how many it has.
        began: when it was submitted, in UTC.
        name: what its owner calls it.
        timeout: seconds that each wait for an account may last; None for as long as it takes.
        state: how far it came.
        reason: why it failed.
        ended: when it ended, in UTC.
        outcomes: how many of its jobs ended how; told when it has ended.
        rejected: jobs that cannot be run any more, since the program was changed; told when it has ended.
        key: a digest of the idempotency key that it was submitted with, and of whose it is.
        asked: a digest of what was asked with that key.
    """

    id: str
    pool_id: str
    jobs: int
    began: datetime
    name: str = ""
    timeout: float | None = None
    state: State = "running"
    reason: str = ""
    ended: datetime | None = None
    outcomes: dict[str, int] = {}
    rejected: int = 0
    key: str | None = None
    asked: str = ""


def create(folder: Path, record: BatchRecord, lines: bytes) -> None:
    """Keep a new batch, for good once this returns.

    Raises:
        ResultsError: it cannot be written; nothing is left of it.
    """
    new = folder / f"{NEW}{record.id}"
    try:
        make_private_folder(new)
        create_private(new / JOBS, lines)
        create_private(new / RECORD, msgspec.json.encode(record))
        new.rename(folder / record.id)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise ResultsError(
            f"the batch cannot be kept in {folder}: {error.strerror}; nothing was started"
        ) from None


def save(folder: Path, record: BatchRecord) -> None:
    """Keep how far it came. A full disk is logged: it stops no batch, and keeps none from stopping."""
    try:
        replace_private(folder / record.id / RECORD, msgspec.json.encode(record))
    except OSError as error:
        logger.warning("batch %s is %s, which cannot be written: %s", record.id, record.state, error.strerror)


def remove(folder: Path, batch_id: str) -> None:
    """Keep nothing of it.

    Raises:
        ResultsError: it cannot be removed.
    """
    try:
        going = folder / f"{NEW}{batch_id}"
        (folder / batch_id).rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise ResultsError(f"batch {batch_id} cannot be removed: {error.strerror}") from None


def load(folder: Path) -> Iterator[BatchRecord]:
    """All that are kept, the oldest first; what is not whole is swept away.

    Raises:
        OSError: the folder cannot be read.
    """
    for place in sorted(each for each in folder.iterdir() if each.is_dir()):
        if place.name.startswith(NEW):
            shutil.rmtree(place, ignore_errors=True)
            continue
        try:
            record = msgspec.json.decode((place / RECORD).read_bytes(), type=BatchRecord)
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("%s is no batch, and left alone: %s", place, type(error).__name__)
            continue
        if record.id == place.name:
            yield record
        else:
            logger.warning("%s has the batch %s, and is left alone", place, record.id)
