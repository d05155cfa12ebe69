from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from twikit_pool.errors import MediaRefused, MediaUnavailable
from twikit_pool.sessions.media import (
    GIF_BYTES,
    IMAGE_BYTES,
    MIB,
    MediaLimits,
    fetch_media,
    read_media,
    sniff,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(100)
GIF = b"GIF89a" + bytes(100)
PUBLIC = "93.184.216.34"


async def resolve(_host: str, _port: int) -> Sequence[str]:
    return [PUBLIC]


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "image/jpeg"),
        (PNG, "image/png"),
        (b"GIF87a" + bytes(6), "image/gif"),
        (GIF, "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (MP4, "video/mp4"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypheic", None),
        (b"\x00\x00\x00\x18ftypavif", None),
        (b"\x00\x00\x00\x18ftypM4A ", None),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"<!DOCTYPE html>", None),
        (b"<svg xmlns=", None),
        (b"%PDF-1.7 ...", None),
        (b"", None),
    ],
)
def test_the_type_is_told_from_the_first_bytes(head: bytes, mime: str | None) -> None:
    assert sniff(head) == mime
    assert sniff(head[:12]) == mime


# ---------------------------------------------------------------- files


def test_a_file_is_read_with_its_type_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.gif"
    path.write_bytes(PNG)
    media = read_media(path)
    assert (media.content, media.mime, media.source) == (PNG, "image/png", str(path))
    assert read_media(str(path)) == media
    assert "PNG" not in repr(media)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, "/dev/zero"):
        with pytest.raises(MediaRefused, match="is no regular file"):
            read_media(path)


@pytest.mark.parametrize("name", ["missing.png", "nul\0.png", "x" * 300])
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaRefused, match="check the path"):
        read_media(tmp_path / name)


def test_a_file_is_refused_by_the_limit_of_its_type(tmp_path: Path) -> None:
    for head, most in ((PNG, IMAGE_BYTES), (GIF, GIF_BYTES)):
        path = tmp_path / "file"
        path.write_bytes(head.ljust(most, b"\0"))
        assert len(read_media(path).content) == most
        path.write_bytes(head.ljust(most + 1, b"\0"))
        with pytest.raises(MediaRefused, match=f"more than {most:,}, what X takes of image/"):
            read_media(path)


