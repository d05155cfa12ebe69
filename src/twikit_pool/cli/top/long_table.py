"""A table of any length, of which only the rows on the screen are known.

Textual's own DataTable holds every row, so that five thousand connections would be sent, laid out and drawn
anew every two seconds. Here rows are numbers until they come into view: `Wanted` says which are, and `show`
gives them. What is scrolled to before it has come is shown as dots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

Row = dict[str, Any]

GAP: Final = 1
"""Columns of the terminal between two of the table."""

ROOMY: Final = 100
"""Columns that a terminal must have for those of the table that can be spared."""

SIDEWAYS: Final = 8
"""Columns that an arrow key scrolls."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        label: its head.
        least, most: how wide it may be; as its widest value between them.
        right: whether it is of numbers.
        spare: whether it is left out where there is little room.
    """

    label: str
    least: int
    most: int
    right: bool = False
    spare: bool = False


class LongTable(ScrollView, can_focus=True):
    """The table; its head stays where it is.

    Attributes:
        cursor: the number of the row that is chosen.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"long-table--head"}
    DEFAULT_CSS = """
    LongTable { height: 1fr; background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    LongTable > .long-table--head { text-style: bold; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "to_end(False)", show=False),
        Binding("end,G", "to_end(True)", show=False),
        Binding("left", "sideways(-1)", show=False),
        Binding("right", "sideways(1)", show=False),
        Binding("enter", "open", "Open", show=False),
    ]

    class Wanted(Message):
        """Rows have come into view that are not there yet."""

    class Opened(Message):
        """A row is to be looked at."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self._columns: Sequence[Column] = ()
        self._widths: list[int] = []
        self._plain_console = Console()
        self._total = 0
        self._offset = 0
        self._rows: Sequence[Row] = ()
        self._cells: list[Sequence[Text]] = []

    # ------------------------------------------------------------ what is in it

    def begin(self, columns: Sequence[Column]) -> None:
        """Be empty, with these columns."""
        self._columns = columns
        self._widths = [max(each.least, len(each.label)) for each in columns]
        self.cursor, self._total, self._offset, self._rows, self._cells = 0, 0, 0, (), []
        self.scroll_to(0, 0, animate=False, force=True)
        self._measure()

    def show(self, total: int, offset: int, rows: Sequence[Row], cells: list[Sequence[Text]]) -> None:
        """Of so many rows, those from this number on."""
        self._total, self._offset, self._rows, self._cells = total, offset, rows, cells
        for number, column in enumerate(self._columns):
            widest = max((cell_len(each[number].plain) for each in cells), default=0)
            self._widths[number] = max(self._widths[number], min(widest, column.most))
        self.cursor = max(0, min(self.cursor, total - 1))
        self._measure()

    def _measure(self) -> None:
        shown = [
            width for column, width in zip(self._columns, self._widths, strict=True) if self._fits(column)
        ]
        width = sum(shown) + GAP * (len(shown) + 1)
        self.virtual_size = Size(width, self._total + 1)
        self.refresh()

    def _fits(self, column: Column) -> bool:
        return not column.spare or self.size.width >= ROOMY

    @property
    def wanted(self) -> tuple[int, int]:
        """The offset and number of the rows to fetch: a screen, and one before and after it."""
        screen = max(1, self.size.height - 1)
        offset = max(0, round(self.scroll_y) - screen)
        return offset, 3 * screen

    @property
    def chosen(self) -> Row | None:
        """The row that the cursor is on, if it is there."""
        at = self.cursor - self._offset
        return self._rows[at] if 0 <= at < len(self._rows) else None

    # ------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        """A line of the screen: the head, or a row."""
        width = self.size.width
        if y == 0:
            style = self.get_component_rich_style("long-table--head")
            return self._strip(self._line([Text(each.label) for each in self._columns]), width, style)
        number = round(self.scroll_y) + y - 1
        if number >= self._total:
            return Strip.blank(width, self.rich_style)
        at = number - self._offset
        cells = self._cells[at] if 0 <= at < len(self._cells) else [Text("…", "dim")] * len(self._columns)
        line = self._line(cells)
        if number == self.cursor:
            line = Text(line.plain)  # its colours would be hard to read the other way round
            return self._strip(line, width, self.rich_style + Style(reverse=True, bold=self.has_focus))
        return self._strip(line, width, self.rich_style)

    def _line(self, cells: Sequence[Text]) -> Text:
        line = Text(" ", no_wrap=True, end="")
        for column, cell, width in zip(self._columns, cells, self._widths, strict=True):
            if not self._fits(column):
                continue
            part = cell.copy()
            part.truncate(width, overflow="ellipsis")
            spare = " " * (width - cell_len(part.plain))
            if column.right:
                line.append(spare)
            line.append_text(part)
            if not column.right:
                line.append(spare)
            line.append(" " * GAP)
        return line

    def _strip(self, line: Text, width: int, base: Style) -> Strip:
        strip = Strip(line.render(self._plain_console)).apply_style(base)
        left = round(self.scroll_x)
        return strip.crop_extend(left, left + width, base)

    # ------------------------------------------------------------ moving

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other rows are in view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Wanted())

    def on_resize(self) -> None:
        """More or fewer rows are, and columns."""
        self._measure()
        self.post_message(self.Wanted())

    def _to(self, number: int) -> None:
        self.cursor = max(0, min(number, self._total - 1))
        screen, top = max(1, self.size.height - 1), round(self.scroll_y)
        # By force: until the next layout Textual thinks that what has just grown cannot be scrolled.
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + screen:
            self.scroll_to(y=self.cursor - screen + 1, animate=False, force=True)
        self.refresh()

    def action_move(self, by: int) -> None:
        """So many rows down."""
        self._to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """So many screens down."""
        self._to(self.cursor + by * max(1, self.size.height - 2))

    def action_to_end(self, last: bool) -> None:
        """To the first row, or the last."""
        self._to(self._total - 1 if last else 0)

    def action_sideways(self, by: int) -> None:
        """To columns that are beyond the edge."""
        self.scroll_to(x=max(0, self.scroll_x + by * SIDEWAYS), animate=False, force=True)

    def action_open(self) -> None:
        """Look at the row."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Choose a row; twice: look at it."""
        number = round(self.scroll_y) + event.y - 1
        if event.y >= 1 and number < self._total:
            self._to(number)
            if event.chain == 2:
                self.action_open()
