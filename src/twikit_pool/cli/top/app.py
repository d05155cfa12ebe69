"""The application: what is shown, and which key does what."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static
from textual.worker import Worker, WorkerState

from twikit_pool.cli.event_lines import FIGURES, one_line
from twikit_pool.cli.top.acts import Act, acts_of_pool, acts_of_row, emergency_stop
from twikit_pool.cli.top.dialogs import Choice, Details, Help, Question
from twikit_pool.cli.top.head import Head, Load
from twikit_pool.cli.top.known import WINDOW, Known, Pool
from twikit_pool.cli.top.long_table import LongTable
from twikit_pool.cli.top.views import QUICK, VIEWS, Query, Rows, Source
from twikit_pool.cli.top.words import BAD, duration
from twikit_pool.client import AccessRefused
from twikit_pool.errors import TwikitPoolError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from twikit_pool.cli.top.long_table import Row
    from twikit_pool.client import RemotePool

EVENTS_SHOWN: Final = 20
"""Of one connection or account."""

USUAL: Final = ("pool_updates", "scaling", "alerts", "jobs")
LEASES: Final = "connection_events"
"""Comes with every call: heard only while events are looked at."""

EVENTS_KEPT: Final = 500
"""Events of before that are asked for."""


class TopApp(App[int]):
    """`twikit-pool top`.

    Args:
        remote: the service.
        pool: the pool to begin with.
        scope: what our token may do.
        interval: seconds between two looks at the rows.

    Attributes:
        table: the rows.
        failed: why it has ended, where nobody wanted it to: the token does not hold any more, say.
    """

    TITLE = "twikit-pool top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #views { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #note { height: auto; max-height: 3; padding: 0 1; color: $text-muted; }
    #find { display: none; height: 1; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number + 1), f"view({number})", show=False) for number in range(len(VIEWS))),
        Binding("slash", "find", "Find", key_display="/"),
        Binding("f", "state", "State"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse"),
        Binding("p", "pool", "Pool"),
        Binding("space", "pause", "Pause", key_display="␣"),
        Binding("a", "act", "Act"),
        Binding("exclamation_mark", "stop", "STOP", key_display="!"),
        Binding("R", "resume", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
        Binding("escape", "leave_find", show=False),
    ]

    def __init__(self, remote: RemotePool, pool: str, *, scope: str, interval: float = 2.0) -> None:
        super().__init__()
        self.failed: BaseException | None = None
        self.table: Final = LongTable()
        self._head = Head()
        self._line = Load()
        self._views = Static(id="views")
        self._said = Static(id="note")
        self._find = Input(placeholder="find", id="find", compact=True)
        self._remote = remote
        self._pool = pool
        self._scope = scope
        self._interval = interval
        self._known = Known()
        self._view = VIEWS[0]
        self._queries = {each.name: Query() for each in VIEWS}
        self._look = asyncio.Event()
        self._paused = False
        self._live = False
        self._cut_off = ""
        self._problem = ""
        self._note = ""
        self._total = 0
        self._leases: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Figures, load, views, the table, and keys."""
        yield self._head
        yield self._line
        yield self._views
        yield self._said
        yield self.table
        yield self._find
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to listen and to look."""
        self.table.begin(self._view.columns)
        self.table.focus()
        self._tell_views()
        self._tell_head()
        self._begin(self._listen(), "listening")
        self._begin(self._load(), "loading")
        self.set_interval(1.0, self._tell_head_unless_paused)

    def _begin(self, work: Coroutine[Any, Any, None], group: str) -> Worker[None]:
        """Do this beside the rest, in place of what is done in its group."""
        return self.run_worker(work, group=group, exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """End when a worker fails. Textual would show the values of all variables, which may be secret."""
        if event.state is WorkerState.ERROR and self.failed is None:
            self.failed = event.worker.error  # pyright: ignore[reportUnknownMemberType]
            self.exit(1)

    @property
    def query_now(self) -> Query:
        """Which rows are looked at."""
        return self._queries[self._view.name]

    # ------------------------------------------------------------ hearing

    async def _listen(self) -> None:
        """Hear what happens, for as long as we run."""
        await self._fetch_events()
        async with aclosing(self._remote.follow(*USUAL)) as heard:
            async for message in heard:
                await self._hear(message)

    async def _hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribed":
                self._live = True
                await self._fetch_history()
                self._look.set()
            case "disconnected":
                self._live = False
                self._cut_off = f"tried again in {duration(message['again_in'])}"
            case "snapshot":
                self._known.note(message)
                self._choose_another_if_gone()
            case _:
                self._known.note(message)
                return
        self._tell_head_unless_paused()

    async def _listen_to_leases(self) -> None:
        async with aclosing(self._remote.follow(LEASES, pools=[self._pool])) as heard:
            async for message in heard:
                if "topic" in message:
                    self._known.note(message)

    async def _fetch_events(self) -> None:
        try:
            recent = await self._remote.wire.ask(
                "GET", f"/v1/events/recent?limit={EVENTS_KEPT}", timeout=QUICK
            )
        except AccessRefused:
            raise
        except TwikitPoolError as error:
            self._problem = str(error)
            return
        for each in recent["items"]:
            if each["type"] not in FIGURES:
                self._known.note(each)

    async def _fetch_history(self) -> None:
        begin = (datetime.now(UTC) - timedelta(seconds=WINDOW)).isoformat()
        try:
            told = await self._source.ask("/metrics/history", since=begin)
        except TwikitPoolError:
            return  # the rows tell what is wrong
        self._known.pools.setdefault(self._pool, Pool()).note_history(told["columns"])

    def _choose_another_if_gone(self) -> None:
        if self._known.pools and self._pool not in self._known.pools:
            self._to_pool(next(iter(self._known.pools)))

    # ------------------------------------------------------------ looking

    @property
    def _source(self) -> Source:
        return Source(self._remote, self._known, self._pool)

    async def _load(self) -> None:
        """Fetch the rows in sight, one time after another: when they are asked for, and now and then."""
        while True:
            try:
                async with asyncio.timeout(self._interval):
                    await self._look.wait()
            except TimeoutError:
                if self._paused:
                    continue
            self._look.clear()
            asked = (self._view, self._source, self.query_now)
            view, source, query = asked
            try:
                rows = await view.load(source, query, *self.table.wanted)
            except TwikitPoolError as error:
                self._problem = str(error)
                self._tell_note()
                continue
            if asked == (self._view, self._source, self.query_now):  # nobody has gone elsewhere meanwhile
                self._problem = ""
                self._show(rows)

    def _show(self, rows: Rows) -> None:
        self._note, self._total = rows.note, rows.total
        cells = [self._view.cells(each) for each in rows.items]
        self.table.show(rows.total, rows.offset, rows.items, cells)
        self._tell_views()
        self._tell_note()

    def on_long_table_wanted(self) -> None:
        """Rows have come into view."""
        self._look.set()

    def on_long_table_opened(self, event: LongTable.Opened) -> None:
        """A row is to be seen in full."""
        row = event.row
        title, path = self._told_at(row)
        source, about = self._source, _about(row)

        async def look() -> dict[str, Any]:
            told = await self._remote.wire.ask("GET", path, timeout=QUICK)
            if about:
                events = await source.ask("/events", **about, limit=EVENTS_SHOWN)
                told["events"] = events["items"]
            return told

        def done(act: bool | None) -> None:
            if act:
                self._choose_act(row)

        self.push_screen(Details(title, row, look if path else None, self._interval), done)

    def _told_at(self, row: Row) -> tuple[str, str]:
        """What a row is called, and where all of it is told, if anywhere."""
        of = f"/v1/pools/{quote(self._pool, safe='')}"
        if "health" in row:
            return row["connection_id"], f"{of}/connections/{quote(row['connection_id'], safe='')}"
        if "logins_today" in row:
            return row["id"], f"/v1/accounts/{quote(row['id'], safe='')}"
        if "expires_at" in row:
            return f"reservation of {row['reserved_for']}", f"{of}/reservations/{quote(row['id'], safe='')}"
        return str(row.get("type") or row.get("action") or self._view.name), ""

    # ------------------------------------------------------------ telling

    def _tell_head_unless_paused(self) -> None:
        if not self._paused:
            self._tell_head()

    def _tell_head(self) -> None:
        pool = self._known.pools.get(self._pool, Pool())
        if self._live:
            badge = Text("● live", "green")
        elif self._cut_off:
            badge = Text(f"○ reconnecting ({self._cut_off})", "bold yellow")
        else:
            badge = Text("○ connecting", "yellow")
        self._head.tell(
            self._pool,
            list(self._known.pools),
            pool,
            badge=badge,
            paused=self._paused,
            why=self._known.stops.get(self._pool, ""),
        )
        self._line.tell(pool)

    def _tell_views(self) -> None:
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, each in enumerate(VIEWS):
            label = f" {number + 1} {each.name} "
            line.append(label, "reverse bold" if each is self._view else "")
        self._views.update(line)

    def _tell_note(self) -> None:
        query = self.query_now
        parts = [f"{self._total:,} rows"]
        if query.state:
            parts.append(query.state)
        if query.text:
            parts.append(f"with {query.text!r}")
        if self._view.sorts:
            parts.append(f"by {query.sort or self._view.sorts[0]} {'↓' if query.descending else '↑'}")
        text = Text(", ".join(parts))
        if self._note:
            text.append(f".  {self._note}")
        if self._problem:
            text = Text(one_line(self._problem), BAD)
        self._said.update(text)

    # ------------------------------------------------------------ choosing what is shown

    def action_view(self, number: int) -> None:
        """Another view."""
        self._view = VIEWS[number]
        self._begin_anew()
        if self._view.name == "Events":
            self._leases = self._begin(self._listen_to_leases(), "leases")
        else:
            if self._leases is not None:
                self._leases.cancel()

    def _begin_anew(self) -> None:
        self._note, self._total = "", 0
        self.table.begin(self._view.columns)
        self.table.focus()
        self._tell_views()
        self._tell_note()
        self._look.set()

    def _ask_for(self, query: Query) -> None:
        self._queries[self._view.name] = query
        self._begin_anew()

    def action_state(self) -> None:
        """Those in the next state; after the last in any."""
        every = ("", *self._view.states)
        if len(every) == 1:
            self.notify("these have no states")
            return
        now = every.index(self.query_now.state)
        self._ask_for(replace(self.query_now, state=every[(now + 1) % len(every)]))

    def action_sort(self) -> None:
        """By the next column."""
        every = self._view.sorts
        if not every:
            self.notify("these are in the order that they have")
            return
        now = every.index(self.query_now.sort or every[0])
        self._ask_for(replace(self.query_now, sort=every[(now + 1) % len(every)]))

    def action_reverse(self) -> None:
        """The other way round."""
        if self._view.sorts:
            self._ask_for(replace(self.query_now, descending=not self.query_now.descending))

    def action_find(self) -> None:
        """Type what is looked for."""
        self._find.value = self.query_now.text
        self._find.display = True
        self._find.focus()

    def action_leave_find(self) -> None:
        """Look for nothing."""
        if self._find.display or self.query_now.text:
            self._hide_find()
            self._ask_for(replace(self.query_now, text=""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for what is typed, as it is."""
        if event.input is self._find and event.input.display and event.value != self.query_now.text:
            self._queries[self._view.name] = replace(self.query_now, text=event.value)
            self.table.begin(self._view.columns)
            self._look.set()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it."""
        if event.input is self._find:
            self._hide_find()

    def _hide_find(self) -> None:
        self._find.display = False
        self.table.focus()

    def action_pause(self) -> None:
        """Nothing changes by itself, or does again."""
        self._paused = not self._paused
        self._tell_head()
        self._look.set()

    def action_pool(self) -> None:
        """Another pool."""
        names = list(self._known.pools)

        def chosen(number: int | None) -> None:
            if number is not None:
                self._to_pool(names[number])

        labels = [(f"{name}: {pool.status.get('mode', '')}", "") for name, pool in self._known.pools.items()]
        self.push_screen(Choice("Pool", labels), chosen)

    def _to_pool(self, name: str) -> None:
        self._pool = name
        self._tell_head()
        self._begin(self._fetch_history(), "history")
        self.action_view(VIEWS.index(self._view))

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(Help())

    # ------------------------------------------------------------ acting

    def action_act(self) -> None:
        """Choose what to do, about the row or the pool."""
        self._choose_act(self.table.chosen)

    def action_stop(self) -> None:
        """An emergency stop."""
        self._confirm(emergency_stop(self._pool), loud=True)

    def action_resume(self) -> None:
        """Serve everyone again."""
        self._confirm(acts_of_pool(self._pool)[0])

    def _choose_act(self, row: Row | None) -> None:
        acts: Sequence[Act] = (
            *(() if row is None else acts_of_row(self._pool, row)),
            *acts_of_pool(self._pool),
        )

        def chosen(number: int | None) -> None:
            if number is not None:
                self._confirm(acts[number], loud=acts[number].title.startswith("EMERGENCY"))

        labels = [
            (each.title, "" if each.allowed(self._scope) else f"needs a token of scope {each.scope}")
            for each in acts
        ]
        self.push_screen(Choice("Do what?", labels), chosen)

    def _confirm(self, act: Act, *, loud: bool = False) -> None:
        if not act.allowed(self._scope):
            self.notify(
                f"this token may {self._scope}: {act.title} needs the scope {act.scope}", severity="error"
            )
            return

        def answered(typed: dict[str, str] | None) -> None:
            if typed is not None:
                self._begin(self._do(act, typed), act.path)

        self.push_screen(Question(act, loud=loud), answered)

    async def _do(self, act: Act, typed: dict[str, str]) -> None:
        try:
            await self._remote.wire.ask(act.method, act.path, act.body(typed), timeout=act.patience)
        except TwikitPoolError as error:
            self.notify(one_line(error), title=act.title, severity="error", markup=False, timeout=10)
        else:
            self.notify("done", title=act.title, markup=False, timeout=3)
        self._look.set()


def _about(row: Row) -> dict[str, str]:
    """What events are asked for that are about a row."""
    if "health" in row:
        return {"connection": row["connection_id"]}
    return {"account": row["id"]} if "logins_today" in row else {}
