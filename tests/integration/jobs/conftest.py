from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from twikit_pool.accounts import Account, Credentials, MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.jobs import Job, Rejected
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.simulator import Simulator, SimulatorTransport

Open = Callable[[Simulator], AbstractAsyncContextManager[TwikitConnectionPool]]
Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def open_pool() -> Open:
    """A pool over all accounts of a simulator."""

    @asynccontextmanager
    async def open_over(x: Simulator) -> AsyncIterator[TwikitConnectionPool]:
        accounts = [Account(id=each.id, credentials=Credentials(cookies=each.cookies)) for each in x.accounts]
        backend = TwikitBackend(transport=lambda _account: SimulatorTransport(x.url))
        async with (
            TwikitSessionManager(MemoryAccounts(accounts), backend=backend) as sessions,
            TwikitConnectionPool(sessions, ConnectionPoolConfig(acquire_timeout=None)) as pool,
        ):
            yield pool

    return open_over


class Results(msgspec.Struct, frozen=True):
    """The results file, for tests to look at."""

    lines: list[dict[str, object]]

    @property
    def outcomes(self) -> dict[str, str]:
        """By job; fails when a job has two results."""
        ids = [str(line["id"]) for line in self.lines]
        assert len(set(ids)) == len(ids), "a job has more than one result"
        return {str(line["id"]): str(line["outcome"]) for line in self.lines}


@pytest.fixture
def results_in() -> Callable[[Path], Results]:
    def load(path: Path) -> Results:
        return Results(lines=[msgspec.json.decode(line) for line in path.read_bytes().splitlines()])

    return load


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """`twikit-pool run`, started in the test's folder; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from twikit_pool.cli import main; main()", "run", *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", "TWIKIT_POOL_HOME": str(tmp_path / "home")},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def in_turn() -> Callable[[Iterable[Job | Rejected]], AsyncIterator[Job | Rejected]]:
    async def one_by_one(jobs: Iterable[Job | Rejected]) -> AsyncIterator[Job | Rejected]:
        for job in jobs:
            yield job

    return one_by_one
