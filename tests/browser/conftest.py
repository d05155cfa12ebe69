from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.house import House
from twikit_pool.service.page import PAGE
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Page

CHROMIUM = Path("/usr/bin/chromium")
HERE = Path(__file__).parent

LACKS = [
    (importlib.util.find_spec("playwright") is None, "playwright is not installed: pip install -e '.[dev]'"),
    (not CHROMIUM.exists(), f"{CHROMIUM} is not there: scripts/install-chromium.sh installs it"),
    (not (PAGE / "index.html").exists(), "the dashboard is not built: make page"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = next((reason for missing, reason in LACKS if missing), None)
    if why is not None:
        for each in items:
            if each.path.is_relative_to(HERE):
                each.add_marker(pytest.mark.skip(reason=why))


class Browsing:
    """One page of a browser, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        """Requests to anything but the service."""


@pytest.fixture
def browse() -> Callable[..., AbstractAsyncContextManager[Browsing]]:
    """Opens the dashboard of a service, logged in unless the scope is None."""
    from playwright.async_api import async_playwright

    @asynccontextmanager
    async def opened(
        house: House, scope: Scope | None = Scope.ADMIN, view: str = "", **context: Any
    ) -> AsyncIterator[Browsing]:
        settings = {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light", **context}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            try:
                page = await (await browser.new_context(**settings)).new_page()
                page.set_default_timeout(10_000)
                browsing = Browsing(page)
                page.on("pageerror", lambda error: browsing.wrong.append(str(error)))
                page.on(
                    "console",
                    lambda line: browsing.wrong.append(line.text) if "Security Policy" in line.text else None,
                )
                page.on(
                    "request",
                    lambda asked: (
                        browsing.foreign.append(asked.url)
                        if f"127.0.0.1:{house.port}/" not in asked.url
                        else None
                    ),
                )
                await page.goto(f"{house.url}/#/{view}")
                if scope is not None:
                    await page.get_by_label("Token").fill(house.tokens[scope])
                    await page.get_by_role("button", name="Log in").click()
                    await page.locator(".badge[data-state=live]").wait_for()
                yield browsing
                assert browsing.wrong == []
                assert browsing.foreign == []
            finally:
                await browser.close()

    return opened
