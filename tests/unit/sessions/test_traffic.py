from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from twikit_pool.accounts import Account, Credentials
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import TwikitBackend
from twikit_pool.sessions.backends.twikit.link import TwikitLink
from twikit_pool.sessions.traffic import answer_bytes, request_bytes

BODY = b'{"data": {}}' * 50


class Wire:
    """A server that answers each request with these bytes, and keeps what came."""

    def __init__(self, answer: bytes) -> None:
        self.came = b""
        self.answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.came += head + await reader.readexactly(length)
        writer.write(self.answer)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def over(wire: Wire, request: httpx.Request) -> httpx.Response:
    """The answer to this request, which is sent over a real connection."""
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        request.url = request.url.copy_with(host="127.0.0.1", port=port, scheme="http")
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.send(request)
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "request_",
    [
        httpx.Request("GET", "http://x.com"),
        httpx.Request("GET", "http://x.com/i/api/graphql/a/SearchTimeline?variables=%7B%22a%22%3A1%7D&b=c d"),
        httpx.Request(
            "POST", "http://x.com/1.1/a.json", json={"text": "größer"}, headers={"X-Csrf": "a" * 99}
        ),
        httpx.Request("POST", "http://x.com/upload", files={"media": ("a.png", b"\0" * 5000)}),
        httpx.Request("POST", "http://x.com/empty", content=b""),
        httpx.Request(
            "DELETE", "http://x.com/", headers=[("cookie", "a=b"), ("cookie", "c=d"), ("empty", "")]
        ),
    ],
    ids=lambda request: f"{request.method} {request.url.path}",
)
async def test_a_request_is_counted_as_it_is_sent(request_: httpx.Request) -> None:
    wire = Wire(b"HTTP/1.1 204 No Content\r\n\r\n")
    await over(wire, request_)
    assert request_bytes(request_) == len(wire.came)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nX-Rate-Limit: 5\r\n\r\n" % len(BODY) + BODY,
        b"HTTP/1.1 200 \r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n" + gzip.compress(BODY),
    ],
    ids=["no body", "length", "no reason", "until closed", "compressed"],
)
async def test_an_answer_is_counted_as_it_comes(answer: bytes) -> None:
    assert answer_bytes(await over(Wire(answer), httpx.Request("GET", "http://x.com/"))) == len(answer)


async def test_of_a_chunked_body_the_framing_is_not_counted() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    wire = Wire(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert answer_bytes(await over(wire, httpx.Request("GET", "http://x.com/"))) == len(head) + 11


async def test_a_request_without_a_length_counts_without_its_body() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hello"

    request = httpx.Request("POST", "http://x.com/", content=body())
    head = b"POST / HTTP/1.1\r\nHost: x.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert request_bytes(request) == len(head)


# ---------------------------------------------------------------- of a link


class Drip(httpx.AsyncByteStream):
    """A body that breaks off, or ends."""

    def __init__(self, *parts: bytes, breaks: bool) -> None:
        self._parts = parts
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        if self._breaks:
            raise httpx.ReadError("it broke off")


def link_over(transport: httpx.AsyncBaseTransport) -> TwikitLink:
    account = Account(id="brand", credentials=Credentials(cookies=Cookies(auth_token="canary", ct0="old")))
    return TwikitBackend(transport=lambda _: transport).open(account)


def answering(*, breaks: bool = False) -> httpx.MockTransport:
    return httpx.MockTransport(
        lambda _: httpx.Response(200, stream=Drip(b"hello", b"world", breaks=breaks), headers={"a": "b"})
    )


HEAD = len(b"HTTP/1.1 200 OK\r\na: b\r\n\r\n")


async def test_a_link_counts_all_its_requests_and_answers_also_through_another_client() -> None:
    link = link_over(answering())
    for times in (1, 2):
        response = await link.client.http.get("https://x.com/")
        assert link.traffic.sent == times * request_bytes(response.request)
        assert link.traffic.received == times * (HEAD + 10)
        await link.renew()
    await link.aclose()


async def test_of_an_answer_that_breaks_off_what_came_is_counted() -> None:
    link = link_over(answering(breaks=True))
    with pytest.raises(httpx.ReadError):
        await link.client.http.get("https://x.com/")
    assert link.traffic.received == HEAD + 10
    assert link.unfinished == 1
    await link.aclose()


async def test_a_request_that_finds_no_connection_counts_and_one_that_is_stopped_does_not() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    def stop(_: str) -> None:
        raise RuntimeError

    link = link_over(httpx.MockTransport(refuse))
    with pytest.raises(httpx.ConnectError):
        await link.client.http.get("https://x.com/")
    sent = link.traffic.sent
    assert sent > 100
    assert link.traffic.received == 0
    link.on_request = stop
    with pytest.raises(RuntimeError):
        await link.client.http.get("https://x.com/")
    assert link.traffic.sent == sent
    await link.aclose()


async def test_each_hop_of_a_redirect_counts() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/":
            return httpx.Response(302, headers={"location": "/there"}, stream=Drip(breaks=False))
        return httpx.Response(200, stream=Drip(b"here", breaks=False))

    link = link_over(httpx.MockTransport(answer))
    response = await link.client.http.get("https://x.com/", follow_redirects=True)
    [first] = response.history
    assert link.traffic.sent == request_bytes(first.request) + request_bytes(response.request)
    assert link.traffic.received == answer_bytes(first) + answer_bytes(response)
    assert answer_bytes(response) == len(b"HTTP/1.1 200 OK\r\n\r\n") + 4
    await link.aclose()
