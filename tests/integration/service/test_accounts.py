"""Accounts over HTTP: what each can still do, fresh cookies, on and off, new ones where the source can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.served import Served, listening, served
from twikit_pool.accounts import (
    Account,
    AccountState,
    AccountStore,
    CookieFolder,
    Credentials,
    Keyring,
    Standing,
)
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import ConnectionRequest
from twikit_pool.redaction import Cookies, Secret
from twikit_pool.service.access import Access
from twikit_pool.service.app import application
from twikit_pool.service.audit import Audit
from twikit_pool.service.service import Service
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import Simulator

ACCOUNTS = "/v1/accounts"


@asynccontextmanager
async def served_from(source: Any, x: Simulator, folder: Path) -> AsyncIterator[Served]:
    """A daemon whose accounts come from this source."""
    book = TokenBook(folder / "tokens.json")
    tokens = {scope: book.create(f"for {scope}", scope)[1] for scope in Scope}
    audit = Audit(folder / "audit.log", SYSTEM_CLOCK)
    async with (
        TwikitSessionManager(
            source, backend=TwikitBackend(transport=lambda _account: x.transport())
        ) as sessions,
        TwikitConnectionPoolManager(sessions) as manager,
    ):
        await manager.create_pool("default")
        service = Service(sessions, manager, Access(book, SYSTEM_CLOCK), audit)
        async with listening(application(service)) as url:
            yield Served(x, service, url, tokens, folder)
    audit.close()


@asynccontextmanager
async def with_store(folder: Path) -> AsyncIterator[tuple[Served, AccountStore]]:
    """A daemon over an encrypted store that has the first of three simulated accounts."""
    async with Simulator(accounts=3) as x:
        store = await AccountStore.open(folder / "accounts.db", keyring=Keyring.generate())
        async with store:
            first = x.accounts[0]
            await store.add(
                Account(
                    id="sim_001",
                    handle=first.handle,
                    credentials=Credentials(
                        cookies=Cookies(first.cookies), password=Secret("canary-password")
                    ),
                    proxy=None,
                    tags=frozenset({"news"}),
                )
            )
            async with served_from(store, x, folder) as daemon:
                yield daemon, store


def secrets_in(text: str, daemon: Served) -> list[str]:
    values = [value for each in daemon.x.accounts for value in each.cookies.values()]
    return [each for each in (*values, "canary-password") if each in text]


async def test_accounts_are_listed_filtered_and_paged(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        await daemon.service.sessions.source.set_standing(
            "sim_002", Standing(state=AccountState.LOCKED, reason="ask", evidence="HTTP 403, code 326")
        )
        page = (await http.get(ACCOUNTS)).json()
        assert (page["total"], [each["id"] for each in page["items"]]) == (
            3,
            ["sim_001", "sim_002", "sim_003"],
        )
        [locked] = (await http.get(ACCOUNTS, params={"state": "locked"})).json()["items"]
        assert (locked["id"], locked["reason"], locked["evidence"]) == (
            "sim_002",
            "ask",
            "HTTP 403, code 326",
        )
        assert (locked["usable"], locked["pools"][0]["usable"]) == (False, False)
        assert locked["pools"][0]["why"] == "locked: ask (HTTP 403, code 326)"
        for query, number in (
            ({"search": "SIM_00"}, 3),
            ({"search": "3"}, 1),
            ({"tag": "news"}, 0),
            ({"pool": "default"}, 3),
        ):
            assert (await http.get(ACCOUNTS, params=query)).json()["total"] == number, query
        second = (await http.get(ACCOUNTS, params={"offset": 1, "limit": 1})).json()
        assert (second["total"], second["items"][0]["id"]) == (3, "sim_002")
        assert (await http.get(ACCOUNTS, params={"pool": "nowhere"})).status_code == 404
        assert (await http.get(ACCOUNTS, params={"state": "well"})).status_code == 422


async def test_one_account_tells_its_budgets_and_log_ins_and_no_secret(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        pool = daemon.service.pool("default")
        for _ in range(2):
            await pool.execute("search_tweet", account="sim_001", query="x")
        shown = await http.get(f"{ACCOUNTS}/sim_001")
        told = shown.json()
        assert not secrets_in(shown.text, daemon)
        assert (told["logins_today"], told["connections"], told["cookies"]) == (1, 1, ["auth_token", "ct0"])
        search = next(each for each in told["budgets"] if each["endpoint"] == "SearchTimeline")
        assert (search["left"], search["limit"], search["why"]) == (48, 50, "")
        assert 0 < search["returns_in"] <= search["window"] + 1
        missing = await http.get(f"{ACCOUNTS}/nobody")
        assert (missing.status_code, missing.json()["title"]) == (404, "no such account")


async def test_an_account_is_switched_off_and_on(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        off = await http.post(f"{ACCOUNTS}/sim_001/disable", json={"reason": "on holiday"})
        assert (off.json()["state"], off.json()["by"]) == ("disabled", "for operate")
        assert off.json()["reason"] == "on holiday"
        assert pool.ill_accounts() == {"sim_001": "disabled: on holiday, by for operate"}
        on = await http.post(f"{ACCOUNTS}/sim_001/enable", json={})
        assert (on.json()["state"], on.json()["reason"]) == ("active", "by hand")
        assert not pool.ill_accounts()
        assert (await http.post(f"{ACCOUNTS}/nobody/enable", json={})).status_code == 404


async def test_what_x_said_and_the_source_did_not_hear_is_not_said_over_a_person(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        source, sessions = daemon.service.sessions.source, daemon.service.sessions
        daemon.x.fault("lock", account="sim_001")
        kept, source.set_standing = source.set_standing, None  # type: ignore[method-assign,assignment]
        await sessions.check("sim_001")
        source.set_standing = kept  # type: ignore[method-assign]
        on = await http.post(f"{ACCOUNTS}/sim_001/enable", json={})
        assert on.json()["state"] == "active"
        assert (await source.account("sim_001")).standing.state is AccountState.ACTIVE


async def test_fresh_cookies_heal_a_stale_account(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client() as http:
        sessions, pool = daemon.service.sessions, daemon.service.pool("default")
        await sessions.source.set_standing("sim_001", Standing(state=AccountState.STALE, reason="logged out"))
        await pool.refresh()
        fresh = {"auth_token": "f" * 40, "ct0": "0" * 32}
        healed = await http.put(f"{ACCOUNTS}/sim_001/cookies", json={"cookies": fresh})
        assert (healed.status_code, healed.json()["state"]) == (200, "active")
        assert "f" * 40 not in healed.text
        assert (await sessions.source.account("sim_001")).credentials.cookies == fresh
        header = "auth_token=" + "e" * 40 + "; ct0=1"
        assert (await http.put(f"{ACCOUNTS}/sim_001/cookies", json={"cookies": header})).status_code == 200
        assert (await sessions.source.account("sim_001")).credentials.cookies["auth_token"] == "e" * 40
        for wrong in ({}, {"ct0": "x"}, {"auth_token": "line\nbreak"}, "nonsense", {"auth_token": 3}):
            refused = await http.put(f"{ACCOUNTS}/sim_001/cookies", json={"cookies": wrong})
            assert refused.status_code == 422, wrong
        assert (await http.put(f"{ACCOUNTS}/nobody/cookies", json={"cookies": fresh})).status_code == 404


async def test_accounts_are_added_to_a_store_and_removed_from_it(tmp_path: Path) -> None:
    async with with_store(tmp_path) as (daemon, store), daemon.client() as http:
        second = daemon.x.accounts[1]
        given = {
            "id": "sim_002",
            "cookies": dict(second.cookies),
            "handle": second.handle,
            "tags": ["uk"],
            "caps": {"post_tweet": "5/day"},
            "proxy": "http://user:canary-password@127.0.0.1:1",
        }
        added = await http.post(ACCOUNTS, json=given)
        assert (added.status_code, added.json()["caps"]) == (201, {"post_tweet": "5/day"})
        assert (added.json()["has_proxy"], added.json()["pools"][0]["pool_id"]) == (True, "default")
        assert not secrets_in(added.text, daemon)
        again = await http.post(ACCOUNTS, json=given)
        assert again.status_code == 409
        assert "fresh cookies, or remove it" in again.json()["detail"]
        assert not secrets_in(again.text, daemon)
        for name, value in (
            ("id", "no spaces"),
            ("caps", {"post_tweet": "often"}),
            ("proxy", "x y"),
            ("tag", 1),
        ):
            wrong = await http.post(ACCOUNTS, json={**given, "id": "new", name: value})
            assert wrong.status_code == 422, name
            assert not secrets_in(wrong.text, daemon)
        assert daemon.service.pool("default").account_ids == {"sim_001", "sim_002"}
        assert (await http.delete(f"{ACCOUNTS}/sim_002")).status_code == 204
        assert [each.id for each in await store.accounts()] == ["sim_001"]
        assert daemon.service.pool("default").account_ids == {"sim_001"}
        assert (await http.get(f"{ACCOUNTS}/sim_002")).status_code == 404
        assert (await http.delete(f"{ACCOUNTS}/sim_002")).status_code == 404
        await http.post(ACCOUNTS, json=given)
        assert daemon.service.pool("default").account_ids == {"sim_001", "sim_002"}, "it may come again"
        log = (tmp_path / "audit.log").read_text()
        assert not secrets_in(log, daemon)


async def test_a_store_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    async with with_store(tmp_path) as (daemon, store), daemon.client(Scope.OPERATE) as http:
        assert (await http.get(ACCOUNTS)).json()["total"] == 1
        read, whole = 0, store.accounts

        async def counted() -> Any:
            nonlocal read
            read += 1
            return await whole()

        store.accounts = counted  # type: ignore[method-assign]
        assert (await http.get(ACCOUNTS)).json()["total"] == 1
        assert read == 0
        await daemon.service.sessions.check("sim_001")
        await store.set_standing("sim_001", Standing(state=AccountState.DISABLED, reason="elsewhere"))
        [told] = (await http.get(ACCOUNTS)).json()["items"]
        assert (read, told["state"], told["reason"]) == (1, "disabled", "elsewhere")


async def test_a_removed_account_may_be_used_to_the_end_of_its_lease(tmp_path: Path) -> None:
    async with with_store(tmp_path) as (daemon, _), daemon.client() as http:
        pool = daemon.service.pool("default")
        lease = await pool.acquire(ConnectionRequest(account_id="sim_001"))
        assert (await http.delete(f"{ACCOUNTS}/sim_001")).status_code == 204
        assert lease.held
        await lease.execute("search_tweet", query="x")
        lease.release()
        assert pool.size == 0


async def test_a_source_that_cannot_says_what_to_do(tmp_path: Path) -> None:
    given = {"id": "new", "cookies": {"auth_token": "a" * 40}}
    async with served(tmp_path) as daemon, daemon.client() as http:
        for answer in (await http.post(ACCOUNTS, json=given), await http.delete(f"{ACCOUNTS}/sim_001")):
            assert answer.status_code == 409
            assert "twikit-pool accounts import" in answer.json()["detail"]
        assert (await http.delete(f"{ACCOUNTS}/nobody")).status_code == 404


async def test_a_folder_of_cookie_files_says_what_to_do(tmp_path: Path) -> None:
    cookies = tmp_path / "cookies"
    cookies.mkdir()
    async with Simulator(accounts=1) as x:
        (cookies / "bob.txt").write_text(f"auth_token={x.accounts[0].cookies['auth_token']}")
        source = await asyncio.to_thread(CookieFolder, cookies)
        async with served_from(source, x, tmp_path) as daemon, daemon.client() as http:
            given = {"id": "new", "cookies": {"auth_token": "a" * 40}}
            answer = await http.post(ACCOUNTS, json=given)
            assert (answer.status_code, "put a cookie file into the folder" in answer.text) == (409, True)
            fresh = {"cookies": {"auth_token": "b" * 40}}
            assert (await http.put(f"{ACCOUNTS}/bob/cookies", json=fresh)).status_code == 200
        assert "b" * 40 in (cookies / "bob.txt").read_text()


async def test_a_pool_leaves_an_account_alone_for_a_while(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        pool = daemon.service.pool("default")
        route = "/v1/pools/default/accounts/sim_001/quarantine"
        told = (await http.post(route, json={"reason": "its proxy", "seconds": 60})).json()
        assert (told["usable"], told["why"]) == (False, "quarantined: its proxy")
        assert told["state"] == "quarantined"
        until = datetime.fromisoformat(told["until"])
        assert timedelta(seconds=50) < until - datetime.now(UTC) <= timedelta(seconds=60)
        assert pool.ill_accounts() == {"sim_001": "quarantined: its proxy"}
        for query, found in (
            ({"pool": "default", "state": "quarantined"}, ["sim_001"]),
            ({"pool": "default", "usable": "false"}, ["sim_001"]),
            ({"pool": "default", "state": "active"}, ["sim_002", "sim_003"]),
            ({"state": "quarantined"}, []),
            ({"usable": "true"}, ["sim_001", "sim_002", "sim_003"]),
        ):
            page = (await http.get(ACCOUNTS, params=query)).json()
            assert [each["id"] for each in page["items"]] == found, query
        ended = (await http.delete(route)).json()
        assert (ended["usable"], ended["state"], ended["until"]) == (True, "active", None)
        assert not pool.ill_accounts()
        elsewhere = "/v1/pools/default/accounts/nobody/quarantine"
        assert (await http.post(elsewhere, json={"reason": "x", "seconds": 1})).status_code == 404
        assert (await http.delete(elsewhere)).status_code == 404
        assert (await http.post(route, json={"reason": "", "seconds": 1})).status_code == 422


@pytest.mark.parametrize("what", ["post_tweet", "CreateTweet", "friendships%2Fcreate"])
async def test_budgets_are_told_by_action_and_endpoint(tmp_path: Path, what: str) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        every = (await http.get("/v1/pools/default/budgets")).json()
        assert {"CreateTweet", "friendships/create"} <= {each["endpoint"] for each in every}
        one = (await http.get(f"/v1/pools/default/budgets/{what}")).json()
        assert one in every
        assert one["sentence"].startswith(one["endpoint"])
        missing = await http.get("/v1/pools/default/budgets/post_tweets")
        assert (missing.status_code, "did you mean 'post_tweet'?" in missing.json()["detail"]) == (404, True)


async def test_who_is_out_is_told_even_where_nobody_knows_for_how_long(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.READ) as http:
        daemon.service.sessions.windows("sim_001").cap({})
        daemon.service.sessions.windows("sim_001").sent("SearchTimeline")
        told = (await http.get("/v1/pools/default/budgets/search_tweet")).json()
        assert told["out"] in ({"sim_001": None}, {})
