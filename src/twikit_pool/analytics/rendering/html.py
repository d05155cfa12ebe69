"""A report as one HTML file: charts within, light and dark, no script, no request to anybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from twikit_pool.analytics.rendering.style import POLICY, STYLE
from twikit_pool.analytics.rendering.svg import DAYS, NOTHING, Band, Line, bars, chart, heat, number
from twikit_pool.analytics.report import Effect, Percentiles, PoolReport, Recommendation
from twikit_pool.clock import in_words

ACCOUNTS: Final = 20
"""Accounts that are shown; JSON has more."""

STEPS: Final = 15
"""Changes of size that are shown."""


def html_of(reports: Sequence[PoolReport]) -> str:
    """These reports, one after the other, as a page."""
    title = "Pool report" if len(reports) != 1 else f"Report of pool {reports[0].pool_id}"
    body = "".join(_report(each) for each in reports) or "<h1>Pool report</h1><p>There are no pools.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _report(report: PoolReport) -> str:
    sections = (
        _head(report),
        _recommendations(report.recommendations),
        _anomalies(report),
        _course(report),
        _times(report),
        _busy(report),
        _budget(report),
        _scaling(report),
        _accounts(report),
        _outlook(report),
        _endpoints(report),
        _trends(report),
        _rest(report),
    )
    return "".join(sections)


# ---------------------------------------------------------------- what it is made of


def percent(share: float | None, digits: int = 2) -> str:
    """A share as one reads it."""
    return NOTHING if share is None else f"{share:.{digits}%}"


def seconds(value: float | None) -> str:
    """A time as one reads it."""
    if value is None:
        return NOTHING
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], text: frozenset[int]) -> str:
    """Cells are HTML already; those of the columns `text` are to be read as text."""
    kinds = [' class="text"' if number in text else "" for number in range(len(columns))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    label = escape(caption)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(report: PoolReport) -> str:
    there, done = report.availability, report.throughput
    tiles = (
        ("requests served", percent(there.requests)),
        ("calls that went well", percent(there.calls)),
        ("calls", f"{done.calls:,}"),
        ("calls a second", number(done.calls_per_second)),
        ("response, p95", seconds(report.response.p95)),
        ("late requests", percent(report.scaling.late)),
        ("error budget used", percent(report.error_budget.used, 0)),
        ("waste", percent(report.scaling.waste, 0)),
    )
    notes = "".join(f"<p>Note: {escape(each)}.</p>" for each in report.notes)
    gap = f", longest gap {in_words(there.longest_gap)}" if there.longest_gap else ""
    return (
        f"<h1>Pool {escape(report.pool_id)}</h1>"
        f'<p class="dim">{report.since:%a %d %b %Y %H:%M} to {report.until:%a %d %b %Y %H:%M} UTC; '
        f"{percent(there.measured, 1)} of it was measured{gap}</p>"
        f'<ul class="tiles">{"".join(f"<li><b>{value}</b>{name}</li>" for name, value in tiles)}</ul>{notes}'
    )


def _recommendations(found: Sequence[Recommendation] | None) -> str:
    if found is None:
        return ""
    if not found:
        return "<h2>What to change</h2><p>Nothing: no change, replayed, would have been clearly better.</p>"
    return "<h2>What to change</h2>" + "".join(_recommendation(each) for each in found)


def _recommendation(each: Recommendation) -> str:
    evidence = "".join(f"<li>{escape(one)}</li>" for one in each.evidence)
    return (
        f'<section class="card"><h3>{escape(each.title)}</h3><ul>{evidence}</ul>'
        + _table(
            each.title,
            ("the recorded load, replayed", "recorded", "as it is", "with it", "difference (90%)"),
            [_effect(one) for one in each.effects],
            frozenset({0}),
        )
        + f'<p class="dim">{escape(each.uncertainty)}.</p></section>'
    )


def _effect(effect: Effect) -> tuple[str, ...]:
    show = percent if "share" in effect.figure else number
    return (
        escape(effect.figure),
        show(effect.recorded),
        show(effect.before),
        f"<b>{show(effect.after)}</b>",
        f"{show(effect.low)} to {show(effect.high)}",
    )


def _anomalies(report: PoolReport) -> str:
    if not report.anomalies:
        return "<h2>What was unusual</h2><p>Nothing that the hour of the day and chance do not explain.</p>"
    items = "".join(f"<li>{escape(each.sentence)}</li>" for each in report.anomalies)
    return f"<h2>What was unusual</h2><ul>{items}</ul>"


def _course(report: PoolReport) -> str:
    series, at = report.series, _numbers(report.series["at"])
    return (
        "<h2>Course</h2>"
        + chart(
            "Calls and errors",
            at,
            (
                Line(name="calls", values=series["calls"], tone="one"),
                Line(name="errors", values=series["errors"], tone="bad"),
            ),
            unit="a second",
        )
        + chart(
            "Connections, and those that the load needed",
            at,
            (
                Line(name="connections", values=series["size"], tone="one"),
                Line(name="needed", values=series["needed"], tone="two"),
                Line(name="load in erlangs", values=series["load"], tone="three"),
            ),
            unit="connections",
        )
        + chart(
            "Response time, 95% are below",
            at,
            (Line(name="response p95", values=series["response_p95"], tone="one"),),
            unit="seconds",
            height=150,
        )
    )


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [each for each in values if each is not None]


def _times(report: PoolReport) -> str:
    rows = [
        _row_of("calls", report.response),
        _row_of("to have a connection", report.acquisition),
        _row_of("in the queue (those who waited)", report.queue),
    ]
    columns = ("time", "count", "mean", "p50", "p90", "p95", "p99", "longest")
    return "<h2>Times</h2>" + _table("Times", columns, rows, frozenset())


def _row_of(name: str, times: Percentiles) -> list[str]:
    every = (times.average, times.p50, times.p90, times.p95, times.p99, times.max)
    return [name, f"{times.count:,}", *(seconds(each) for each in every)]


def _busy(report: PoolReport) -> str:
    busiest = ", ".join(
        f"{DAYS[each.weekday]} {each.hour:02}:00 ({number(each.load)})" for each in report.heat.busiest
    )
    return (
        "<h2>When it is busy</h2>"
        + heat("Load by hour of the week (UTC)", report.heat.load, unit="erlangs")
        + (f"<p>Busiest: {busiest} erlangs.</p>" if busiest else "")
    )


def _budget(report: PoolReport) -> str:
    budget = report.error_budget
    outcomes = ", ".join(f"{escape(name)} {count:,}" for name, count in report.throughput.outcomes.items())
    return (
        "<h2>Error budget</h2>"
        + bars(
            f"Used on each day, by the objective of {percent(budget.objective, 1)}",
            [(day[5:], used) for day, used in budget.by_day.items()],
            unit="of the day's budget",
            mark=1.0,
        )
        + f"<p>{budget.failed:,} failed; {budget.allowed:,.0f} may. By outcome: {outcomes or 'none'}.</p>"
    )


def _scaling(report: PoolReport) -> str:
    scaling = report.scaling
    facts = [
        f"{scaling.hours:,.0f} connection-hours were had, {scaling.needed_hours:,.0f} were needed",
        f"{percent(scaling.late)} of the requests waited longer than {scaling.target_wait:g} s, "
        f"{percent(scaling.late_objective)} may",
        f"in {scaling.short_minutes:,} minutes there were too few connections, "
        f"in {scaling.at_most_minutes:,} of them as many as there may be",
        f"{scaling.ups:,} steps up, {scaling.downs:,} down; {scaling.flaps:,} large ones were taken back",
    ]
    held = ", ".join(f"{escape(name)} ({count:,})" for name, count in scaling.held.items())
    steps = [
        (f"{each.at:%a %d %b %H:%M:%S}", f"{each.before} → {each.size}", escape(each.reason))
        for each in scaling.steps[:STEPS]
    ]
    return (
        "<h2>Scaling</h2><ul>"
        + "".join(f"<li>{each}</li>" for each in facts)
        + (f"<li>held back by {held}</li>" if held else "")
        + "</ul>"
        + _table("Changes of size", ("when (UTC)", "connections", "why"), steps, frozenset({2}))
    )


def _accounts(report: PoolReport) -> str:
    accounts = report.accounts
    states = ", ".join(f"{escape(name)} {count:,}" for name, count in accounts.by_state.items())
    worn = [
        (
            escape(each.account_id),
            escape(each.proxy) or NOTHING,
            f"{each.calls:,}",
            percent(each.error_rate, 1),
            f"{percent(each.low, 1)} to {percent(each.high, 1)}",
            str(each.changes),
            str(each.logins),
            escape(each.suspect or each.reason),
        )
        for each in accounts.worn[:ACCOUNTS]
    ]
    proxies = [
        (
            escape(each.proxy),
            str(len(each.accounts)),
            f"{each.calls:,}",
            percent(each.error_rate, 1),
            escape(each.suspect),
        )
        for each in accounts.proxies
    ]
    return (
        f"<h2>Accounts</h2><p>{accounts.known:,} accounts, {accounts.changes:,} changes of state"
        + (f": {states}" if states else "")
        + ".</p>"
        + _table(
            "Accounts by wear",
            ("account", "proxy", "calls", "errors", "95% interval", "changes", "log-ins", "why"),
            worn,
            frozenset({7}),
        )
        + _table("Proxies", ("proxy", "accounts", "calls", "errors", "why"), proxies, frozenset({4}))
    )


def _outlook(report: PoolReport) -> str:
    needs = "".join(f"<li>{escape(each.sentence)}</li>" for each in report.capacity)
    plan = f"<ul>{needs}</ul>" if needs else ""
    forecast = report.forecast
    if forecast is None:
        return f"<h2>What is to come</h2><p>Two days of hours are needed for a forecast.</p>{plan}"
    hours = forecast.hours
    enough = "which the pool may have" if forecast.enough else "more than max_connections allows"
    held = "" if forecast.coverage is None else f"; {percent(forecast.coverage, 0)} of such bounds held"
    return (
        "<h2>What is to come</h2>"
        + chart(
            "Load of the next 24 hours",
            [each.at.timestamp() for each in hours],
            (Line(name="expected", values=[each.expected for each in hours], tone="three"),),
            band=Band(
                name="band",
                lower=[each.lower for each in hours],
                upper=[each.upper for each in hours],
                tone="three",
            ),
            unit="erlangs",
        )
        + f"<p>At most {number(forecast.peak)} erlangs are expected, for which {forecast.peak_connections} "
        + f"connections are enough: {enough}{held}.</p>{plan}"
    )


def _endpoints(report: PoolReport) -> str:
    rows = [
        (
            escape(each.endpoint),
            str(each.accounts),
            NOTHING if each.limit is None else f"{each.limit:,}",
            NOTHING if each.left is None else f"{each.left:,}",
            percent(each.used, 0),
            number(each.sustained),
            number(each.asked),
        )
        for each in report.endpoints
    ]
    columns = ("endpoint", "accounts", "a window", "left", "used", "sustained a second", "asked a second")
    table = _table("Budgets", columns, rows, frozenset())
    return f"<h2>Budgets of endpoints, now</h2>{table}" if table else ""


def _trends(report: PoolReport) -> str:
    rows = [
        (
            escape(each.figure),
            each.direction,
            f"{number(each.per_day)} {escape(each.unit)}",
            f"{number(each.low)} to {number(each.high)}",
            percent(each.relative, 1),
            f"{each.p:.2g}",
        )
        for each in report.trends
    ]
    columns = ("figure", "direction", "a day", "95% interval", "of its median", "by chance")
    table = _table("Trends", columns, rows, frozenset())
    return f"<h2>Trends</h2>{table}" if table else ""


def _rest(report: PoolReport) -> str:
    done = report.optimizer
    return (
        "<h2>Resource optimizer</h2>"
        f"<p>It acted {done.runs:,} times ({done.dry_runs:,} dry runs): {done.closed:,} connections closed, "
        f"{done.lowered:,} taken last, {done.paused:,} paused, {done.memory_freed / 1e6:,.1f} MB freed.</p>"
        f'<p class="dim">Made {report.made_at:%Y-%m-%d %H:%M} UTC. docs/reports.md has every formula.</p>'
    )
