"""Reports over a real history, by the library, the command and the service."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.analytics.recorded import keep, opened
from tests.integration.cli.conftest import Program, home, program  # noqa: F401
from tests.integration.house import house
from tests.integration.service.served import served
from tests.unit.analytics.conftest import FAULTY
from tests.unit.analytics.weeks import Fleet, Week, rate_with_noon, week
from twikit_pool.analytics import Facts, PoolAnalytics, PoolReport
from twikit_pool.errors import ConfigError
from twikit_pool.manager import Automation, TwikitConnectionPoolManager
from twikit_pool.manager.integrations import AnalyticsSink
from twikit_pool.metrics.history import History
from twikit_pool.service.tokens import Scope

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def days() -> Week:
    return week(FAULTY, rate_with_noon, days=4, fleet=Fleet(bad_proxy="bad.example:3128", dying="account_30"))


@pytest.fixture(scope="module")
def kept(days: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.db"
    asyncio.run(keep(days, path))
    return path


async def test_a_report_is_that_of_what_was_recorded(days: Week, kept: Path) -> None:
    history = opened(kept)
    facts = Facts(config=FAULTY, accounts=40, proxies=days.fleet.proxies())
    analytics = PoolAnalytics(history, facts=lambda _: facts)
    assert isinstance(analytics, AnalyticsSink)
    report = await analytics.generate_pool_performance_report("default", timedelta(days=7))
    await history.aclose()
    assert report.throughput.calls == sum(each.calls for _, each in days.points)
    assert report.accounts.worn[0].account_id == "account_30"
    assert report.accounts.changes == len(days.events["account"])
    assert report.recommendations is not None
    assert {each.problem for each in report.recommendations} >= {"flapping", "account", "proxy"}
    assert 0.5 < report.availability.measured < 0.6  # 4 of 7 days
    exact = sorted(each for each in days.waits if each > 0)
    assert report.queue.p95 == pytest.approx(exact[int(0.95 * len(exact))], rel=0.02)


async def test_suggestions_can_be_left_out(kept: Path) -> None:
    history = opened(kept)
    report = await PoolAnalytics(history).generate_pool_performance_report(
        "default", timedelta(days=1), include_optimization_suggestions=False, plan={"search_tweet": 5}
    )
    await history.aclose()
    assert report.recommendations is None
    assert "need 90 accounts" in report.capacity[0].sentence


@pytest.mark.parametrize("timeframe", [timedelta(minutes=1), timedelta(days=400), -5.0])
async def test_timeframes_have_bounds(kept: Path, timeframe: timedelta | float) -> None:
    with pytest.raises(ConfigError, match="timeframe"):
        await PoolAnalytics(opened(kept)).generate_pool_performance_report("default", timeframe)


async def test_memory_alone_gives_a_report_without_accounts() -> None:
    report = await PoolAnalytics(History()).generate_pool_performance_report("default", 3600.0)
    assert any("nothing is known of the accounts" in each for each in report.notes)
    assert report.throughput.calls == 0


# ---------------------------------------------------------------- the command


def test_the_command_reads_the_history_itself(kept: Path, program: Program, home: Path) -> None:  # noqa: F811
    told = program("report", "--history", str(kept), "--last", "7d", "--plan", "search_tweet=5")
    assert told.returncode == 0, told.stderr
    assert "pool default" in told.stdout
    assert "need 90 accounts" in told.stdout
    written = program(
        *("report", "--history", str(kept), "--no-suggest"),
        *("--html", "r.html", "--json", "r.json", "--csv", "r.csv"),
    )
    assert written.returncode == 0, written.stderr
    [report] = json.loads((home / "r.json").read_text())
    assert report["recommendations"] is None
    assert (home / "r.html").read_text().startswith("<!doctype html>")
    assert next(csv.reader((home / "r.csv").read_text().splitlines())) == [
        "pool",
        "section",
        "item",
        "figure",
        "value",
    ]


def test_what_is_wrong_is_told(kept: Path, program: Program) -> None:  # noqa: F811
    for arguments, words in (
        (("--history", str(kept), "--last", "7x"), "is no timeframe"),
        (("--history", str(kept), "--pool", "none"), "it has default"),
        (("--history", "nowhere.db"), "there is no history nowhere.db"),
        (("--url", "http://127.0.0.1:1"), "TWIKIT_POOL_TOKEN is not set"),
    ):
        told = program("report", *arguments)
        assert told.returncode == 2, (arguments, told.stdout)
        assert words in told.stderr
        assert "Traceback" not in told.stderr


# ---------------------------------------------------------------- the service


async def test_the_service_makes_reports(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        await daemon.service.manager.pool("default").execute("search_tweet", query="x", count=1)
        daemon.service.manager.attendants.collector.collect()
        told = await http.get("/v1/pools/default/report?last=1h&plan=search_tweet=5")
        assert told.status_code == 200
        report = PoolReport.from_json(told.content)
        assert report.capacity[0].have == 3
        assert "SearchTimeline" in {each.endpoint for each in report.endpoints}
        again = PoolReport.from_json(
            (await http.get("/v1/pools/default/report?last=1h&plan=search_tweet=5")).content
        )
        assert again.made_at == report.made_at
        other = PoolReport.from_json((await http.get("/v1/pools/default/report?last=2h")).content)
        assert other.made_at > report.made_at
        page = await http.get("/v1/pools/default/report.html?last=1h")
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        table = await http.get("/v1/pools/default/report.csv?last=1h")
        assert table.headers["Content-Type"].startswith("text/csv")
        assert (await http.get("/v1/pools/none/report")).status_code == 404
        assert (await http.get("/v1/pools/default/report?last=7x")).status_code == 422
        assert (await http.get("/v1/pools/default/report?plan=nothing=1")).status_code == 422
    async with served(tmp_path / "b") as daemon, daemon.client(None) as http:
        assert (await http.get("/v1/pools/default/report")).status_code == 401


async def test_the_loop_turns_while_a_report_is_made(kept: Path, days: Week) -> None:
    history = opened(kept)
    facts = Facts(config=FAULTY, accounts=40, proxies=days.fleet.proxies())
    report = PoolAnalytics(history, facts=lambda _: facts).generate_pool_performance_report("default")
    task = asyncio.create_task(report)
    turns, longest, before = 0, 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.01)
        now = time.perf_counter()
        turns, longest, before = turns + 1, max(longest, now - before), now
    await task
    await history.aclose()
    assert turns > 5


async def test_a_sink_of_ones_own_takes_the_same_stream(tmp_path: Path) -> None:
    class Own:
        def __init__(self) -> None:
            self.seen: list[str] = []

        async def process_real_time_pool_metrics(self, metrics: object) -> None:
            self.seen.append(metrics.pool_id)  # type: ignore[attr-defined]

    async with house(accounts=2) as at:
        own = Own()
        history = History(tmp_path / "history.db")
        analytics = PoolAnalytics(history)
        async with TwikitConnectionPoolManager(
            at.sessions, automation=Automation(history=history)
        ) as manager:
            await manager.create_pool("mine", integrations=[own, analytics], shared=True)
            for _ in range(100):
                manager.attendants.collector.collect()
                await asyncio.sleep(0.01)
                if own.seen:
                    break
            assert own.seen[0] == "mine"
            assert analytics.live.unusual("mine") == []
        await history.aclose()
