"""`twikit-pool top`, driven by its keys, over a service that it asks through HTTP and a WebSocket."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.house import House, load, silent, simulated
from tests.integration.cli.conftest import Program
from tests.integration.cli.test_serve import serving
from twikit_pool.cli.top.app import TopApp
from twikit_pool.cli.top.dialogs import Details, Help, Question
from twikit_pool.cli.top.long_table import LongTable
from twikit_pool.cli.top.sandbox import served_sandbox
from twikit_pool.client import AccessRefused, RemotePool, ServiceUnreachable
from twikit_pool.errors import ConfigError
from twikit_pool.pool import ConnectionRequest
from twikit_pool.service.tokens import Scope, TokenBook

if TYPE_CHECKING:
    from textual.pilot import Pilot

PATIENCE = 20.0
"""Seconds until something must be on the screen."""


class Screen:
    """What a person sees, and the keys that they press."""

    def __init__(self, app: TopApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self._pilot = pilot

    def text(self) -> str:
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips(self.app.size)  # as Textual's own screenshots
        assert len(lines) <= height
        return "\n".join("".join(segment.text for segment in line)[:width] for line in lines)

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self._pilot.press(*(" " if each == " " else each for each in text))

    async def until(self, sight: str | Callable[[], bool]) -> str:
        """Wait until this is seen, a regular expression or what is true then."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (sight() if callable(sight) else re.search(sight, self.text())):
                    await self._pilot.pause(0.05)
        except TimeoutError:
            raise AssertionError(f"{sight} is not on the screen:\n{self.text()}") from None
        return self.text()


@asynccontextmanager
async def looking(
    house: House, *, scope: Scope = Scope.ADMIN, pool: str = "default", size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Screen]:
    async with RemotePool(house.url, house.tokens[scope], pool, trust_env=False) as remote:
        app = TopApp(remote, pool, scope=scope, interval=0.3)
        async with app.run_test(size=size, notifications=True) as pilot:
            yield Screen(app, pilot)


async def test_it_fits_a_small_terminal(tmp_path: Path) -> None:
    async with simulated(tmp_path, 12) as house, load(house.pool), looking(house) as screen:
        await screen.until(r"sim_003#1")
        for each in ("default", "open", "● live", "in use", "waiting", "longest", "calls/s", "errors", "p95"):
            await screen.until(each)
        for key in (
            "/ Find",
            "f State",
            "s Sort",
            "r Reverse",
            "p Pool",
            "a Act",
            "! STOP",
            "? Help",
            "q Quit",
        ):
            await screen.until(re.escape(key))
        await screen.until(r"in use [▁▂▃▄▅▆▇█]+")
        assert all(len(line) <= 80 for line in screen.text().splitlines())
        await screen.press("question_mark")
        await screen.until("emergency stop; R resumes")
        assert isinstance(screen.app.screen, Help)
        await screen.press("escape", "2")
        await screen.until(r"Times to acquire.*A request now")
        await screen.press("4")
        await screen.until(r"call_finished\s+sim_\d+#1")
        await screen.press("5")
        await screen.until(r"sim_003\s+active")
        await screen.press("6")
        await screen.until(r"connections, 12 to 12 allowed")


async def test_a_connection_tells_its_budget_and_its_reason(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house, size=(140, 40)) as screen:
        await house.pool.execute("get_user", handle="sim_003", account="sim_004")
        await screen.until(r"sim_004#1 .* \d+ UserByScreenName \d+:\d\d")
        house.pool.quarantine("sim_005", "its proxy is slow", 300)
        await screen.press("5")
        await screen.until(r"sim_005 +quarantined +[45]:\d\d .*its proxy is slow")


