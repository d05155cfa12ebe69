"""What the table can show: each view fetches the rows that are in sight, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol
from urllib.parse import quote, urlencode

from rich.text import Text

from twikit_pool.cli.event_lines import about, clock_of, fields_of, one_line
from twikit_pool.cli.top.long_table import Column, Row
from twikit_pool.cli.top.words import (
    BAD,
    NOTHING,
    PRIORITIES,
    SHORT,
    budget,
    countdown,
    duration,
    percent,
    since,
    stateful,
)

if TYPE_CHECKING:
    from twikit_pool.cli.top.known import Known
    from twikit_pool.client import RemotePool

QUICK: Final = 10.0
"""Seconds for an answer."""

LARGEST: Final = 1_000
"""Items of a page at most."""

DECISIONS: Final = 200


@dataclass(frozen=True)
class Query:
    """Which rows, and in which order.

    Attributes:
        text: what is looked for.
        state: in this state alone; "" is any.
        sort: by what; "" is the view's own order.
        descending: whether the other way round.
    """

    text: str = ""
    state: str = ""
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True)
class Rows:
    """A part of a view, and what is said above it."""

    total: int
    offset: int
    items: Sequence[Row]
    note: str = ""


@dataclass(frozen=True)
class Source:
    """Where rows come from."""

    remote: RemotePool
    known: Known
    pool: str

    async def ask(self, path: str, **query: Any) -> Any:
        """What the service answers about the pool; raises as `RemotePool.ask`."""
        asked = urlencode({name: value for name, value in query.items() if value not in ("", None)})
        return await self.remote.wire.ask(
            "GET", f"/v1/pools/{quote(self.pool, safe='')}{path}?{asked}", timeout=QUICK
        )


class View(Protocol):
    """One of the views.

    Attributes:
        name: what it is called.
        columns: of the table.
        states: what its rows can be filtered by, besides text.
        sorts: what they can be sorted by.
    """

    name: ClassVar[str]
    columns: ClassVar[Sequence[Column]]
    states: ClassVar[Sequence[str]] = ()
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """The rows from `offset` on, `limit` at most; raises TwikitPoolError."""
        ...

    def cells(self, row: Row) -> Sequence[Text]:
        """A row, column by column."""
        ...


def _plain(*values: object) -> list[Text]:
    return [value if isinstance(value, Text) else Text(one_line(value)) for value in values]


def _flag(value: bool) -> str:
    return "true" if value else "false"


class Connections:
    """Every connection."""

    name: ClassVar = "Connections"
    columns: ClassVar[Sequence[Column]] = (
        Column("connection", 10, 24),
        Column("state", 8, 9),
        Column("prio", 4, 6),
        Column("age", 5, 6, right=True, spare=True),
        Column("uses", 4, 7, right=True, spare=True),
        Column("health", 6, 6, right=True),
        Column("latency", 7, 7, right=True),
        Column("budget", 6, 28),
        Column("reason, or who has it", 24, 200),
    )
    states: ClassVar[Sequence[str]] = (
        "idle",
        "leased",
        "reserved",
        "opening",
        "renewing",
        "checking",
        "paused",
        "unhealthy",
    )
    sorts: ClassVar[Sequence[str]] = (
        "connection_id",
        "account_id",
        "state",
        "health",
        "average_response_time",
        "idle_time",
        "created_at",
        "usage_count",
        "error_count",
    )

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """Those in sight, sorted and filtered by the service."""
        unhealthy = query.state == "unhealthy"
        page = await source.ask(
            "/connections",
            account=query.text,
            state="" if unhealthy else query.state,
            healthy="false" if unhealthy else "",
            sort=query.sort or "connection_id",
            descending=_flag(query.descending),
            offset=offset,
            limit=limit,
        )
        return Rows(page["total"], page["offset"], page["items"])

    def cells(self, row: Row) -> Sequence[Text]:
        """A connection."""
        health = Text(f"{row['health']:.2f}", "green" if row["healthy"] else BAD)
        who = row["reserved_for"] or row["borrower"] or ""
        return _plain(
            row["connection_id"],
            stateful(row["state"]),
            SHORT.get(row["priority"], ""),
            duration(since(row["created_at"])),
            row["usage_count"],
            health,
            duration(row["average_response_time"]),
            budget(row.get("budget")),
            "; ".join(filter(None, (row.get("reason"), who))),
        )


class Waiting:
    """Who waits, by priority, and why a request would."""

    name: ClassVar = "Waiting"
    columns: ClassVar[Sequence[Column]] = (
        Column("priority", 10, 10),
        Column("waiting", 8, 8, right=True),
        Column("in use", 8, 8, right=True),
    )
    states: ClassVar[Sequence[str]] = ()
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:  # noqa: ARG002
        """A row for each priority, the most urgent first."""
        told = await source.remote.wire.ask(
            "POST", f"/v1/pools/{quote(source.pool, safe='')}/explain", {}, timeout=QUICK
        )
        pool = source.known.pools.get(source.pool)
        status, metrics = (pool.status, pool.metrics) if pool else ({}, {})
        queued, active = status.get("queued_by_priority", {}), status.get("active_by_priority", {})
        items = [
            {"priority": each, "queued": queued.get(str(each), 0), "active": active.get(str(each), 0)}
            for each in sorted(PRIORITIES, reverse=True)
        ]
        waits = ", ".join(
            f"{quantile} {duration(metrics.get(f'{quantile}_acquisition_time'))}"
            for quantile in ("p50", "p95", "p99")
        )
        ahead = "" if not told["ahead"] else f" {told['ahead']} requests are before it."
        note = f"Times to acquire: {waits}. A request now: {told['sentence']}.{ahead}"
        return Rows(len(items), 0, items, note.replace("..", "."))

    def cells(self, row: Row) -> Sequence[Text]:
        """A priority."""
        queued = Text(str(row["queued"]), "bold yellow" if row["queued"] else "")
        return _plain(PRIORITIES[row["priority"]], queued, row["active"])


class Reservations:
    """What is kept for whom, and for how long."""

    name: ClassVar = "Reservations"
    columns: ClassVar[Sequence[Column]] = (
        Column("owner", 12, 30),
        Column("account", 10, 24),
        Column("prio", 4, 6),
        Column("expires", 8, 10, right=True),
        Column("connection", 10, 24),
        Column("id", 8, 40),
    )
    states: ClassVar[Sequence[str]] = ()
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """The next to expire first. The service knows owners by their full names only."""
        if not query.text:
            page = await source.ask("/reservations", offset=offset, limit=limit)
            return Rows(page["total"], page["offset"], page["items"])
        every: list[Row] = []
        while True:
            page = await source.ask("/reservations", offset=len(every), limit=LARGEST)
            every.extend(page["items"])
            if len(every) >= page["total"] or not page["items"]:
                break
        return _part(
            [each for each in every if _has(query.text, each["reserved_for"], each["account_id"])],
            offset,
            limit,
        )

    def cells(self, row: Row) -> Sequence[Text]:
        """A reservation."""
        left = since(row["expires_at"])
        return _plain(
            row["reserved_for"],
            row["account_id"],
            SHORT[row["priority"]],
            countdown(None if left is None else -left),
            row["connection_id"] or NOTHING,
            row["id"],
        )


class Events:
    """What happens, the latest first."""

    name: ClassVar = "Events"
    columns: ClassVar[Sequence[Column]] = (
        Column("time", 8, 8),
        Column("event", 14, 28),
        Column("about", 10, 24),
        Column("", 40, 400),
    )
    states: ClassVar[Sequence[str]] = ("alerts", "scaling", "connection_events", "pool_updates", "jobs")
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """Those that were told since we listen, and before as far as they were kept."""
        found = [
            each
            for each in source.known.events
            if each["pool_id"] in (None, source.pool)
            and (not query.state or each["topic"] == query.state)
            and (not query.text or _has(query.text, each["type"], about(each), fields_of(each)))
        ]
        return _part(found, offset, limit)

    def cells(self, row: Row) -> Sequence[Text]:
        """An event."""
        kind = Text(row["type"], BAD if row["topic"] == "alerts" else "")
        return _plain(clock_of(row), kind, about(row), fields_of(row))


class Accounts:
    """The pool's accounts, and why one cannot be used."""

    name: ClassVar = "Accounts"
    columns: ClassVar[Sequence[Column]] = (
        Column("account", 10, 24),
        Column("state", 8, 12),
        Column("back in", 7, 8, right=True),
        Column("conns", 5, 5, right=True),
        Column("log-ins", 7, 7, right=True),
        Column("tags", 4, 20, spare=True),
        Column("reason", 24, 200),
    )
    states: ClassVar[Sequence[str]] = ("active", "quarantined", "locked", "suspended", "stale", "disabled")
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """Those in sight."""
        asked = {
            "pool": source.pool,
            "state": query.state,
            "search": query.text,
            "offset": offset,
            "limit": limit,
        }
        page = await source.remote.wire.ask(
            "GET",
            f"/v1/accounts?{urlencode({name: value for name, value in asked.items() if value != ''})}",
            timeout=QUICK,
        )
        for each in page["items"]:
            each["here"] = next(
                (at for at in each["pools"] if at["pool_id"] == source.pool), dict[str, Any]()
            )
        return Rows(page["total"], page["offset"], page["items"])

    def cells(self, row: Row) -> Sequence[Text]:
        """An account, as this pool has it."""
        here: dict[str, Any] = row["here"]
        state, why = row["state"], row["reason"]
        if here and not here["usable"]:
            why = here["why"] or why
            if row["usable"]:  # X has nothing against it, but the pool has
                state = here.get("state") or here["why"].split(":")[0]
        left = since(here.get("until") or row["until"])
        return _plain(
            row["id"],
            stateful(one_line(state)),
            "" if left is None else countdown(-left),
            row["connections"],
            row["logins_today"],
            ", ".join(row["tags"]),
            why,
        )


