"""The content filter over real HTTP, before a simulator: refused, held, decided, overridden."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.served import Served, served
from twikit_pool.client import RemotePool
from twikit_pool.errors import PostBlocked, PostHeld
from twikit_pool.safety import PostGuard, SafetySettings
from twikit_pool.service.tokens import Scope

EXECUTE = "/v1/pools/default/execute"
NEWS = "The bridge over the harbour opens again on Monday morning"
CARD = "Our number is 4111 1111 1111 1111"


@asynccontextmanager
async def filtered(folder: Path, **settings: Any) -> AsyncIterator[Served]:
    guard = PostGuard.of(SafetySettings(**settings), folder / "safety.db")
    async with served(folder, guard=guard) as daemon:
        yield daemon
    guard.close()


def post(text: str, account: str = "sim_001", **more: Any) -> dict[str, Any]:
    return {"action": "post_tweet", "parameters": {"content": text}, "account": account, **more}


def posted(daemon: Served, text: str) -> int:
    return sum(each.text == text for each in daemon.x.world.tweets.values())


async def execute(http: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await http.post(EXECUTE, json=body)


async def test_a_post_like_another_accounts_is_refused_with_reasons(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        assert (await execute(http, post(NEWS))).status_code == 200
        refused = await execute(http, post(f"ICYMI: {NEWS}!!", "sim_002"))
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        told = refused.json()
        assert told["title"] == "the content filter refuses the post"
        assert "verdict" not in told
        [reason] = told["reasons"]
        assert reason["rule"] == "similar.across_accounts"
        assert reason["severity"] == "block"
        assert reason["suggestion"]
        again = await execute(http, post(NEWS))
        assert again.json()["reasons"][0]["rule"] == "repeats.own"
        assert posted(daemon, NEWS) == 1


async def test_of_many_accounts_at_once_one_posts(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        answers = await asyncio.gather(
            *(execute(http, post(f"{NEWS} #{number}", f"sim_00{number % 3 + 1}")) for number in range(12))
        )
        assert {each.status_code for each in answers} == {200, 422}
        authors = {each.author.id for each in daemon.x.world.tweets.values() if each.text.startswith(NEWS)}
        assert len(authors) == 1


async def test_a_lease_is_guarded_too(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, RemotePool(daemon.url, daemon.tokens[Scope.EXECUTE]) as pool:
        async with pool.acquire(account_id="sim_001") as lease:
            await lease.execute("post_tweet", content=NEWS)
        async with pool.acquire(account_id="sim_002") as lease:
            with pytest.raises(PostBlocked, match="similar") as blocked:
                await lease.execute("post_tweet", content=NEWS)
        assert blocked.value.reasons[0]["rule"] == "similar.across_accounts"  # type: ignore[index]
        with pytest.raises(PostHeld) as held:
            await pool.execute("post_tweet", account="sim_001", content=CARD)
        assert held.value.review_id == 1


async def test_a_person_decides(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        held = await execute(http, post(CARD))
        assert (held.status_code, held.json()["review_id"]) == (422, 1)
        assert held.json()["title"] == "a person is to decide about the post"
        assert posted(daemon, CARD) == 0
        listed = (await http.get("/v1/reviews", params={"state": "pending"})).json()
        assert listed["total"] == 1
        [waiting] = listed["items"]
        assert waiting["parameters"] == {"content": CARD}
        assert waiting["reasons"][0]["span"] == {"start": 14, "end": 33}
        answer = await http.post("/v1/reviews/1/approve", json={"note": "it is public"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["review"]["state"] == "sent"
        assert answer.json()["executed"]["account_id"] == "sim_001"
        assert posted(daemon, CARD) == 1
        assert (await http.post("/v1/reviews/1/approve", json={})).status_code == 404
        again = await execute(http, post(CARD))
        assert again.json()["reasons"][0]["rule"] == "repeats.own", "an approval is good once"


async def test_edited_rejected_or_kept_for_a_campaign(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        for text in (f"{CARD}, one", f"{CARD}, two for everyone", f"{CARD} and three more words"):
            await execute(http, post(text))
        edited = await http.post("/v1/reviews/1/edit", json={"parameters": {"content": "Call us"}})
        assert edited.json()["executed"]["result"]["text"] == "Call us"
        wrong = await http.post("/v1/reviews/2/edit", json={"parameters": {"contents": "Call us"}})
        assert wrong.status_code == 422
        local = await http.post("/v1/reviews/2/edit", json={"parameters": {"media": ["/etc/passwd"]}})
        assert local.status_code == 422
        rejected = await http.post("/v1/reviews/2/reject", json={"note": "no"})
        assert rejected.json()["state"] == "rejected"
        kept = await http.post("/v1/reviews/3/approve", json={"send": False})
        assert kept.json() == {"review": kept.json()["review"], "executed": None}
        assert (await execute(http, post(f"{CARD} and three more words"))).status_code == 200
        assert (await http.get("/v1/reviews/3")).json()["state"] == "sent"
        assert (await http.get("/v1/reviews", params={"state": "pending"})).json()["total"] == 0


async def test_what_cannot_be_sent_after_all_waits_again(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        await execute(http, post(CARD))
        daemon.x.fault("lock", account="sim_001")
        failed = await http.post("/v1/reviews/1/approve", json={})
        assert failed.status_code == 409, failed.text
        assert (await http.get("/v1/reviews/1")).json()["state"] == "pending"


async def test_who_operates_may_override_and_that_is_audited(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon:
        async with daemon.client(Scope.EXECUTE) as http:
            await execute(http, post(NEWS))
            refused = await execute(http, post(NEWS, "sim_002", override="agreed with both"))
            assert refused.status_code == 403
        async with daemon.client(Scope.OPERATE) as http:
            assert (await execute(http, post(NEWS, "sim_002", override="  "))).status_code == 422
            assert (await execute(http, post(NEWS, "sim_002"))).status_code == 422
            done = await execute(http, post(NEWS, "sim_002", override="agreed with both"))
            assert done.status_code == 200, done.text
        assert posted(daemon, NEWS) == 2
        entries = [json.loads(line) for line in (daemon.folder / "audit.log").read_text().splitlines()]
        [entry] = [each for each in entries if "note" in each]
        assert entry["note"] == "post_tweet as sim_002 past similar.across_accounts: agreed with both"
        assert entry["token"] in daemon.tokens[Scope.OPERATE]


async def test_a_post_can_be_looked_at(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        told = await http.post(
            "/v1/pools/default/check-post", json={"parameters": {"content": CARD}, "account": "sim_001"}
        )
        assert told.json()["decision"] == "review"
        assert told.json()["observed"] == {"length": len(CARD)}
        assert (await http.get("/v1/reviews")).status_code == 403
    assert PostGuard.of(SafetySettings(), tmp_path / "safety.db").reviews.count() == 0


async def test_reads_and_likes_go_as_ever_and_the_pool_tells_what_it_stopped(tmp_path: Path) -> None:
    async with filtered(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        with daemon.service.manager.events.subscribe() as heard:
            tweet = next(iter(daemon.x.world.tweets))
            like = {"action": "like_tweet", "parameters": {"tweet_id": str(tweet)}}
            assert (await execute(http, like)).status_code == 200
            await execute(http, post("much too long " * 30))
            [stopped] = [each for each in heard.take() if each.type == "post_stopped"]
        assert "length.too_long" in stopped.reason  # type: ignore[attr-defined]


async def test_without_a_filter_its_routes_say_so(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.OPERATE) as http:
        answer = await http.get("/v1/reviews")
        assert (answer.status_code, answer.json()["title"]) == (422, "a setting is wrong")
        assert "safety.enabled" in answer.json()["detail"]
