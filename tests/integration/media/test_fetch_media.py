from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twikit_pool.errors import MediaRefused, MediaUnavailable
from twikit_pool.sessions.media import IMAGE_BYTES, MIB, Media, MediaLimits, fetch_media

if TYPE_CHECKING:
    from tests.integration.media.conftest import Answer, Certificates, Serve

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)
LOOPBACK = [IPv4Network("127.0.0.0/8")]


def response(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Answer:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        "Content-Type: image/jpeg",  # not believed
        *headers,
    ]

    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def redirect(location: str, *headers: str) -> Answer:
    return response(b"", f"Location: {location}", *headers, status="302 Found")


def resolver(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def fetch(url: str, port: int, *other_ports: int, **options: Any) -> Media:
    """Fetch from servers of this machine: their network and ports are allowed, all else is as by default."""
    limits = MediaLimits(
        ports=frozenset({80, 443, port, *other_ports}),
        timeout=options.pop("timeout", 10),
        max_bytes=options.pop("max_bytes", 64 * MIB),
    )
    options.setdefault("allowed_networks", LOOPBACK)
    return await fetch_media(url.replace("PORT", str(port)), limits=limits, **options)


async def test_media_come_with_their_type_by_content_and_a_source_without_secrets(serve: Serve) -> None:
    server = await serve(response(PNG))
    media = await fetch("http://127.0.0.1:PORT/a.jpg?key=hunter2#top", server.port)
    assert media.content == PNG
    assert media.mime == "image/png"
    assert media.source == f"http://127.0.0.1:{server.port}/a.jpg"
    assert server.heads[0].startswith("GET /a.jpg?key=hunter2 HTTP/1.1\r\n")
    assert "cookie" not in server.heads[0].lower()
    assert "authorization" not in server.heads[0].lower()


# ---------------------------------------------------------------- where it goes


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1"])
async def test_this_machine_is_out_of_reach_unless_its_network_is_allowed(serve: Serve, host: str) -> None:
    server = await serve(response(PNG))
    with pytest.raises(MediaRefused, match="is not on the open internet"):
        await fetch(f"http://{host}:PORT/a.png", server.port, allowed_networks=())
    assert server.heads == []


async def test_a_name_that_resolves_differently_the_second_time_gains_nothing(serve: Serve) -> None:
    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        asked.append(_host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    asked: list[str] = []
    checked = await serve(response(PNG), host="127.0.0.2")
    inner = await serve(response(PNG), host="127.0.0.1", port=checked.port)
    allowed = [IPv4Network("127.0.0.2/32")]
    await fetch("http://m.example:PORT/", checked.port, resolve=rebinding, allowed_networks=allowed)
    assert asked == ["m.example"]
    assert len(checked.heads) == 1
    assert f"host: m.example:{checked.port}" in checked.heads[0].lower()
    assert inner.heads == []

    with pytest.raises(MediaRefused, match="loopback"):
        await fetch("http://m.example:PORT/", checked.port, resolve=rebinding, allowed_networks=allowed)
    assert inner.heads == []


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://127.0.0.2:PORT/", "127.0.0.2 is loopback"),
        ("//127.0.0.2:PORT/", "127.0.0.2 is loopback"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is link-local"),
        ("http://[::ffff:127.0.0.1]/", "not a public IPv6 address"),
        ("http://user:hunter2@127.0.0.1:PORT/", "carries a log-in"),
        ("http://127.0.0.1:22/", "points to port 22"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("http://m.example:port/", "malformed"),
    ],
)
async def test_a_redirect_is_checked_like_a_url(serve: Serve, to: str, reason: str) -> None:
    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        await redirect(to.replace("PORT", str(server.port)))(head, writer)

    server = await serve(answer)
    inner = await serve(response(PNG), host="127.0.0.2", port=server.port)
    with pytest.raises(MediaRefused, match=reason) as refused:
        await fetch("http://127.0.0.1:PORT/", server.port, allowed_networks=[IPv4Network("127.0.0.1/32")])
    assert "hunter2" not in str(refused.value)
    assert len(server.heads) == 1
    assert inner.heads == []


@pytest.mark.parametrize(("redirects", "fetched"), [(5, True), (6, False)])
async def test_five_redirects_are_followed_without_cookies(
    serve: Serve, redirects: int, fetched: bool
) -> None:
    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        n = int(head.split()[1].removeprefix("/"))
        if n == redirects:
            await response(PNG)(head, writer)
        else:
            await redirect(f"{n + 1}", "Set-Cookie: id=1; Path=/")(head, writer)

    server = await serve(answer)
    if fetched:
        assert (await fetch("http://127.0.0.1:PORT/0", server.port)).content == PNG
    else:
        with pytest.raises(MediaRefused, match="is redirect number 6"):
            await fetch("http://127.0.0.1:PORT/0", server.port)
    assert len(server.heads) == 6
    assert not any("cookie" in head.lower() for head in server.heads)


async def test_the_environments_proxy_is_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = await serve(response(PNG))
    await fetch("http://127.0.0.1:PORT/a.png", server.port)


async def test_no_query_reaches_a_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = await serve(redirect("/?key=hunter2"))
    with pytest.raises(MediaRefused) as refused:
        await fetch("http://127.0.0.1:PORT/?key=hunter2", server.port)
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    assert "hunter2" not in caplog.text + str(refused.value)


# ---------------------------------------------------------------- TLS


async def test_tls_verifies_the_name_though_the_connection_goes_to_an_address(
    serve: Serve, certificates: Certificates
) -> None:
    server = await serve(response(PNG), tls=certificates.server)
    async with httpx.AsyncHTTPTransport(verify=certificates.client) as transport:
        options = {"resolve": resolver("127.0.0.1"), "transport": transport}
        assert (await fetch("https://media.example:PORT/", server.port, **options)).content == PNG
        with pytest.raises(MediaUnavailable, match=r"other\.example.*certificate verify failed"):
            await fetch("https://other.example:PORT/", server.port, **options)
        with pytest.raises(MediaUnavailable, match="certificate verify failed"):
            await fetch("https://127.0.0.1:PORT/", server.port, **options)
    assert len(server.heads) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused_by_default(
    serve: Serve, certificates: Certificates
) -> None:
    server = await serve(response(PNG), tls=certificates.server)
    with pytest.raises(MediaUnavailable, match="certificate verify failed"):
        await fetch("https://media.example:PORT/", server.port, resolve=resolver("127.0.0.1"))


async def test_a_redirect_to_another_name_at_the_same_address_is_verified_anew(
    serve: Serve, certificates: Certificates
) -> None:
    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        await redirect(f"https://other.example:{server.port}/")(head, writer)

    server = await serve(answer, tls=certificates.server)
    async with httpx.AsyncHTTPTransport(verify=certificates.client) as transport:
        with pytest.raises(MediaUnavailable, match=r"other\.example.*certificate verify failed"):
            await fetch(
                "https://media.example:PORT/",
                server.port,
                resolve=resolver("127.0.0.1"),
                transport=transport,
            )
    assert len(server.heads) == 1


async def test_a_redirect_from_https_to_http_is_refused(serve: Serve, certificates: Certificates) -> None:
    plain = await serve(response(PNG))
    server = await serve(redirect(f"http://media.example:{plain.port}/?key=hunter2"), tls=certificates.server)
    async with httpx.AsyncHTTPTransport(verify=certificates.client) as transport:
        with pytest.raises(MediaRefused, match="redirects from https to http://media") as refused:
            await fetch(
                "https://media.example:PORT/",
                server.port,
                plain.port,
                resolve=resolver("127.0.0.1"),
                transport=transport,
            )
    assert "hunter2" not in str(refused.value)
    assert plain.heads == []


# ---------------------------------------------------------------- what comes


async def test_a_declared_size_over_the_limit_is_refused_before_the_body(serve: Serve) -> None:
    server = await serve(response(PNG, length=10**12))
    with pytest.raises(MediaRefused, match="1,000,000,000,000 bytes, more than 67,108,864"):
        await fetch("http://127.0.0.1:PORT/", server.port)


async def test_a_picture_that_declares_more_than_x_takes_is_refused_at_its_first_bytes(serve: Serve) -> None:
    server = await serve(response(PNG, length=IMAGE_BYTES + 1))
    with pytest.raises(MediaRefused, match="what X takes of image/png"):
        await fetch("http://127.0.0.1:PORT/", server.port)


async def test_an_endless_body_is_cut_at_the_limit(serve: Serve) -> None:
    async def endless(_head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = PNG.ljust(65536, b"\0")
        while True:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            written += len(chunk)

    written = 0
    server = await serve(endless)
    with pytest.raises(MediaRefused, match=r"more than 1,048,576.*raise MediaLimits\.max_bytes"):
        await fetch("http://127.0.0.1:PORT/", server.port, max_bytes=MIB)
    assert written < 32 * MIB


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + PNG])
async def test_a_drip_ends_at_the_deadline(serve: Serve, start: bytes) -> None:
    async def drip(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(b"\0" if start else b"H")
            await writer.drain()
            await asyncio.sleep(0.02)

    server = await serve(drip)
    began = time.monotonic()
    with pytest.raises(MediaUnavailable, match=r"was not here after 0\.3 s"):
        await fetch("http://127.0.0.1:PORT/", server.port, timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 2


async def test_the_deadline_holds_for_all_redirects_together(serve: Serve) -> None:
    async def slow(head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await redirect("/again")(head, writer)

    server = await serve(slow)
    with pytest.raises(MediaUnavailable, match="was not here after"):
        await fetch("http://127.0.0.1:PORT/", server.port, timeout=0.5)
    assert len(server.heads) <= 3


async def test_a_body_shorter_than_declared_is_not_taken_for_whole(serve: Serve) -> None:
    server = await serve(response(PNG, length=len(PNG) + 1))
    with pytest.raises(MediaUnavailable, match="try later"):
        await fetch("http://127.0.0.1:PORT/", server.port)


async def test_a_body_longer_than_declared_is_cut_at_what_was_declared(serve: Serve) -> None:
    server = await serve(response(PNG + b"more", length=len(PNG)))
    assert (await fetch("http://127.0.0.1:PORT/", server.port)).content == PNG


async def test_a_page_is_refused_though_it_calls_itself_a_picture(serve: Serve) -> None:
    server = await serve(response(b"<!DOCTYPE html><html></html>"))
    with pytest.raises(MediaRefused, match="is none of JPEG"):
        await fetch("http://127.0.0.1:PORT/", server.port)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip"])
async def test_an_encoded_body_is_refused_unopened(serve: Serve, encoding: str) -> None:
    server = await serve(response(gzip.compress(PNG), f"Content-Encoding: {encoding}"))
    with pytest.raises(MediaRefused, match="encoding though none was asked for"):
        await fetch("http://127.0.0.1:PORT/", server.port)


async def test_a_transfer_encoded_body_is_not_opened_either(serve: Serve) -> None:
    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")

    server = await serve(answer)
    with pytest.raises(MediaUnavailable):
        await fetch("http://127.0.0.1:PORT/", server.port)


@pytest.mark.parametrize("rubbish", [b"", b"\0\xff" * 100, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000])
async def test_rubbish_is_an_error_of_the_place_not_of_ours(serve: Serve, rubbish: bytes) -> None:
    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(rubbish)

    server = await serve(answer)
    with pytest.raises(MediaUnavailable, match="could not be fetched"):
        await fetch("http://127.0.0.1:PORT/", server.port)


async def test_a_closed_port_is_reported_as_such(serve: Serve) -> None:
    server = await serve(response(PNG))
    with pytest.raises(MediaUnavailable, match="ConnectError"):
        await fetch("http://127.0.0.2:PORT/", server.port)


async def test_a_cancelled_fetch_lets_go_of_its_connection(serve: Serve) -> None:
    async def stall(_head: str, writer: asyncio.StreamWriter) -> None:
        reached.set()
        while not writer.is_closing():
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.01)

    reached = asyncio.Event()
    server = await serve(stall)
    task = asyncio.create_task(fetch("http://127.0.0.1:PORT/", server.port))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