def test_a_file_is_refused_by_our_own_limit(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(MP4.ljust(2 * MIB, b"\0"))
    assert read_media(path).mime == "video/mp4"
    with pytest.raises(MediaRefused, match=r"raise MediaLimits\.max_bytes"):
        read_media(path, MediaLimits(max_bytes=MIB))


def test_a_file_of_another_type_or_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    for content in (b"", b"GIF", b"<html></html>"):
        path.write_bytes(content)
        with pytest.raises(MediaRefused, match="is none of JPEG"):
            read_media(path)


# ---------------------------------------------------------------- URLs, before anything is sent


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "scheme 'file'"),
        ("ftp://media.example/a.png", "scheme 'ftp'"),
        ("data:image/png;base64,AAAA", "scheme 'data'"),
        ("/etc/passwd", "scheme ''"),
        ("media.example/a.png", "scheme ''"),
        ("http:///a.png", "scheme 'http'"),
        ("http://", "scheme 'http'"),
        ("", "scheme ''"),
        ("http://[::1/a.png", "malformed"),
        ("http://media.example:port/a.png", "malformed"),
        ("http://media.example/\n", "malformed"),
        ("http://media.example/\ud800", "malformed"),
        ("https://user:hunter2@media.example/a.png", "carries a log-in"),
        ("https://hunter2@media.example/a.png", "carries a log-in"),
        ("https://media.example:22/a.png", "points to port 22"),
        ("https://media.example:0/a.png", "points to port 0"),
        ("https://127.0.0.1/a.png", "127.0.0.1 is loopback"),
        ("https://[::ffff:127.0.0.1]/a.png?key=hunter2", "not a public IPv6 address"),
    ],
)
async def test_a_url_that_may_not_be_fetched_is_refused_before_anything_is_sent(
    url: str, reason: str
) -> None:
    def send(_: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    with pytest.raises(MediaRefused, match=reason) as refused:
        await fetch_media(url, resolve=resolve, transport=httpx.MockTransport(send))
    assert "hunter2" not in str(refused.value)


ADDRESSES = st.one_of(
    st.text(),
    st.text().map("//{}".format),
    st.text().map("http://{}".format),
    st.text(alphabet="a1.:@/\\?#[]%x-é。", max_size=30).map("https://{}".format),
)


@given(ADDRESSES)
def test_whatever_the_url_a_request_goes_to_a_checked_address_or_nowhere(url: str) -> None:
    def send(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(200, content=PNG)

    async def main(_: SimulatedLoop) -> None:
        with suppress(MediaRefused, MediaUnavailable):
            await fetch_media(url, resolve=resolve, transport=httpx.MockTransport(send))

    sent: list[str] = []
    simulate(main)
    assert sent in ([], [PUBLIC])


@given(ADDRESSES)
def test_wherever_a_redirect_points_a_request_goes_to_a_checked_address_or_nowhere(location: str) -> None:
    def send(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(302, headers=[(b"location", location.encode("utf-8", "surrogatepass"))])

    async def main(_: SimulatedLoop) -> None:
        with pytest.raises((MediaRefused, MediaUnavailable)):
            await fetch_media("http://m.example/a", resolve=resolve, transport=httpx.MockTransport(send))

    sent: list[str] = []
    simulate(main)
    assert set(sent) == {PUBLIC}


# ---------------------------------------------------------------- requests


async def test_the_request_is_pinned_and_bare() -> None:
    def send(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"https://{PUBLIC}/a.png?key=1"
        assert dict(request.headers) == {
            "host": "media.example",
            "accept": "image/*, video/*",
            "accept-encoding": "identity",
            "connection": "close",
            "user-agent": "twikit-pool",
        }
        assert request.extensions["sni_hostname"] == "media.example"
        return httpx.Response(200, content=PNG)

    media = await fetch_media(
        "https://media.example/a.png?key=1#top",
        resolve=resolve,
        transport=httpx.MockTransport(send),
    )
    assert media.source == "https://media.example/a.png"


async def test_a_name_in_other_letters_is_resolved_and_verified_in_ascii() -> None:
    async def resolve_ascii(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("xn--bcher-kva.example", 443)
        return [PUBLIC]

    def send(request: httpx.Request) -> httpx.Response:
        assert request.extensions["sni_hostname"] == request.headers["host"] == "xn--bcher-kva.example"
        return httpx.Response(200, content=PNG)

    url = "https://bücher.example/a.png"
    await fetch_media(url, resolve=resolve_ascii, transport=httpx.MockTransport(send))


async def test_the_next_address_is_tried_when_one_refuses_the_connection() -> None:
    async def resolve_two(_host: str, _port: int) -> Sequence[str]:
        return ["2606:4700::1", PUBLIC]

    def send(request: httpx.Request) -> httpx.Response:
        tried.append(request.url.host)
        if request.url.host != PUBLIC:
            raise httpx.ConnectError("no route")
        return httpx.Response(200, content=PNG)

    tried: list[str] = []
    await fetch_media("https://m.example/", resolve=resolve_two, transport=httpx.MockTransport(send))
    assert tried == ["2606:4700::1", PUBLIC]


async def test_a_refused_answer_is_closed_though_the_transport_stays_open() -> None:
    class Endless(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield MP4

        async def aclose(self) -> None:
            self.closed = True

    body = Endless()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    with pytest.raises(MediaRefused, match="more than 1,000"):
        await fetch_media(
            "https://m.example/", limits=MediaLimits(max_bytes=1000), resolve=resolve, transport=transport
        )
    assert body.closed


def test_a_fetch_ends_at_its_deadline_and_leaves_nothing_behind() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError("went on")

    async def main(loop: SimulatedLoop) -> None:
        with pytest.raises(MediaUnavailable, match="was not here after 30 s"):
            await fetch_media("https://m.example/a", resolve=resolve, transport=httpx.MockTransport(never))
        assert loop.time() == 30

    simulate(main)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, MediaRefused),
        (206, MediaRefused),
        (302, MediaRefused),
        (304, MediaRefused),
        (403, MediaRefused),
        (404, MediaRefused),
        (408, MediaUnavailable),
        (429, MediaUnavailable),
        (500, MediaUnavailable),
        (503, MediaUnavailable),
    ],
)
async def test_an_answer_without_a_file_says_whether_trying_later_may_help(
    status: int, error: type[Exception]
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=PNG))
    with pytest.raises(error, match=f"https://m.example/a answered {status}"):
        await fetch_media("https://m.example/a?key=hunter2", resolve=resolve, transport=transport)
