"""What stands above the table: how the pool is, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Label, Sparkline, Static

from twikit_pool.cli.event_lines import one_line
from twikit_pool.cli.top.known import Pool
from twikit_pool.cli.top.words import BAD, duration, percent, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG: Final = 5.0
"""Seconds: a longer wait is shown in red."""

MANY: Final = 0.05
"""Share of calls: more errors are shown in red."""

STOPPED: Final = "emergency"
"""The mode that is told loudly."""


class Head(Static):
    """The pool's name and mode, the connection to the service, and the figures."""

    DEFAULT_CSS = """
    Head { height: 2; background: $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Head.-stopped { background: $error; color: $text; text-style: bold; height: 3; }
    """

    def tell(
        self, name: str, pools: Sequence[str], pool: Pool, *, badge: Text, paused: bool, why: str
    ) -> None:
        """Show how things are."""
        status, metrics = pool.status, pool.metrics
        mode = status.get("mode", "not known")
        self.set_class(mode == STOPPED, "-stopped")
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(one_line(name), "bold")
        if len(pools) > 1 and name in pools:
            line.append(f" ({list(pools).index(name) + 1} of {len(pools)})")
        line.append("  ").append(mode, "green" if mode == "open" else "bold")
        if ill := status.get("quarantined"):
            line.append("  ").append(f"{ill} of {status.get('accounts')} accounts out", "yellow")
        line.append("  ").append_text(badge)
        if paused:
            line.append("  ").append(" PAUSED ", "reverse")
        if mode == STOPPED:
            line.append("\n!!! EMERGENCY STOP", "bold reverse")
            line.append(f" {one_line(why)}" if why else " nothing below CRITICAL is sent")
            line.append("  (R resumes)")
        self.update(line.append("\n").append_text(_figures(status, metrics)))


def _figures(status: dict[str, object], metrics: dict[str, object]) -> Text:
    def number(of: dict[str, object], name: str) -> float | None:
        value = of.get(name)
        return value if isinstance(value, int | float) else None

    wait, errors = number(status, "longest_wait") or 0.0, number(metrics, "error_rate")
    queued, most = number(status, "queued") or 0, number(metrics, "max_connections")
    total = status.get("total", 0)
    figures = (
        ("in use", f"{status.get('active', 0)}/{total if most is None else f'{most:.0f}'}", False),
        ("waiting", f"{queued:.0f}", queued > 0),
        ("longest", duration(wait), wait > LONG),
        ("calls/s", rate(number(metrics, "throughput")), False),
        ("errors", percent(errors), (errors or 0) > MANY),
        ("p95", duration(number(metrics, "p95_response_time")), False),
    )
    text = Text(no_wrap=True, overflow="ellipsis")
    for label, value, bad in figures:
        text.append(f"{label} ").append(value, BAD if bad else "bold").append("  ")
    return text


class Load(Horizontal):
    """The load of the last minutes."""

    DEFAULT_CSS = """
    Load { height: 1; padding: 0 1; background: $panel; }
    Load Label { width: auto; color: $text-muted; padding: 0 1 0 0; }
    Load Sparkline { width: 1fr; height: 1; margin: 0 2 0 0; }
    """
    FIGURES: ClassVar[dict[str, str]] = {"active": "in use", "calls": "calls/s", "queued": "waiting"}

    def __init__(self) -> None:
        super().__init__()
        self._lines = {name: Sparkline([], summary_function=max) for name in self.FIGURES}

    def compose(self) -> ComposeResult:
        """Three lines beside each other."""
        for name, line in self._lines.items():
            yield Label(self.FIGURES[name])
            yield line

    def tell(self, pool: Pool) -> None:
        """Show how it went."""
        for name, line in self._lines.items():
            line.data = list(getattr(pool, name).values)
