"""Charts as inline SVG: no script, no style attribute, colours from the page's classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from math import floor, log10
from typing import Final, TypeAlias

from twikit_pool.analytics.service_level import moment

WIDTH: Final = 760.0
LEFT: Final = 52.0
BOTTOM: Final = 22.0
TOP: Final = 8.0
TICKS: Final = 4
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOTHING: Final = "\u2013"
"""Shown where there is no value."""

LEVELS: Final = 8
"""Shades of a heat map."""

Values: TypeAlias = Sequence[float | None]
_Scale: TypeAlias = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a chart; `tone` is the class of its colour."""

    name: str
    values: Values
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What lies between two lines."""

    name: str
    lower: Values
    upper: Values
    tone: str


def number(value: float | None) -> str:
    """Three digits, as one reads them."""
    if value is None:
        return NOTHING
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def chart(
    title: str,
    at: Sequence[float],
    lines: Sequence[Line],
    *,
    unit: str,
    band: Band | None = None,
    height: float = 190.0,
) -> str:
    """Lines over time.

    Args:
        title: what it shows, for who cannot see it.
        at: moments in seconds since 1970, the oldest first.
        lines: each with a value for each moment; None leaves a gap.
        unit: of the values.
        band: drawn behind the lines.
        height: of the drawing; it is 760 wide.
    """
    if len(at) < 2:
        return '<p class="none">too little was measured for a chart</p>'
    every = [value for line in lines for value in line.values if value is not None]
    if band is not None:
        every += [value for value in band.upper if value is not None]
    top = _round_up(max(every, default=1.0))
    begin, end = at[0], at[-1]

    def x(moment_: float) -> float:
        return LEFT + (moment_ - begin) / (end - begin) * (WIDTH - LEFT - 8)

    def y(value: float) -> float:
        return TOP + (1 - value / top) * (height - TOP - BOTTOM)

    parts = [_grid(top, y), _days(begin, end, x, height)]
    if band is not None:
        parts.append(_area(at, band, x, y))
    for line in lines:
        parts += [
            f'<polyline class="line {line.tone}" points="{points}"/>'
            for points in _runs(
                [(x(a), None if v is None else y(v)) for a, v in zip(at, line.values, strict=True)]
            )
        ]
    parts.append(_tips(at, lines, band, x, height, unit))
    named = [(each.name, each.tone) for each in lines] + ([(band.name, band.tone)] if band else [])
    legend = "".join(f'<li><i class="{tone}"></i>{escape(name)}</li>' for name, tone in named)
    return (
        f'<figure><figcaption>{escape(title)} <small>{escape(unit)}</small><ul class="legend">{legend}</ul>'
        f'</figcaption><svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg></figure>"
    )


def bars(title: str, values: Sequence[tuple[str, float]], *, unit: str, mark: float | None = None) -> str:
    """Bars with a name each; what is more than the mark is marked."""
    if not values:
        return '<p class="none">nothing was measured</p>'
    height, top = 150.0, _round_up(max(*(value for _, value in values), mark or 0.0))
    wide = (WIDTH - LEFT - 8) / len(values)

    def y(value: float) -> float:
        return TOP + (1 - value / top) * (height - TOP - BOTTOM)

    parts = [_grid(top, y)]
    for place, (name, value) in enumerate(values):
        x = LEFT + place * wide
        tone = "bad" if mark is not None and value > mark else "one"
        parts.append(
            f'<rect class="bar {tone}" x="{x + wide * 0.15:.1f}" y="{y(value):.1f}" width="{wide * 0.7:.1f}" '
            f'height="{max(0.0, y(0) - y(value)):.1f}"><title>{escape(name)}: {number(value)} {escape(unit)}'
            f'</title></rect><text class="tick" x="{x + wide / 2:.1f}" y="{height - 6:g}" '
            f'text-anchor="middle">{escape(name)}</text>'
        )
    if mark is not None:
        parts.append(f'<line class="mark" x1="{LEFT}" x2="{WIDTH}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">{"".join(parts)}'
        "</svg></figure>"
    )


def heat(title: str, cells: Sequence[Values], *, unit: str) -> str:
    """A map of weekday and hour."""
    most = max((value for row in cells for value in row if value is not None), default=0.0)
    wide, high = (WIDTH - LEFT - 8) / 24, 20.0
    parts: list[str] = []
    for day, row in enumerate(cells):
        parts.append(f'<text class="tick" x="4" y="{TOP + day * high + 14:g}">{DAYS[day]}</text>')
        for hour, value in enumerate(row):
            level = "empty" if value is None else f"heat{_level(value, most)}"
            parts.append(
                f'<rect class="{level}" x="{LEFT + hour * wide:.1f}" y="{TOP + day * high:g}" '
                f'width="{wide - 1:.1f}" height="{high - 1:g}"><title>{DAYS[day]} {hour:02}:00 UTC: '
                f"{number(value)} {escape(unit)}</title></rect>"
            )
    parts += [
        f'<text class="tick" x="{LEFT + hour * wide:.1f}" y="{TOP + 7 * high + 14:g}">{hour:02}:00</text>'
        for hour in range(0, 24, 4)
    ]
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(unit)}, at most {number(most)}</small>"
        "</figcaption>"
        f'<svg viewBox="0 0 {WIDTH:g} {TOP + 7 * high + BOTTOM:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg></figure>"
    )


def _level(value: float, most: float) -> int:
    return min(LEVELS - 1, int(value / most * LEVELS)) if most > 0 else 0


def _round_up(value: float) -> float:
    """The next number of one round digit."""
    if value <= 0:
        return 1.0
    unit = 10 ** floor(log10(value))
    return next(step * unit for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * unit >= value * 0.999)


def _grid(top: float, y: _Scale) -> str:
    lines: list[str] = []
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">'
            f"{number(value)}</text>"
        )
    return "".join(lines)


def _days(begin: float, end: float, x: _Scale, height: float) -> str:
    """A line and a name where a day (UTC) begins, or every few hours of a short chart."""
    length = end - begin
    step = timedelta(days=max(1, round(length / 86_400 / 10))) if length > 2 * 86_400 else timedelta(hours=6)
    at: datetime = moment(begin).replace(hour=0, minute=0, second=0, microsecond=0)
    words = "%a %d" if step >= timedelta(days=1) else "%H:%M"
    parts: list[str] = []
    while at.timestamp() <= end:
        if at.timestamp() >= begin:
            place = x(at.timestamp())
            parts.append(
                f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{height - BOTTOM:g}"/>'
            )
            if place < WIDTH - 30:
                parts.append(f'<text class="tick" x="{place + 3:.1f}" y="{height - 7:g}">{at:{words}}</text>')
        at += step
    return "".join(parts)


def _runs(places: Sequence[tuple[float, float | None]]) -> list[str]:
    """The points of what hangs together."""
    runs: list[list[str]] = [[]]
    for x, y in places:
        if y is None:
            runs.append([])
        else:
            runs[-1].append(f"{x:.1f},{y:.1f}")
    return [" ".join(each) for each in runs if len(each) > 1]


def _area(at: Sequence[float], band: Band, x: _Scale, y: _Scale) -> str:
    upper = [f"{x(a):.1f},{y(v):.1f}" for a, v in zip(at, band.upper, strict=True) if v is not None]
    lower = [f"{x(a):.1f},{y(v):.1f}" for a, v in zip(at, band.lower, strict=True) if v is not None]
    return f'<polygon class="area {band.tone}" points="{" ".join([*upper, *reversed(lower)])}"/>'


def _tips(
    at: Sequence[float], lines: Sequence[Line], band: Band | None, x: _Scale, height: float, unit: str
) -> str:
    """What a pointer is told: the values of each moment."""
    edges = [at[0], *((one + other) / 2 for one, other in pairwise(at)), at[-1]]
    parts: list[str] = []
    for place, moment_ in enumerate(at):
        words = [f"{moment(moment_):%a %d %b %H:%M} UTC"]
        words += [f"{line.name}: {number(line.values[place])} {unit}" for line in lines]
        if band is not None:
            words.append(f"{band.name}: {number(band.lower[place])} to {number(band.upper[place])} {unit}")
        left, right = x(edges[place]), x(edges[place + 1])
        parts.append(
            f'<rect class="tip" x="{left:.1f}" y="{TOP}" width="{max(0.5, right - left):.1f}" '
            f'height="{height - TOP - BOTTOM:g}"><title>{escape(chr(10).join(words))}</title></rect>'
        )
    return "".join(parts)
