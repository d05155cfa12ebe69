"""The view of reports, in a real browser."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.browser.house import simulated
from twikit_pool.service.tokens import Scope


async def test_a_report_is_looked_at_and_taken_away(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path) as house, browse(house, Scope.READ, "reports") as browsing:
        page = browsing.page
        await house.pool.execute("search_tweet", query="news")
        await page.get_by_label("Pool").select_option("default")
        await page.get_by_role("heading", name="Reports").wait_for()
        await page.get_by_text("What was unusual").wait_for(timeout=30_000)
        await page.get_by_text("fewer than 3 days were recorded").wait_for()
        for kind in ("HTML", "CSV", "JSON"):
            async with page.expect_download() as coming:
                await page.get_by_role("link", name=kind).click()
            taken = await coming.value
            assert taken.suggested_filename == f"default-7d.{kind.lower()}"
            content = await asyncio.to_thread(Path(await taken.path()).read_text)
            assert "default" in content
        await page.get_by_label("How far back").select_option("1d")
        assert (await page.get_by_role("link", name="CSV").get_attribute("href") or "").endswith("last=1d")
        async with page.context.expect_page() as opening:
            await page.get_by_role("link", name="Open").click()
        opened = await opening.value
        await opened.get_by_role("heading", name="Pool default").wait_for()
        assert browsing.wrong == []
        assert browsing.foreign == []
