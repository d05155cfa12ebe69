"""ETags: an answer that its reader has is not sent again, and no change is made to what he has not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.service.served import served
from twikit_pool.service.etags import names, tag_of
from twikit_pool.service.tokens import Scope

CONFIG = "/v1/pools/default/config"


async def test_who_has_an_answer_is_not_sent_it_again(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        for path in (CONFIG, "/v1/accounts", "/v1/accounts/sim_001", "/v1/pools/default/reservations"):
            first = await http.get(path)
            tag = first.headers["etag"]
            assert tag == tag_of(first.content)
            for sent in (tag, f'"x", {tag}', "*", tag.removeprefix("W/")):
                again = await http.get(path, headers={"If-None-Match": sent})
                assert (again.status_code, again.content) == (304, b""), (path, sent)
                assert again.headers["etag"] == tag
                assert "content-length" not in again.headers
                assert again.headers["cache-control"] == "no-store"
            assert (await http.get(path, headers={"If-None-Match": 'W/"x"'})).status_code == 200


async def test_what_changes_has_another_tag(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        tag = (await http.get("/v1/accounts/sim_001")).headers["etag"]
        await http.post("/v1/accounts/sim_001/disable", json={})
        answer = await http.get("/v1/accounts/sim_001", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json()["state"]) == (200, "disabled")


async def test_nobody_without_a_token_learns_whether_his_tag_holds(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        async with daemon.client() as http:
            tag = (await http.get(CONFIG)).headers["etag"]
        async with daemon.client(None) as http:
            answer = await http.get(CONFIG, headers={"If-None-Match": tag})
        assert (answer.status_code, "etag" in answer.headers) == (401, False)


async def test_only_what_was_seen_is_changed(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        tag = (await http.get(CONFIG)).headers["etag"]
        changed = await http.patch(CONFIG, json={"max_connections": 20}, headers={"If-Match": tag})
        assert changed.status_code == 200
        late = await http.patch(CONFIG, json={"max_connections": 30}, headers={"If-Match": tag})
        assert (late.status_code, late.json()["title"]) == (412, "it has changed meanwhile")
        assert daemon.service.pool("default").config.max_connections == 20
        now = (await http.get(CONFIG)).headers["etag"]
        for sent in (now, "*"):
            new = await http.patch(CONFIG, json={"max_connections": 30}, headers={"If-Match": sent})
            assert new.status_code == 200, sent


async def test_what_changes_nothing_else_and_problems_have_no_tag(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        for method, path in (
            ("GET", "/v1/nothing"),
            ("GET", "/v1/pools/nowhere"),
            ("GET", "/healthz"),
            ("POST", "/v1/pools/default/resume"),
        ):
            assert "etag" not in (await http.request(method, path)).headers, path


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("", False),
        ('W/"a"', True),
        ('"a"', True),
        (' "b" , W/"a"', True),
        ('"b","c"', False),
        ("*", True),
        ("a", False),
        ('"*"', False),
        ('W/"a', False),
    ],
)
def test_headers_of_tags_are_read(header: str, named: bool) -> None:
    assert names(header, 'W/"a"') is named
