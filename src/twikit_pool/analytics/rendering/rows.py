"""A report as CSV: one figure a line, so that a spreadsheet can filter and pivot it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from twikit_pool.analytics.report import PoolReport
from twikit_pool.analytics.service_level import moment

HEADER: Final = ("pool", "section", "item", "figure", "value")

_NAMED_BY: Final = {
    "trends": "figure",
    "endpoints": "endpoint",
    "capacity": "endpoint",
    "anomalies": "since",
    "recommendations": "setting",
}
"""What names an item of a section that is a list."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""


def csv_of(reports: Iterable[PoolReport]) -> str:
    """These reports as CSV (RFC 4180), with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for report in reports:
        writer.writerows((report.pool_id, *row) for row in _rows(report))
    return out.getvalue()


def _rows(report: PoolReport) -> Iterator[tuple[str, str, str, Any]]:
    built: dict[str, Any] = msgspec.to_builtins(report)
    series: dict[str, list[Any]] = built.pop("series")
    heat = built.pop("heat")
    for section, content in built.items():
        if isinstance(content, dict):
            yield from _flat(section, "", content)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(content, list):
            for number, each in enumerate(content):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                yield from _item(section, number, each)
        else:
            yield "report", "", section, _safe(content)
    for day, hours in enumerate(heat["load"]):
        for hour, load in enumerate(hours):
            yield "heat", f"{day} {hour:02}:00", "load", load
    for number, at in enumerate(series["at"]):
        for name, values in series.items():
            if name != "at":
                yield "series", moment(at).isoformat(), name, values[number]


def _item(section: str, number: int, each: Any) -> Iterator[tuple[str, str, str, Any]]:
    if isinstance(each, dict):
        name = each.get(_NAMED_BY.get(section, ""), number)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        yield from _flat(section, str(name), each)  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield section, str(number), "", _safe(each)


def _flat(
    section: str, item: str, content: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(section, item, value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            for number, each in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                if isinstance(each, dict):
                    yield from _flat(section, item, each, f"{prefix}{name}.{number}.")  # pyright: ignore[reportUnknownArgumentType]
                else:
                    yield section, _safe(item), f"{prefix}{name}.{number}", _safe(each)
        else:
            yield section, _safe(item), f"{prefix}{name}", _safe(value)


def _safe(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
