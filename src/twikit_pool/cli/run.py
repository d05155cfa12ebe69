"""`twikit-pool run`: carry out a file of actions over all accounts."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Group, Parameter, validators
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.job_accounts import AccountChoice, sessions_of
from twikit_pool.cli.job_filter import job_filter
from twikit_pool.cli.plan import in_a_line, never_in_a_line, print_plan, survey_of
from twikit_pool.cli.progress import Meter, Way, show
from twikit_pool.cli.run_summary import print_summary
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.jobs import (
    WINDOW,
    Holdups,
    JobReader,
    JobRunner,
    Plan,
    Rejected,
    RejectsFile,
    ResultsFile,
    Summary,
    Survey,
    engagement,
    plan_of,
)
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.service.settings import load_settings

if TYPE_CHECKING:
    from collections import Counter

FAILED: Final = 1
REJECTED: Final = 3
REJECTS_SHOWN: Final = 5
"""Rejected lines that are shown on screen; all are in the file."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at what jobs wait for."""
MOST_CONNECTIONS: Final = 10_000
"""A run is for all accounts that there are."""

_ACCOUNTS = Group("Accounts (one of)", validator=validators.mutually_exclusive)


async def run(
    jobs: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    results: Path | None = None,
    store: Annotated[str | None, Parameter(group=_ACCOUNTS)] = None,
    cookies: Annotated[str | None, Parameter(group=_ACCOUNTS)] = None,
    sandbox: Annotated[int | None, Parameter(group=_ACCOUNTS)] = None,
    simulator: Annotated[str | None, Parameter(group=_ACCOUNTS)] = None,
    sandbox_faults: bool = True,
    window: int = WINDOW,
    timeout: float | None = None,
    progress: Way = "auto",
    plan: Annotated[bool, Parameter(negative=())] = False,
    allow_engagement: Annotated[bool, Parameter(negative=())] = False,
    override: str | None = None,
    config: Path | None = None,
) -> int:
    """Run a file of jobs, one JSON object a line, over all accounts.

    Run the same command again after an interruption to go on where it ended.

    Exit codes: 0 all is well; 1 some jobs failed or are ambiguous, or, with --plan, can never be done; 3 some
    lines were rejected, whatever became of the jobs; 130 and 143 interrupted.

    Args:
        jobs: the file, or - for standard input.
        results: where results go; JOBS.results.jsonl in this folder when not given, and
            JOBS.sandbox.results.jsonl when the accounts are simulated.
        store: the account store's path or URL; TWIKIT_POOL_STORE or your own when no accounts are named.
        cookies: a folder of cookie files, or a pattern such as 'cookies/*.json'.
        sandbox: so many accounts of a simulator that is made for this run.
        simulator: the address of a simulator that runs already.
        sandbox_faults: let some things go wrong in the sandbox.
        window: jobs read ahead; calls in flight are at most one an account.
        timeout: seconds that a job may wait for an account; as long as needed when not given.
        progress: how to show it; auto is live on a terminal and plain elsewhere.
        plan: send nothing; say how long the jobs would take, what decides that, and which can never be done.
        allow_engagement: run likes, reposts and follows too, which X forbids to automate. Simulated accounts
            need no leave.
        override: send posts whatever the content filter says; this is why, for the audit log.
        config: the file of settings, of which `[safety]` counts here; ./twikit-pool.toml or your own when not
            given.
    """
    choice = AccountChoice(
        cookies=cookies,
        store=store,
        sandbox=sandbox,
        sandbox_faults=sandbox_faults,
        simulator=simulator,
        engagement=allow_engagement,
    )
    for name, value, least in (("--window", window, 1), ("--sandbox", sandbox, 1), ("--timeout", timeout, 0)):
        if value is not None and not value >= least:
            raise ConfigError(f"{name} must be at least {least}, not {value:g}")
    # A try-out has results of its own: a real run that took them for its own would skip every job.
    name = ["" if jobs == "-" else Path(jobs).stem, "sandbox" if sandbox or simulator else ""]
    place = results or Path(".".join([part for part in name if part] + ["results.jsonl"]))
    rejected = place.with_name(f"{place.name}.rejects.jsonl")
    sizes = ConnectionPoolConfig(acquire_timeout=None, max_connections=MOST_CONNECTIONS)
    if plan:
        sizes = sizes.changed(min_connections=0, initial_connections=0)
    loaded = load_settings(file=config).settings
    with _opened(jobs, apart_from=(place, rejected)) as descriptor:
        async with sessions_of(choice) as sessions, TwikitConnectionPool(sessions, sizes) as pool:
            if not pool.account_ids:
                raise ConfigError(
                    "there are no accounts there: nothing was run; see `twikit-pool accounts list`"
                )
            if plan:
                pool.suspend()  # not even the check of an ill account is sent
            with ExitStack() as files:
                # A run that is not begun leaves no results behind.
                kept = files.enter_context(ResultsFile(place)) if place.exists() else None
                if plan or stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe is run as it arrives
                    screen = courteous(None if progress == "none" else sys.stderr, stderr=True)
                    survey = await survey_of(descriptor, pool, kept, screen)
                    foreseen = plan_of(survey, pool, choice.call_seconds)
                    if plan:
                        print_plan(foreseen, survey, engagement_is=choice.engagement_is)
                        return _planned(foreseen, survey, choice)
                    if survey.engaging and not choice.may_engage:
                        raise ConfigError(engagement.why_all_refused(survey.engaging))
                    screen.print(in_a_line(foreseen))
                    if never := never_in_a_line(foreseen):
                        screen.print(Text(never, "red"), soft_wrap=True)
                kept = kept or files.enter_context(ResultsFile(place))
                rejects = files.enter_context(RejectsFile(rejected))
                pool.guard = files.enter_context(
                    job_filter(loaded, simulated=choice.simulated, override=override)
                )
                runner = JobRunner(
                    pool, results=kept, window=window, timeout=timeout, allow_engagement=choice.may_engage
                )
                reader = JobReader(descriptor, accounts=set(pool.account_ids))
                return await _Run(pool, reader, runner, kept, rejects).to_the_end(progress)


