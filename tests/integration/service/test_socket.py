from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
import uvicorn
from litestar import Litestar
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from twikit_pool.accounts import MemoryAccounts
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.events import PoolResized
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.service import socket_protocol
from twikit_pool.service.hub import Hub
from twikit_pool.service.socket import GOING_AWAY, LARGEST, TOO_BIG, Socket, events_socket
from twikit_pool.service.socket_protocol import SERVED
from twikit_pool.sessions import TwikitSessionManager

SOON = 10.0
"""Seconds in which anything here happens, on a machine that is busy."""

LARGE = "x" * 50_000


@dataclass
class Serving:
    url: str
    hub: Hub
    manager: TwikitConnectionPoolManager
    server: uvicorn.Server

    def connect(self, **how: Any) -> connect:
        return connect(self.url, proxy=None, compression=None, **how)

    @asynccontextmanager
    async def subscribed(
        self, *topics: str, since: int | None = None, **how: Any
    ) -> AsyncIterator[ClientConnection]:
        async with self.connect(**how) as client:
            await ask(client, op="subscribe", topics=topics, since=since)
            assert (await hear(client))["type"] == "subscribed"
            yield client

    async def quiet(self, descriptors: int) -> None:
        """Nothing is left of any client."""
        await until(lambda: not (self.hub.readers or self.server.server_state.connections))
        await until(lambda: descriptors_now() <= descriptors)
        assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("event socket")]


async def anyone(_socket: Socket) -> bool:
    return True


@asynccontextmanager
async def serving(
    authorize: Callable[[Socket], Awaitable[bool]] = anyone,
    *,
    server: dict[str, Any] | None = None,
    **route: Any,
) -> AsyncIterator[Serving]:
    sessions = TwikitSessionManager(MemoryAccounts([]), clock=SYSTEM_CLOCK)
    async with (
        sessions,
        TwikitConnectionPoolManager(sessions, automation=None) as manager,
        Hub(manager, clock=SYSTEM_CLOCK) as hub,
    ):
        app = Litestar([events_socket(hub, authorize, **route)], openapi_config=None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # So that a client that does not read is noticed after kilobytes, not megabytes.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
            config = uvicorn.Config(app, log_config=None, lifespan="on", **{**SERVED, **(server or {})})
            uvicorns = uvicorn.Server(config)
            task = asyncio.create_task(uvicorns.serve(sockets=[listener]))
            try:
                while not uvicorns.started:
                    assert not task.done()
                    await asyncio.sleep(0.005)
                url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/events"
                yield Serving(url, hub, manager, uvicorns)
            finally:
                uvicorns.should_exit = True
                await task


async def ask(client: ClientConnection, **what: Any) -> None:
    await client.send(json.dumps(what))


async def hear(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(SOON):
        said = await client.recv()
    assert isinstance(said, str), "a text frame"
    return json.loads(said)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - what a server has let go of is no event
            await asyncio.sleep(0.02)


async def send_forever(raw: socket.socket, what: bytes) -> None:
    async with asyncio.timeout(SOON):
        while True:
            await asyncio.get_running_loop().sock_sendall(raw, what)


def descriptors_now() -> int:
    return psutil.Process().num_fds()


def resized(size: int) -> PoolResized:
    return PoolResized(pool_id="a", at=datetime.now(UTC), size=size, before=0)


async def never_read(serving: Serving) -> socket.socket:
    """A client that subscribes to jobs, and reads nothing but the handshake."""
    host, port = serving.url.removeprefix("ws://").removesuffix("/v1/events").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (host, int(port)))
    await loop.sock_sendall(
        raw,
        f"GET /v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode(),
    )
    assert b"101" in await loop.sock_recv(raw, 1024)
    said = json.dumps({"op": "subscribe", "topics": ["jobs"]}).encode()
    await loop.sock_sendall(raw, bytes([0x81, 0x80 | len(said), 0, 0, 0, 0]) + said)
    return raw


# ---------------------------------------------------------------- the protocol


async def test_a_client_is_sent_what_it_subscribed_to() -> None:
    async with serving() as it, it.connect() as client:
        await ask(client, op="subscribe", topics=["pool_updates"], pools=["a", "b", "a"])
        subscribed, snapshot = await hear(client), await hear(client)
        assert subscribed == {
            "type": "subscribed",
            "topics": ["pool_updates"],
            "pools": ["a", "b"],
            "seq": it.hub.seq,
        }
        assert snapshot == {"type": "snapshot", "seq": it.hub.seq, "pools": []}
        it.manager.events.publish(resized(3))
        message = await hear(client)
        assert (message["type"], message["size"], message["seq"]) == ("pool_resized", 3, snapshot["seq"] + 1)

        await ask(client, op="subscribe", topics=["jobs"])
        assert (await hear(client))["topics"] == ["jobs", "pool_updates"]
        assert (await hear(client))["type"] == "snapshot"
        await ask(client, op="unsubscribe", topics=["pool_updates"])
        assert (await hear(client))["topics"] == ["jobs"]
        it.manager.events.publish(resized(4))
        await ask(client, op="ping")
        assert await hear(client) == {"type": "pong"}
        it.hub.publish("jobs", {"type": "job_done"})
        assert (await hear(client))["type"] == "job_done"


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        "[]",
        "{}",
        '{"op":"dance"}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","topics":"jobs"}',
        '{"op":"subscribe","topics":["everything"]}',
        '{"op":"subscribe","topics":["jobs"],"since":"now"}',
        '{"op":"subscribe","topics":["jobs"],"sinec":1}',
        '{"op":"subscribe","topics":["jobs"],"since":1e400}',
        '{"op":"unsubscribe","topics":[1]}',
        "[" * 16_000,
        b"\xff\xfe",
        "",
        '{"op":"' + "x" * 16_000 + '"}',
    ],
)
async def test_what_is_not_understood_is_answered_and_the_connection_stays(said: str | bytes) -> None:
    async with serving() as it, it.connect() as client:
        await client.send(said)
        problem = await hear(client)
        assert problem["type"] == "problem"
        assert problem["title"].startswith("not understood: ")
        assert len(problem["title"]) < 300
        await ask(client, op="ping")
        assert await hear(client) == {"type": "pong"}


