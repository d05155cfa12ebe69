"""Running jobs over a pool, as many at once as can be served, and stopping without losing one.

async for result in run_jobs(pool, jobs):
    print(result.id, result.outcome)
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Final

import msgspec

from twikit_pool.errors import (
    EmergencyStopped,
    JobIdTaken,
    PoolClosed,
    PoolError,
    ResultsError,
    TwikitPoolError,
)
from twikit_pool.jobs.engagement import why_refused
from twikit_pool.jobs.failures import WITHOUT_A_CALL, result_of_failure, result_of_refusal
from twikit_pool.jobs.job import Job, JobError, JobResult, Rejected
from twikit_pool.jobs.lanes import Lanes
from twikit_pool.jobs.results import ResultsFile, ambiguous
from twikit_pool.pool.pool import TwikitConnectionPool
from twikit_pool.sessions.outcomes import CallFailed, Taken

WINDOW: Final = 4096
"""Jobs taken from the input that have not ended: what may start next is found among them."""

AT_A_TIME: Final = 100
"""Jobs taken before others have their turn: some milliseconds."""

GRACE: Final = 10.0
"""Seconds that calls in flight have to end when a run is stopped."""


class _Running:
    """A job that has its turn.

    Attributes:
        began: when, on the loop's clock.
        sent: whether a request of it is out, its fate not known yet.
        account: who sent it.
        kept: whether its result is.
        held_back: why its request was not let go.
    """

    __slots__ = ("account", "began", "held_back", "job", "kept", "sent", "task")

    def __init__(self, job: Job, began: float) -> None:
        self.job = job
        self.account = job.account
        self.began = began
        self.sent = False
        self.kept = False
        self.held_back: TwikitPoolError | None = None
        self.task: asyncio.Task[None] | None = None


class JobRunner:
    """One run of jobs over an open pool.

    Args:
        pool: does the work; it waits for accounts and rate limits as its settings say.
        results: keeps what becomes of each job, so that a later run can go on; None keeps nothing, and then
            ids are compared only among the jobs of the window.
        window: jobs taken from the input that have not ended, at most.
        timeout: seconds that each wait for an account may last, `math.inf` for as long as it takes; None
            takes the pool's.
        allow_engagement: run likes, reposts and follows too (`Action.engages`). X forbids automating them, so
            without this such a job is handed out as `Rejected` and nothing of it is sent.

    Attributes:
        taken: jobs taken from the input.
        skipped: jobs that an earlier run has the results of.
        retries: attempts beyond a job's first.
        outcomes: how many jobs ended how, in this run.
        undone: jobs that were taken but not sent, because the run was stopped.
    """

    def __init__(
        self,
        pool: TwikitConnectionPool,
        *,
        results: ResultsFile | None = None,
        window: int = WINDOW,
        timeout: float | None = None,
        allow_engagement: bool = False,
    ) -> None:
        self._pool = pool
        self._results = results
        self._window = max(window, 1)
        self._timeout = timeout
        self._allow_engagement = allow_engagement
        self._lanes = Lanes(pool.capacity)
        self._running: set[_Running] = set()
        self._lines: dict[str, int] = {}  # of the jobs in the window, by id
        self._ready: deque[JobResult | Rejected] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: BaseException | None = None
        self._refused: PoolError | None = None
        """Why the pool does not serve: the run ends with it, once calls in flight have ended."""
        self._feeding: asyncio.Task[None] | None = None
        self._stopping = False
        self._deadline: asyncio.TimerHandle | None = None
        self.taken = self.skipped = self.retries = self.undone = 0
        self.outcomes: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """Jobs that were taken and have not ended."""
        return len(self._lines)

    @property
    def waiting(self) -> list[Job]:
        """Jobs that have their turn and no request under way: they wait for an account or for calls."""
        return [running.job for running in self._running if not running.sent]

    @property
    def sending(self) -> int:
        """Jobs with a request under way."""
        return sum(running.sent for running in self._running)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    async def run(self, jobs: AsyncIterable[Job | Rejected]) -> AsyncGenerator[JobResult | Rejected]:
        """Run all jobs and yield each result once it is kept; rejected lines pass through.

        It may be called once. Close the generator (`contextlib.aclosing`) when you leave it early: what is
        under way is then cancelled, and writes that had left are kept as `ambiguous`.

        Raises:
            ResultsError: the results can no longer be kept. Everything stops; run again to go on.
            PoolClosed, EmergencyStopped: the pool serves nobody any more, or nothing of this urgency. Calls
                in flight have ended by then, as with `stop`.
        """
        if self._stopping:
            return
        self._feeding = asyncio.get_running_loop().create_task(self._feed(jobs))
        # Not at the end of its own work: one that is cancelled before its first step does none.
        self._feeding.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                while self._ready:
                    yield self._ready.popleft()
                    self._room.set()
                if self._failure is not None:
                    raise self._failure
                if self._feeding.done() and not self._lines:
                    if self._refused is not None:
                        raise self._refused
                    break
                self._changed.clear()
                await self._changed.wait()
        finally:
            await self._end_all()

    def stop(self, grace: float = GRACE) -> None:
        """Take no more jobs, let calls in flight end within `grace` seconds, and end the run.

        Jobs that have not been sent stay undone; a later run has them.
        """
        if self._stopping:
            return
        self._stopping = True
        if self._feeding is not None:
            self._feeding.cancel()
        self._lanes.send_home()
        for job_id in self._lines.keys() - {running.job.id for running in self._running}:
            self._forget(job_id)
        for running in self._running:
            if not running.sent and running.task is not None:
                running.task.cancel()
        self._deadline = asyncio.get_running_loop().call_later(grace, self._cancel_all)

    # ------------------------------------------------------------ taking jobs

    async def _feed(self, jobs: AsyncIterable[Job | Rejected]) -> None:
        number = 0
        try:
            async for item in jobs:
                number += 1
                if not number % AT_A_TIME:
                    await asyncio.sleep(0)
                if isinstance(item, Rejected):
                    self._hand_out(item)
                else:
                    self._take(item)
                while len(self._lines) + len(self._ready) >= self._window:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the input raises, run() raises
            self._failure = error

    def _take(self, job: Job) -> None:
        try:
            done = self._is_done(job)
        except JobIdTaken as error:
            self._hand_out(Rejected(line=job.line, id=job.id, error=str(error)))
            return
        if done:
            self.skipped += 1
            return
        if job.action.engages and not self._allow_engagement:
            self._hand_out(Rejected(line=job.line, id=job.id, error=why_refused(job.action)))
            return
        self.taken += 1
        self._lines[job.id] = job.line
        if self._lanes.enter(job):
            self._start(job)

    def _is_done(self, job: Job) -> bool:
        if job.id in self._lines:
            line = self._lines[job.id]
            raise JobIdTaken(f"the id {job.id!r} is used on line {line} already; each job needs its own")
        return self._results is not None and self._results.has(job)

    def _start(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        running = _Running(job, loop.time())
        self._running.add(running)
        running.task = loop.create_task(self._carry_out(running))
        running.task.add_done_callback(lambda task: self._over(running, task))

    def _over(self, running: _Running, task: asyncio.Task[None]) -> None:
        """A job's task has ended: its lane moves up."""
        self._running.discard(running)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
        following = self._lanes.leave(running.job)
        if following is not None:
            self._start(following)
        if not running.kept:
            self._forget(running.job.id)

    def _forget(self, job_id: str) -> None:
        """The job was not done, and no run will say so."""
        del self._lines[job_id]
        self.undone += 1
        self._room.set()
        self._changed.set()

    # ------------------------------------------------------------ one job

    async def _carry_out(self, running: _Running) -> None:
        job = running.job
        try:
            execution = await self._pool.perform(
                job.action,
                account=job.account,
                priority=job.priority,
                timeout=self._timeout,
                on_send=lambda account_id: self._about_to_send(running, account_id),
                on_refused=lambda: self._not_taken(running),
            )
        except CallFailed as failure:
            if running.held_back is None:
                self._keep(running, result_of_failure(job, failure))
            elif isinstance(running.held_back, ResultsError):
                raise running.held_back from None
        except (PoolClosed, EmergencyStopped) as error:
            self._keep_if_sent(running, "the connection was closed before X answered")
            if not self._stopping:
                self._refused = error
                self.stop()
        except WITHOUT_A_CALL as error:
            if not self._keep_if_sent(running, str(error)):
                self._keep(running, result_of_refusal(job, error))
        except asyncio.CancelledError:
            self._keep_if_sent(running, "the run was stopped before X answered")
            raise
        else:
            self._keep(
                running,
                JobResult(
                    id=job.id,
                    line=job.line,
                    action=job.action.name,
                    outcome="ok",
                    account=execution.account_id,
                    attempts=execution.attempts,
                    tags=job.tags,
                    result=execution.result,
                ),
            )

    def _keep_if_sent(self, running: _Running, reason: str) -> bool:
        """Whether it is a write that has left, of which nobody will know what became: that is kept."""
        lost = running.job.action.writes and running.sent
        if lost:
            why = JobError(reason=reason, taken=Taken.UNKNOWN.value)
            self._keep(running, ambiguous(running.job, why, account=running.account))
        return lost

    def _about_to_send(self, running: _Running, account_id: str) -> None:
        """The last moment before a request leaves: keep the intent, or hold the request back."""
        if self._stopping:
            running.held_back = PoolClosed("the run is stopping")
            raise running.held_back
        if self._results is not None and running.job.action.writes and not running.sent:
            try:
                self._results.intend(running.job, account_id)
            except ResultsError as error:
                running.held_back = error
                raise
        running.sent = True
        running.account = account_id

    def _not_taken(self, running: _Running) -> None:
        """X certainly did nothing: until another attempt leaves, it is as if the job had not been tried."""
        if self._results is not None and running.job.action.writes and running.sent:
            self._results.withdraw(running.job)
        running.sent = False

    def _keep(self, running: _Running, result: JobResult) -> None:
        seconds = round(asyncio.get_running_loop().time() - running.began, 4)
        result = msgspec.structs.replace(result, latency=seconds)
        if self._results is not None:
            self._results.finish(running.job, result)
        running.kept = True
        del self._lines[running.job.id]
        self.outcomes[result.outcome] += 1
        self.retries += max(result.attempts - 1, 0)
        self._hand_out(result)

    def _hand_out(self, item: JobResult | Rejected) -> None:
        self._ready.append(item)
        self._changed.set()

    # ------------------------------------------------------------ the end

    def _cancel_all(self) -> None:
        for running in self._running:
            if running.task is not None:
                running.task.cancel()

    async def _end_all(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._stopping = True
        self._lanes.send_home()
        if self._feeding is not None:
            self._feeding.cancel()
        self._cancel_all()
        tasks = [running.task for running in self._running if running.task is not None]
        if self._feeding is not None:
            tasks.append(self._feeding)
        if tasks:
            await asyncio.wait(tasks)


async def run_jobs(
    pool: TwikitConnectionPool,
    jobs: AsyncIterable[Job | Rejected],
    *,
    results: ResultsFile | None = None,
    window: int = WINDOW,
    timeout: float | None = None,
    allow_engagement: bool = False,
) -> AsyncGenerator[JobResult | Rejected]:
    """Run jobs over an open pool; arguments, results and errors as in `JobRunner`."""
    runner = JobRunner(
        pool, results=results, window=window, timeout=timeout, allow_engagement=allow_engagement
    )
    async with aclosing(runner.run(jobs)) as ended:
        async for each in ended:
            yield each
