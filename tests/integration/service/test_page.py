"""The dashboard's files, and the figures behind its charts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from litestar.testing import create_test_client

from tests.integration.service.served import served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.service.page import KINDS, PAGE, page
from twikit_pool.service.tokens import Scope

MOST_BYTES = 200_000
"""Of the whole page; what is loaded at first, tests/browser measures."""


def built(folder: Path) -> Path:
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>built</title>")
    (folder / "assets/index-abc.js").write_text("export {}")
    (folder / "assets/notes.txt").write_text("not a part of a page")
    return folder


def test_the_page_is_served_and_kept_for_good_but_its_index(tmp_path: Path) -> None:
    with create_test_client([page(built(tmp_path))], openapi_config=None) as http:
        index = http.get("/")
        assert index.headers["content-type"] == "text/html; charset=utf-8"
        assert "built" in index.text
        script = http.get("/assets/index-abc.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        squeezed = http.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
        assert squeezed.text == "export {}"
        for path in ("notes.txt", "none.js", "..%2Findex.html", "%2e%2e/index.html"):
            assert http.get(f"/assets/{path}").status_code == 404, path


def test_without_a_page_it_says_how_to_get_one(tmp_path: Path) -> None:
    with create_test_client([page(tmp_path)], openapi_config=None) as http:
        answer = http.get("/")
        assert answer.status_code == 200
        assert "make page" in answer.text


async def test_the_service_serves_it_to_anyone_under_its_policy(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(None) as http:
        answer = await http.get("/")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.skipif(not (PAGE / "index.html").exists(), reason="the dashboard is not built: make page")
def test_the_built_page_is_small_and_asks_nobody_else() -> None:
    files = [each for each in PAGE.rglob("*") if each.is_file()]
    assert {each.suffix for each in files} <= KINDS.keys(), "else it would not be served"
    assert sum(each.stat().st_size for each in files) < MOST_BYTES
    index = (PAGE / "index.html").read_text()
    assert "http" not in index
    assert "style=" not in index
    assert "<script>" not in index


async def test_figures_are_kept_for_charts(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(metrics_interval=0.1)
    async with served(tmp_path, config) as daemon, daemon.client(Scope.READ) as http:
        await asyncio.sleep(0.5)
        path = "/v1/pools/default/metrics/history"
        figures = (await http.get(path)).json()
        columns = figures["columns"]
        assert figures["kept"] == 86_400
        assert len(columns["at"]) >= 2
        assert {len(each) for each in columns.values()} == {len(columns["at"])}
        one = (await http.get(path, params={"step": 3600})).json()["columns"]
        assert 1 <= len(one["at"]) <= 2
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        assert (await http.get(path, params={"since": soon})).json()["columns"]["at"] == []
        assert (await http.get(path, params={"since": "yesterday"})).status_code == 422
        assert (await http.get(path, params={"step": -1})).status_code == 422
        assert (await http.get("/v1/pools/none/metrics/history")).status_code == 404
