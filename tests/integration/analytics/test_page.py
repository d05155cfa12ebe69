"""A report's page in a real browser."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.analytics.conftest import FAULTY
from tests.unit.analytics.weeks import Fleet, rate_with_noon, week
from twikit_pool.analytics.making import report_of
from twikit_pool.analytics.rendering import html_of

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[3] / "web/node_modules/axe-core/axe.min.js"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM}: scripts/install-chromium.sh installs it"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fleet = Fleet(bad_proxy="bad.example:3128", dying="account_30")
    made = week(FAULTY, rate_with_noon, days=4, fleet=fleet)
    report = report_of(made.recorded(), datetime(2026, 3, 6, tzinfo=UTC), plan={"search_tweet": 5.0})
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_of([report]))
    return path


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_is_drawn_without_a_word_of_complaint(page_file: Path, colours: str, width: int) -> None:
    from playwright.async_api import async_playwright

    said: list[str] = []
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            context = await browser.new_context(
                color_scheme="dark" if colours == "dark" else "light",
                viewport={"width": width, "height": 900},
            )
            page = await context.new_page()
            page.on("console", lambda line: said.append(line.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            await page.goto(page_file.as_uri())
            assert said == []
            assert asked == [page_file.as_uri()]
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == (
                "rgb(18, 20, 23)" if colours == "dark" else "rgb(255, 255, 255)"
            )
            assert await page.locator("svg").count() >= 6
            assert await page.locator("polyline").count() >= 6
            if AXE.exists():
                await page.evaluate(AXE.read_text())
                assert (
                    await page.evaluate(
                        """async () => (await axe.run()).violations
                      .filter((each) => ["serious", "critical"].includes(each.impact))
                      .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).slice(0, 3)}`)"""
                    )
                    == []
                )
        finally:
            await browser.close()
