"""Media to post: fetched from a URL that may be hostile, or read from a local file.

A media URL is written by whoever wrote the job, so it must not reach what only this machine can reach, nor
exhaust it. Each hop of a fetch is checked from scratch (`addresses`) and goes straight to an address that
was checked, while TLS still verifies the name. Nothing of an account takes part: no cookies, no proxy, no
log-in. What comes is bounded in size and time as it comes, whatever its headers claim, and its type is
told from its first bytes.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import httpx

from twikit_pool.errors import MediaRefused, MediaUnavailable
from twikit_pool.sessions.addresses import Network, NotPublic, Resolve, public_addresses, resolve_host
from twikit_pool.sessions.transport import quiet_http_logs, shared_tls

MIB: Final = 1024 * 1024

IMAGE_BYTES: Final = 5 * MIB
GIF_BYTES: Final = 15 * MIB
VIDEO_BYTES: Final = 512 * MIB
"""The most that X takes of each: docs.x.com/x-api/media/introduction."""

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for one address to accept a connection before the host's next one is tried."""

_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429})
_HEAD: Final = 12
"""Bytes that tell the type."""

_MOST: Final = {
    "image/jpeg": IMAGE_BYTES,
    "image/png": IMAGE_BYTES,
    "image/webp": IMAGE_BYTES,
    "image/gif": GIF_BYTES,
    "video/mp4": VIDEO_BYTES,
    "video/quicktime": VIDEO_BYTES,
}

_MP4: Final = (*b"avc1 dash iso2 iso3 iso4 iso5 iso6 isom mp41 mp42 M4VH M4VP MSNV".split(), b"M4V ")
_BRANDS: Final = {b"qt  ": "video/quicktime", **dict.fromkeys(_MP4, "video/mp4")}
"""What a video calls itself. HEIC, AVIF and M4A have the same form and other brands: mp4ra.org."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What may be fetched or read.

    Attributes:
        max_bytes: the most of any type, since it is held in memory; X's own limit of the type holds too.
        timeout: seconds for a whole fetch, redirects included.
        redirects: how many to follow.
        ports: where a URL may point.
    """

    max_bytes: int = 64 * MIB
    timeout: float = 30.0
    redirects: int = 5
    ports: frozenset[int] = frozenset(_PORTS.values())


DEFAULT_MEDIA_LIMITS: Final = MediaLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture or video, its MIME type by content, and where it came from (a URL without its query)."""

    content: bytes = field(repr=False)
    mime: str
    source: str


def sniff(head: bytes) -> str | None:
    """The MIME type that the first 12 bytes tell, or None if it is none that X takes."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None


class _Intake:
    """Takes content in as it comes and refuses it as soon as it is too large or of a wrong type."""

    def __init__(self, source: str, limits: MediaLimits, declared: int) -> None:
        self._source = source
        self._declared = declared
        self._most = limits.max_bytes
        self._why = "the limit here; raise MediaLimits.max_bytes or make it smaller"
        self._content = bytearray()
        self._mime: str | None = None
        self._weigh()

    def take(self, chunk: bytes) -> None:
        self._content += chunk
        if self._mime is None and len(self._content) >= _HEAD:
            self._recognise()
        self._weigh()

    def done(self) -> Media:
        mime = self._mime or self._recognise()
        return Media(content=bytes(self._content), mime=mime, source=self._source)

    def _recognise(self) -> str:
        mime = sniff(bytes(self._content[:_HEAD]))
        if mime is None:
            raise MediaRefused(
                f"{self._source} is none of JPEG, PNG, WebP, GIF, MP4 or QuickTime by its content: "
                "give the address of the file itself, in one of these formats"
            )
        if _MOST[mime] < self._most:
            self._most = _MOST[mime]
            self._why = f"what X takes of {mime}; make it smaller"
        self._mime = mime
        return mime

    def _weigh(self) -> None:
        size = max(self._declared, len(self._content))
        if size > self._most:
            raise MediaRefused(
                f"{self._source} has at least {size:,} bytes, more than {self._most:,}, {self._why}"
            )


# ---------------------------------------------------------------- from a URL


async def fetch_media(
    url: str,
    *,
    limits: MediaLimits = DEFAULT_MEDIA_LIMITS,
    resolve: Resolve = resolve_host,
    transport: httpx.AsyncBaseTransport | None = None,
    allowed_networks: Iterable[Network] = (),
) -> Media:
    """Fetch media from the open internet.

    Args:
        url: an http or https address without a log-in.
        limits: of size, time, redirects and ports.
        resolve: turns a host into addresses; the system's resolver by default.
        transport: what carries the requests, left open; a plain direct one by default.
        allowed_networks: networks to fetch from though they are not public, such as a media server of
            your own.

    Raises:
        MediaRefused: the URL may not be fetched, or what it names is not media that X takes.
        MediaUnavailable: it could not be had, or not in time; later it may.
    """
    at = _parse(url, limits)
    allowed = tuple(allowed_networks)
    try:
        async with asyncio.timeout(limits.timeout), _carrier(transport) as carrier:
            for _ in range(limits.redirects + 1):
                async with _answer(at, carrier, resolve, allowed) as response:
                    location = response.headers.get("location")
                    if response.status_code not in _REDIRECTS or location is None:
                        return await _receive(response, shown(at), limits)
                    at = _redirected(at, location, limits)
    except TimeoutError as error:
        raise MediaUnavailable(
            f"{shown(at)} was not here after {limits.timeout:g} s: try later, or raise MediaLimits.timeout"
        ) from error
    raise MediaRefused(
        f"{shown(at)} is redirect number {limits.redirects + 1}: give the address that it ends at"
    )