async def test_rows_are_sorted_filtered_and_found_by_the_service(tmp_path: Path) -> None:
    async with silent(tmp_path, 30) as house, looking(house) as screen:
        first = next(iter(house.pool.connections())).account_id
        await screen.until("30 rows, by connection_id ↑")
        await screen.press("s")
        await screen.until("by account_id ↑")
        await screen.press("r")
        await screen.until("by account_id ↓")
        async with house.pool.acquire(ConnectionRequest(account_id=first)):
            await screen.press("f", "f")
            await screen.until("1 rows, leased")
        await screen.until("0 rows, leased")
        await screen.press("f")
        await screen.until("0 rows, reserved")
        await screen.press("1", *["f"] * 6)
        await screen.until("30 rows, by")
        await screen.press("slash")
        await screen.type(first[-2:])
        await screen.until(f"with '{first[-2:]}'")
        await screen.press("enter")
        await screen.until(rf"{first}#1")
        await screen.press("escape")
        await screen.until("30 rows, by")


async def test_five_thousand_connections_are_not_fetched_at_once(tmp_path: Path) -> None:
    async with silent(tmp_path, 5_000) as house, looking(house) as screen:
        await screen.until("5,000 rows")
        table = screen.app.query_one(LongTable)
        first = screen.text()
        await screen.press("end")
        await screen.until(lambda: table.chosen is not None and table.cursor == 4_999)
        assert screen.text() != first
        await screen.press("pageup", "up")
        await screen.until(lambda: table.chosen is not None and table.cursor < 4_990)
        offset, limit = table.wanted
        assert offset > 4_900
        assert limit < 100
        await screen.press("home")
        await screen.until(lambda: table.chosen is not None and table.cursor == 0)


async def test_an_act_is_asked_for_and_then_done(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house) as screen:
        await screen.until("sim_003#1")
        await screen.press("a")
        await screen.until("Close sim_003#1")
        await screen.press("down", "down", "enter")
        await screen.until("Quarantine sim_003")
        await screen.press("enter", "enter", "enter")  # without a reason
        await screen.until("Reason: say something")
        assert house.pool.status().quarantined == 0
        await screen.press("shift+tab", "shift+tab", "shift+tab")
        await screen.type("drill")
        await screen.press("enter", "enter", "enter")
        await screen.until(lambda: house.pool.status().quarantined == 1)
        await screen.press("a")
        await screen.until("Suspend default")
        await screen.press("escape")
        await screen.press("R")  # whoever only presses Enter does nothing
        await screen.until("Leave it")
        await screen.press("enter")
        assert not isinstance(screen.app.screen, Question)


async def test_an_emergency_stop_is_loud(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house) as screen:
        await screen.until("● live")
        await screen.press("exclamation_mark")
        await screen.until("EMERGENCY STOP of default")
        await screen.type("wrong link")
        await screen.press("enter", "enter", "enter")
        await screen.until(r"EMERGENCY STOP wrong link")
        assert house.pool.status().mode == "emergency"
        await screen.press("R")
        await screen.until("Resume default")
        await screen.press("tab", "enter")
        await screen.until(lambda: house.pool.status().mode == "open")
        await screen.until(lambda: "!!!" not in screen.text())


async def test_a_token_that_may_only_read_is_told_so(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house, scope=Scope.READ) as screen:
        await screen.until("● live")
        await screen.press("exclamation_mark")
        await screen.until(r"this token may read")
        await screen.press("a")
        await screen.until("needs a token of scope operate")


async def test_it_goes_on_when_the_service_comes_back(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house, size=(120, 30)) as screen:
        await screen.until("● live")
        await screen.until("sim_003#1")
        await house.stop()
        await screen.until("○ reconnecting")
        await screen.until("nothing was done|answer did not come")
        assert "sim_003#1" in screen.text(), "what was known stays"
        await house.begin()
        await screen.until("● live")
        house.pool.suspend()
        await screen.until("suspended")


async def test_it_ends_when_its_token_does_not_hold_any_more(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house) as screen:
        await screen.until("● live")
        await house.stop()
        book = TokenBook(tmp_path / "tokens.json")
        for each in book.all():
            book.revoke(each.id)
        await asyncio.sleep(1.1)  # until the service looks at the file again
        await house.begin()
        await screen.until(lambda: screen.app.failed is not None)
        assert isinstance(screen.app.failed, AccessRefused)


