"""Clients of every kind that are killed at any moment: nothing of them is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.integration.service.leaving import crash, descriptors, quiet, request, sent, until
from tests.integration.service.served import Served, served
from twikit_pool.pool import ConnectionState
from twikit_pool.service.tokens import Scope

ROUNDS = 20
POOL = "/v1/pools/default"
READ = {"action": "get_user", "parameters": {"handle": "sim_001"}}


def get(daemon: Served, path: str, *headers: str) -> bytes:
    """A GET as it goes over the wire."""
    token = f"Authorization: Bearer {daemon.tokens[Scope.ADMIN]}"
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", token, *headers, "", ""]).encode()


def frame(text: str) -> bytes:
    """A short message as a WebSocket's client sends it, masked with zeros."""
    data = text.encode()
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def tweet(content: str) -> dict[str, Any]:
    """An order to post this."""
    return {"action": "post_tweet", "parameters": {"content": content}}


def kinds(daemon: Served, lease: str) -> dict[str, bytes]:
    """What a client may be at when it dies."""

    def post(path: str, body: dict[str, Any], key: str | None = None) -> bytes:
        return request(daemon, path, body, key, scope=Scope.ADMIN)

    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    return {
        "status": get(daemon, POOL),
        "connections": get(daemon, f"{POOL}/connections"),
        "history": get(daemon, f"{POOL}/metrics/history"),
        "page": get(daemon, "/"),
        "execute": post(f"{POOL}/execute", READ),
        "write": post(f"{POOL}/execute", tweet(f"Hello {lease}")),
        "write with a key": post(f"{POOL}/execute", tweet(f"Hello again {lease}"), lease),
        "acquire": post(f"{POOL}/leases", {"wait": 5, "ttl": 1}),
        "heartbeat": post(f"/v1/leases/{lease}/heartbeat", {}),
        "step": post(f"/v1/leases/{lease}/execute", READ),
        "reserve": post(f"{POOL}/reservations", {"reserved_for": "x", "duration": 0.5}),
        "explain": post(f"{POOL}/explain", {"action": "get_user"}),
        "events": get(daemon, "/v1/events", *upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
        + frame('{"op": "subscribe", "topics": ["pool_updates", "connection_events"]}'),
    }


async def test_what_they_are_at_is_what_a_client_does(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with served(tmp_path, accounts=2) as daemon, daemon.client() as http:
        lease = (await http.post(f"{POOL}/leases", json={})).json()["lease_id"]
        for kind, data in kinds(daemon, lease).items():
            raw = await sent(daemon, data)
            status = int((await loop.sock_recv(raw, 4096)).split()[1])
            assert status in (200, 201, 101) or (kind, status) == ("page", 503), kind
            raw.close()


@pytest.mark.timeout(120)
async def test_whoever_is_killed_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    rng = Random(1)
    async with served(tmp_path, accounts=2, latency=0.02, access={"rate": 1e6, "burst": 1e6}) as daemon:
        pool = daemon.service.pool("default")
        await until(lambda: pool.counts()[ConnectionState.IDLE] == 2)
        async with daemon.client() as http:
            await http.post(f"{POOL}/execute", json=READ)
        before = descriptors()
        for _ in range(ROUNDS):
            async with daemon.client() as http:
                lease = (await http.post(f"{POOL}/leases", json={"ttl": 1})).json()["lease_id"]
            await asyncio.gather(*(killed(daemon, data, rng) for data in kinds(daemon, lease).values()))
        await quiet(daemon, before)
        await until(lambda: not daemon.service.hub.readers)
        async with daemon.client() as http:
            assert (await http.get(POOL)).status_code == httpx.codes.OK


async def killed(daemon: Served, data: bytes, rng: Random) -> None:
    """Send all of it, or as much as the client could before it died, and die some time later."""
    if rng.random() < 0.3:
        data = data[: rng.randrange(1, len(data))]
    delay = rng.choice((0.0, 0.001, 0.005, 0.02, 0.05, 0.1)) * rng.random()
    raw = await sent(daemon, data)
    await asyncio.sleep(delay)
    crash(raw)
