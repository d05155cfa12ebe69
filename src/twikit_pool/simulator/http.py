"""HTTP/1.1, as much as a client of X speaks: keep-alive, pipelining, both kinds of bodies."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers; a GraphQL GET carries its features there, about 8 KB."""
MAX_BODY: Final = 16 * 1024 * 1024
"""Bytes of a body: an upload's segment is 8 MB at most."""


class MalformedRequest(Exception):
    """The bytes are not a request that this server reads; the connection is of no more use."""


class Request:
    """One request. Header names are lower case; a repeated header's values are joined."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: dict[str, str]) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = b""

    @property
    def host(self) -> str:
        """The host that was meant, without a port."""
        return self.headers.get("host", "").rpartition(":")[0] or self.headers.get("host", "")

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name; the first of a name counts, as the most specific one comes first."""
        cookies: dict[str, str] = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, found, value = pair.strip().partition("=")
            if found:
                cookies.setdefault(name, value)
        return cookies

    def parameter(self, name: str) -> str | None:
        """One parameter of the query, without decoding the others: `features` alone is 5 KB."""
        for pair in self.query.split("&"):
            if pair.startswith(name) and pair[len(name) : len(name) + 1] == "=":
                return unquote_plus(pair[len(name) + 1 :])
        return None

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Response:
    """What is to be sent. `length` is what Content-Length claims, when that is not the truth."""

    status: int
    body: bytes = b""
    headers: str = ""
    """Header lines, each ended by CRLF."""
    content_type: str = "application/json; charset=utf-8"
    length: int | None = None
    close: bool = False

    def encode(self, date: str) -> bytes:
        """The bytes on the wire."""
        body, connection = self.body, "Connection: close\r\n" if self.close else ""
        length = len(body) if self.length is None else self.length
        head = (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}\r\nDate: {date}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {length}\r\n{connection}{self.headers}\r\n"
        )
        return head.encode("latin-1") + body


_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class RequestParser:
    """Bytes in, requests out. Holds what is not complete yet."""

    __slots__ = ("_body", "_buffer", "_chunked", "_left", "_request")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body = bytearray()
        self._chunked = False
        self._left = 0

    def feed(self, received: bytes) -> list[Request]:
        """The requests that are complete now.

        Raises:
            MalformedRequest: what came is no HTTP, or larger than the limits above.
        """
        self._buffer += received
        complete: list[Request] = []
        while (request := self._next()) is not None:
            complete.append(request)
        return complete

    def _next(self) -> Request | None:
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise MalformedRequest(f"a head of more than {MAX_HEAD} bytes")
                return None
            self._request = self._read_head(self._buffer[:end].decode("latin-1"))
            del self._buffer[: end + 4]
        if not (self._take_chunks() if self._chunked else self._take_counted()):
            return None
        request, self._request = self._request, None
        request.body, self._body = bytes(self._body), bytearray()
        return request

    def _read_head(self, head: str) -> Request:
        first, *lines = head.split("\r\n")
        try:
            method, target, version = first.split(" ")
        except ValueError as error:
            raise MalformedRequest("no request line") from error
        if not version.startswith("HTTP/1."):
            raise MalformedRequest("not HTTP/1.x")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise MalformedRequest("a header without a colon")
            name, value = name.lower(), value.strip()
            if name in headers:
                value = headers[name] + ("; " if name == "cookie" else ", ") + value
            headers[name] = value
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._left = self._size(headers.get("content-length", "0"), 10)
        return Request(method, target, headers)

    def _size(self, digits: str, base: int) -> int:
        try:
            size = int(digits, base)
        except ValueError as error:
            raise MalformedRequest("a length that is no number") from error
        if not 0 <= size <= MAX_BODY - len(self._body):
            raise MalformedRequest(f"a body of more than {MAX_BODY} bytes")
        return size

    def _take_counted(self) -> bool:
        if len(self._buffer) < self._left:
            return False
        self._body += self._buffer[: self._left]
        del self._buffer[: self._left]
        return True

    def _take_chunks(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = self._size(self._buffer[:end].split(b";")[0].decode("latin-1"), 16)
            if len(self._buffer) < end + size + 4:
                return False
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + size + 4]
            if size == 0:
                return True
        return False
