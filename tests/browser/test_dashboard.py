"""The dashboard in a real browser, over a real service and the simulator."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.house import load, silent, simulated
from twikit_pool.pool import ConnectionPriority, ConnectionRequest
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

pytestmark = pytest.mark.timeout(120)

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
FIRST_LOAD = 65_000
"""Bytes that are loaded before the first figures stand; what draws the charts comes after it."""

CHARTS = 60_000

VIEWS = (
    "overview",
    "connections",
    "accounts",
    "scaling",
    "reservations",
    "events",
    "alerts",
    "reports",
    "reviews",
)


async def choose_pool(page: Page, name: str = "default") -> None:
    await page.get_by_label("Pool", exact=True).select_option(name)


async def go_to(page: Page, view: str) -> None:
    await page.get_by_role("navigation").get_by_role("link", name=view).click()
    await page.locator(f"main[data-view={view}]").wait_for()


async def figure(page: Page, name: str) -> str:
    return await page.locator(".strip > div", has_text=re.compile(f"^{name}")).locator("b").inner_text()


async def comes_to(read: Any, wanted: Any, seconds: float = 10.0) -> None:
    """Wait until something that is read again and again is as wanted."""
    got: Any = None
    try:
        async with asyncio.timeout(seconds):
            while (got := await read()) != wanted:  # noqa: ASYNC110 - a page has no event for it
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"it is {got!r} and not {wanted!r} after {seconds} s")


# ------------------------------------------------------------ who is it


async def test_who_has_no_token_sees_the_log_in_and_is_told_why_a_wrong_one_fails(
    tmp_path: Path, browse: Any
) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, None) as browsing:
        page = browsing.page
        await page.get_by_label("Token").fill("tp_00000000_x")
        await page.get_by_role("button", name="Log in").click()
        assert "does not hold" in await page.get_by_role("alert").inner_text()
        await page.get_by_label("Token").fill(house.tokens[Scope.READ])
        await page.get_by_role("button", name="Log in").click()
        await page.locator(".badge[data-state=live]").wait_for()
        await page.reload()
        await page.locator(".badge[data-state=live]").wait_for()
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_label("Token").wait_for()
        assert house.tokens[Scope.READ] not in await page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        )


async def test_a_token_that_is_revoked_leads_back_to_the_log_in(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, Scope.READ, "accounts") as browsing:
        book = house.service.access.book
        book.revoke(next(each for each in book.all() if each.scope is Scope.READ).id)
        await browsing.page.get_by_label("Token").wait_for()


async def test_what_the_token_may_not_do_is_disabled_with_a_reason(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, Scope.READ) as browsing:
        page = browsing.page
        stop = page.get_by_role("button", name="Emergency stop")
        assert await stop.get_attribute("aria-disabled") == "true"
        assert await stop.get_attribute("title") == "your token may read; this takes one that may operate"
        await stop.focus()
        await page.keyboard.press("Enter")
        assert await page.get_by_role("dialog").count() == 0


# ------------------------------------------------------------ each view


async def test_the_first_view_is_small_and_the_others_come_when_they_are_shown(
    tmp_path: Path, browse: Any
) -> None:
    async with simulated(tmp_path, 6) as house, browse(house) as browsing:
        page = browsing.page
        await page.get_by_role("img", name=re.compile("^Time to acquire")).wait_for()
        sizes: dict[str, int] = await page.evaluate(
            """() => Object.fromEntries(
              [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
                .filter((each) => !each.name.includes("/v1/"))
                .map((each) => [each.name.split("/").at(-1).split("-")[0], each.decodedBodySize]))"""
        )
        charts = sizes.pop("chart")
        assert sum(sizes.values()) < FIRST_LOAD, sizes
        assert charts < CHARTS
        assert not sizes.keys() & {"connections", "accounts", "scaling", "reservations", "events", "reviews"}


async def test_a_view_that_cannot_be_fetched_says_so(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path, 6) as house, browse(house) as browsing:
        page = browsing.page
        await page.route("**/assets/scaling-*.js", lambda route: route.abort())
        await page.evaluate("location.hash = '/scaling'")
        await page.get_by_role("alert").get_by_text("could not be fetched").wait_for()
        await page.unroute("**/assets/scaling-*.js")
        await page.get_by_role("button", name="Load the page anew").click()
        await page.get_by_role("heading", name="Scaling").wait_for()


async def test_what_happened_before_the_page_was_opened_is_told(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house:
        house.pool.quarantine("sim_009", "complaints", 600)
        async with browse(house) as browsing:
            page = browsing.page
            await choose_pool(page)
            told = page.locator(".timeline li", has_text="account quarantined")
            assert "for 10 min 0 s · complaints" in await told.inner_text()
            await page.get_by_role("link", name="quarantined 1").click()
            await comes_to(page.locator("tbody tr th").all_inner_texts, ["sim_009"])
            assert await page.get_by_label("State").input_value() == "quarantined"
            await page.get_by_role("row", name="sim_009").get_by_text(re.compile(r"(9|10):\d\d")).wait_for()
            await page.get_by_label("State").select_option("active")
            await comes_to(page.locator(".tools [role=status]").inner_text, "22")
            await page.get_by_label("State").select_option("cannot be used now")
            await page.get_by_role("button", name="sim_009").click()
            drawer = page.get_by_role("complementary", name="sim_009")
            await drawer.locator(".callout", has_text="quarantined: complaints").wait_for()
            await drawer.locator(".timeline li", has_text="account quarantined").wait_for()


async def test_connections_show_their_calls_their_budget_and_a_reason(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, view="connections") as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        for _ in range(3):
            await pool.execute("search_tweet", account="sim_008", query="news")
        row = page.get_by_role("row", name="sim_008#1")
        await row.get_by_role("img", name=re.compile("latest 3 calls")).wait_for()
        await row.get_by_text("47 of 50").wait_for()
        await row.get_by_text(re.compile(r"^0:\d\d$")).wait_for()
        await page.get_by_role("button", name="Latency").click()
        await comes_to(page.locator("tbody tr th").first.inner_text, "sim_008#1")
        pool.connection("sim_011#1").member.windows.rest("SearchTimeline", 600, "X said so")
        await page.get_by_role("row", name="sim_011#1").get_by_text("cooling: SearchTimeline").wait_for()
        await page.get_by_role("button", name="sim_008#1").click()
        drawer = page.get_by_role("complementary", name="sim_008#1")
        calls = drawer.locator(".timeline li", has_text="search tweet")
        await comes_to(calls.count, 3)
        assert "ok in" in await calls.first.inner_text()
        await drawer.get_by_label("SearchTimeline: calls left").wait_for(state="attached")
        await page.get_by_role("button", name="Idle").wait_for(state="hidden")


async def test_reservations_are_made_extended_and_ended(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, Scope.EXECUTE, "reservations") as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        dialog = page.get_by_role("dialog")

        async def ask(**given: str) -> None:
            await page.get_by_role("button", name="Reserve…").click()
            for label, value in given.items():
                await dialog.get_by_label(label.replace("_", " ")).fill(value)

        await ask(Owner="newsroom", How_many="2", Minutes="10")
        await dialog.get_by_label("Priority").select_option("HIGH")
        await dialog.get_by_role("button", name="Reserve").click()
        await comes_to(page.get_by_role("row", name="newsroom").count, 2)
        assert {each.priority for each in pool.reservations("newsroom")} == {ConnectionPriority.HIGH}
        await ask(Owner="spring", Accounts="sim_020, nobody, sim_021", Minutes="5")
        await dialog.get_by_role("button", name="Reserve").click()
        problem = dialog.get_by_role("alert")
        assert "1 of 3 are kept; nobody is not: pool 'default' has no account" in await problem.inner_text()
        assert [each.account_id for each in pool.reservations("spring")] == ["sim_020"]
        await dialog.get_by_label("Accounts").fill("sim_021 sim_021")
        await dialog.get_by_role("button", name="Reserve").click()
        await problem.get_by_text("sim_021 is named twice").wait_for()
        await dialog.get_by_label("Accounts").fill("sim_021")
        await dialog.get_by_label("Minutes").fill("0")
        await dialog.get_by_role("button", name="Reserve").click()
        await problem.get_by_text("longer than 0 minutes").wait_for()
        await dialog.get_by_role("button", name="Cancel").click()
        row = page.get_by_role("row", name="spring")
        await row.get_by_role("button", name="Extend…").click()
        await dialog.get_by_label("Minutes from now").fill("60")
        await dialog.get_by_role("button", name="Keep it so long").click()
        await row.get_by_text(re.compile(r"(59:|1:00:)\d\d")).wait_for()
        await row.get_by_role("button", name="End…", exact=True).click()
        await dialog.get_by_role("button", name="End it").click()
        await comes_to(row.count, 0)


async def test_the_overview_shows_figures_as_they_come(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, load(house.pool), browse(house) as browsing:
        page = browsing.page
        await choose_pool(page)
        for title in ("Connections", "Calls and errors", "Time to acquire"):
            await page.get_by_role("img", name=title).and_(page.locator("[aria-label*=' ']")).wait_for()
        before = await figure(page, "Calls")
        assert re.match(r"\d", before)
        connections = page.get_by_role("img", name=re.compile("^Connections: total 23"))
        await connections.wait_for()
        async with asyncio.timeout(10):
            while await figure(page, "Calls") == before:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.2)
        for each in ("1 h", "24 h"):
            await page.get_by_role("button", name=each).click()
            assert await page.get_by_role("button", name=each).get_attribute("aria-pressed") == "true"
        week = page.get_by_role("button", name="7 d")
        assert await week.get_attribute("aria-disabled") == "true"
        assert "keeps figures for 1 d" in (await week.get_attribute("title") or "")
        await page.get_by_role("button", name="24 h").click()
        await connections.wait_for()
        await page.locator(".u-over").first.hover(position={"x": 1, "y": 50})
        assert await page.locator(".legend .when").all_inner_texts() != ["now"] * 3, "one crosshair for all"


async def test_a_week_is_offered_where_the_service_keeps_one(tmp_path: Path, browse: Any) -> None:
    asked: list[str] = []

    async def keeps_a_week(route: Route) -> None:
        asked.append(route.request.url)
        told = await (await route.fetch()).json()
        await route.fulfill(json={**told, "kept": 7 * 86_400})

    async with simulated(tmp_path, 6) as house, browse(house, view="scaling") as browsing:
        page = browsing.page
        await page.route("**/metrics/history?*", keeps_a_week)
        await go_to(page, "overview")
        week = page.get_by_role("button", name="7 d")
        await comes_to(lambda: week.get_attribute("aria-disabled"), None)
        await week.click()
        assert await week.get_attribute("aria-pressed") == "true"
        await comes_to(lambda: asyncio.sleep(0, len(asked) > 0 and "step=900" in asked[-1]), wanted=True)
        await page.get_by_role("img", name=re.compile("^Connections: total")).wait_for()


async def test_another_pool_is_looked_at(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house) as browsing:
        page = browsing.page
        await choose_pool(page, "news")
        await go_to(page, "connections")
        await page.get_by_role("button", name="sim_001#1").wait_for()
        await comes_to(page.locator(".tools [role=status]").inner_text, "2")
        await choose_pool(page, "default")
        await comes_to(page.locator(".tools [role=status]").inner_text, "23")
        await page.reload()
        await page.locator(".badge[data-state=live]").wait_for()
        assert await page.get_by_label("Pool", exact=True).input_value() == "default", "it is remembered"


async def test_connections_are_found_sorted_and_opened(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, view="connections") as browsing:
        page = browsing.page
        await choose_pool(page)
        lease = await house.pool.acquire(ConnectionRequest(account_id="sim_010"))
        await page.get_by_label("State").select_option("leased")
        await comes_to(page.locator("tbody tr th").all_inner_texts, ["sim_010#1"])
        await page.get_by_label("State").select_option("any state")
        await page.get_by_label("Search by account").fill("_02")
        await comes_to(page.locator(".tools [role=status]").inner_text, "6")
        await page.get_by_role("button", name="Connection", exact=False).first.click()
        await comes_to(page.locator("tbody tr th").first.inner_text, "sim_025#1")
        assert await page.locator("thead th").first.get_attribute("aria-sort") == "descending"
        await page.get_by_label("Search by account").fill("010")
        await page.get_by_role("button", name="sim_010#1").click()
        drawer = page.get_by_role("complementary", name="sim_010#1")
        await drawer.get_by_text("leased", exact=True).wait_for()
        lease.release()
        await drawer.get_by_text("connection released").wait_for()
        await page.keyboard.press("Escape")
        await comes_to(drawer.count, 0)
        focused = await page.evaluate("document.activeElement.textContent")
        assert focused == "sim_010#1", "the focus is where it was"


async def test_connections_are_closed_taken_back_and_left_alone(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, Scope.OPERATE, "connections") as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        lease = await pool.acquire(ConnectionRequest(account_id="sim_010"))
        await page.get_by_role("button", name="sim_010#1").click()
        await page.get_by_role("button", name="Take back…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Take back").click()
        await page.get_by_text("sim_010#1 was taken back").wait_for()
        assert not lease.held
        await page.get_by_role("button", name="sim_011#1").click()
        await page.get_by_role("button", name="Close…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Close").click()
        await comes_to(page.get_by_role("button", name="sim_011#1").count, 0)
        await page.get_by_role("button", name="sim_012#1").click()
        await page.get_by_role("button", name="Quarantine account…").click()
        await page.get_by_label("Reason").fill("complaints")
        await page.get_by_role("dialog").get_by_role("button", name="Quarantine").click()
        await page.get_by_text("sim_012 is left alone").wait_for()
        assert pool.status().accounts_by_state["quarantined"] == 1


async def test_accounts_show_why_and_what_they_can_still_do(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, view="accounts") as browsing:
        page = browsing.page
        await choose_pool(page)
        house.pool.quarantine("sim_007", "complaints", 600)
        await house.pool.execute("search_tweet", account="sim_008", query="news")
        await page.get_by_role("row", name="sim_007").get_by_text("quarantined: complaints").wait_for()
        await page.get_by_label("SearchTimeline: calls left").wait_for(state="attached")
        await page.get_by_role("button", name="sim_008").click()
        drawer = page.get_by_role("complementary")
        await drawer.get_by_text("49 of 50").wait_for()
        await drawer.get_by_text(re.compile(r"more in 0:\d\d")).first.wait_for()
        await drawer.get_by_role("button", name="Switch off…").click()
        await page.get_by_label("Reason").fill("a holiday")
        await page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
        await drawer.get_by_text("disabled", exact=True).wait_for()
        await page.get_by_role("row", name="sim_008").get_by_text("a holiday").wait_for()
        await page.get_by_role("button", name="sim_007").click()
        await drawer.get_by_role("button", name="End quarantine").click()
        await drawer.get_by_text("may be used").wait_for()


async def test_decisions_about_the_size_have_reason_and_confidence(tmp_path: Path, browse: Any) -> None:
    async with (
        simulated(tmp_path, scaling_interval=0.2) as house,
        load(house.pool),
        browse(house, view="scaling") as browsing,
    ):
        page = browsing.page
        await choose_pool(page)
        await page.get_by_role("region", name="Decisions").get_by_role("row").nth(1).wait_for()
        assert re.fullmatch(r"\d+", await figure(page, "Size"))
        assert await figure(page, "Confidence") == "100%"


async def test_reservations_and_the_waiting_line(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, view="reservations") as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        pool.reserve("sim_005", "spring campaign", duration=600)
        row = page.get_by_role("row", name="spring campaign")
        await row.get_by_text(re.compile(r"(9|10):\d\d")).wait_for()
        lease = await pool.acquire(ConnectionRequest(account_id="sim_006"))
        wish = ConnectionRequest(account_id="sim_006", priority=ConnectionPriority.HIGH, timeout=30)

        async def wait() -> None:
            async with pool.acquire(wish):
                pass

        waiting = asyncio.create_task(wait())
        await page.get_by_text("1 wait;").wait_for()
        await comes_to(page.get_by_role("row", name="HIGH").get_by_role("cell").first.inner_text, "1")
        await page.get_by_label("Account").fill("sim_006")
        await page.get_by_role("button", name="Explain").click()
        await page.get_by_text("of 1 accounts 1 leased").wait_for()
        lease.release()
        await waiting
        await page.get_by_text("Nobody waits.").wait_for()
        await row.get_by_role("button", name="End…", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="End it").click()
        await page.get_by_text("Nothing is reserved.").wait_for()
        assert pool.reservations() == []


async def test_the_feed_is_filtered_and_paused(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, load(house.pool), browse(house, view="events") as browsing:
        page = browsing.page
        await choose_pool(page)
        await page.get_by_text("call finished").first.wait_for()
        await page.get_by_role("button", name="Pause").click()
        before = await page.locator(".feed li").all_inner_texts()
        await page.get_by_text(re.compile(r"paused, [1-9][\d,]* more")).wait_for()
        assert await page.locator(".feed li").all_inner_texts() == before
        await page.get_by_role("button", name="Go on").click()
        house.pool.quarantine("sim_009", "complaints", 600)
        await page.get_by_label("Filter by text").fill("complaints")
        await page.locator(".feed li", has_text="account quarantined").wait_for()
        assert await page.locator(".feed li[data-weight=warn]").count() >= 1


# ------------------------------------------------------------ what matters when it burns


async def test_an_emergency_stop_and_the_way_back(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, Scope.OPERATE) as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        await page.get_by_role("button", name="Emergency stop").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Cancel").click()
        assert pool.mode == "open", "it was only asked"
        await page.get_by_role("button", name="Emergency stop").click()
        await dialog.get_by_role("button", name="Stop now").click()
        assert pool.mode == "open", "a reason is needed"
        await dialog.get_by_label("Reason").fill("a wrong link went out")
        await dialog.get_by_role("button", name="Stop now").click()
        await page.locator(".banner[data-mode=emergency]").wait_for()
        assert pool.mode == "emergency"
        await page.get_by_role("button", name="Resume…").click()
        await dialog.get_by_role("button", name="Resume").click()
        await comes_to(page.locator(".banner").count, 0)
        assert pool.mode == "open"


async def test_the_page_is_right_again_when_the_server_comes_back(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house) as browsing:
        page, pool = browsing.page, house.pool
        await choose_pool(page)
        await comes_to(lambda: figure(page, "In use"), "0")
        await house.stop()
        await page.locator(".badge[data-state=reconnecting]").wait_for()
        leases = [await pool.acquire(ConnectionRequest(account_id=f"sim_0{n}")) for n in (10, 11, 12)]
        pool.emergency_stop("while nobody saw it", pause=600)
        await house.begin()
        await page.locator(".badge[data-state=live]").wait_for(timeout=30_000)
        await comes_to(lambda: figure(page, "In use"), "3")
        await page.locator(".banner[data-mode=emergency]").wait_for()
        for each in leases:
            each.release()
        await comes_to(lambda: figure(page, "In use"), "0")


async def test_five_thousand_connections_scroll_smoothly(tmp_path: Path, browse: Any) -> None:
    async with silent(tmp_path, 5_000) as house, browse(house, view="connections") as browsing:
        page = browsing.page
        await comes_to(page.locator(".tools [role=status]").inner_text, "5,000")
        assert await page.locator("tbody tr").count() < 80, "what is not seen is not drawn"
        times = await page.evaluate(
            """async () => {
              const box = document.querySelector(".long-table");
              const times = [];
              let before = performance.now();
              for (let step = 0; step < 60; step += 1) {
                box.scrollTop += 2000;
                await new Promise(requestAnimationFrame);
                const now = performance.now();
                times.push(now - before);
                before = now;
              }
              return times.sort((a, b) => a - b);
            }"""
        )
        assert times[len(times) // 2] < 50, times
        await page.locator(".long-table").evaluate("box => { box.scrollTop = box.scrollHeight }")
        last = page.get_by_role("button", name="account_4999#1")
        await page.get_by_role("button", name="account_999#1").wait_for()
        await page.get_by_label("Search by account").fill("_4999")
        await last.click()
        await (
            page.get_by_role("complementary", name="account_4999#1")
            .get_by_text("idle", exact=True)
            .wait_for()
        )


# ------------------------------------------------------------ for everyone


async def test_keys_lead_everywhere(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house) as browsing:
        page = browsing.page
        await choose_pool(page)
        await page.locator("body").click(position={"x": 640, "y": 850})
        await page.keyboard.press("2")
        await page.get_by_role("button", name="sim_003#1").wait_for()
        await page.keyboard.press("/")
        assert await page.evaluate("document.activeElement.type") == "search"
        await page.get_by_role("button", name="sim_003#1").focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate("document.activeElement.textContent") == "sim_005#1"
        await page.keyboard.press("End")
        assert await page.evaluate("document.activeElement.textContent") == "sim_025#1"
        await page.keyboard.press("Enter")
        await page.get_by_role("complementary", name="sim_025#1").wait_for()


async def test_light_and_dark_follow_the_system_and_the_switch(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, color_scheme="dark") as browsing:
        page = browsing.page

        async def background() -> str:
            return await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

        dark = await background()
        await page.emulate_media(color_scheme="light")
        light = await background()
        assert light != dark
        await page.get_by_role("button", name="Colours: auto").click()
        assert await background() == dark
        await page.reload()
        await page.get_by_role("button", name="Colours: dark").click()
        assert await background() == light


async def test_it_fits_a_phone(tmp_path: Path, browse: Any) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    async with simulated(tmp_path) as house, browse(house, **phone) as browsing:
        page = browsing.page
        await choose_pool(page)
        house.pool.reserve("sim_005", "spring campaign", duration=600)
        await house.pool.execute("search_tweet", query="news")
        for view in VIEWS:
            await go_to(page, view)
            await asyncio.sleep(1)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, view


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci in web/")
async def test_axe_finds_no_serious_violation(tmp_path: Path, browse: Any, colours: str) -> None:
    async with (
        simulated(tmp_path) as house,
        load(house.pool, 2),
        browse(house, color_scheme=colours) as browsing,
    ):
        page = browsing.page
        await choose_pool(page)
        house.pool.reserve("sim_005", "spring campaign", duration=600)
        house.pool.quarantine("sim_007", "complaints", 600)
        await page.evaluate(AXE.read_text())
        found: list[str] = []
        for view in VIEWS:
            await go_to(page, view)
            await asyncio.sleep(1)
            if view in ("connections", "accounts"):
                await page.locator("tbody th button").first.click()
                await asyncio.sleep(1)
            found += [f"{view}: {each}" for each in await _violations(page)]
        await go_to(page, "reservations")
        await page.get_by_role("button", name="Reserve…").click()
        found += [f"reserve: {each}" for each in await _violations(page)]
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Emergency stop").click()
        found += [f"dialog: {each}" for each in await _violations(page)]
        await page.get_by_label("Reason").fill("a drill")
        await page.get_by_role("dialog").get_by_role("button", name="Stop now").click()
        await page.locator(".banner").get_by_text("a drill").wait_for()
        found += [f"stopped: {each}" for each in await _violations(page)]
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_label("Token").wait_for()
        found += [f"log-in: {each}" for each in await _violations(page)]
        assert found == []


async def _violations(page: Page) -> list[str]:
    return await page.evaluate(
        """async () => (await axe.run()).violations
          .filter((each) => ["serious", "critical"].includes(each.impact))
          .map((each) => `${each.id}: ${each.help} ${each.nodes.map((node) => node.html).slice(0, 3)}`)"""
    )
