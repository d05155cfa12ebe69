"""What lies over the table for a moment: a choice, a question before an act, a row in full, the keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from twikit_pool.cli.event_lines import one_line
from twikit_pool.cli.top.acts import Act
from twikit_pool.cli.top.facts import facts
from twikit_pool.errors import TwikitPoolError

BOX = """
{name} {{ align: center middle; }}
{name} > #box {{ width: 90%; max-width: {width}; height: auto; max-height: 90%; background: $panel;
    border: round $primary; padding: 0 1; }}
{name} #title {{ text-style: bold; }}
"""


class Choice(ModalScreen[int]):
    """One of several; nothing when it is escaped from.

    Args:
        title: what is chosen.
        options: what there is; those with a reason cannot be chosen, and say why not.
    """

    DEFAULT_CSS = (
        BOX.format(name="Choice", width=70)
        + "Choice OptionList { height: auto; max-height: 16; border: none; background: $panel; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Back")]

    def __init__(self, title: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._heading = title
        self._options = options

    def compose(self) -> ComposeResult:
        """A list."""
        with Vertical(id="box"):
            yield Label(Text(self._heading), id="title")
            yield OptionList(
                *(
                    Option(Text(f"{label} ({why_not})" if why_not else label), disabled=bool(why_not))
                    for label, why_not in self._options
                )
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """It is chosen."""
        self.dismiss(event.option_index)


class Question(ModalScreen[dict[str, str]]):
    """Whether an act is to be done, and what goes with it: what was typed, or nothing to leave it."""

    DEFAULT_CSS = (
        BOX.format(name="Question", width=70)
        + """
    Question.-loud > #box { border: heavy $error; }
    Question.-loud #title { background: $error; color: $text; }
    Question Input { margin: 0 0 1 0; }
    Question #wrong { color: $error; }
    Question Horizontal { height: auto; align: right middle; }
    Question Button { margin: 0 0 0 2; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Leave it")]

    def __init__(self, act: Act, *, loud: bool) -> None:
        super().__init__(classes="-loud" if loud else "")
        self._act = act

    def compose(self) -> ComposeResult:
        """Its title, what it means, what has to be said, and the two ways out."""
        with Vertical(id="box"):
            yield Label(Text(self._act.title), id="title")
            yield Static(Text(self._act.says + "\n"))
            for each in self._act.fields:
                yield Label(Text(each.label))
                yield Input(each.value, id=f"field-{each.name}", compact=True)
            yield Static(id="wrong")
            with Horizontal():
                yield Button("Leave it", id="leave", compact=True)
                yield Button("Do it", id="do", variant="error", compact=True)

    def on_mount(self) -> None:
        """Whoever only presses Enter does nothing."""
        (self.query("Input").first() if self._act.fields else self.query_one("#leave")).focus()

    def on_input_submitted(self) -> None:
        """To the next field; from the last to the button, which is another Enter."""
        self.focus_next()
        if self.focused is not None and self.focused.id == "leave":
            self.query_one("#do").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Out, if all is there."""
        if event.button.id == "leave":
            self.dismiss()
            return
        typed = {each.name: self.query_one(f"#field-{each.name}", Input).value for each in self._act.fields}
        try:
            self._act.body(typed)
        except ValueError as wrong:
            self.query_one("#wrong", Static).update(Text(str(wrong)))
            return
        self.dismiss(typed)


class Details(ModalScreen[bool]):
    """A row in full, looked at again and again; True when something is to be done about it.

    Args:
        title: what it is.
        row: what is known of it.
        look: asks the service for more; None where there is no more.
        interval: seconds between two looks.
    """

    DEFAULT_CSS = (
        BOX.format(name="Details", width=110)
        + "Details VerticalScroll { height: auto; max-height: 100%; } Details #wrong { color: $error; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
        Binding("a", "dismiss(True)", "Act"),
    ]

    def __init__(
        self,
        title: str,
        row: Mapping[str, Any],
        look: Callable[[], Awaitable[Mapping[str, Any]]] | None,
        interval: float,
    ) -> None:
        super().__init__()
        self._heading = title
        self._row = row
        self._look = look
        self._interval = interval

    def compose(self) -> ComposeResult:
        """Everything, scrolled."""
        with Vertical(id="box"):
            yield Label(Text(f"{self._heading}   (Escape: back, a: act)"), id="title")
            with VerticalScroll():
                yield Static(facts(self._row), id="facts")
            yield Static(id="wrong")

    def on_mount(self) -> None:
        """Look, now and again."""
        self.query_one(VerticalScroll).focus()
        if self._look is not None:
            self._begin()
            self.set_interval(self._interval, self._begin)

    def _begin(self) -> None:
        self.run_worker(self._ask(), exit_on_error=False)

    async def _ask(self) -> None:
        if self._look is None:
            return
        try:
            told = await self._look()
        except TwikitPoolError as error:
            self.query_one("#wrong", Static).update(Text(one_line(error)))
            return
        self.query_one("#wrong", Static).update("")
        self.query_one("#facts", Static).update(facts(told))


KEYS = """\
1 to 6         views, in their order
arrows, j k    from row to row; left, right: columns beyond the edge
Page Up, Down  a screen; Home, End (g, G): the first row, the last
Enter          the row in full; Escape closes it
/              find; Enter keeps what was typed, Escape drops it
f              those in the next state; of events: the next topic
s, r           sort by the next figure; the other way round
p              another pool
Space          pause: nothing changes until it is pressed again
a              act on the row or the pool: close, quarantine, drain, …
!              emergency stop; R resumes
q, Ctrl-C      quit
"""


class Help(ModalScreen[None]):
    """The keys."""

    DEFAULT_CSS = BOX.format(name="Help", width=90)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,question_mark", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        """A list."""
        with Vertical(id="box"):
            yield Label("Keys", id="title")
            yield Static(Text(KEYS))