def _planned(foreseen: Plan, survey: Survey, choice: AccountChoice) -> int:
    """The exit code of a plan."""
    if survey.rejected:
        return REJECTED
    return FAILED if foreseen.impossible or (survey.engaging and not choice.may_engage) else 0


class _Run:
    """A run in front of a person: shows it, listens for signals, sums it up."""

    def __init__(
        self,
        pool: TwikitConnectionPool,
        reader: JobReader,
        runner: JobRunner,
        results: ResultsFile,
        rejects: RejectsFile,
    ) -> None:
        self._pool = pool
        self._reader = reader
        self._runner = runner
        self._results = results
        self._rejects = rejects
        self._screen = courteous(sys.stderr, stderr=True)
        self._meter = Meter(runner=runner, reader=reader, pool=pool, clock=SYSTEM_CLOCK)
        self._holdups = Holdups(pool)
        self._signal: int | None = None

    async def to_the_end(self, progress: Way) -> int:
        """Run everything and return the exit code."""
        way = progress
        if way == "auto":
            way = "live" if self._screen.is_terminal else "plain"
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._interrupted, signum)
        began = SYSTEM_CLOCK.monotonic()
        summary = Summary()
        beside = [loop.create_task(self._look_for_holdups())]
        if way != "none":
            beside.append(loop.create_task(show(way, self._screen, self._meter.take)))
        try:
            async with aclosing(self._runner.run(self._reader)) as ended:
                async for each in ended:
                    if isinstance(each, Rejected):
                        self._reject(each)
                    else:
                        summary.add(each)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        print_summary(
            courteous(sys.stdout),
            summary=summary,
            runner=self._runner,
            seconds=SYSTEM_CLOCK.monotonic() - began,
            pool=self._pool,
            holdups=self._holdups,
            results=self._results,
            rejects=self._rejects,
        )
        if self._signal is not None:
            self._screen.print("Interrupted. Run the same command again to go on.", style="yellow")
            return 128 + self._signal
        return _exit_code(self._results.outcomes(), self._rejects.count)

    async def _look_for_holdups(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._holdups.look(self._runner.waiting, LOOK_EVERY)

    def _reject(self, rejected: Rejected) -> None:
        self._rejects.add(rejected)
        self._meter.rejected += 1
        if self._rejects.count <= REJECTS_SHOWN:
            self._screen.print(Text(f"line {rejected.line}: {rejected.error}", "red"), soft_wrap=True)
        elif self._rejects.count == REJECTS_SHOWN + 1:
            self._screen.print(Text(f"more lines are rejected, see {self._rejects.path}", "red"))

    def _interrupted(self, signum: int) -> None:
        if self._signal is not None:
            self._screen.show_cursor()
            os._exit(128 + signum)  # as consistent as a kill: the next run settles what is open
        self._signal = signum
        self._runner.stop()
        self._screen.print(
            "Stopping: calls in flight may end; again to leave at once.", style="yellow", soft_wrap=True
        )


def _exit_code(outcomes: Counter[str], rejected: int) -> int:
    """Of all jobs with a result, whichever run they ended in."""
    if rejected:
        return REJECTED
    return FAILED if outcomes.total() > outcomes["ok"] else 0


@contextmanager
def _opened(jobs: str, *, apart_from: Sequence[Path]) -> Generator[int]:
    if jobs == "-":
        if sys.stdin is None:
            raise ConfigError("standard input is closed: name a jobs file")
        yield sys.stdin.fileno()
        return
    if Path(jobs).resolve() in {path.resolve() for path in apart_from}:
        raise ConfigError(f"{jobs} would be written over by this run: give other --results")
    try:
        if Path(jobs).is_dir():
            raise ConfigError(f"{jobs} is a folder: name a jobs file in it")
        descriptor = os.open(jobs, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"the jobs file {jobs} cannot be read: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
