"""One batch: its jobs run over the pool, its results read by whoever wants them, at any time."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.errors import PoolClosed, TwikitPoolError
from twikit_pool.events import BatchBegun, BatchEnded, BatchProgress, Event
from twikit_pool.jobs import JobReader, JobRunner, Rejected, ResultsFile
from twikit_pool.jobs.result_lines import ResultLines
from twikit_pool.redaction import without_frames
from twikit_pool.service import batch_record
from twikit_pool.service.batch_record import ENDED, JOBS, RESULTS, BatchRecord, State

if TYPE_CHECKING:
    from twikit_pool.clock import Clock
    from twikit_pool.pool import TwikitConnectionPool

logger = logging.getLogger(__name__)

KEEP_ALIVE: Final = 15.0
"""Seconds after which a stream in which nothing came has an empty line, so that nobody in between cuts it."""

AT_ONCE: Final = 256
"""Results that a stream sends in one piece, at most."""

TELL_EVERY: Final = 1.0
"""Seconds between two events about the progress of a batch."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the jobs of a batch are; these are all of them.

    Attributes:
        outcomes: how many have ended how.
        ended: how many have ended, which is the number of the latest result.
        running: with a request under way.
        waiting: for their turn, an account or a rate limit.
        undone: that were not sent, and will not be unless the batch is resumed.
        rejected: that cannot be run any more, since the program was changed.
    """

    outcomes: dict[str, int]
    ended: int
    running: int
    waiting: int
    undone: int
    rejected: int


class Batch:
    """A batch of jobs.

    Args:
        record: what is kept of it.
        folder: of all batches.
        clock: the time.
        publish: tells what happens to it.

    Attributes:
        record: what is kept of it.
        over: whether nothing more becomes of it in this process: it has ended, or the service does.
    """

    def __init__(
        self, record: BatchRecord, folder: Path, clock: Clock, publish: Callable[[Event], None]
    ) -> None:
        self.record = record
        self.over = record.state in ENDED
        self._folder = folder
        self._clock = clock
        self._publish = publish
        self._lines = ResultLines(folder / record.id / RESULTS)
        self._outcomes = Counter(record.outcomes)
        self._rejected = record.rejected
        self._runner: JobRunner | None = None
        self._grace = 0.0
        self._stopping = False
        self._why = ""
        """Why it cannot go on, if it cannot."""
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._telling: asyncio.TimerHandle | None = None
        self._told = -inf

    @property
    def task(self) -> asyncio.Task[None] | None:
        """In which it runs, if it does."""
        return self._task

    def counts(self) -> Counts:
        """Where its jobs are."""
        ended, runner = self._outcomes.total(), self._runner
        left = max(self.record.jobs - ended - self._rejected, 0)
        running = 0 if runner is None else runner.sending
        waiting = left - running if self.record.state == "running" else 0
        return Counts(
            outcomes=dict(self._outcomes),
            ended=ended,
            running=running,
            waiting=waiting,
            undone=left - running - waiting,
            rejected=self._rejected,
        )

    # ------------------------------------------------------------ running

    def begin(
        self, pool: Callable[[str], TwikitConnectionPool], *, grace: float, allow_engagement: bool
    ) -> None:
        """Carry it out, or go on with it, in a task of its own.

        Args:
            pool: finds the pool of a name.
            grace: seconds that calls in flight have to end when it is cancelled.
            allow_engagement: whether jobs may like, repost and follow.
        """
        self._grace, self.over, self._why = grace, False, ""
        self._stopping = self.record.state == "stopping"
        self._task = asyncio.get_running_loop().create_task(
            self._carry_out(pool, allow_engagement=allow_engagement), name="batch"
        )
        # Not at the end of its own work: one that is cancelled before its first step does none.
        self._task.add_done_callback(self._settle)
        self._publish(
            BatchBegun(
                pool_id=self.record.pool_id,
                at=self._clock.now(),
                batch_id=self.record.id,
                name=self.record.name,
                jobs=self.record.jobs,
            )
        )

    def cancel(self) -> None:
        """Send nothing more of it, let calls in flight end, and end it. Harmless when it has ended."""
        if self.record.state == "running":
            self._enter("stopping")
            self.interrupt(self._grace)

    def interrupt(self, grace: float) -> None:
        """As `cancel`, but it goes on when the service is back."""
        self._stopping = True
        if self._runner is not None:
            self._runner.stop(grace)

    def _enter(self, state: State, reason: str = "") -> None:
        if state in ENDED:
            self.record = msgspec.structs.replace(
                self.record,
                state=state,
                reason=reason,
                ended=self._clock.now(),
                outcomes=dict(self._outcomes),
                rejected=self._rejected,
            )
        else:
            self.record = msgspec.structs.replace(self.record, state=state, reason="", ended=None)
        batch_record.save(self._folder, self.record)

    def resume(self) -> None:
        """It is to go on: `begin` again."""
        self._enter("running")

    async def _carry_out(
        self, find: Callable[[str], TwikitConnectionPool], *, allow_engagement: bool
    ) -> None:
        place = self._folder / self.record.id
        try:
            with ResultsFile(place / RESULTS) as results:
                self._outcomes, self._rejected = results.outcomes(), 0
                self._notify()
                if not self._stopping:
                    pool = find(self.record.pool_id)
                    await self._run(pool, results, place / JOBS, allow_engagement=allow_engagement)
                self._outcomes = results.outcomes()
        except PoolClosed as error:
            if not self._stopping:  # else the service ends, and the pool with it
                self._why = str(error)
        except (TwikitPoolError, OSError) as error:
            self._why = str(error)
        except Exception as error:  # noqa: BLE001 - a boundary: who looks at the batch learns that it ended
            logger.warning("batch %s failed: %s", self.record.id, type(without_frames(error)).__name__)
            self._why = "an error that nobody foresaw; the service's log names it"
        finally:
            self._runner = None

    async def _run(
        self, pool: TwikitConnectionPool, results: ResultsFile, jobs: Path, *, allow_engagement: bool
    ) -> None:
        timeout = self.record.timeout
        self._runner = runner = JobRunner(
            pool,
            results=results,
            timeout=inf if timeout is None else timeout,
            allow_engagement=allow_engagement,
        )
        descriptor = os.open(jobs, os.O_RDONLY)
        try:
            async with aclosing(runner.run(JobReader(descriptor))) as ended:
                async for each in ended:
                    if isinstance(each, Rejected):
                        self._rejected += 1
                        logger.warning("batch %s, line %d: %s", self.record.id, each.line, each.error)
                    else:
                        self._outcomes[each.outcome] += 1
                    self._notify()
        finally:
            os.close(descriptor)

    def _settle(self, _task: asyncio.Task[None]) -> None:
        """It runs no more: say how it ended, unless it goes on when the service is back."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        if self._outcomes.total() + self._rejected >= self.record.jobs:
            self._enter("done")
        elif self.record.state == "stopping":
            self._enter("stopped")
        elif self._why:
            self._enter("failed", self._why)
        self.over = True
        self._wake_readers()
        if self.record.state in ENDED:
            counts = self.counts()
            self._publish(
                BatchEnded(
                    pool_id=self.record.pool_id,
                    at=self._clock.now(),
                    batch_id=self.record.id,
                    state=self.record.state,
                    reason=self.record.reason,
                    outcomes=counts.outcomes,
                    undone=counts.undone,
                )
            )

    # ------------------------------------------------------------ telling

    def _notify(self) -> None:
        """Something has become of a job."""
        self._wake_readers()
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_at(max(self._told + TELL_EVERY, loop.time()), self._tell)

    def _wake_readers(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _tell(self) -> None:
        self._telling, self._told = None, asyncio.get_running_loop().time()
        counts = self.counts()
        self._publish(
            BatchProgress(
                pool_id=self.record.pool_id,
                at=self._clock.now(),
                batch_id=self.record.id,
                jobs=self.record.jobs,
                ended=counts.ended,
                running=counts.running,
                waiting=counts.waiting,
                outcomes=counts.outcomes,
            )
        )

    # ------------------------------------------------------------ reading

    def results(self, after: int, limit: int) -> list[bytes]:
        """Results that ended after this number, each a JSON object that begins with its own.

        Raises:
            OSError: they cannot be read.
        """
        return self._lines.after(after).read(limit)

    async def follow(self, after: int) -> AsyncGenerator[bytes]:
        """Results after this number as lines, each as its job ends, until the batch is over.

        Raises:
            OSError: they cannot be read.
        """
        reader = self._lines.after(after)
        while True:
            over, news = self.over, self._news
            while lines := reader.read(AT_ONCE):
                yield b"\n".join([*lines, b""])
            if over:
                return
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await news.wait()
            except TimeoutError:
                yield b"\n"
