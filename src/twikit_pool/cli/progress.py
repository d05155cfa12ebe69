"""What a run shows while it goes: a live display on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from twikit_pool.pool.connection import ConnectionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from twikit_pool.clock import Clock
    from twikit_pool.jobs import JobReader, JobRunner
    from twikit_pool.pool import TwikitConnectionPool
    from twikit_pool.pool.member import Member

REFRESH: Final = 0.25
"""Seconds between two pictures of the live display."""
LINE_EVERY: Final = 5.0
"""Seconds between two plain lines."""
RATE_OVER: Final = 10.0
"""Seconds that the shown rate is taken over."""

Way = Literal["auto", "live", "plain", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        ended: jobs that this run ended; `skipped` were done by an earlier one.
        total: lines that matter, skipped ones included; an estimate until the input is read; None when
            nobody can tell.
        rate: jobs a second, lately.
        remaining: seconds to go at this rate; None when nobody can tell.
        under_way: jobs taken and not ended; most of them may be waiting.
        accounts: how many accounts are busy, free, cooling or ill.
    """

    ended: int
    skipped: int
    rejected: int
    total: int | None
    rate: float
    remaining: float | None
    under_way: int
    retries: int
    outcomes: Counter[str]
    accounts: dict[str, int]
    stopping: bool


class Meter:
    """Takes snapshots of a run."""

    def __init__(
        self, *, runner: JobRunner, reader: JobReader, pool: TwikitConnectionPool, clock: Clock
    ) -> None:
        self._runner = runner
        self._reader = reader
        self._pool = pool
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque([(clock.monotonic(), 0)])
        self.rejected = 0

    def take(self) -> Snapshot:
        """The run as it is now."""
        runner = self._runner
        ended = runner.outcomes.total()
        rate = self._rate(ended)
        total = self._total()
        gone = ended + runner.skipped + self.rejected
        return Snapshot(
            ended=ended,
            skipped=runner.skipped,
            rejected=self.rejected,
            total=total,
            rate=rate,
            remaining=max(total - gone, 0) / rate if total is not None and rate > 0 else None,
            under_way=runner.under_way,
            retries=runner.retries,
            outcomes=runner.outcomes.copy(),
            accounts=self._accounts(),
            stopping=runner.stopping,
        )

    def _rate(self, ended: int) -> float:
        now = self._clock.monotonic()
        self._marks.append((now, ended))
        while len(self._marks) > 2 and self._marks[1][0] <= now - RATE_OVER:
            self._marks.popleft()
        since, before = self._marks[0]
        return (ended - before) / (now - since) if now > since else 0.0

    def _total(self) -> int | None:
        reader = self._reader
        seen = self._runner.taken + self._runner.skipped + self.rejected
        if reader.ended:
            return seen
        if reader.size is None or not reader.position:
            return None
        return round(seen * max(reader.size / reader.position, 1.0))

    def _accounts(self) -> dict[str, int]:
        tally = Counter(_doing(member) for member in self._pool.accounts())
        return {name: tally[name] for name in ("busy", "free", "cooling", "ill")}


def _doing(member: Member) -> str:
    if member.bars:
        return "ill"
    if any(each.state in (ConnectionState.LEASED, ConnectionState.RENEWING) for each in member.connections):
        return "busy"
    waits = (member.windows.wait(endpoint) for endpoint in member.windows.endpoints())
    return "cooling" if any(0 < wait < inf for wait in waits) else "free"


async def show(way: Literal["live", "plain"], console: Console, take: Callable[[], Snapshot]) -> None:
    """Show the run until cancelled."""
    if way == "plain":
        while True:
            await asyncio.sleep(LINE_EVERY)
            console.print(Text(in_words(take())), soft_wrap=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(picture(take()), refresh=True)
            await asyncio.sleep(REFRESH)


def in_words(now: Snapshot) -> str:
    """A snapshot in one line."""
    of = f"/{now.total:,}" if now.total is not None else ""
    parts = [
        f"{now.ended + now.skipped + now.rejected:,}{of} jobs",
        f"{now.rate:.1f}/s",
        f"ETA {lasting(now.remaining)}",
        _tally(now.outcomes) or "nothing ended yet",
        f"accounts: {_tally(now.accounts)}",
        f"{now.retries} retries",
    ]
    if now.rejected:
        parts.append(f"{now.rejected:,} lines rejected")
    if now.stopping:
        parts.append(f"stopping, {now.under_way} calls in flight")
    return " | ".join(parts)


def picture(now: Snapshot) -> RenderableType:
    """A snapshot for the terminal."""
    gone = now.ended + now.skipped + now.rejected
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total=now.total, completed=gone, width=40, pulse=now.total is None),
        Text(f"{gone:,}" + (f" of {now.total:,}" if now.total is not None else ""), style="bold"),
        Text(f"{now.rate:.1f}/s", style="cyan"),
        Text(f"ETA {lasting(now.remaining)}"),
    )
    body = Table.grid(padding=(0, 2))
    body.add_row("outcomes", _coloured(now.outcomes, _OUTCOME_STYLES, "yellow"))
    body.add_row("accounts", _coloured(now.accounts, _ACCOUNT_STYLES, ""))
    body.add_row(
        "jobs",
        f"{now.under_way:,} under way · {now.skipped:,} done before · "
        f"{now.rejected:,} rejected · {now.retries} retries",
    )
    if now.stopping:
        body.add_row(
            "", Text("stopping: waiting for calls in flight; Ctrl-C again to leave at once", "yellow")
        )
    return Group(head, body)


_OUTCOME_STYLES: Final = {"ok": "green", "ambiguous": "bold red"}
_ACCOUNT_STYLES: Final = {"busy": "green", "cooling": "blue", "ill": "red"}


def _coloured(tally: dict[str, int], styles: dict[str, str], otherwise: str) -> Text:
    return Text(" · ").join(
        Text(f"{number:,} {what}", styles.get(what, otherwise) if number else "dim")
        for what, number in tally.items()
    )


def _tally(tally: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in tally.items())


def lasting(seconds: float | None) -> str:
    """A duration as people write it: `4 s`, `2:05`, `1:02:03`."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
