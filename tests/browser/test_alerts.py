"""Alerts in a real browser: the bell, the view, what can be done there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.browser.house import House, simulated
from tests.browser.test_dashboard import AXE, _violations, comes_to, go_to
from twikit_pool.alerts import AlertWatch, Severity
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.events import ComponentDegraded
from twikit_pool.service.tokens import Scope

pytestmark = pytest.mark.timeout(120)


def watch_of(house: House) -> AlertWatch:
    watch = house.service.manager.attendants.alerts
    assert watch is not None
    return watch


async def test_the_bell_rings_and_an_alert_is_acknowledged_silenced_and_over(
    tmp_path: Path, browse: Any
) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, Scope.OPERATE) as browsing:
        page = browsing.page
        bell = page.locator(".bell")
        await comes_to(lambda: bell.get_attribute("aria-label"), "0 alerts fire")
        house.pool.emergency_stop("a wrong link went out", pause=600)
        await comes_to(lambda: bell.get_attribute("aria-label"), "1 alert fires")
        await bell.click()
        now = page.get_by_role("region", name="Alerts that hold")
        one = now.get_by_role("listitem")
        told = await one.inner_text()
        assert "critical" in told
        assert "a wrong link went out" in told
        assert "twikit-pool resume" in told
        await one.get_by_role("button", name="Silence…").click()
        await page.get_by_label("Minutes").fill("5")
        await page.get_by_label("Reason").fill("a drill")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await comes_to(lambda: bell.get_attribute("aria-label"), "0 alerts fire")
        silences = page.get_by_role("region", name="Silences")
        assert "emergency_stop · default" in await silences.inner_text()
        await silences.get_by_role("button", name="End…").click()
        await page.get_by_role("button", name="End it").click()
        await comes_to(lambda: bell.get_attribute("aria-label"), "1 alert fires")
        await one.get_by_role("button", name="Acknowledge…").click()
        await page.get_by_label("Note").fill("it was me")
        await page.get_by_role("button", name="Acknowledge", exact=True).click()
        await comes_to(lambda: bell.get_attribute("aria-label"), "0 alerts fire")
        assert "operate token knows: it was me" in await one.inner_text()
        house.pool.resume()
        await page.get_by_role("region", name="Alerts that are over").wait_for()
        await now.get_by_text("Nothing is wrong").wait_for()


async def test_who_may_only_read_sees_and_changes_nothing(tmp_path: Path, browse: Any) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, Scope.READ) as browsing:
        page = browsing.page
        house.pool.emergency_stop("drill", pause=600)
        watch_of(house).look()
        await go_to(page, "alerts")
        button = page.get_by_role("button", name="Acknowledge…")
        assert await button.get_attribute("aria-disabled") == "true"
        assert "may operate" in (await button.get_attribute("title") or "")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci in web/")
async def test_axe_finds_no_serious_violation_among_alerts(tmp_path: Path, browse: Any, colours: str) -> None:
    async with simulated(tmp_path, 6) as house, browse(house, color_scheme=colours) as browsing:
        page, watch = browsing.page, watch_of(house)
        house.pool.emergency_stop("drill", pause=600)
        watch.look()
        house.pool.resume()
        rule = watch.engine.rules["component_degraded"]
        for pool_id, severity in (("", "critical"), ("default", "warning"), ("news", "info")):
            changed = msgspec.structs.replace(rule, lasting=0.0, severity=Severity(severity))
            watch.engine.rules["component_degraded"] = changed
            now = SYSTEM_CLOCK.now()
            house.service.manager.events.publish(
                ComponentDegraded(pool_id=pool_id, at=now, component="history", reason="the disk is full")
            )
            watch.look()
        watch.acknowledge(watch.engine.alerts()[0].id, by="me")
        watch.silence(SYSTEM_CLOCK.now() + timedelta(hours=1), rule="queue_long", reason="a drill", by="me")
        await go_to(page, "alerts")
        await page.get_by_role("region", name="Alerts that are over").wait_for()
        await page.evaluate(AXE.read_text())
        assert await _violations(page) == []
        await page.screenshot(path=str(tmp_path / "alerts.png"))