class Scaling:
    """How large the pool is to be, and why."""

    name: ClassVar = "Scaling"
    columns: ClassVar[Sequence[Column]] = (
        Column("time", 8, 8),
        Column("decision", 10, 10),
        Column("target", 6, 7, right=True),
        Column("wanted", 6, 7, right=True),
        Column("sure", 5, 6, right=True),
        Column("reason", 40, 300),
    )
    states: ClassVar[Sequence[str]] = ("scale_up", "scale_down", "hold")
    sorts: ClassVar[Sequence[str]] = ()

    async def load(self, source: Source, query: Query, offset: int, limit: int) -> Rows:
        """The decisions that differed from the one before, the latest first."""
        told = await source.ask("/scaling", limit=DECISIONS)
        items = [each["decision"] | {"at": each["at"]} for each in told["history"]]
        found = [
            each
            for each in items
            if (not query.state or each["action"] == query.state)
            and (not query.text or _has(query.text, each["reason"], *each["constraints"]))
        ]
        how = "by itself" if told["enabled"] else "by hand"
        note = f"{told['size']} connections, {told['least']} to {told['most']} allowed, sized {how}"
        if told["dry_run"]:
            note += " (dry run: decisions are only told)"
        if told["decision"]:
            note += f"; target {told['decision']['target_size']}: {told['decision']['reason']}"
        return _part(found, offset, limit, "; ".join((note, *told["ceilings"])))

    def cells(self, row: Row) -> Sequence[Text]:
        """A decision."""
        return _plain(
            clock_of(row),
            row["action"],
            row["target_size"],
            row["wanted_size"],
            percent(row["confidence"]),
            "; ".join((row["reason"], *row["constraints"])),
        )


VIEWS: Final[tuple[View, ...]] = (
    Connections(),
    Waiting(),
    Reservations(),
    Events(),
    Accounts(),
    Scaling(),
)


def _has(text: str, *fields: str) -> bool:
    return any(text.casefold() in each.casefold() for each in fields)


def _part(every: Sequence[Row], offset: int, limit: int, note: str = "") -> Rows:
    return Rows(len(every), offset, every[offset : offset + limit], note)
