"""What a report is made of: what the history kept of a pool, and what is known of it besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from twikit_pool.analytics.report import EndpointUse
from twikit_pool.analytics.seasonal import DAY, HOUR
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import HistoryError
from twikit_pool.metrics.history.events import KeptEvent
from twikit_pool.metrics.history.figures import AccountFigures, Point
from twikit_pool.metrics.history.history import EventPage
from twikit_pool.metrics.history.series import Columns
from twikit_pool.pool.pool import TwikitConnectionPool

T = TypeVar("T")

MINUTE: Final = 60.0
FINE: Final = 2 * MINUTE
"""Seconds that a point may have to count as a minute."""

PAGE: Final = 2_000
"""Events that are read at once."""

MOST_EVENTS: Final = 50_000
"""Of a kind that are read, the latest."""

BEFORE: Final = 28
"""Days before the timeframe from which is learned what is usual."""

KINDS: Final = ("scaling", "account", "optimizer")

FIGURES: Final = (
    "total",
    "reserved",
    "unhealthy",
    "most",
    "acquired",
    "timed_out",
    "load",
    "calls",
    "errors",
)


class Recording(Protocol):
    """What is asked of a history; `metrics.history.History` is one."""

    async def pools(self) -> Sequence[str]:
        """The names of all pools that there is something of."""
        ...

    async def series(
        self,
        pool_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: float = 0,
        figures: Collection[str] = (),
    ) -> Columns:
        """Figures by column."""
        ...

    async def points(
        self,
        pool_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: float = 0,
    ) -> list[Point]:
        """All that is kept, histograms included."""
        ...

    async def accounts(
        self, pool_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Mapping[str, AccountFigures]:
        """What each account did."""
        ...

    async def events(
        self,
        pool_id: str,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> EventPage:
        """What happened, the latest first."""
        ...


class Minute(NamedTuple):
    """A minute of a pool; connections are means, requests and calls numbers, times seconds."""

    at: float
    seconds: float
    total: float
    reserved: float
    unhealthy: float
    most: float
    acquired: float
    timed_out: float
    busy: float
    calls: float
    errors: float

    @property
    def service(self) -> float | None:
        """Mean seconds that a request held its connection."""
        return self.busy / self.acquired if self.acquired and self.busy else None

    @property
    def came(self) -> float:
        """Requests, whether they were served or not."""
        return self.acquired + self.timed_out

    @property
    def offered(self) -> float:
        """The load that was asked for, in erlangs; what was served where nothing began in this minute."""
        if not self.seconds:
            return 0.0
        if not self.acquired:
            return self.busy / self.seconds
        return self.came / self.seconds * self.busy / self.acquired


class Hour(NamedTuple):
    """An hour's point, and its start."""

    at: float
    point: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a pool now.

    Attributes:
        config: its settings.
        accounts: how many it may use; None when not known.
        proxies: host and port of each account's proxy, "direct" without one.
        endpoints: what is used of X's windows.
        opening: seconds that opening a connection takes.
    """

    config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG
    accounts: int | None = None
    proxies: Mapping[str, str] = field(default_factory=dict[str, str])
    endpoints: Sequence[EndpointUse] = ()
    opening: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """All that a report of one pool is made of.

    Attributes:
        since, until: seconds since 1970.
        minutes: of the timeframe, as far as minutes are kept.
        hours: of the timeframe.
        before: hours before it.
        accounts: what each account did on each day (UTC) of which the timeframe has a part, the oldest first.
        events: of each kind, the oldest first.
        notes: what could not be had.
    """

    pool_id: str
    since: float
    until: float
    minutes: Sequence[Minute]
    hours: Sequence[Hour]
    before: Sequence[Hour]
    accounts: Sequence[Mapping[str, AccountFigures]]
    events: Mapping[str, Sequence[KeptEvent]]
    facts: Facts
    notes: Sequence[str] = ()


async def read(
    recording: Recording, pool_id: str, since: datetime, until: datetime, facts: Facts
) -> Recorded:
    """Read all that a report is made of.

    Raises:
        HistoryError: the history cannot be read.
    """
    notes: list[str] = []
    columns = await recording.series(pool_id, since=since, until=until, step=MINUTE, figures=FIGURES)
    everything = await recording.points(
        pool_id, since=since - timedelta(days=BEFORE), until=until, step=float(HOUR)
    )
    begins = since.timestamp()
    hours = [Hour((point.ended - min(point.seconds, HOUR) / 2) // HOUR * HOUR, point) for point in everything]
    accounts: list[Mapping[str, AccountFigures]] = []
    day = datetime.fromtimestamp(begins // DAY * DAY, UTC)
    try:
        while day < until:  # whole days, for each of which there is one row an account
            end = day + timedelta(seconds=DAY)
            accounts.append(await recording.accounts(pool_id, since=day, until=end))
            day = end
    except HistoryError as error:
        notes.append(f"nothing is known of the accounts: {error}")
    events: dict[str, Sequence[KeptEvent]] = {}
    for kind in KINDS:
        events[kind], whole = await _events(recording, pool_id, kind, since, until)
        if not whole:
            notes.append(f"of the {kind} events only the latest {MOST_EVENTS:,} were read")
    return Recorded(
        pool_id=pool_id,
        since=begins,
        until=until.timestamp(),
        minutes=_minutes(columns),
        hours=[each for each in hours if each.at >= begins - HOUR],
        before=[each for each in hours if each.at < begins - HOUR],
        accounts=accounts,
        events=events,
        facts=facts,
        notes=notes,
    )


async def _events(
    recording: Recording, pool_id: str, kind: str, since: datetime, until: datetime
) -> tuple[list[KeptEvent], bool]:
    """Those of a kind, the oldest first, and whether they are all."""
    found: list[KeptEvent] = []
    before: str | None = None
    while True:
        page = await recording.events(pool_id, kind=kind, since=since, until=until, limit=PAGE, before=before)
        found += page.items
        before = page.next
        if before is None or len(found) >= MOST_EVENTS:
            return found[::-1], before is None


def _minutes(columns: Columns) -> list[Minute]:
    """The rows that are minutes; what is older is kept by the hour alone."""
    rows = zip(columns["at"], columns["seconds"], *(columns[name] for name in FIGURES), strict=True)
    found: list[Minute] = []
    for ended, seconds, total, reserved, unhealthy, most, *rates in rows:
        if not ended or not seconds or seconds > FINE:
            continue
        acquired, timed_out, load, calls, errors = ((each or 0.0) * seconds for each in rates)
        found.append(
            Minute(
                at=(ended - seconds / 2) // MINUTE * MINUTE,
                seconds=seconds,
                total=total or 0.0,
                reserved=reserved or 0.0,
                unhealthy=unhealthy or 0.0,
                most=most or 0.0,
                acquired=acquired,
                timed_out=timed_out,
                busy=load,
                calls=calls,
                errors=errors,
            )
        )
    return found


def facts_of(pool: TwikitConnectionPool, *, running_for: float | None = None) -> Facts:
    """What is known of a pool of this program.

    Args:
        pool: which.
        running_for: seconds since it was made, for the rates that were asked for; None leaves them out.
    """
    begun = pool.calls.begun
    endpoints: list[EndpointUse] = []
    for endpoint, budget in pool.budgets().items():
        used = None
        if budget.left is not None and budget.limit:
            used = min(1.0, max(0.0, 1 - budget.left / budget.limit))
        endpoints.append(
            EndpointUse(
                endpoint=endpoint,
                accounts=budget.accounts,
                left=budget.left,
                limit=budget.limit,
                used=used,
                sustained=budget.rate,
                asked=begun[endpoint] / running_for if running_for else None,
            )
        )
    return Facts(
        config=pool.config,
        accounts=len(pool.account_ids),
        proxies={
            each.id: proxy_name(None if each.account.proxy is None else each.account.proxy.reveal())
            for each in pool.accounts()
        },
        endpoints=sorted(endpoints, key=lambda each: -(each.used or 0.0)),
        opening=pool.opening or 2.0,
    )


def proxy_name(url: str | None) -> str:
    """A proxy without its user and password; "direct" for none."""
    if url is None:
        return "direct"
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
