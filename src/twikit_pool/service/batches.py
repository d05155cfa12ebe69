"""Batches of jobs: kept on disk, carried out over the pools, gone on with after a restart or a kill.

What was acknowledged is on disk by then. Each batch has a results file with its journal (see
`twikit_pool.jobs.results`), so a write whose fate a kill left open is told as ambiguous and not sent again.
The idempotency key of a submission is kept with the batch, so it holds over a restart too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder
from twikit_pool.errors import ConfigError, PoolClosed, PoolError, PoolOverloadedError, ResultsError
from twikit_pool.pool.rounds import Rounds
from twikit_pool.service import batch_record
from twikit_pool.service.batch import Batch
from twikit_pool.service.batch_record import ENDED, BatchRecord
from twikit_pool.service.idempotency import HEADER, LONGEST_KEY, KeyRefused
from twikit_pool.service.sections import JobSettings

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.clock import Clock
    from twikit_pool.manager import TwikitConnectionPoolManager
    from twikit_pool.service.batch_input import GivenJobs

logger = logging.getLogger(__name__)

LOCK: Final = "lock"

TIDY_EVERY: Final = 60.0
"""Seconds between two looks for batches that have been kept for long enough."""


class Batches:
    """All batches; entered while the service runs.

    Args:
        settings: where they are kept, and how many. Without a folder none are taken.
        manager: whose pools carry them out.
        clock: the time.
    """

    def __init__(self, settings: JobSettings, manager: TwikitConnectionPoolManager, clock: Clock) -> None:
        self.settings: Final = settings
        self._manager = manager
        self._clock = clock
        self._batches: dict[str, Batch] = {}
        self._keys: dict[str, Batch] = {}
        self._rounds = Rounds("batches")
        self._lock: int | None = None
        self._ending = False

    async def __aenter__(self) -> Self:
        """Take up what is kept, and go on with what has not ended.

        Raises:
            ConfigError: the folder cannot be used, or another service uses it.
        """
        folder = self.settings.folder
        if folder is not None:
            self._rounds.refuse_twice()
            try:
                make_private_folder(folder)
                self._lock = _held(folder)
                records = list(batch_record.load(folder))
            except OSError as error:
                self._let_go()
                raise ConfigError(
                    f"jobs cannot be kept in {folder} (jobs.folder): {error.strerror}"
                ) from None
            for record in sorted(records, key=lambda each: (each.began, each.id)):
                self._enter(Batch(record, folder, self._clock, self._manager.events.publish))
            self._tidy()
            for batch in self._batches.values():
                if not batch.over:
                    self._begin(batch)
            self._rounds.begin(self._go_round())
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.end(self.settings.grace)
        finally:
            try:
                await self._rounds.end()
            finally:
                self._let_go()

    def _let_go(self) -> None:
        """Let another service have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def end(self, patience: float) -> None:
        """Let calls in flight end within so many seconds, and save everything; the rest goes on next time."""
        self._ending = True
        tasks = [each.task for each in self._batches.values() if each.task is not None and not each.over]
        for batch in self._batches.values():
            if not batch.over:
                batch.interrupt(patience)
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    # ------------------------------------------------------------ what there is

    def all(self, pool_id: str) -> list[Batch]:
        """Those of a pool, the latest first."""
        return [each for each in reversed(self._batches.values()) if each.record.pool_id == pool_id]

    def find(self, pool_id: str, batch_id: str) -> Batch | None:
        """The one of this id, if the pool has it."""
        batch = self._batches.get(batch_id)
        return batch if batch is not None and batch.record.pool_id == pool_id else None

    @property
    def running(self) -> int:
        """How many run."""
        return sum(not each.over for each in self._batches.values())

    # ------------------------------------------------------------ what is done with them

    def submitted(self, owner: str, key: str, asked: str) -> Batch | None:
        """The batch that was submitted with this key before; None if there is none.

        Args:
            owner: whose key it is.
            key: what was sent as `Idempotency-Key`.
            asked: a digest of what is asked for.

        Raises:
            KeyRefused: the key is too long, or was used for something else.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise KeyRefused(detail=f"an {HEADER} has 1 to {LONGEST_KEY} characters")
        batch = self._keys.get(_key_of(owner, key))
        if batch is not None and batch.record.asked != asked:
            raise KeyRefused(detail=f"this {HEADER} was used for another batch: make a new one for each")
        return batch

    def submit(
        self,
        pool_id: str,
        jobs: GivenJobs,
        *,
        name: str = "",
        timeout: float | None = None,
        owner: str = "",
        key: str | None = None,
        asked: str = "",
    ) -> Batch:
        """Keep a batch and begin with it. It is on disk when this returns.

        Args:
            pool_id: which pool carries it out.
            jobs: what is to be done.
            name: what its owner calls it.
            timeout: seconds that each wait for an account may last; None for as long as it takes.
            owner: whose key it is.
            key: the same key finds this batch, as long as it is kept.
            asked: a digest of what was asked for with the key.

        Raises:
            PoolError: the service keeps no jobs.
            PoolClosed: it ends.
            PoolOverloadedError: too many batches run.
            ResultsError: it cannot be written; nothing was begun.
        """
        folder = self._kept_in()
        self._refuse_more()
        self._tidy()
        now = self._clock.now()
        record = BatchRecord(
            id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
            pool_id=pool_id,
            jobs=jobs.count,
            began=now,
            name=name,
            timeout=timeout,
            key=None if key is None else _key_of(owner, key),
            asked=asked,
        )
        batch_record.create(folder, record, jobs.lines)
        batch = Batch(record, folder, self._clock, self._manager.events.publish)
        self._enter(batch)
        self._begin(batch)
        return batch

    def resume(self, batch: Batch) -> None:
        """Go on with one that was stopped or has failed; those of its jobs that have results are done.

        Raises:
            PoolError: it runs, or has nothing left to do.
            PoolClosed: the service ends.
            PoolOverloadedError: too many batches run.
        """
        if not batch.over:
            raise PoolError(
                f"batch {batch.record.id} is {batch.record.state}: only one that has ended goes on"
            )
        if batch.record.state == "done":
            raise PoolError(f"batch {batch.record.id} is done: each of its jobs has its result")
        self._refuse_more()
        batch.resume()
        self._begin(batch)

    def remove(self, batch: Batch) -> None:
        """Keep nothing of one that has ended.

        Raises:
            PoolError: it has not.
            ResultsError: it cannot be removed.
        """
        if not batch.over:
            raise PoolError(f"batch {batch.record.id} is {batch.record.state}: cancel it first")
        batch_record.remove(self._kept_in(), batch.record.id)
        del self._batches[batch.record.id]
        if batch.record.key is not None:
            del self._keys[batch.record.key]

    def _kept_in(self) -> Path:
        if self.settings.folder is None:
            raise PoolError(
                "this service has no place to keep jobs, so it takes none: give it one, as jobs.folder"
            )
        return self.settings.folder

    def _refuse_more(self) -> None:
        if self._ending or self._lock is None:
            raise PoolClosed("the service ends: ask it again when it is back")
        if self.running >= self.settings.max_batches:
            raise PoolOverloadedError(
                f"{self.running} batches run, and jobs.max_batches allows no more: wait until one has ended"
            )

    def _enter(self, batch: Batch) -> None:
        self._batches[batch.record.id] = batch
        if batch.record.key is not None:
            self._keys[batch.record.key] = batch

    def _begin(self, batch: Batch) -> None:
        batch.begin(
            self._manager.pool,
            grace=self.settings.grace,
            allow_engagement=self.settings.allow_engagement,
        )

    # ------------------------------------------------------------ what is kept for how long

    async def _go_round(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            self._tidy()

    def _tidy(self) -> None:
        """Let those go that ended long ago, and the oldest of too many."""
        ended = [each for each in self._batches.values() if each.over and each.record.state in ENDED]
        for batch in self._too_many(ended):
            try:
                self.remove(batch)
            except ResultsError as error:
                logger.warning("%s", error)  # it is tried again in the next round

    def _too_many(self, ended: Iterable[Batch]) -> list[Batch]:
        now, latest_first = self._clock.now(), sorted(ended, key=_end_of, reverse=True)
        return [
            each
            for number, each in enumerate(latest_first, 1)
            if number > self.settings.max_kept
            or (now - (each.record.ended or now)).total_seconds() >= self.settings.keep_for
        ]


def _end_of(batch: Batch) -> float:
    return (batch.record.ended or batch.record.began).timestamp()


def _key_of(owner: str, key: str) -> str:
    return sha256(f"{owner}\n{key}".encode()).hexdigest()


def _held(folder: Path) -> int:
    """A descriptor that holds the folder against another service, until it is closed or we die.

    Raises:
        ConfigError: another service has it.
        OSError: it cannot be made.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(
                f"another service keeps its jobs in {folder}: give this one another folder, as jobs.folder"
            ) from None
    return descriptor
