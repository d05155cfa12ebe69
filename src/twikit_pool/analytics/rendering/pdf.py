"""Reports as PDF, set by Typst (extra `reports`): figures, recommendations and charts, for print."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twikit_pool.analytics.rendering.html import percent, seconds
from twikit_pool.analytics.rendering.pictures import write_charts
from twikit_pool.analytics.rendering.svg import number
from twikit_pool.analytics.report import PoolReport
from twikit_pool.errors import ConfigError

PAGE: Final = """
#set page(paper: "a4", margin: 2cm, numbering: "1 / 1")
#set text(size: 10pt)
#set par(justify: false)
#show heading.where(level: 1): set text(size: 17pt)
#let reports = json("report.json")
#for (n, report) in reports.enumerate() [
  #if n > 0 { pagebreak() }
  #heading(level: 1, report.title)
  #text(fill: luma(90), report.span)
  #table(
    columns: (1fr, 1fr), stroke: (x: none, y: 0.4pt + luma(200)), inset: 5pt,
    ..report.facts.flatten().map(each => [#each])
  )
  #heading(level: 2, "What to change")
  #if report.changes.len() == 0 [#report.unchanged]
  #for change in report.changes [
    #block(breakable: false, stroke: (left: 2pt + rgb("#1d5fd1")), inset: (left: 8pt, y: 4pt))[
      *#change.title* \\
      #for line in change.lines [#line \\ ]
      #text(fill: luma(90), size: 9pt, change.uncertainty)
    ]
  ]
  #heading(level: 2, "What was unusual")
  #if report.anomalies.len() == 0 [Nothing that the hour of the day and chance do not explain.]
  #for line in report.anomalies [- #line]
  #heading(level: 2, "Charts")
  #for chart in report.charts [#image(chart, width: 100%)]
]
"""
"""What is set; every text comes from the JSON beside it, so nothing in a report is taken for markup."""


def pdf_of(reports: Sequence[PoolReport]) -> bytes:
    """These reports as a PDF.

    Raises:
        ConfigError: typst or matplotlib is not there.
    """
    try:
        import typst  # an optional extra
    except ModuleNotFoundError:
        raise ConfigError("a PDF needs typst: pip install 'twikit-pool[reports]'") from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = [_told(each, folder, place) for place, each in enumerate(reports)]
        (folder / "report.json").write_text(json.dumps(told), encoding="utf-8")
        (folder / "report.typ").write_text(PAGE, encoding="utf-8")
        compiled: Any = typst.compile(str(folder / "report.typ"), root=str(folder))
        return bytes(compiled)


def _told(report: PoolReport, folder: Path, place: int) -> dict[str, Any]:
    charts = write_charts(report, folder / str(place), ("svg",))
    facts = (
        ("Requests served", percent(report.availability.requests)),
        ("Calls that went well", percent(report.availability.calls)),
        ("Calls", f"{report.throughput.calls:,}"),
        ("Response, p50 and p95", f"{seconds(report.response.p50)}, {seconds(report.response.p95)}"),
        ("Late requests", percent(report.scaling.late)),
        ("Error budget used", percent(report.error_budget.used, 0)),
        ("Connections wasted", percent(report.scaling.waste, 0)),
        (
            "Next 24 hours, at most",
            "" if report.forecast is None else f"{number(report.forecast.peak)} erlangs",
        ),
        *(("Plan", each.sentence) for each in report.capacity),
    )
    return {
        "title": f"Pool {report.pool_id}",
        "span": f"{report.since:%a %d %b %Y %H:%M} to {report.until:%a %d %b %Y %H:%M} UTC",
        "facts": facts,
        "changes": [
            {
                "title": each.title,
                "lines": [
                    *each.evidence,
                    *(
                        f"replayed, {one.figure}: {number(one.before)} becomes {number(one.after)}"
                        for one in each.effects
                    ),
                ],
                "uncertainty": each.uncertainty,
            }
            for each in report.recommendations or ()
        ],
        "unchanged": "; ".join(report.notes)
        if report.recommendations is None
        else "Nothing: no change, replayed, would have been clearly better.",
        "anomalies": [each.sentence for each in report.anomalies],
        "charts": [path.relative_to(folder).as_posix() for path in charts],
    }
