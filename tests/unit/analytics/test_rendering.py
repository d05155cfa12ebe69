from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.unit.analytics.weeks import Week
from twikit_pool.analytics.making import report_of
from twikit_pool.analytics.rendering import csv_of, html_of
from twikit_pool.analytics.report import PoolReport
from twikit_pool.analytics.spans import plan_of, span_of
from twikit_pool.errors import ConfigError

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def report(faulty_week: Week) -> PoolReport:
    return report_of(faulty_week.recorded(), datetime(2026, 3, 9, tzinfo=UTC), plan={"search_tweet": 5.0})


def test_a_page_needs_nothing_but_itself(report: PoolReport) -> None:
    page = html_of([report])
    assert not re.search(r"(?:src|href|url|@import)\s*[=(]", page.replace("</figure>", ""))
    assert "<script" not in page
    assert " style=" not in page  # the policy forbids it
    assert "default-src &#x27;none&#x27;" in page
    for words in ("max_connections", "bad.example:3128", "account_30", "need 90 accounts"):
        assert words in page


def test_what_others_have_named_is_no_markup(report: PoolReport) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    named = msgspec.structs.replace(report, pool_id=evil, notes=[evil])
    page = html_of([named])
    assert "<img" not in page
    assert "&lt;img" in page


def test_csv_has_a_figure_on_each_line(report: PoolReport) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of([report]))))
    calls = [each for each in rows if (each["section"], each["figure"]) == ("throughput", "calls")]
    assert [int(each["value"]) for each in calls] == [report.throughput.calls]
    hours = [each for each in rows if (each["section"], each["figure"]) == ("series", "load")]
    assert len(hours) == 168
    assert {each["pool"] for each in rows} == {"default"}
    assert any(each["section"] == "recommendations" and each["item"] == "max_connections" for each in rows)


def test_no_text_is_a_formula_of_a_spreadsheet(report: PoolReport) -> None:
    evil = msgspec.structs.replace(report, notes=["=HYPERLINK(1)", "@x", "-1+1"])
    values = [each["value"] for each in csv.DictReader(io.StringIO(csv_of([evil])))]
    assert "'=HYPERLINK(1)" in values
    assert "'@x" in values


def test_no_pools_are_a_page_too() -> None:
    assert "There are no pools" in html_of([])
    assert csv_of([]).splitlines() == ["pool,section,item,figure,value"]


def test_charts_are_files(report: PoolReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from twikit_pool.analytics.rendering.pictures import write_charts

    odd = msgspec.structs.replace(report, pool_id="../a b")
    written = write_charts(odd, tmp_path / "charts")
    assert {each.parent for each in written} == {tmp_path / "charts"}
    assert {each.suffix for each in written} == {".png", ".svg"}
    assert all(each.stat().st_size > 1_000 for each in written)


def test_a_pdf_is_set(report: PoolReport) -> None:
    pytest.importorskip("typst")
    pytest.importorskip("matplotlib")
    from twikit_pool.analytics.rendering.pdf import pdf_of

    marked = msgspec.structs.replace(report, pool_id='#panic("no markup")')
    assert pdf_of([marked]).startswith(b"%PDF")


def test_timeframes_and_plans_are_read() -> None:
    assert span_of("7d").days == 7
    assert span_of("90m").total_seconds() == 5_400
    assert span_of("2w").days == 14
    assert plan_of(["search_tweet=5", "post_tweet=0.1"]) == {"search_tweet": 5.0, "post_tweet": 0.1}
    for wrong in ("", "7", "d", "7y", "-1d", "1.5d", "9999999d"):
        with pytest.raises(ConfigError, match="timeframe"):
            span_of(wrong)
    with pytest.raises(ConfigError, match="no rate"):
        plan_of(["search_tweet"])
