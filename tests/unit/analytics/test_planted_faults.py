"""A week with faults planted in it, and one without."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.unit.analytics.conftest import FAULTY
from tests.unit.analytics.weeks import Week, rate_with_noon, week
from twikit_pool.analytics.making import report_of
from twikit_pool.analytics.report import PoolReport, Recommendation

MADE = datetime(2026, 3, 9, tzinfo=UTC)
pytestmark = pytest.mark.timeout(300)  # weeks are simulated call by call


@pytest.fixture(scope="module")
def found(faulty_week: Week) -> PoolReport:
    return report_of(faulty_week.recorded(), MADE)


@pytest.fixture(scope="module")
def clean(clean_week: Week) -> PoolReport:
    return report_of(clean_week.recorded(), MADE)


def by_problem(report: PoolReport) -> dict[str, Recommendation]:
    assert report.recommendations is not None
    return {each.problem: each for each in report.recommendations}


def test_each_fault_is_found(found: PoolReport) -> None:
    cures = by_problem(found)
    assert set(cures) == {"waits", "flapping", "account", "proxy"}
    assert cures["waits"].setting == "max_connections"
    assert cures["waits"].value >= found.scaling.peak_needed
    assert any("12:00 to 13:00" in each for each in cures["waits"].evidence)
    assert cures["account"].setting == "account account_30"
    assert "bad.example:3128" in cures["proxy"].title
    assert found.accounts.worn[0].account_id == "account_30"
    assert [each.proxy for each in found.accounts.proxies if each.suspect] == ["bad.example:3128"]
    assert not any(each.suspect for each in found.accounts.worn if each.account_id != "account_30")


def test_what_is_recommended_is_clearly_better_when_replayed(found: PoolReport) -> None:
    for each in by_problem(found).values():
        main = each.effects[0]
        assert main.after < main.before
        assert main.low <= main.high < 0
        assert each.days == 7
        assert "90%" in each.uncertainty


def test_it_cures_the_pool_itself(found: PoolReport) -> None:
    """Not in the replay: call by call."""
    cures = by_problem(found)
    changes = {cures[each].setting: cures[each].value for each in ("flapping", "waits")}
    cured = week(FAULTY.changed(**changes), rate_with_noon, days=3, seed=2)
    after = report_of(cured.recorded(), MADE, suggest=False).scaling
    assert after.late is not None
    assert found.scaling.late is not None
    assert after.late < 0.1 * found.scaling.late
    assert after.flaps_a_day < 0.1 * found.scaling.flaps_a_day


def test_the_replay_is_near_what_was_recorded(found: PoolReport) -> None:
    for each in by_problem(found)["waits"].effects[:1]:
        assert each.recorded is not None
    late = by_problem(found)["flapping"].effects[1]
    assert late.recorded is not None
    assert late.before == pytest.approx(late.recorded, rel=0.25)


def test_equal_recordings_give_equal_reports(faulty_week: Week, found: PoolReport) -> None:
    assert report_of(faulty_week.recorded(), MADE) == found


def test_a_clean_week_is_left_alone(clean: PoolReport) -> None:
    assert clean.recommendations == []
    assert clean.anomalies == []
    assert all(each.direction == "flat" for each in clean.trends)
    assert clean.scaling.waste is not None
    assert 0 < clean.scaling.waste < 0.5
    assert clean.notes == []


def test_percentiles_of_merged_hours_are_right_to_two_percent(clean_week: Week, clean: PoolReport) -> None:
    waits = sorted(each for each in clean_week.waits if each > 0)
    assert clean.queue.count == len(waits)
    for share, ours in ((0.5, clean.queue.p50), (0.9, clean.queue.p90), (0.99, clean.queue.p99)):
        exact = waits[max(0, -int(-share * len(waits) // 1) - 1)]
        assert ours == pytest.approx(exact, rel=0.02)


def test_the_next_day_is_expected_as_days_were(clean: PoolReport) -> None:
    forecast = clean.forecast
    assert forecast is not None
    assert len(forecast.hours) == 24
    assert forecast.hours[0].at == clean.until
    assert all(each.lower <= each.expected <= each.upper for each in forecast.hours)
    afternoon, night = forecast.hours[15], forecast.hours[3]
    assert afternoon.expected > 1.3 * night.expected
    assert forecast.enough


def test_too_few_days_say_nothing(clean_week: Week) -> None:
    recorded = clean_week.recorded(days=2)
    report = report_of(recorded, MADE)
    assert report.recommendations is None
    assert any("fewer than 3 days" in each for each in report.notes)


def test_nothing_at_all_is_a_report_too(clean_week: Week) -> None:
    empty = replace(
        clean_week.recorded(), minutes=[], hours=[], before=[], accounts=[], events={}, notes=["no accounts"]
    )
    report = report_of(empty, MADE)
    assert report.throughput.calls == 0
    assert report.forecast is None
    assert "nothing was recorded in this timeframe" in report.notes
    assert PoolReport.from_json(report.to_json()) == report


def test_json_holds_all_of_it(found: PoolReport) -> None:
    assert PoolReport.from_json(found.to_json()).scaling == found.scaling
