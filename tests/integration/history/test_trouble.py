"""Disks that are full, files that are locked or damaged, servers that are gone, programs that are killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from benchmarks._silent_pool import account, silent_pool
from tests.unit.metrics.history.made import NOON, SetClock, calls_of, eventually, moment, point
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import HistoryDamaged, HistoryError
from twikit_pool.events import HistoryFailed, HistoryResumed
from twikit_pool.metrics import PoolCollector
from twikit_pool.metrics.history import DatabaseStore, History, Recorder
from twikit_pool.metrics.history import recorder as recorder_module
from twikit_pool.metrics.history.batch import Batch
from twikit_pool.pool import TwikitConnectionPool

INTERVAL = 0.05


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a minute of trouble is a second."""
    monkeypatch.setattr(recorder_module, "FLUSH", 0.05)
    monkeypatch.setattr(recorder_module, "LONGEST_PAUSE", 0.2)


@asynccontextmanager
async def recorded(history: History) -> AsyncIterator[tuple[TwikitConnectionPool, Recorder]]:
    """A pool whose intervals are kept as they come."""
    async with silent_pool([account(number) for number in range(3)]) as pool:
        collector = PoolCollector(pool, interval=INTERVAL)
        recorder = history.recorder(pool, collector)
        async with recorder, collector:
            yield pool, recorder


async def serve(pool: TwikitConnectionPool, leases: int = 20) -> None:
    for _ in range(leases):
        async with pool.acquire():
            await asyncio.sleep(0.005)


async def until(recorder: Recorder, *, failing: bool) -> None:
    await eventually(lambda: (recorder.failing is not None) is failing)


async def written(history: History) -> int:
    whole = await history.whole("default")
    return 0 if whole is None else whole.acquired


async def survives(history: History, trouble: Any, over: Any, caplog: LogCaptureFixture) -> None:
    """The pool serves before, in and after the trouble; what was done is kept, and all is told."""
    async with recorded(history) as (pool, recorder):
        with pool.events.subscribe(HistoryFailed, HistoryResumed) as told:
            await serve(pool)
            await asyncio.sleep(0.3)
            kept = await written(history)
            assert kept >= 15
            trouble()
            await until(recorder, failing=True)
            await serve(pool)
            assert (await history.series("default"))["at"], "there are figures all the while"
            over()
            await until(recorder, failing=False)
            await serve(pool)
        kinds = [type(each) for each in told.take()]
        assert kinds[0] is HistoryFailed
        assert kinds[-1] is HistoryResumed
    assert await written(history) == 60
    assert recorder.lost == 0
    assert "the pools go on" in caplog.text
    await history.aclose()


async def test_a_disk_that_is_full_for_a_while(tmp_path: Path, caplog: LogCaptureFixture) -> None:
    path = tmp_path / "history.db"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        size = max(each.stat().st_size for each in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8_192, hard))

    try:
        await survives(
            History(path), fill, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)), caplog
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert check(path) == "ok"


def set_aside(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if ".damaged-" in each.name]


def check(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    made = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if os.geteuid() == 0
        else None
    )
    if made is None or made.returncode:
        pytest.skip("no small disk can be mounted here: that needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_a_real_disk_without_room(tmp_path: Path, caplog: LogCaptureFixture) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder):
        ballast = folder / "ballast"

        def fill() -> None:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4_096):
                        pass
                except OSError:
                    pass

        await survives(History(folder / "history.db"), fill, ballast.unlink, caplog)
    assert "full" in caplog.text


async def test_a_file_that_another_program_has_locked(
    tmp_path: Path, caplog: LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.3)
    others: list[sqlite3.Connection] = []

    def lock() -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        others.append(other)

    def unlock() -> None:
        others[0].execute("ROLLBACK")
        others[0].close()

    await survives(History(path), lock, unlock, caplog)


