"""The history in real databases: what is written is there, once, and right in every tier."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import sqlite

from tests.unit.metrics.history.made import NOON, SetClock, busy_point, calls_of, moment, point, times
from twikit_pool.errors import ConfigError, HistoryError
from twikit_pool.metrics import Histogram
from twikit_pool.metrics.history import FIGURES, AccountFigures, DatabaseStore, History, KeptEvent, Point
from twikit_pool.metrics.history.batch import AccountKey, Batch
from twikit_pool.metrics.history.connected import LATEST
from twikit_pool.metrics.history.figures import DAY, HOUR, MINUTE, TIERS
from twikit_pool.metrics.history.schema import accounts, events, metadata, points
from twikit_pool.metrics.history.spans import Span
from twikit_pool.metrics.history.statements import having


def event(
    at: float, kind: str = "scaling", account: str | None = None, pool: str = "a", **fields: Any
) -> KeptEvent:
    return KeptEvent(
        at=moment(at), kind=kind, type=f"{kind}_told", pool_id=pool, account_id=account, fields=fields
    )


class Writer:
    """Writes batches under rising numbers."""

    def __init__(self, store: DatabaseStore) -> None:
        self.store = store
        self.number = 0

    async def __call__(self, **what: Any) -> Batch:
        self.number += 1
        batch = Batch(writer="test", number=self.number, at=NOON, **what)
        await self.store.write(batch)
        return batch


def exact(values: list[float], share: float) -> float:
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


async def test_percentiles_of_any_range_are_right_after_a_restart_and_late_points(url: str) -> None:
    rng = random.Random(1)
    calls = [  # of three hours
        (NOON + 10.0 * (number + 1), [rng.lognormvariate(-1, 1) for _ in range(rng.randrange(9))])
        for number in range(3 * 360)
    ]
    late = calls[400:440]
    store = DatabaseStore(url)
    write = Writer(store)
    for first in range(0, len(calls), 90):
        some = [each for each in calls[first : first + 90] if each not in late]
        await write(points=[("a", point(ended, responses=taken)) for ended, taken in some])
        if first % 360 == 0:  # as another program would go on
            await store.aclose()
            store = write.store = DatabaseStore(url)
    await write(points=[("a", point(ended, responses=taken)) for ended, taken in reversed(late)])
    history = History(url, clock=SetClock(calls[-1][0] + 1))
    try:
        for begin, end in ((0, 3 * 360), (7, 1000), (400, 441), (355, 365), (0, 361), (719, 720)):
            whole = await history.whole("a", since=moment(NOON + 10 * begin), until=moment(NOON + 10 * end))
            values = [each for _, taken in calls[begin:end] for each in taken]
            assert whole is not None
            assert whole.calls == len(values), (begin, end)
            assert whole.seconds == pytest.approx(10 * (end - begin))
            for share in (0.5, 0.9, 0.95, 0.99):
                found = whole.response.histogram.quantile(share)
                assert found == pytest.approx(exact(values, share), rel=0.02), (begin, end, share)
        for step in (10, 50, 60, 300, 3600, 7200):
            columns = await history.series(
                "a", since=moment(NOON), step=step, figures=["calls", "response_p95", "response_average"]
            )
            counted = calls_of(columns)
            assert counted == pytest.approx(sum(len(taken) for _, taken in calls), abs=1e-2), step
            assert len(columns["at"]) == math.ceil(3 * HOUR / step)
    finally:
        await history.aclose()
        await store.aclose()


async def test_all_tiers_say_the_same(url: str) -> None:
    rng = random.Random(2)
    store = DatabaseStore(url)
    write = Writer(store)
    given = [
        busy_point(rng, NOON + 10.0 * number - rng.random(), rng.randrange(30)) for number in range(1, 721)
    ]
    jumped = [busy_point(rng, NOON + 100.0 + number) for number in range(20)]  # the clock is set back
    for some in (given[:300], given[300:500], jumped, given[500:]):
        await write(points=[("a", each) for each in some])
    found: dict[int, Point] = {}
    for tier in TIERS:
        placed = await store.reading.points("a", [Span(tier, NOON - HOUR, NOON + 3 * HOUR)])
        starts = [each.at for each in placed]
        assert starts == sorted(set(starts))
        found[tier] = Point.merged([each.point for each in placed])
    await store.aclose()
    whole = Point.merged([*given, *jumped])
    for tier, each in found.items():
        for name in Point.__struct_fields__:
            value, expected = getattr(each, name), getattr(whole, name)
            if isinstance(expected, float):
                assert value == pytest.approx(expected), (tier, name)
            elif name in ("acquisition", "queue", "response"):
                assert value.histogram == expected.histogram, (tier, name)
            else:
                assert value == expected, (tier, name)


async def test_a_batch_that_is_sent_again_counts_once(url: str) -> None:
    store = DatabaseStore(url)
    write = Writer(store)
    key = AccountKey("a", "ann", NOON)
    did = AccountFigures(calls=3, errors=1, response=times([0.1, 0.2, 0.3]))
    batch = await write(
        points=[("a", point(NOON + 5, responses=[1.0]))], accounts={key: did}, events=[event(NOON)]
    )
    await store.write(batch)
    await store.aclose()
    store = DatabaseStore(url)
    await store.write(batch)
    await store.write(replace(batch, writer="another"))
    history = History(url, clock=SetClock(NOON + HOUR))
    whole = await history.whole("a")
    assert whole is not None
    assert whole.calls == 2
    assert (await history.accounts("a"))["ann"].calls == 6
    assert len((await history.events("a")).items) == 2
    await history.aclose()
    await store.aclose()


async def test_accounts_are_added_up_by_hour_and_day(url: str) -> None:
    store = DatabaseStore(url)
    write = Writer(store)
    for hour in range(50):
        accounts = {
            AccountKey("a", f"account {number}", NOON + hour * HOUR): AccountFigures(
                calls=10, errors=number, response=times([0.1 * (number + 1)] * 10)
            )
            for number in range(5)
        }
        await write(accounts=accounts, days={"a": 7})
        await write(accounts={AccountKey("b", "account 0", NOON): next(iter(accounts.values()))})
    history = History(url, clock=SetClock(NOON + 50 * HOUR))
    found = await history.accounts("a", since=moment(NOON), until=moment(NOON + 50 * HOUR))
    assert {each.calls for each in found.values()} == {500}
    assert found["account 3"].errors == 150
    assert found["account 3"].response.histogram.quantile(0.5) == pytest.approx(0.4, rel=0.02)
    part = await history.accounts(
        "a", since=moment(NOON + HOUR), until=moment(NOON + 31 * HOUR), account_id="account 1"
    )
    assert {name: each.calls for name, each in part.items()} == {"account 1": 300}
    hours = await history.account_series("a", "account 2", since=moment(NOON))
    assert [each.calls for _, each in hours] == [10] * 50
    days = await history.account_series("a", "account 2", since=moment(NOON), by_day=True)
    assert [each.calls for _, each in days] == [120, 240, 140]
    assert (await history.accounts("b", since=moment(NOON)))["account 0"].calls == 500
    assert await history.pools() == ["a", "b"]
    await history.aclose()
    await store.aclose()


async def test_events_by_kind_account_and_time_in_pages(url: str) -> None:
    store = DatabaseStore(url)
    write = Writer(store)
    kinds = ("scaling", "account", "connection", "circuit")
    told = [
        event(
            NOON + number // 3, kinds[number % 4], f"ann {number % 5}" if number % 2 else None, number=number
        )
        for number in range(200)
    ]
    await write(events=told[:120])
    await write(events=told[120:])
    history = History(url, clock=SetClock(NOON + HOUR))
    seen: list[int] = []
    before = None
    while True:
        page = await history.events("a", limit=17, before=before)
        seen += [each.fields["number"] for each in page.items]
        before = page.next
        if before is None:
            break
    assert seen == list(range(199, -1, -1))
    circuits = await history.events("a", kind="circuit")
    assert {each.kind for each in circuits.items} == {"circuit"}
    assert len(circuits.items) == 50
    assert len((await history.events("a", kind="circuit_told")).items) == 50
    anns = await history.events(
        "a", account_id="ann 1", since=moment(NOON + 10), until=moment(NOON + 40), limit=1000
    )
    assert [each.fields["number"] for each in anns.items] == [
        number for number in range(119, 29, -1) if number % 2 and number % 5 == 1
    ]
    assert (await history.events("nobody's")).items == ()
    for wrong in ("x", "1-2-x", "nan-3", "1e400-1", "5--1"):
        with pytest.raises(ConfigError, match="next"):
            await history.events("a", before=wrong)
    await history.aclose()
    await store.aclose()


async def test_names_and_fields_of_any_kind_are_kept(url: str) -> None:
    store = DatabaseStore(url)
    write = Writer(store)
    name = "pöol\0 \udc80'; DROP TABLE"
    await write(
        points=[(name, point(NOON + 5, responses=[1.0], outcomes={"ok\0": 1}))],
        events=[
            event(NOON, pool=name, account="ä\0\ud800", text="\0 \ud800 🐦"),
            event(NOON, pool=name, text="x" * 99_999),
        ],
        accounts={AccountKey(name, "\0\ud800", NOON): AccountFigures(calls=1, errors=0, response=times([]))},
    )
    history = History(url, clock=SetClock(NOON + HOUR))
    whole = await history.whole(name)
    assert whole is not None
    assert whole.calls == 1
    long, short = (await history.events(name)).items
    assert short.fields["text"] == "\0 \ud800 🐦"
    assert "left_out" in long.fields
    await history.aclose()
    await store.aclose()


async def test_what_is_too_old_goes_a_little_at_a_time_and_nothing_else(url: str) -> None:
    store = DatabaseStore(url, weeks=2)
    write = Writer(store)
    now = NOON + 20 * DAY
    for day in range(20):
        at = NOON + day * DAY
        placed = [("a", point(at + 10 * number, responses=[0.5])) for number in range(1, 400)]
        await write(points=placed, days={"a": 7})
        await write(
            events=[event(at, "connection"), event(at, "scaling")],
            accounts={AccountKey("a", "ann", at): AccountFigures(calls=1, errors=0, response=times([]))},
        )
    steps = 0
    while await store.prune(now):
        steps += 1
    assert steps > 5
    for tier, days in ((10, 7), (MINUTE, 7), (HOUR, 14)):
        left = await store.reading.points("a", [Span(tier, NOON - DAY, now)], ())
        assert min(each.at for each in left) >= now - days * DAY - tier, tier
        assert max(each.at for each in left) >= now - 2 * DAY
    history = History(url, weeks=2, clock=SetClock(now))
    kinds = [each.kind for each in (await history.events("a", limit=1000)).items]
    assert (kinds.count("connection"), kinds.count("scaling")) == (7, 14)
    since = moment(NOON)
    assert len(await history.account_series("a", "ann", since=since)) == 7
    assert len(await history.account_series("a", "ann", since=since, by_day=True)) == 14
    columns = await history.series("a", since=since, step=120, figures=["calls"])
    assert min(at for at in columns["at"] if at is not None) < now - 13 * DAY, "hours where there is no more"
    assert (await history.accounts("a", since=since))["ann"].calls == 14
    await history.aclose()
    await store.aclose()


async def test_more_events_than_there_is_room_for_go_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twikit_pool.metrics.history.pruning.MOST_EVENTS", 100)
    store = DatabaseStore(url)
    await Writer(store)(events=[event(NOON + number, number=number) for number in range(1000)])
    while await store.prune(NOON + HOUR):
        pass
    async with store.connected.reading() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(events)) == 100
    await store.aclose()


async def test_the_file_gives_back_what_was_deleted(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    rng = random.Random(3)
    store = DatabaseStore(path)
    write = Writer(store)
    for first in range(0, 6000, 500):
        await write(points=[("a", busy_point(rng, NOON + 10 * n, 30)) for n in range(first, first + 500)])
    await store.settle()
    full = path.stat().st_size
    assert full > 2_000_000
    for _ in range(1000):
        if not await store.prune(NOON + 9 * DAY):
            break
    else:
        pytest.fail("it never ends")
    await store.settle()
    assert path.stat().st_size < full / 5
    async with store.connected.reading() as connection:
        assert (await connection.scalar(sa.select(sa.func.count()).select_from(points)) or 0) < 20
    await store.aclose()


async def test_a_day_later_the_file_is_as_large_as_before(tmp_path: Path) -> None:
    """Where as much comes as goes, it does not grow."""
    path = tmp_path / "history.db"
    rng = random.Random(4)
    made = [busy_point(rng, 0, 20) for _ in range(50)]
    store = DatabaseStore(path)
    write = Writer(store)
    sizes: list[int] = []
    for day in range(6):
        at = NOON + day * DAY
        for hour in range(24):
            begin = at + hour * HOUR
            batch = [("a", replaced(made[n % 50], begin + 60 * n)) for n in range(1, 61)]
            await write(points=batch, days={"a": 1})
        while await store.prune(at + DAY):
            pass
        await store.settle()
        sizes.append(path.stat().st_size)
    await store.aclose()
    assert max(sizes[2:]) < 1.3 * min(sizes[2:]), sizes


def replaced(made: Point, ended: float) -> Point:
    return Point(**{**{name: getattr(made, name) for name in Point.__struct_fields__}, "ended": ended})


async def test_the_tables_are_those_of_the_newest_migration(url: str) -> None:
    store = DatabaseStore(url)
    await Writer(store)(events=[event(NOON)])

    def differences(sync: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(
            sync,
            opts={
                "include_object": lambda _o, name, kind, *_: (
                    kind != "table" or name.startswith("twikit_pool_history")
                ),
                "version_table": "twikit_pool_history_version",
                "compare_type": True,
            },
        )
        return list(compare_metadata(context, metadata))

    async with store.connected.reading() as connection:
        found = await connection.run_sync(differences)
    await store.aclose()
    assert [each for each in found if "version" not in str(each)] == []
    config = Config()
    config.set_main_option("script_location", "src/twikit_pool/metrics/history/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == LATEST


async def test_rows_are_found_by_their_key_however_many_there_are(tmp_path: Path) -> None:
    """SQLite would read the whole table for a list of pairs."""
    store = DatabaseStore(tmp_path / "history.db")
    await Writer(store)(events=[event(NOON)])
    for table, keys in (
        (points, [(1, 10, NOON), (1, 10, NOON + 10), (2, 60, NOON)]),
        (accounts, [(1, HOUR, NOON, "ann"), (1, HOUR, NOON, "bob"), (1, DAY, NOON, "ann")]),
    ):
        query = sa.select(*table.primary_key).where(having(list(table.primary_key), keys))
        text = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        async with store.connected.reading() as connection:
            plan = [row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert any("SEARCH" in each for each in plan)
        assert not any("SCAN" in each for each in plan), plan
    await store.aclose()


async def test_every_figure_can_be_asked_for_and_no_other(url: str) -> None:
    store = DatabaseStore(url)
    await Writer(store)(points=[("a", busy_point(random.Random(5), NOON + 10))])
    history = History(url, clock=SetClock(NOON + 60))
    columns = await history.series("a", figures=list(FIGURES))
    assert set(columns) == {"at", "seconds", *FIGURES}
    assert {len(each) for each in columns.values()} == {1}
    assert columns["wanted"] == [None]
    assert columns["response_average"] != [None]
    with pytest.raises(ConfigError, match="no figure 'clls'"):
        await history.series("a", figures=["clls"])
    with pytest.raises(ConfigError, match="larger step"):
        await history.series("a", since=moment(NOON - 70 * DAY), step=10)
    with pytest.raises(ConfigError, match="0 seconds or more"):
        await history.series("a", step=-1)
    assert (await history.series("b"))["at"] == []
    assert (await history.series("a", since=moment(NOON + 2 * HOUR)))["at"] == []
    assert (await history.series("a", until=moment(NOON - DAY)))["at"] == []
    naive = (moment(NOON) - timedelta(hours=1)).replace(tzinfo=None)
    assert len((await history.series("a", since=naive))["at"]) == 1
    await history.aclose()
    await store.aclose()


async def test_wrong_places_are_refused_at_once_and_others_when_they_are_needed(tmp_path: Path) -> None:
    for wrong in ("", "mysql://x/y", "sqlite:///:memory:"):
        with pytest.raises(ConfigError):
            History(wrong)
    with pytest.raises(ConfigError, match="1 week at least"):
        History(tmp_path / "h.db", weeks=0)
    history = History("postgresql+psycopg://u:canary@127.0.0.1:1/x")
    assert "canary" not in history.name
    with pytest.raises(HistoryError, match="failed") as caught:
        await history.pools()
    assert "canary" not in str(caught.value)
    assert (await history.series("a"))["at"] == [], "what is in memory"
    await history.aclose()
    with pytest.raises(HistoryError, match="in memory alone"):
        await History().accounts("a")


def test_a_merged_histogram_is_that_of_all() -> None:
    rng = random.Random(6)
    parts = [[rng.random() for _ in range(rng.randrange(20))] for _ in range(9)]
    whole = Histogram()
    for each in parts:
        for value in each:
            whole.add(value)
    merged = Point.merged([point(NOON + number, responses=each) for number, each in enumerate(parts)])
    assert merged.response.histogram == whole
    assert merged.response.p95 == whole.quantile(0.95)
