"""Who may do what over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from tests.integration.service.served import served
from twikit_pool.service.access import COOKIE, CSRF_HEADER
from twikit_pool.service.app import application
from twikit_pool.service.tokens import Scope

PARTS = {int: "1"}
"""What stands for a parameter in a path that is no word, by its type."""


def routes(service: Any) -> list[tuple[str, str, Scope | None]]:
    """Every route: its method, its path with something in the place of each parameter, and its scope."""
    found: list[tuple[str, str, Scope | None]] = []
    for route in application(service).routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler):
                path = "/" + "/".join(
                    part if isinstance(part, str) else PARTS.get(part.type, "default")
                    for part in route.path_components
                )
                found += [
                    (method, path, handler.opt["scope"])
                    for method in handler.http_methods
                    if method != "OPTIONS" and "openapi" not in path
                ]
    return found


async def test_every_route_refuses_whoever_has_no_token_or_too_weak_a_one(tmp_path: Path) -> None:
    async with served(tmp_path, access={"rate": 1e6, "burst": 1e6}) as daemon:
        every = routes(daemon.service)
        assert len(every) >= 20
        for method, path, scope in every:
            if scope is None:
                continue
            async with daemon.client(None) as http:
                nobody = await http.request(method, path, json={})
            assert nobody.status_code == 401, (method, path)
            assert nobody.headers["www-authenticate"].startswith("Bearer")
            for weaker in list(Scope)[: list(Scope).index(scope)]:
                async with daemon.client(weaker) as http:
                    refused = await http.request(method, path, json={})
                assert refused.status_code == 403, (method, path, weaker)
                assert f"takes a token that may {scope}" in refused.json()["detail"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic abc", "Bearer tp_00000000_x", "Bearer " + "x" * 10_000, "bearer é"],
)
async def test_what_is_no_token_is_nobody(tmp_path: Path, header: str) -> None:
    async with served(tmp_path) as daemon, daemon.client(None) as http:
        answer = await http.get("/v1/pools", headers=[(b"Authorization", header.encode())])
        assert answer.status_code == 401


async def test_a_token_that_is_revoked_or_over_holds_no_more(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        book = daemon.service.access.book
        assert (await http.get("/v1/session")).json()["scope"] == "read"
        token = next(each for each in book.all() if each.scope is Scope.READ)
        book.revoke(token.id)
        assert (await http.get("/v1/session")).status_code == 401
        _, plain = book.create("old", Scope.READ, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        answer = await http.get("/v1/session", headers={"Authorization": f"Bearer {plain}"})
        assert answer.status_code == 401


async def test_a_browser_logs_in_and_proves_its_page_with_each_change(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(None) as http:
        refused = await http.post("/v1/session", json={"token": "tp_00000000_x"})
        assert refused.status_code == 401
        answer = await http.post("/v1/session", json={"token": daemon.tokens[Scope.OPERATE]})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        csrf = answer.json()["csrf"]
        assert (await http.get("/v1/session")).json()["csrf"] == csrf
        resume = "/v1/pools/default/resume"
        assert (await http.post(resume)).status_code == 403, "without the page's proof"
        assert (await http.post(resume, headers={CSRF_HEADER: "x"})).status_code == 403
        assert (await http.post(resume, headers={CSRF_HEADER: csrf})).status_code == 200
        elsewhere = {CSRF_HEADER: csrf, "Origin": "https://evil.example"}
        assert (await http.post(resume, headers=elsewhere)).status_code == 403
        own = {CSRF_HEADER: csrf, "Origin": daemon.url}
        assert (await http.post(resume, headers=own)).status_code == 200
        assert (await http.delete("/v1/session", headers={CSRF_HEADER: csrf})).status_code == 204
        assert (await http.get("/v1/session")).status_code == 401
        assert COOKIE in http.cookies, "it was the server that let go"


async def test_a_ticket_is_good_once(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        ticket = (await http.post("/v1/session/ticket")).json()["ticket"]
        token = daemon.service.access.redeem(ticket)
        assert token is not None
        assert token.scope is Scope.READ
        assert daemon.service.access.redeem(ticket) is None
        assert daemon.service.access.redeem("x") is None


async def test_a_token_that_asks_too_often_waits(tmp_path: Path) -> None:
    async with (
        served(tmp_path, access={"rate": 1.0, "burst": 3.0}) as daemon,
        daemon.client(Scope.READ) as http,
    ):
        codes = [(await http.get("/v1/pools")).status_code for _ in range(5)]
        assert codes[:3] == [200, 200, 200]
        assert codes[-1] == 429
        assert int((await http.get("/v1/pools")).headers["retry-after"]) >= 1
        async with daemon.client(Scope.ADMIN) as other:
            assert (await other.get("/v1/pools")).status_code == 200


async def test_changes_are_entered_in_the_audit_log_and_no_secret_is(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        async with daemon.client(Scope.OPERATE) as http:
            await http.get("/v1/pools")
            await http.post("/v1/pools/default/suspend", json={"seconds": 1})
        async with daemon.client(Scope.READ) as http:
            await http.post("/v1/pools/default/resume")
    text = (tmp_path / "audit.log").read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    assert [(each["name"], each["path"], each["status"]) for each in entries] == [
        ("for operate", "/v1/pools/default/suspend", 200),
        ("for read", "/v1/pools/default/resume", 403),
    ]
    assert (tmp_path / "audit.log").stat().st_mode & 0o077 == 0
    for plain in daemon.tokens.values():
        assert plain not in text
        assert plain not in (tmp_path / "tokens.json").read_text()


async def test_every_answer_says_what_a_page_may(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        for path in ("/v1/pools", "/healthz", "/v1/nothing"):
            headers = (await http.get(path)).headers
            assert headers["content-security-policy"].startswith("default-src 'self'"), path
            assert headers["x-content-type-options"] == "nosniff"