async def test_a_file_that_is_damaged_is_set_aside(tmp_path: Path, caplog: LogCaptureFixture) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"this is no database, and was one" * 1_000)
    history = History(path)
    async with recorded(history) as (pool, recorder):
        await serve(pool)
        await asyncio.sleep(0.5)
        assert recorder.failing is None
    assert await written(history) == 20
    await history.aclose()
    [aside] = set_aside(tmp_path)
    assert aside.read_bytes().startswith(b"this is no database")
    assert f"it is kept as {aside}, and a new one was begun" in caplog.text


def damage(path: Path) -> None:
    """All but the first page, in which the tables are told of."""
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xff" * (path.stat().st_size - 8_192))


async def test_a_file_that_is_damaged_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = DatabaseStore(path)
    batch = Batch(
        writer="w", number=1, at=NOON, points=[("a", point(NOON + number)) for number in range(400)]
    )
    await store.write(batch)
    await store.settle()
    await store.aclose()
    damage(path)
    more = Batch(writer="w", number=2, at=NOON, points=[("a", point(NOON + 5_000))])
    with pytest.raises(HistoryDamaged, match="malformed"):
        await store.write(more)
    assert [str(each) for each in set_aside(tmp_path)] == []
    aside = await store.set_aside()
    assert aside in map(str, set_aside(tmp_path))
    await store.write(more)
    await store.aclose()
    assert check(path) == "ok"


async def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    store = DatabaseStore(path)
    with pytest.raises(HistoryError, match="another program's database"):
        await store.write(Batch(writer="w", number=1, at=NOON, points=[("a", point(NOON))]))
    await store.aclose()
    assert check(path) == "ok"
    assert set_aside(tmp_path) == []


async def test_a_server_that_is_gone_for_a_while(
    empty_postgres: tuple[str, Any], caplog: LogCaptureFixture
) -> None:
    url, server = empty_postgres
    if server is None:
        pytest.skip("the server is not the tests' own, so they do not stop it")
    await survives(History(url), server.stop, server.start, caplog)


KILLED = """
import asyncio, sys
from tests.unit.metrics.history.made import NOON, point
from twikit_pool.metrics.history import DatabaseStore
from twikit_pool.metrics.history.batch import Batch

async def main():
    store = DatabaseStore(sys.argv[1])
    for number in range(1, 100_000):
        made = point(NOON + 10 * number, responses=[0.1])
        await store.write(Batch(writer="w", number=number, at=NOON, points=[("a", made)]))
        print(number, flush=True)

asyncio.run(main())
"""


def killed_after(url: str, batches: int) -> int:
    """How many batches a program was told to have written before it was killed."""
    command = [sys.executable, "-c", KILLED, url]
    acknowledged = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as running:
        assert running.stdout is not None
        while acknowledged < batches:
            acknowledged = int(running.stdout.readline())
        running.send_signal(signal.SIGKILL)
        return int((running.stdout.read().split() or [acknowledged])[-1])


async def test_i11_what_was_written_survives_kill_9(url: str) -> None:
    acknowledged = await asyncio.to_thread(killed_after, url, 150)
    history = History(url, clock=SetClock(NOON + 10 * acknowledged + 60))
    for step in (10, 60, 3600):
        columns = await history.series("a", since=moment(NOON), step=step, figures=["calls"])
        assert round(calls_of(columns)) in (acknowledged, acknowledged + 1), step
    await history.aclose()


async def test_figures_from_before_a_restart_are_read_after_it(url: str) -> None:
    history = History(url, clock=SYSTEM_CLOCK)
    for _ in range(2):
        await history.aclose()
        history = History(url, clock=SYSTEM_CLOCK)
        async with recorded(history) as (pool, _recorder):
            await serve(pool)
            pool.suspend()
            pool.resume()
    assert await written(history) == 40
    types = [each.type for each in (await history.events("default", kind="pool")).items]
    assert (types.count("pool_suspended"), types.count("pool_resumed")) == (2, 2)
    await history.aclose()
