"""Charts as files, drawn by matplotlib (extra `reports`): PNG for slides, SVG for print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from twikit_pool.analytics.rendering.svg import DAYS
from twikit_pool.analytics.report import PoolReport
from twikit_pool.analytics.service_level import moment
from twikit_pool.errors import ConfigError

FORMATS: Final = ("png", "svg")
SIZE: Final = (10.0, 3.4)
"""Inches."""

DOTS: Final = 150
"""Per inch, of a PNG."""


def write_charts(report: PoolReport, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the charts of a report; returns the files, which are called POOL-CHART.png.

    Args:
        report: whose charts.
        folder: where; it is made if it is not there.
        formats: "png", "svg", or both.

    Raises:
        ConfigError: matplotlib is not there.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, figure in _figures(report):
        for each in formats:
            path = folder / f"{_plain(report.pool_id)}-{name}.{each}"
            figure.savefig(path, format=each, dpi=DOTS, metadata={"Date": None} if each == "svg" else None)
            written.append(path)
    return written


def _plain(pool_id: str) -> str:
    """A name that every file system takes."""
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in pool_id)


def _figures(report: PoolReport) -> Iterator[tuple[str, Any]]:
    series = report.series
    at = [moment(each) for each in series["at"] if each is not None]
    yield "calls", _lines("Calls and errors", at, series, ("calls", "errors"), "a second")
    yield "connections", _lines("Connections", at, series, ("size", "needed", "load"), "connections, erlangs")
    yield "times", _lines("Times, p95", at, series, ("response_p95", "queue_p95"), "seconds")
    yield "hours", _heat(report)
    if report.forecast is not None:
        yield "forecast", _forecast(report)


def _new(title: str) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure  # an optional extra
    except ModuleNotFoundError:
        raise ConfigError(
            "charts as files need matplotlib: pip install 'twikit-pool[reports]'; --html needs nothing"
        ) from None
    figure: Any = Figure(figsize=SIZE, layout="constrained")
    axes: Any = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11)
    return figure, axes


def _lines(title: str, at: Sequence[Any], series: Any, names: Sequence[str], unit: str) -> Any:
    figure, axes = _new(title)
    for name in names:
        values = [float("nan") if each is None else each for each in series[name]]
        axes.plot(at, values, label=name.replace("_", " "), linewidth=1.2)
    _finish(axes, unit)
    return figure


def _heat(report: PoolReport) -> Any:
    figure, axes = _new("Load by hour of the week (UTC)")
    cells = [[float("nan") if each is None else each for each in row] for row in report.heat.load]
    image = axes.imshow(cells, aspect="auto", cmap="Blues")
    axes.set_yticks(range(7), DAYS)
    axes.set_xticks(range(0, 24, 3), [f"{hour:02}:00" for hour in range(0, 24, 3)])
    figure.colorbar(image, ax=axes, label="erlangs")
    return figure


def _forecast(report: PoolReport) -> Any:
    figure, axes = _new("Load of the next 24 hours")
    hours = [] if report.forecast is None else report.forecast.hours
    at = [each.at for each in hours]
    axes.fill_between(
        at, [each.lower for each in hours], [each.upper for each in hours], alpha=0.2, label="band"
    )
    axes.plot(at, [each.expected for each in hours], label="expected")
    _finish(axes, "erlangs")
    return figure


def _finish(axes: Any, unit: str) -> None:
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    axes.tick_params(labelsize=8)