async def test_it_can_be_left_from_anywhere(tmp_path: Path) -> None:
    async with silent(tmp_path, 2) as house:
        for keys in (("q",), ("ctrl+c",), ("question_mark", "ctrl+c"), ("exclamation_mark", "ctrl+c")):
            async with looking(house) as screen:
                await screen.until("2 rows")
                await screen.press(*keys)
                await screen.until(lambda screen=screen: not screen.app.is_running)
                assert screen.app.failed is None


async def test_a_pause_freezes_it_and_a_row_is_looked_into(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house) as screen:
        await screen.until("sim_003#1")
        await screen.press("space")
        await screen.until("PAUSED")
        house.pool.suspend()
        await asyncio.sleep(1.5)
        assert "suspended" not in screen.text()
        await screen.press("space")
        await screen.until("suspended")
        await screen.press("enter")
        await screen.until("Escape: back")
        assert isinstance(screen.app.screen, Details)
        seen = await screen.until("created at|usage count|Budgets")
        assert "state" in seen
        await screen.press("escape", "5", "enter")
        await screen.until(r"Events\s+\d\d:\d\d:\d\d connection_created|Pools")


async def test_another_pool_is_chosen(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house) as screen:
        seen = await screen.until("default .[12] of 2")
        await screen.press("p")
        await screen.until("news: open")
        await screen.press(*(["down"] if "1 of 2" in seen else []), "enter")
        await screen.until(r"^ ?news")
        await screen.until("sim_001#1")


async def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    async with simulated(tmp_path, 5) as house, looking(house, size=(160, 50)) as screen:
        token = house.tokens[Scope.ADMIN]
        account = (await house.service.sessions.source.accounts())[0]
        secrets = [token, *account.credentials.cookies.values()]
        for keys in (("1", "enter"), ("escape", "5", "enter"), ("escape", "4"), ("6",)):
            await screen.press(*keys)
            await asyncio.sleep(0.5)
            seen = screen.text().replace("\n", "")
            assert not [each for each in secrets if each in seen]


async def test_a_sandbox_is_made_and_ends_with_it() -> None:
    async with served_sandbox(3) as (url, token), RemotePool(url, token, trust_env=False) as remote:
        assert (await remote.status())["accounts"] == 3
    with pytest.raises(ServiceUnreachable):
        async with RemotePool(url, token, trust_env=False) as remote:
            await remote.status()
    with pytest.raises(ConfigError, match="the sandbox does not start"):
        async with served_sandbox(0):
            pass


def test_without_textual_it_says_which_extra_is_missing(program: Program, tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ModuleNotFoundError(name='textual')")
    ended = program("top", environment={"PYTHONPATH": str(tmp_path), "TWIKIT_POOL_TOKEN": "x"})
    assert ended.returncode == 2
    assert "pip install 'twikit-pool[tui]'" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"), [(("--interval", "0"), "--interval is 0"), ((), "the service takes no requests")]
)
def test_what_is_wrong_is_told_before_the_screen_is_taken(
    program: Program, arguments: tuple[str, ...], says: str
) -> None:
    ended = program("top", *arguments, "--url", "http://127.0.0.1:1", environment={"TWIKIT_POOL_TOKEN": "x"})
    assert ended.returncode in (1, 2)
    assert says in ended.stderr
    assert "\x1b[?1049h" not in ended.stderr


def test_other_commands_do_not_load_it(program: Program) -> None:
    import subprocess

    code = "import sys; from twikit_pool.cli import app; app.help_print; print('textual' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_without_a_terminal_it_says_so(program: Program, home: Path) -> None:
    with serving(home) as daemon:
        environment = {"TWIKIT_POOL_URL": daemon.url, "TWIKIT_POOL_TOKEN": daemon.token}
        ended = program("top", environment=environment)
        assert ended.returncode == 2
        assert "top needs a terminal" in ended.stderr
        assert "no pool 'news': it has default" in program("top", "news", environment=environment).stderr