@pytest.mark.parametrize("limited_by", ["uvicorn", "the route"])
async def test_a_message_that_is_too_big_ends_the_connection(limited_by: str) -> None:
    server = {} if limited_by == "uvicorn" else {"ws_max_size": 1 << 20}
    async with serving(server=server) as it, it.connect() as client:
        await client.send("x" * (LARGEST + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == TOO_BIG


async def test_silence_is_broken_by_heartbeats() -> None:
    async with serving(heartbeat=0.05) as it, it.connect() as client:
        for _ in range(2):
            assert await hear(client) == {"type": "heartbeat", "seq": it.hub.seq}


async def test_who_comes_again_with_since_misses_nothing() -> None:
    async with serving() as it:
        async with it.subscribed("jobs") as client:
            assert (await hear(client))["type"] == "snapshot"
            it.hub.publish("jobs", {"type": "job", "job": 0})
            since = (await hear(client))["seq"]
            client.transport.abort()
        for number in range(1, 400):  # more than a reader's queue
            it.hub.publish("jobs", {"type": "job", "job": number})
        async with it.subscribed("jobs", since=since) as client:
            assert [(await hear(client))["job"] for _ in range(399)] == list(range(1, 400))
        async with it.subscribed("jobs", since=7, close_timeout=0.1) as client:
            assert [(await hear(client))["type"] for _ in range(3)] == ["gap", "snapshot", "job"]


async def test_when_the_hub_ends_a_client_is_told() -> None:
    async with serving() as it, it.subscribed("jobs") as client:
        await hear(client)
        await it.hub.__aexit__(None, None, None)
        with pytest.raises(ConnectionClosed) as closed:
            await hear(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == GOING_AWAY


# ---------------------------------------------------------------- who may listen


@pytest.mark.parametrize("refusal", [False, NotAuthorizedException(), PermissionDeniedException()])
async def test_who_is_not_let_in_is_refused_before_anything_is_accepted(refusal: bool | Exception) -> None:
    async def authorize(asking: Socket) -> bool:
        assert asking.connection_state == "init"
        if isinstance(refusal, Exception):
            raise refusal
        return refusal

    async with serving(authorize) as it:
        with pytest.raises(InvalidStatus) as refused:
            await it.connect()
        assert refused.value.response.status_code == 403
        assert it.hub.readers == 0


async def test_the_route_closes_with_a_code_that_says_why() -> None:
    async def nobody(_socket: Socket) -> bool:
        raise NotAuthorizedException

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    sessions = TwikitSessionManager(MemoryAccounts([]), clock=SYSTEM_CLOCK)
    manager = TwikitConnectionPoolManager(sessions, automation=None)
    app = Litestar([events_socket(Hub(manager, clock=SYSTEM_CLOCK), nobody)], openapi_config=None)
    scope: Any = {
        "type": "websocket",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "subprotocols": [],
    }
    await app(scope, receive, send)
    assert [(each["type"], each.get("code")) for each in sent] == [("websocket.close", 4401)]


# ---------------------------------------------------------------- clients that behave badly


@pytest.mark.parametrize("protocol", ["websockets-sansio", socket_protocol.PromptSocketProtocol])
async def test_three_hundred_clients_that_break_off_leave_nothing(protocol: Any) -> None:
    async with serving(server={"ws": protocol}) as it:
        async with it.subscribed("jobs"):
            pass
        await it.quiet(1 << 20)
        before = descriptors_now()

        async def break_off(number: int) -> None:
            client = await it.connect()
            if number % 3:
                await ask(client, op="subscribe", topics=["jobs", "connection_events"])
            if number % 3 == 2:
                await hear(client)
            it.hub.publish("jobs", {"type": "job", "text": LARGE})
            client.transport.abort()
            await client.wait_closed()

        for number in range(0, 300, 20):
            await asyncio.gather(*(break_off(number + each) for each in range(20)))
        await it.quiet(before)


async def test_a_client_that_never_reads_delays_no_other_and_is_gone_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_protocol, "FAREWELL", 0.2)
    async with serving(patience=0.5) as it:
        await asyncio.sleep(0)
        before = descriptors_now()
        async with it.subscribed("jobs") as client:
            await hear(client)
            raws = [await never_read(it) for _ in range(3)]
            slowest = 0.0
            for number in range(40):
                began = asyncio.get_running_loop().time()
                it.hub.publish("jobs", {"type": "job", "job": number, "text": LARGE})
                assert (await hear(client))["job"] == number
                slowest = max(slowest, asyncio.get_running_loop().time() - began)
                await asyncio.sleep(0.05)
            assert slowest < 0.5, "seconds; a send that hangs takes all its patience"
            await until(lambda: len(it.server.server_state.connections) == 1)
            assert it.hub.readers == 1
            for raw in raws:
                raw.close()
        await it.quiet(before)


async def test_a_client_that_asks_and_never_reads_is_gone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_protocol, "FAREWELL", 0.2)
    async with serving(patience=0.3) as it:
        raw = await never_read(it)
        ping = b'{"op":"ping"}'
        frames = (bytes([0x81, 0x80 | len(ping), 0, 0, 0, 0]) + ping) * 2_000
        with pytest.raises(ConnectionError):
            await send_forever(raw, frames)
        raw.close()
        await until(lambda: not it.hub.readers)


async def test_a_client_that_answers_no_ping_is_closed() -> None:
    async with serving(server={"ws_ping_interval": 0.1, "ws_ping_timeout": 0.2}) as it:
        raw = await never_read(it)
        assert it.server.server_state.connections
        await until(lambda: not (it.hub.readers or it.server.server_state.connections))
        raw.close()


async def test_the_server_stops_although_a_client_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_protocol, "FAREWELL", 0.2)
    began = asyncio.get_running_loop().time()
    async with serving(patience=0.5) as it:
        raw = await never_read(it)
        for _ in range(40):
            it.hub.publish("jobs", {"type": "job", "text": LARGE})
            await asyncio.sleep(0)
    raw.close()
    assert asyncio.get_running_loop().time() - began < SOON
