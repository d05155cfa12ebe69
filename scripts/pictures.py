"""Makes docs/images: `make page`, then `python -m scripts.pictures` (some two minutes).

The service is real, and so is the browser; the accounts are the simulator's.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import CHROMIUM
from tests.browser.house import House, load, simulated
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.pool import ConnectionPriority, ConnectionRequest
from twikit_pool.service.tokens import Scope

IMAGES: Final = Path(__file__).parents[1] / "docs/images"

WARM: Final = 75.0
"""Seconds of load before the first picture, so that charts have something to show."""

WIDE: Final = {"viewport": {"width": 1440, "height": 900}}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


async def set_the_scene(house: House) -> None:
    """Some accounts are out, some connections are kept, and one is held that others wait for."""
    pool = house.pool
    locked = Standing(
        state=AccountState.LOCKED, reason="X wants a phone number", evidence="HTTP 403, code 326"
    )
    await pool.sessions.source.set_standing("sim_012", locked)
    await pool.refresh()
    pool.quarantine("sim_007", "complaints about a reply", 1800)
    pool.reserve("sim_005", "spring campaign", duration=900)
    pool.reserve("sim_006", "spring campaign", ConnectionPriority.HIGH, duration=3600)
    pool.reserve(None, "newsroom", ConnectionPriority.CRITICAL, duration=300)


@asynccontextmanager
async def waiters(house: House) -> AsyncIterator[None]:
    """Requests that wait for a connection which is lent to another for seconds at a time."""
    pool, rng = house.pool, random.Random(3)  # noqa: S311 - the same picture each time

    async def use(priority: ConnectionPriority) -> None:
        while True:
            async with pool.acquire(
                ConnectionRequest(account_id="sim_010", priority=priority, timeout=60)
            ) as lease:
                await lease.execute("search_tweet", query="news")
                await asyncio.sleep(rng.uniform(0.5, 3))

    tasks = [asyncio.create_task(use(each), name="newsletter") for each in list(ConnectionPriority)[:3]]
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def page_of(browser: Browser, house: House, **context: Any) -> AsyncIterator[Page]:
    """The dashboard, logged in."""
    page = await (await browser.new_context(**context)).new_page()
    await page.goto(house.url)
    await page.get_by_label("Token").fill(house.tokens[Scope.OPERATE])
    await page.get_by_role("button", name="Log in").click()
    await page.locator(".badge[data-state=live]").wait_for()
    await page.get_by_label("Pool", exact=True).select_option("default")
    yield page
    await page.context.close()


async def take(page: Page, name: str, view: str, opened: str = "") -> None:
    """One picture of a view, with a row opened if it is named."""
    await page.evaluate("(view) => { location.hash = view }", f"/{view}")
    await page.locator(f"main[data-view={view}]").wait_for()
    if opened:
        await page.get_by_role("button", name=opened, exact=True).click()
    await asyncio.sleep(3)
    await page.screenshot(path=IMAGES / f"{name}.png")
    print(name, file=sys.stderr)


async def main() -> None:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulated(Path(folder), 40, max_connections=60) as house,
            load(house.pool, 14),
            waiters(house),
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            await set_the_scene(house)
            await asyncio.sleep(WARM)
            async with page_of(browser, house, color_scheme="light", **WIDE) as page:
                await take(page, "overview", "overview")
                await take(page, "connections", "connections", "sim_014#1")
                await page.keyboard.press("Escape")
                await take(page, "accounts", "accounts", "sim_007")
                await take(page, "reservations", "reservations")
                await take(page, "scaling", "scaling")
            async with page_of(browser, house, color_scheme="dark", **WIDE) as page:
                await take(page, "overview-dark", "overview")
            async with page_of(browser, house, color_scheme="light", **PHONE) as page:
                await take(page, "phone", "overview")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