def shown(url: httpx.URL) -> str:
    """The URL without what may be secret in it: log-in, query and fragment."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _parse(url: str, limits: MediaLimits) -> httpx.URL:
    try:
        at = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):  # the latter for characters that are no text
        # Its text may quote a part of the URL that is a secret.
        raise MediaRefused("a media URL is malformed: give http:// or https://, a host and a path") from None
    return _admit(at, limits)


def _admit(at: httpx.URL, limits: MediaLimits) -> httpx.URL:
    if at.scheme not in _PORTS or not at.raw_host:
        raise MediaRefused(f"a media URL of scheme {at.scheme!r} is not fetched: give http:// or https://")
    if at.userinfo:
        raise MediaRefused(f"{shown(at)} carries a log-in: give an address that needs none")
    if _port(at) not in limits.ports:
        raise MediaRefused(
            f"{shown(at)} points to port {_port(at)}, where no media are fetched: "
            f"use one of {sorted(limits.ports)}, or add it to MediaLimits.ports"
        )
    return at


def _host(at: httpx.URL) -> str:
    return at.raw_host.decode("ascii")


def _port(at: httpx.URL) -> int:
    return _PORTS[at.scheme] if at.port is None else at.port


def _redirected(at: httpx.URL, location: str, limits: MediaLimits) -> httpx.URL:
    try:
        to = at.join(location)
    except (httpx.InvalidURL, ValueError):
        raise MediaRefused(f"{shown(at)} redirects to a malformed address: give another") from None
    if at.scheme == "https" and to.scheme == "http":
        raise MediaRefused(
            f"{shown(at)} redirects from https to {shown(to)}, unencrypted: give an address that stays https"
        )
    return _admit(to, limits)


@asynccontextmanager
async def _carrier(given: httpx.AsyncBaseTransport | None) -> AsyncGenerator[httpx.AsyncBaseTransport, None]:
    if given is not None:
        yield given
    else:
        quiet_http_logs()  # a redirect's Location header may hold a signed query
        async with httpx.AsyncHTTPTransport(verify=shared_tls(), trust_env=False) as transport:
            yield transport


@asynccontextmanager
async def _answer(
    at: httpx.URL, carrier: httpx.AsyncBaseTransport, resolve: Resolve, allowed: tuple[Network, ...]
) -> AsyncGenerator[httpx.Response, None]:
    try:
        addresses = await public_addresses(_host(at), _port(at), resolve=resolve, allowed=allowed)
    except NotPublic as error:
        raise MediaRefused(
            f"{shown(at)} is not on the open internet ({error}): give a public address, "
            "or allow its network explicitly"
        ) from error
    except OSError as error:
        raise MediaUnavailable(f"the host of {shown(at)} does not resolve: check its spelling") from error
    try:
        response = await _ask(at, addresses, carrier)
        try:
            yield response
        finally:
            await response.aclose()
    except httpx.TransportError as error:
        raise MediaUnavailable(
            f"{shown(at)} could not be fetched ({type(error).__name__}: {error}): try later"
        ) from error


async def _ask(at: httpx.URL, addresses: list[str], carrier: httpx.AsyncBaseTransport) -> httpx.Response:
    """Send the request to the first of these addresses that accepts a connection.

    This goes to the transport, not through a client: a client would log the URL with its query, keep
    cookies and offer compression.
    """
    for address in addresses[:-1]:
        try:
            return await carrier.handle_async_request(_request(at, address))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await carrier.handle_async_request(_request(at, addresses[-1]))


def _request(at: httpx.URL, address: str) -> httpx.Request:
    return httpx.Request(
        "GET",
        at.copy_with(host=address, fragment=None),
        headers={
            "Host": at.netloc.decode("ascii"),
            "Accept": "image/*, video/*",
            "Accept-Encoding": "identity",
            # A connection is kept by its address, so a second name there would skip verification.
            "Connection": "close",
            "User-Agent": "twikit-pool",
        },
        extensions={
            "timeout": httpx.Timeout(None, connect=CONNECT_TIMEOUT).as_dict(),
            "sni_hostname": _host(at).rstrip("."),
        },
    )


async def _receive(response: httpx.Response, source: str, limits: MediaLimits) -> Media:
    status = response.status_code
    if status in _LATER or status >= 500:
        raise MediaUnavailable(f"{source} answered {status}: try later")
    if status != 200:
        raise MediaRefused(f"{source} answered {status}, not a file: check the address")
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise MediaRefused(f"{source} came in {encoding!r} encoding though none was asked for: give another")
    declared = response.headers.get("content-length", "")
    intake = _Intake(source, limits, int(declared) if declared.isdecimal() else 0)
    # Not aiter_raw, which refuses the answers of httpx's own MockTransport.
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        intake.take(chunk)
    return intake.done()


# ---------------------------------------------------------------- from a file


def read_media(path: str | Path, limits: MediaLimits = DEFAULT_MEDIA_LIMITS) -> Media:
    """Read media from a local file. It blocks for as long as the disk takes.

    Raises:
        MediaRefused: the file cannot be read, is no regular file, or is not media that X takes.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return _read(descriptor, str(path), limits)
        finally:
            os.close(descriptor)
    except MediaRefused:  # which is a ValueError as well
        raise
    except (OSError, ValueError) as error:
        raise MediaRefused(f"media cannot be read: {error}; check the path and its permissions") from error


def _read(descriptor: int, source: str, limits: MediaLimits) -> Media:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise MediaRefused(f"{source} is no regular file: give the path of a picture or video")
    intake = _Intake(source, limits, status.st_size)
    while chunk := os.read(descriptor, MIB):
        intake.take(chunk)
    return intake.done()
